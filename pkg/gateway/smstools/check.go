package smstools

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// daemon is what the bridge has to know of smsd's configuration.
type daemon struct {
	outgoing, sent, failed, incoming string
	queues                           []string // where files are between outgoing and sent
	reports                          string   // delivery reports, where they have a folder of their own
	incomingUTF8                     string
}

// readConf reads smsd's configuration. What it does not say has smsd's defaults.
func readConf(path string) (daemon, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return daemon{}, fmt.Errorf("%w: [smstools] conf: %w", gateway.ErrSettings, err)
	}
	const spool = "/var/spool/sms/"
	d := daemon{outgoing: spool + "outgoing", incoming: spool + "incoming"}
	checked := spool + "checked"
	settings := map[string]*string{
		"outgoing": &d.outgoing, "checked": &checked, "sent": &d.sent, "failed": &d.failed, "incoming": &d.incoming,
		"report": &d.reports, "incoming_utf8": &d.incomingUTF8,
	}
	section := ""
	for line := range bytes.Lines(content) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			section = strings.ToLower(strings.Trim(text, "[]"))
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || strings.HasPrefix(name, "#"):
		case section == "queues":
			d.queues = append(d.queues, value)
		case settings[name] != nil && (section == "" || name == "incoming_utf8"):
			*settings[name] = value
		}
	}
	d.queues = append([]string{checked}, d.queues...)
	return d, nil
}

// late is how long a text may lie in outgoing before smsd seems not to be running.
const late = 5 * time.Minute

// Check says what is wrong with smsd's configuration and folders.
func (g *Gateway) Check() (found []gateway.Finding) {
	d := g.daemon
	for _, folder := range [][2]string{{"outgoing", d.outgoing}, {"sent", d.sent}, {"failed", d.failed}, {"incoming", d.incoming}, {"report", d.reports}} {
		switch {
		case folder[1] != "":
			found = append(found, gateway.CheckFolder(folder[0], folder[1]))
		case folder[0] != "report":
			found = append(found, gateway.Finding{Check: folder[0], Found: "it is not set", Advice: "set " + folder[0] + " in " + g.settings.Conf + ": smsd deletes what it has sent, and nobody knows what became of it"})
		}
	}
	utf8 := gateway.Finding{Check: "incoming_utf8", OK: strings.EqualFold(d.incomingUTF8, "yes"), Found: "incoming_utf8 = " + d.incomingUTF8}
	if !utf8.OK {
		utf8.Advice = "set incoming_utf8 = yes in " + g.settings.Conf + ": else characters that ISO-8859-15 lacks are lost"
	}
	return append(found, utf8, g.checkAge())
}

// checkAge looks for texts that smsd does not take.
func (g *Gateway) checkAge() gateway.Finding {
	files, _ := os.ReadDir(g.daemon.outgoing) // CheckFolder has said it
	for _, file := range files {
		info, err := os.Stat(filepath.Join(g.daemon.outgoing, file.Name()))
		if err == nil && time.Since(info.ModTime()) > late {
			return gateway.Finding{Check: "daemon", Note: true, Found: file.Name() + " lies in outgoing since " + info.ModTime().Format(time.RFC3339), Advice: "is smsd running, and does it see the modem? systemctl status smstools"}
		}
	}
	return gateway.Finding{Check: "daemon", OK: true, Found: "no text waits in outgoing for longer than " + late.String()}
}
