package smsgate

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// received is a message that the phone has received, as a webhook or the inbox tells it.
type received struct {
	from, to string
	at       string // a time
	text     string
	data     string // of a data SMS, in base64
	sim      int
}

// message makes a message of it. Its ID is made of what webhooks and the inbox both tell, and
// tell in the same words each time: SMSGate's own IDs differ.
func (r received) message(number string) qst.Message {
	at, when := moment(r.at), r.at
	if !at.IsZero() {
		when = strconv.FormatInt(at.UnixMilli(), 10) // the phone may have moved to another time zone
	}
	m := qst.Message{
		ID:   gateway.ID("smsgate", r.from, when, r.text, r.data),
		From: gateway.Address(strings.ToValidUTF8(r.from, "\ufffd")),
		To:   gateway.Address(strings.ToValidUTF8(r.to, "\ufffd")),
		Body: strings.ToValidUTF8(r.text, "\ufffd"),
	}
	if m.To == "" {
		m.To = gateway.Address(number)
	}
	if !at.IsZero() {
		m.When = at.UTC().Format(time.RFC3339)
	}
	set := func(name, value string) {
		m.Properties = append(m.Properties, qst.Property{Name: name, Values: []qst.Value{{Text: value}}})
	}
	if r.data != "" {
		if data, err := base64.StdEncoding.DecodeString(r.data); err == nil {
			set("sms-data", hex.EncodeToString(data))
		}
	}
	if r.sim > 0 {
		set("sim", strconv.Itoa(r.sim))
	}
	if m.From == "" && m.Body == "" {
		m.Body = " " // a message has to have something in it
	}
	return m
}
