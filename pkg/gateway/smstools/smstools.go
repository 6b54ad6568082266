// Package smstools bridges SMS Server Tools 3 (Debian's smstools), by its spool folders.
//
// A text goes into the folder outgoing under a name that is its key, so that a bridge
// that died after writing it finds it again wherever smsd has moved it. smsd writes the
// network's number for the text into the file that it moves to the folder sent, which
// ties a phone's delivery report to the text.
//
// What smsd can run for each event (eventhandler) would be told no more than the folders say,
// and would be told only once; so the bridge reads the folders.
package smstools

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// Settings are the table [smstools] of the configuration.
type Settings struct {
	Conf        string           `toml:"conf"`         // smsd's configuration; default /etc/smsd.conf
	OutgoingMax int              `toml:"outgoing-max"` // texts that smsd has at once; default 20
	Poll        gateway.Duration `toml:"poll"`         // how often the folders are looked at; default 1s
	Settle      gateway.Duration `toml:"settle"`       // how old a received file gets before it is read; default 2s
	Delivery    bool             `toml:"delivery"`     // ask for delivery reports
	Number      string           `toml:"number"`       // the SIM's own: the "to" of what is received
}

// Gateway is smsd.
type Gateway struct {
	settings Settings
	daemon   daemon
	log      *slog.Logger
	files    gateway.Files
}

// New reads smsd's configuration.
func New(s Settings, log *slog.Logger) (*Gateway, error) {
	if s.Conf == "" {
		s.Conf = "/etc/smsd.conf"
	}
	if s.OutgoingMax == 0 {
		s.OutgoingMax = 20
	}
	s.Poll, s.Settle = s.Poll.Or(time.Second), s.Settle.Or(2*time.Second)
	if s.OutgoingMax < 1 || s.Poll.Duration < 0 || s.Settle.Duration < 0 {
		return nil, fmt.Errorf("%w: [smstools] a negative number", gateway.ErrSettings)
	}
	d, err := readConf(s.Conf)
	if err != nil {
		return nil, err
	}
	return &Gateway{settings: s, daemon: d, log: log, files: gateway.NewFiles(log)}, nil
}

// fileName returns the name of a text's file. The key is what tells it from others.
func fileName(t gateway.Text) string {
	begun := t.Begun.UTC()
	return fmt.Sprintf("qst-%s-%09d-%s", begun.Format("20060102T150405"), begun.Nanosecond(), t.Key)
}

// keyIn returns the key in a file's name, "" if it is none of ours.
func keyIn(name string) string {
	parts := strings.Split(name, "-")
	if len(parts) != 4 || parts[0] != "qst" || !gateway.IsKey(parts[3]) {
		return ""
	}
	return parts[3]
}

// Send puts a text into the folder outgoing.
func (g *Gateway) Send(_ context.Context, t gateway.Text) error {
	// In the order in which smsd moves a file, so that one that is being moved is not missed.
	waiting := append([]string{g.daemon.outgoing}, g.daemon.queues...)
	return g.files.Put(t, fileName(t), g.file(t), g.settings.OutgoingMax, waiting, g.daemon.sent, g.daemon.failed)
}

// file is a text as smsd reads it.
func (g *Gateway) file(t gateway.Text) []byte {
	var b bytes.Buffer
	to, international := strings.CutPrefix(t.To, "+")
	if !international {
		to = "s" + to // a short or a national number, as smsd writes it
	}
	fmt.Fprintf(&b, "To: %s\n", to)
	if g.settings.Delivery {
		b.WriteString("Report: yes\n")
	}
	if gateway.IsGSM(t.Body) {
		fmt.Fprintf(&b, "Alphabet: UTF-8\n\n%s", t.Body)
		return b.Bytes()
	}
	b.WriteString("Alphabet: UCS2\n\n")
	for _, unit := range utf16.Encode([]rune(t.Body)) {
		b.Write([]byte{byte(unit >> 8), byte(unit)})
	}
	return b.Bytes()
}

// Run looks at the folders until ctx ends.
func (g *Gateway) Run(ctx context.Context, b *gateway.Bridge) error {
	return g.files.Watch(ctx, g.settings.Poll.Duration, func() error {
		err := errors.Join(
			g.files.Each(g.daemon.sent, func(path string, info fs.FileInfo) error { return g.sent(b, path, info) }),
			g.files.Each(g.daemon.failed, func(path string, info fs.FileInfo) error { return g.failed(b, path, info) }),
			g.files.Each(g.daemon.incoming, func(path string, info fs.FileInfo) error { return g.received(b, path, info) }),
		)
		if err == nil && g.daemon.reports != "" {
			err = g.files.Each(g.daemon.reports, func(path string, info fs.FileInfo) error { return g.received(b, path, info) })
		}
		return err
	})
}

// sent reports a text that the network has taken.
func (g *Gateway) sent(b *gateway.Bridge, path string, info fs.FileInfo) error {
	key := keyIn(info.Name())
	if key == "" {
		g.files.Leave(path)
		return nil
	}
	f, err := readMessage(path)
	if err != nil {
		return err
	}
	if id := f.header("Message_id"); id != "" {
		if err := b.Refer(key, id); err != nil && !errors.Is(err, gateway.ErrNotKnown) {
			return err
		}
	}
	return g.files.Report(b, path, key, gateway.Event{Status: gateway.Sent, At: info.ModTime(), Last: !g.settings.Delivery})
}

// failed reports a text that smsd has given up.
func (g *Gateway) failed(b *gateway.Bridge, path string, info fs.FileInfo) error {
	key := keyIn(info.Name())
	if key == "" {
		g.files.Leave(path)
		return nil
	}
	f, err := readMessage(path)
	if err != nil {
		return err
	}
	return g.files.Report(b, path, key, gateway.Event{Status: gateway.Failed, Code: f.header("Fail_reason"), At: info.ModTime(), Last: true})
}
