package gammu

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// late is how long a text may lie in the outbox before SMSD seems not to be running.
const late = 5 * time.Minute

// Check says what is wrong with SMSD's configuration and folders.
func (g *Gateway) Check() []gateway.Finding {
	d := g.daemon
	var found []gateway.Finding
	setting := func(name, value, want, why string) {
		f := gateway.Finding{Check: name, OK: strings.EqualFold(value, want), Found: name + " = " + value}
		if !f.OK {
			f.Advice = "set " + name + " = " + want + " in [smsd] of " + g.settings.Smsdrc + ": " + why
		}
		found = append(found, f)
	}
	if g.settings.Send == "outbox" {
		setting("service", d.service, "files", `the bridge works with the folders of the files backend; for another one set send = "inject" in [gammu]`)
		setting("transmitformat", d.transmitFormat, "auto", "else SMSD sends what GSM's alphabet lacks as question marks")
	} else {
		found = append(found, g.checkInject(), called("runonsent", d.onSent, "--sent"))
	}
	if g.settings.Receive == "inbox" {
		setting("inboxformat", d.inboxFormat, "detail", "else nothing says which parts belong together, and long texts arrive in pieces")
	} else {
		found = append(found, called("runonreceive", d.received, "--received"))
	}
	folders := map[string]string{}
	if g.settings.Send == "outbox" {
		folders["outboxpath"], folders["sentsmspath"], folders["errorsmspath"] = d.outbox, d.sent, d.failed
	}
	if g.settings.Receive == "inbox" {
		folders["inboxpath"] = d.inbox
	}
	for _, name := range []string{"outboxpath", "sentsmspath", "errorsmspath", "inboxpath"} {
		if dir, ok := folders[name]; ok {
			found = append(found, gateway.CheckFolder(name, dir))
		}
	}
	if g.settings.Send != "outbox" {
		return found
	}
	if d.sent == d.failed || d.sent == d.outbox || d.failed == d.outbox {
		found = append(found, gateway.Finding{Check: "folders", Found: "outboxpath, sentsmspath and errorsmspath are not three folders", Advice: "give each its own: a file's folder is what says what became of it"})
	}
	return append(found, g.checkAge())
}

// called says whether SMSD has a program to call.
func called(name, value, flag string) gateway.Finding {
	if value == "" {
		return gateway.Finding{Check: name, Found: "it is not set", Advice: "set " + name + " to: qst gateway gammu " + flag + " --config and this configuration's path"}
	}
	return gateway.Finding{Check: name, OK: true, Found: name + " = " + value}
}

// checkInject looks for the program that hands texts over.
func (g *Gateway) checkInject() gateway.Finding {
	path, err := exec.LookPath(g.settings.Inject)
	if err != nil {
		return gateway.Finding{Check: "inject", Found: err.Error(), Advice: "it is in the package gammu-smsd; set inject in [gammu] to its path"}
	}
	return gateway.Finding{Check: "inject", OK: true, Found: path}
}

// checkAge looks for texts that SMSD does not send.
func (g *Gateway) checkAge() gateway.Finding {
	files, _ := os.ReadDir(g.daemon.outbox) // CheckFolder has said it
	for _, file := range files {
		info, err := os.Stat(filepath.Join(g.daemon.outbox, file.Name()))
		if err == nil && time.Since(info.ModTime()) > late {
			return gateway.Finding{Check: "daemon", Note: true, Found: file.Name() + " lies in the outbox since " + info.ModTime().Format(time.RFC3339), Advice: "is gammu-smsd running, and does it see the phone? systemctl status gammu-smsd"}
		}
	}
	return gateway.Finding{Check: "daemon", OK: true, Found: "no text waits in the outbox for longer than " + late.String()}
}
