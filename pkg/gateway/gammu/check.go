package gammu

import (
	"os"
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
	setting("service", d.service, "files", "the bridge works with the folders of the files backend")
	setting("transmitformat", d.transmitFormat, "auto", "else SMSD sends what GSM's alphabet lacks as question marks")
	if g.settings.Receive == "inbox" {
		setting("inboxformat", d.inboxFormat, "detail", "else nothing says which parts belong together, and long texts arrive in pieces")
	} else if d.received == "" {
		found = append(found, gateway.Finding{Check: "runonreceive", Found: "it is not set", Advice: "set runonreceive to: qst gateway gammu --received --config and this configuration's path"})
	}
	folders := map[string]string{"outboxpath": d.outbox, "sentsmspath": d.sent, "errorsmspath": d.failed}
	if g.settings.Receive == "inbox" {
		folders["inboxpath"] = d.inbox
	}
	for _, name := range []string{"outboxpath", "sentsmspath", "errorsmspath", "inboxpath"} {
		if dir, ok := folders[name]; ok {
			found = append(found, gateway.CheckFolder(name, dir))
		}
	}
	if d.sent == d.failed || d.sent == d.outbox || d.failed == d.outbox {
		found = append(found, gateway.Finding{Check: "folders", Found: "outboxpath, sentsmspath and errorsmspath are not three folders", Advice: "give each its own: a file's folder is what says what became of it"})
	}
	return append(found, g.checkAge())
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
