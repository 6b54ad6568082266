package gammu

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// part is one SMS of a file in the format detail.
type part struct {
	pdu, number, smsc string
	at                time.Time
	units             []uint16 // of a text
	data              string   // hexadecimal, of what is no text
	n, total          int      // its place among the parts of a long message; 0: it is all
}

// parseBackup reads a file in the format detail. whole says that it is all there: its
// last part has come to its end, and no part is missing.
func parseBackup(content []byte) (parts []part, whole bool) {
	for _, section := range strings.Split(string(content), "\n[SMSBackup")[1:] {
		p, complete := parseSection(section)
		if !complete {
			return parts, false
		}
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		return nil, false
	}
	slices.SortStableFunc(parts, func(a, b part) int { return a.n - b.n })
	return parts, len(parts) >= parts[0].total
}

func parseSection(section string) (p part, complete bool) {
	var texts strings.Builder
	var coding, udh string
	for line := range strings.Lines(section) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), " = ")
		if !ok || strings.HasPrefix(line, ";") {
			continue
		}
		switch name {
		case "PDU":
			p.pdu = value
		case "NumberUnicode":
			p.number = string(utf16.Decode(unitsOf(value)))
		case "SMSCUnicode":
			p.smsc = string(utf16.Decode(unitsOf(value)))
		case "DateTime":
			p.at, _ = time.Parse("20060102T150405", strings.TrimSuffix(value, "Z"))
		case "UDH":
			udh = value
		case "Coding":
			coding = value
		case "MessageReference":
			complete = true
		default:
			if digits, ok := strings.CutPrefix(name, "Text"); ok {
				if _, err := strconv.Atoi(digits); err == nil {
					texts.WriteString(value)
				}
			}
		}
	}
	if header, err := hex.DecodeString(udh); err == nil {
		_, p.n, p.total, _ = gateway.Concatenation(header)
	}
	if strings.HasPrefix(coding, "8bit") {
		p.data = texts.String()
	} else {
		p.units = unitsOf(texts.String())
	}
	return p, complete
}

// unitsOf reads UTF-16 in hexadecimal digits.
func unitsOf(s string) []uint16 {
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i])<<8 | uint16(b[2*i+1])
	}
	return units
}

var errEnvironment = errors.New("this is not called by SMSD's RunOnReceive")

// fromEnvironment reads what SMSD tells RunOnReceive.
func fromEnvironment(env func(string) string) (qst.Message, error) {
	count, err := strconv.Atoi(env("SMS_MESSAGES"))
	if err != nil || count < 1 {
		return qst.Message{}, fmt.Errorf("%w: SMS_MESSAGES is %q", errEnvironment, env("SMS_MESSAGES"))
	}
	var body strings.Builder
	if decoded, _ := strconv.Atoi(env("DECODED_PARTS")); decoded > 0 {
		for i := 1; i <= decoded; i++ {
			body.WriteString(env(fmt.Sprintf("DECODED_%d_TEXT", i)))
		}
	} else {
		for i := 1; i <= count; i++ {
			body.WriteString(env(fmt.Sprintf("SMS_%d_TEXT", i)))
		}
	}
	return qst.Message{From: gateway.Address(env("SMS_1_NUMBER")), Body: body.String()}, nil
}

// daemon is what the bridge has to know of SMSD's configuration.
type daemon struct {
	service, inbox, outbox, sent, failed  string
	inboxFormat, transmitFormat, received string
	onSent                                string
}

// readSmsdrc reads the section [smsd] of SMSD's configuration.
func readSmsdrc(path string) (daemon, error) {
	content, err := os.ReadFile(path) //nolint:gosec // the user names it
	if err != nil {
		return daemon{}, fmt.Errorf("%w: [gammu] smsdrc: %w", gateway.ErrSettings, err)
	}
	d := daemon{inboxFormat: "standard", transmitFormat: "7bit"}
	settings := map[string]*string{
		"service": &d.service, "inboxpath": &d.inbox, "outboxpath": &d.outbox, "sentsmspath": &d.sent,
		"errorsmspath": &d.failed, "inboxformat": &d.inboxFormat, "transmitformat": &d.transmitFormat, "runonreceive": &d.received,
		"runonsent": &d.onSent,
	}
	section := ""
	for line := range bytes.Lines(content) {
		text := strings.TrimSpace(string(line))
		if strings.HasPrefix(text, "[") {
			section = strings.ToLower(strings.Trim(text, "[]"))
			continue
		}
		name, value, ok := strings.Cut(text, "=")
		if !ok || section != "smsd" || strings.HasPrefix(text, "#") || strings.HasPrefix(text, ";") {
			continue
		}
		if to := settings[strings.ToLower(strings.TrimSpace(name))]; to != nil {
			*to = strings.TrimSpace(value)
		}
	}
	return d, nil
}
