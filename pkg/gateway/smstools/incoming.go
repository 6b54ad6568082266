package smstools

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// file is one of smsd's: lines of a header, an empty line, a text.
type file struct {
	headers map[string]string // by names in small letters
	body    []byte
	content []byte
}

func (f file) header(name string) string { return f.headers[strings.ToLower(name)] }

func readMessage(path string) (file, error) {
	content, err := os.ReadFile(path) //nolint:gosec // in one of smsd's folders
	return parse(content), err
}

func parse(content []byte) file {
	f := file{headers: map[string]string{}, content: content}
	rest := content
	for len(rest) > 0 {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		text := strings.TrimRight(string(line), "\r")
		if text == "" {
			break
		}
		name, value, ok := strings.Cut(text, ":")
		if ok {
			f.headers[strings.ToLower(strings.TrimSpace(name))] = strings.ToValidUTF8(strings.TrimSpace(value), "\ufffd")
		}
	}
	f.body = rest
	return f
}

// statusReport is what the text of a delivery report begins with.
const statusReport = "SMS STATUS REPORT"

// received takes a message or a delivery report.
func (g *Gateway) received(b *gateway.Bridge, path string, info fs.FileInfo) error {
	if time.Since(info.ModTime()) < g.settings.Settle.Duration {
		return nil // smsd may be writing it
	}
	f, err := readMessage(path)
	if err != nil {
		return err
	}
	if f.header("From") == "" {
		g.log.Error("this is no received message: it is left where it is", "file", path)
		g.files.Leave(path)
		return nil
	}
	if bytes.HasPrefix(f.body, []byte(statusReport)) {
		err = delivered(b, f)
	} else {
		err = b.Receive(g.message(info.Name(), f))
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// delivered takes a phone's delivery report.
func delivered(b *gateway.Bridge, f file) error {
	inside := parse(bytes.TrimLeft(f.body[len(statusReport):], "\r\n"))
	number, _ := gateway.Number(f.header("From"))
	key, ok := b.ByRef(number, inside.header("Message_id"))
	if !ok {
		b.Unmatched()
		return nil
	}
	e, ok := event(inside.header("Status"))
	if !ok {
		return nil // on its way
	}
	e.At = when(inside.header("Discharge_timestamp"))
	err := b.Report(key, e)
	if errors.Is(err, gateway.ErrNotKnown) {
		return nil
	}
	return err
}

// event reads a status of 3GPP TS 23.040, with smsd's words after it: "0,Ok,short message
// received by the SME".
func event(status string) (gateway.Event, bool) {
	digits, _, _ := strings.Cut(status, ",")
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' || n > 255 {
			return gateway.Event{}, false
		}
		n = 10*n + int(c-'0')
	}
	switch {
	case digits == "" || n >= 32 && n < 64: // the network goes on trying
		return gateway.Event{}, false
	case n < 32:
		return gateway.Event{Status: gateway.Delivered, Last: true}, true
	case n == 70:
		return gateway.Event{Status: gateway.Expired, Code: digits, Last: true}, true
	default:
		return gateway.Event{Status: gateway.Failed, Code: digits, Last: true}, true
	}
}

// message makes a message of a received file.
func (g *Gateway) message(name string, f file) qst.Message {
	sum := sha256.Sum256(f.content)
	from := f.header("From")
	if toa := f.header("From_TOA"); strings.HasPrefix(toa, "91") && from[0] >= '0' && from[0] <= '9' {
		from = "+" + from // of the international type
	}
	m := qst.Message{
		ID:   gateway.ID("smstools", name, hex.EncodeToString(sum[:])),
		From: gateway.Address(from),
		To:   gateway.Address(g.settings.Number),
	}
	if at := when(f.header("Sent")); !at.IsZero() {
		m.When = at.UTC().Format(time.RFC3339)
	}
	set := func(name, value string) {
		if value != "" {
			m.Properties = append(m.Properties, qst.Property{Name: name, Values: []qst.Value{{Text: value}}})
		}
	}
	switch alphabet := strings.ToUpper(f.header("Alphabet")); {
	case strings.HasPrefix(alphabet, "UCS"):
		units := make([]uint16, len(f.body)/2)
		for i := range units {
			units[i] = uint16(f.body[2*i])<<8 | uint16(f.body[2*i+1])
		}
		m.Body = string(utf16.Decode(units))
	case strings.HasPrefix(alphabet, "BIN"):
		set("sms-data", hex.EncodeToString(f.body))
	default:
		m.Body = text(f.body)
	}
	set("smsc", f.header("From_SMSC"))
	set("modem", f.header("Modem"))
	return m
}

// text reads what smsd has written with incoming_utf8: UTF-8, in which a character beyond the
// first 65 536, such as an emoji, may be its two surrogates.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	var units []uint16
	for len(b) > 0 {
		if len(b) >= 3 && b[0] == 0xed && b[1] >= 0xa0 {
			units = append(units, 0xd000|uint16(b[1]&0x3f)<<6|uint16(b[2]&0x3f))
			b = b[3:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		units = utf16.AppendRune(units, r)
		b = b[n:]
	}
	return string(utf16.Decode(units))
}

// when reads smsd's times, which are the machine's: 26-11-26 07:30:00.
func when(s string) time.Time {
	at, err := time.ParseInLocation("06-01-02 15:04:05", s, time.Local)
	if err != nil {
		return time.Time{}
	}
	return at
}
