package qst

import (
	"slices"
	"strings"
)

// Properties of a delivery report; see "Delivery reports" in the protocol.
const (
	// PropertyMessage is the id of the message that the report speaks of.
	PropertyMessage = "qst-message"
	// PropertyStatus is what became of it, one of [Statuses].
	PropertyStatus = "qst-status"
	// PropertyCode is the network's own word for it.
	PropertyCode = "qst-code"
)

// Statuses returns what a delivery report can say of a message. All but "sent" are final.
func Statuses() []string {
	return []string{"sent", "delivered", "failed", "expired", "rejected", "unknown"}
}

// Report is what a gateway says of a message that it was given.
type Report struct {
	Message string // its id
	Status  string // one of Statuses
	Code    string // the network's own word for it; "": none
}

// NewReport returns the message that tells an application of r. Its id is made of the message's
// and the status: a report that is pushed again says nothing new.
func NewReport(r Report) Message {
	m := Message{ID: "qst-report-" + r.Status + "-" + r.Message, Properties: []Property{
		{Name: PropertyMessage, Values: []Value{{Text: r.Message}}},
		{Name: PropertyStatus, Values: []Value{{Text: r.Status}}},
	}}
	if r.Code != "" {
		m.Properties = append(m.Properties, Property{Name: PropertyCode, Values: []Value{{Text: r.Code}}})
	}
	return m
}

// Report returns what the message says as a delivery report; ok is false if it is none.
func (m *Message) Report() (r Report, ok bool) {
	for i := range m.Properties {
		p := &m.Properties[i]
		switch p.Name {
		case PropertyMessage:
			r.Message = p.single()
		case PropertyStatus:
			r.Status = p.single()
		case PropertyCode:
			r.Code = p.single()
		}
	}
	return r, r.Message != "" && slices.Contains(Statuses(), r.Status)
}

// refuseEmpty says what is wrong with a message that has none of the four fields of which a
// message needs one, unless it is a delivery report.
func (s *scanner) refuseEmpty(m *Message) error {
	if _, ok := m.Report(); ok {
		return nil
	}
	for i := range m.Properties {
		if name := m.Properties[i].Name; name == PropertyStatus || name == PropertyMessage {
			return s.refuse("has none of from, to, subject, body, and is no delivery report: that has %q, an id, and %q, one of %s",
				PropertyMessage, PropertyStatus, strings.Join(Statuses(), ", "))
		}
	}
	return s.refuse("has none of from, to, subject, body")
}
