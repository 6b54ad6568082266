package gateway

import (
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Status is what became of a text.
type Status string

// What a report can say of a text. All but Sent are final.
const (
	Sent      Status = "sent"      // the gateway has given it to the network
	Delivered Status = "delivered" // the recipient's phone has it
	Failed    Status = "failed"    // the gateway or the network gave it up
	Expired   Status = "expired"   // its validity ended before it was sent or delivered
	Rejected  Status = "rejected"  // it can't be sent as it is: its address or length, say
	Unknown   Status = "unknown"   // the gateway does not say, and will not any more
)

// What only the journal says of a text.
const (
	handing Status = "handing" // it is being handed over, or was
	handed  Status = "handed"
)

// rank orders the statuses: a report may only move a text upwards.
func (s Status) rank() int {
	switch s {
	case handing:
		return 0
	case handed:
		return 1
	case Sent:
		return 2
	case Unknown: // a late report knows better
		return 3
	default:
		return 4
	}
}

// Event is what a gateway says of a text.
type Event struct {
	Status Status
	Code   string    // the gateway's word for it; "": none
	At     time.Time // when it happened, as the gateway says: the same when it is told again
	Last   bool      // the gateway will say no more of this text
}

// maxCode bounds qst-code: a gateway's error text may be of any length.
const maxCode = 256

// report returns the message that tells the application.
func report(id string, key string, e Event) qst.Message {
	m := qst.Message{
		ID:      "report-" + key + "-" + string(e.Status),
		Subject: string(e.Status),
		Properties: []qst.Property{
			property("qst-message", id),
			property("qst-status", string(e.Status)),
		},
	}
	if !e.At.IsZero() {
		m.When = e.At.UTC().Format(time.RFC3339)
	}
	if e.Code != "" {
		m.Properties = append(m.Properties, property("qst-code", cut(e.Code, maxCode)))
	}
	return m
}

func property(name, value string) qst.Property {
	return qst.Property{Name: name, Values: []qst.Value{{Text: value}}}
}

// Property returns the first value of a message's property, "" if it has none.
func Property(m *qst.Message, name string) string {
	for _, p := range m.Properties {
		if p.Name == name && len(p.Values) > 0 {
			return p.Values[0].Text
		}
	}
	return ""
}

// cut returns s, or as many of its first characters as fit into n bytes.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	end := 0
	for i := range s {
		if i > n {
			break
		}
		end = i
	}
	return s[:end]
}
