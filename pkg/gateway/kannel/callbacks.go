package kannel

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// What Kannel calls.
const (
	pathDLR     = "/kannel/dlr"
	pathInbound = "/kannel/inbound"
)

// Kannel's kinds of delivery reports, of which dlr-mask is the sum.
const (
	dlrDelivered = 1
	dlrFailed    = 2
	dlrSent      = 8
	dlrRejected  = 16
)

// Handlers answer what Kannel calls. It calls again after anything but a 200.
func (g *Gateway) Handlers(b *gateway.Bridge) map[string]http.Handler {
	handle := func(take func(b *gateway.Bridge, q url.Values) error) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !g.allowed(b, w, r) {
				return
			}
			// Not Query(), which drops what it can't read.
			q, err := url.ParseQuery(r.URL.RawQuery)
			if err == nil {
				err = take(b, q)
			}
			if err != nil {
				g.log.WarnContext(r.Context(), "Kannel's call is not taken; it calls again", "path", r.URL.Path, "error", err)
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		})
	}
	return map[string]http.Handler{"GET " + pathDLR: handle(report), "GET " + pathInbound: handle(receive)}
}

// report takes a delivery report.
func report(b *gateway.Bridge, q url.Values) error {
	e, ok := event(q)
	if !ok {
		return nil // on its way
	}
	err := b.Report(q.Get("key"), e)
	if errors.Is(err, gateway.ErrNotKnown) {
		return nil // counted; calling again does not help
	}
	return err
}

// What an SMSC says of a text, in the form that SMPP's appendix B proposes.
var (
	receiptStat  = regexp.MustCompile(`\bstat:(\w+)`)
	receiptError = regexp.MustCompile(`\berr:(\w+)`)
)

func event(q url.Values) (e gateway.Event, ok bool) {
	if at, err := strconv.ParseInt(q.Get("at"), 10, 64); err == nil && at > 0 {
		e.At = time.Unix(at, 0)
	}
	text := q.Get("text")
	if m := receiptError.FindStringSubmatch(text); m != nil && strings.Trim(m[1], "0") != "" {
		e.Code = m[1]
	}
	if e.Code == "" && strings.HasPrefix(text, "NACK") { // Kannel's own form for an SMSC's refusal
		e.Code = strings.ToValidUTF8(text, "\ufffd")
	}
	switch kind, _ := strconv.Atoi(q.Get("status")); kind {
	case dlrDelivered:
		e.Status, e.Last = gateway.Delivered, true
	case dlrFailed:
		e.Status, e.Last = gateway.Failed, true
		if m := receiptStat.FindStringSubmatch(text); m != nil {
			switch {
			case strings.HasPrefix(m[1], "EXPIRED"):
				e.Status = gateway.Expired
			case strings.HasPrefix(m[1], "REJECTD"):
				e.Status = gateway.Rejected
			case strings.HasPrefix(m[1], "UNKNOWN"):
				e.Status = gateway.Unknown
			}
		}
	case dlrSent:
		e.Status = gateway.Sent
	case dlrRejected:
		e.Status, e.Last = gateway.Rejected, true
	default:
		return e, false
	}
	return e, true
}

// receive takes a message.
func receive(b *gateway.Bridge, q url.Values) error { return b.Receive(message(q)) }

// message makes a message of what Kannel's get-url has: Kannel's id, from, to, at, coding, charset,
// udh, smsc and text, the payload as it is.
func message(q url.Values) qst.Message {
	payload := q.Get("text")
	m := qst.Message{
		ID:   gateway.ID("kannel", q.Get("id"), q.Get("from"), q.Get("at"), q.Get("udh"), payload),
		From: gateway.Address(strings.ToValidUTF8(q.Get("from"), "\ufffd")),
		To:   gateway.Address(strings.ToValidUTF8(q.Get("to"), "\ufffd")),
	}
	if at, err := strconv.ParseInt(q.Get("at"), 10, 64); err == nil && at > 0 {
		m.When = time.Unix(at, 0).UTC().Format(time.RFC3339)
	}
	set := func(name, value string) {
		if value != "" {
			m.Properties = append(m.Properties, qst.Property{Name: name, Values: []qst.Value{{Text: strings.ToValidUTF8(value, "\ufffd")}}})
		}
	}
	switch coding := q.Get("coding"); {
	case coding == "2":
		m.Body = utf16BE(payload)
	case coding == "1" || !utf8.ValidString(payload):
		set("sms-data", hex.EncodeToString([]byte(payload)))
	default:
		m.Body = payload
	}
	set("smsc", q.Get("smsc"))
	if udh := q.Get("udh"); udh != "" {
		set("sms-udh", hex.EncodeToString([]byte(udh)))
		// Kannel joins parts; one that waited for the others in vain comes alone.
		if ref, n, total, ok := gateway.Concatenation([]byte(udh)); ok {
			set("sms-part", fmt.Sprintf("%d/%d", n, total))
			set("sms-part-of", strconv.Itoa(ref))
		}
	}
	if m.From == "" && m.Body == "" {
		m.Body = " " // a message has to have something in it
	}
	return m
}

func utf16BE(s string) string {
	units := make([]uint16, len(s)/2)
	for i := range units {
		units[i] = uint16(s[2*i])<<8 | uint16(s[2*i+1])
	}
	return string(utf16.Decode(units))
}
