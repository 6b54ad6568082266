// Package gammu bridges Gammu SMSD (Debian's gammu-smsd), by the folders of its files
// backend; or, whatever the backend, by gammu-smsd-inject, RunOnSent and RunOnReceive.
//
// A text goes into the outbox under a name that holds its key, so that a bridge that
// died after writing it finds it again: in the outbox, or where SMSD has moved
// it. SMSD moves it to the sent or the error folder, and so tells what became of it;
// the bridge reports that and deletes the file.
//
// Received messages are read from the inbox, in the format "detail", which alone says
// which parts belong together; or they are handed to [Received] by RunOnReceive,
// which works with every backend.
//
// SMSD's folders do not say which text a phone's delivery report is about. Such reports
// are counted, and dropped.
package gammu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// Settings are the table [gammu] of the configuration.
type Settings struct {
	Smsdrc    string           `toml:"smsdrc"`     // SMSD's configuration; default /etc/gammu-smsdrc
	OutboxMax int              `toml:"outbox-max"` // texts in the outbox at once; default 20
	Poll      gateway.Duration `toml:"poll"`       // how often the folders are looked at; default 1s
	Receive   string           `toml:"receive"`    // inbox (default) or run-on-receive
	Number    string           `toml:"number"`     // the SIM's own: the "to" of what is received
	Send      string           `toml:"send"`       // outbox (default) or inject
	Inject    string           `toml:"inject"`     // default gammu-smsd-inject
}

// Gateway is SMSD.
type Gateway struct {
	settings Settings
	daemon   daemon
	drop     string // where Received puts messages
	injected string // which text an id of SMSD's is
	sent     string // where Sent puts ids
	log      *slog.Logger
	files    gateway.Files
}

// New reads SMSD's configuration. state is the bridge's directory.
func New(s Settings, state string, log *slog.Logger) (*Gateway, error) {
	if s.Smsdrc == "" {
		s.Smsdrc = "/etc/gammu-smsdrc"
	}
	if s.OutboxMax == 0 {
		s.OutboxMax = 20
	}
	if s.Send == "" {
		s.Send = "outbox"
	}
	if s.Inject == "" {
		s.Inject = "gammu-smsd-inject"
	}
	if s.Receive == "" {
		s.Receive = map[string]string{"outbox": "inbox", "inject": "run-on-receive"}[s.Send]
	}
	s.Poll = s.Poll.Or(time.Second)
	if s.OutboxMax < 1 || s.Poll.Duration < 0 || s.Receive != "inbox" && s.Receive != "run-on-receive" || s.Send != "outbox" && s.Send != "inject" {
		return nil, fmt.Errorf("%w: [gammu] outbox-max = %d, poll = %q, receive = %q, send = %q", gateway.ErrSettings, s.OutboxMax, s.Poll, s.Receive, s.Send)
	}
	g := &Gateway{settings: s, log: log, files: gateway.NewFiles(log)}
	g.drop, g.injected, g.sent = filepath.Join(state, "received"), filepath.Join(state, "injected"), filepath.Join(state, "sent")
	var err error
	if g.daemon, err = readSmsdrc(s.Smsdrc); err != nil {
		return nil, err
	}
	return g, nil
}

// fileName returns the name of a text's file in the outbox. SMSD sends in the order of
// names, reads the number from behind the third underscore, and has room for 99
// bytes.
func fileName(t gateway.Text) string {
	begun := t.Begun.UTC()
	return fmt.Sprintf("OUTC%s_%09d_%s_%s.txt", begun.Format("20060102_150405"), begun.Nanosecond(), t.To, t.Key)
}

// keyIn returns the key in a file's name, "" if it is none of ours.
func keyIn(name string) string {
	rest, ok := strings.CutSuffix(name, ".txt")
	parts := strings.Split(rest, "_")
	if !ok || len(parts) != 5 || !strings.HasPrefix(name, "OUT") || !gateway.IsKey(parts[4]) {
		return ""
	}
	return parts[4]
}

// Send hands a text to SMSD.
func (g *Gateway) Send(ctx context.Context, t gateway.Text) error {
	if g.settings.Send == "inject" {
		return g.inject(ctx, t)
	}
	return g.files.Put(t, fileName(t), utf16Text(t.Body), g.settings.OutboxMax, []string{g.daemon.outbox}, g.daemon.sent, g.daemon.failed)
}

// utf16Text is a text as SMSD reads it whatever its locale: UTF-16 with a byte order mark.
// U+0000 would end it.
func utf16Text(s string) []byte {
	b := []byte{0xfe, 0xff}
	for _, unit := range utf16.Encode([]rune(strings.ReplaceAll(s, "\x00", "\ufffd"))) {
		b = append(b, byte(unit>>8), byte(unit))
	}
	return b
}

// Run looks at the folders until ctx ends.
func (g *Gateway) Run(ctx context.Context, b *gateway.Bridge) error {
	for _, dir := range []string{g.drop, g.injected, g.sent} {
		if err := os.MkdirAll(dir, 0o770); err != nil { //nolint:gosec // SMSD may run as another user of the bridge's group
			return err
		}
	}
	return g.files.Watch(ctx, g.settings.Poll.Duration, func() error {
		return errors.Join(g.done(b), g.dropped(b), g.inbox(b))
	})
}

// done reports what became of texts.
func (g *Gateway) done(b *gateway.Bridge) error {
	if g.settings.Send == "inject" {
		return g.confirmed(b)
	}
	return errors.Join(
		g.results(b, g.daemon.sent, gateway.Event{Status: gateway.Sent, Last: true}),
		g.results(b, g.daemon.failed, gateway.Event{Status: gateway.Failed, Last: true}),
	)
}

// results reports the texts that SMSD has moved to a folder.
func (g *Gateway) results(b *gateway.Bridge, dir string, event gateway.Event) error {
	return g.files.Each(dir, func(path string, info fs.FileInfo) error {
		key := keyIn(info.Name())
		if key == "" {
			g.files.Leave(path)
			return nil
		}
		event.At = info.ModTime()
		return g.files.Report(b, path, key, event)
	})
}
