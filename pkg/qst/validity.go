package qst

import (
	"strconv"
	"time"
)

// Properties that say how long a message is valid.
const (
	// PropertyValidUntil is an instant, RFC 3339.
	PropertyValidUntil = "qst-valid-until"
	// PropertyTTL is whole seconds from when the service takes the message.
	PropertyTTL = "qst-ttl"
)

// maxTTL is ten years of seconds.
const maxTTL = 10 * 365 * 24 * 60 * 60

// Validity returns when the message stops being valid: until, by qst-valid-until, or ttl
// after the service takes it, by qst-ttl. Both are zero for a message that says nothing of
// it. Where a message has both, qst-valid-until holds: a message that is passed on has been
// given that by the service before.
//
// Its errors are of kind ErrMalformed: a value that is no time, or no number of seconds.
func (m *Message) Validity() (until time.Time, ttl time.Duration, err error) {
	for i := range m.Properties {
		p := &m.Properties[i]
		switch p.Name {
		case PropertyValidUntil:
			t, err := time.Parse(time.RFC3339, p.single())
			if err != nil || !until.IsZero() {
				return time.Time{}, 0, errorf(ErrMalformed, 0, "property %q is not one time such as 2026-11-23T09:30:00Z", p.Name)
			}
			until = t
		case PropertyTTL:
			n, err := strconv.ParseUint(p.single(), 10, 31)
			if err != nil || n < 1 || n > maxTTL || ttl != 0 {
				return time.Time{}, 0, errorf(ErrMalformed, 0, "property %q is not one number of seconds, 1 to %d", p.Name, maxTTL)
			}
			ttl = time.Duration(n) * time.Second
		}
	}
	if !until.IsZero() {
		ttl = 0
	}
	return until, ttl, nil
}

// single returns the text of the property's value; "" if it has not exactly one.
func (p *Property) single() string {
	if len(p.Values) != 1 || p.Array {
		return ""
	}
	return p.Values[0].Text
}
