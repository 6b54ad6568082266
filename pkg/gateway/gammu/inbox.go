package gammu

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// patience is how old a file gets before it is taken for all that there will be: SMSD
// writes it in one go, but not at once.
const patience = time.Minute

// inbox takes the messages that SMSD has put there.
func (g *Gateway) inbox(b *gateway.Bridge) error {
	if g.settings.Receive != "inbox" {
		return nil
	}
	return g.files.Each(g.daemon.inbox, func(path string, info fs.FileInfo) error {
		if !strings.HasPrefix(info.Name(), "IN") {
			g.files.Leave(path)
			return nil
		}
		content, err := os.ReadFile(path) //nolint:gosec // in SMSD's inbox
		if err != nil {
			return err
		}
		parts, whole := parseBackup(content)
		if !whole && time.Since(info.ModTime()) < patience {
			return nil
		}
		if len(parts) == 0 {
			g.log.Error("this is no message in the format detail: it is left where it is", "file", path)
			g.files.Leave(path)
			return nil
		}
		if parts[0].pdu == "Status_Report" {
			b.Unmatched()
			return os.Remove(path)
		}
		if err := b.Receive(g.message(info.Name(), content, parts)); err != nil {
			return err
		}
		return os.Remove(path)
	})
}

// message makes one message of its parts. The file's content tells it from one that had the
// same name before.
func (g *Gateway) message(name string, content []byte, parts []part) qst.Message {
	sum := sha256.Sum256(content)
	m := qst.Message{
		ID:   gateway.ID("gammu", name, hex.EncodeToString(sum[:])),
		From: gateway.Address(parts[0].number),
		To:   gateway.Address(g.settings.Number),
	}
	if !parts[0].at.IsZero() {
		m.When = parts[0].at.Format(time.RFC3339)
	}
	var units []uint16
	var data strings.Builder
	for _, p := range parts {
		units = append(units, p.units...) // and not texts: a phone may have cut an emoji in two
		data.WriteString(p.data)
	}
	m.Body = string(utf16.Decode(units))
	set := func(name, value string) {
		if value != "" {
			m.Properties = append(m.Properties, qst.Property{Name: name, Values: []qst.Value{{Text: value}}})
		}
	}
	set("smsc", parts[0].smsc)
	set("sms-data", data.String())
	if missing := parts[0].total - len(parts); missing > 0 {
		set("sms-parts-missing", strconv.Itoa(missing))
	}
	if m.From == "" && m.Body == "" {
		m.Body = " " // a message has to have something in it
	}
	return m
}

// dropped takes what [Received] has written.
func (g *Gateway) dropped(b *gateway.Bridge) error {
	return g.files.Each(g.drop, func(path string, _ fs.FileInfo) error {
		content, err := os.ReadFile(path) //nolint:gosec // in the bridge's own directory
		if err != nil {
			return err
		}
		msgs, err := qst.Decode(qst.JSON, "", content, qst.NoLimits())
		if err != nil || len(msgs) != 1 {
			g.log.Error("this is no message of RunOnReceive: it is left where it is", "file", path, "error", err)
			g.files.Leave(path)
			return nil
		}
		if err := b.Receive(msgs[0]); err != nil {
			return err
		}
		return os.Remove(path)
	})
}

// Received is what SMSD's RunOnReceive calls: it takes the message out of the
// environment and returns when it is on disk, for the bridge to find. args are the names that
// SMSD's backend gave the message.
func (g *Gateway) Received(env func(string) string, args []string, now time.Time) error {
	m, err := fromEnvironment(env)
	if err != nil {
		return err
	}
	m.ID = gateway.ID("gammu-run", strings.Join(args, " "), now.Format(time.RFC3339Nano), m.From, m.Body)
	m.To = gateway.Address(g.settings.Number)
	m.When = now.UTC().Format(time.RFC3339)
	if err := os.MkdirAll(g.drop, 0o770); err != nil { //nolint:gosec // as in Run
		return err
	}
	name := now.UTC().Format("20060102T150405.000000000") + "-" + m.ID + ".json"
	return gateway.WriteFile(filepath.Join(g.drop, name), qst.AppendJSON(nil, []qst.Message{m}))
}
