package qst

import "math"

// Limits bounds what [Decode] accepts. A field that is zero (or negative)
// stands for the value [DefaultLimits] has there.
type Limits struct {
	// MaxMessages is the most messages in a batch; more is ErrTooLarge.
	MaxMessages int

	// MaxMessageBytes is the most bytes of a message in its canonical form
	// (see Message.AppendCanonical), as it was decoded; more is ErrTooLarge.
	MaxMessageBytes int

	// MaxProperties is the most property values of a message; more is
	// ErrTooLarge. An array counts its values, an empty array counts one.
	MaxProperties int

	// MaxNameBytes is the most bytes of UTF-8 in a property's name; more is
	// ErrTooLarge.
	MaxNameBytes int

	// MaxIDBytes is the most bytes of UTF-8 in a message's id; more is
	// ErrTooLarge. Clients of version 1 are told ids in a header, which proxies
	// take up to some thousand bytes ([Version1ID] may make it a third longer).
	MaxIDBytes int
}

// DefaultLimits returns the limits of a service nobody configured: 1000
// messages of 64 KiB, each with 64 property values, names of 256 bytes and an id
// of 1024.
func DefaultLimits() Limits {
	return Limits{
		MaxMessages:     1000,
		MaxMessageBytes: 64 << 10,
		MaxProperties:   64,
		MaxNameBytes:    256,
		MaxIDBytes:      1024,
	}
}

// NoLimits returns limits that nothing exceeds, for one who reads what somebody
// else has let in and bounds the input by other means. Without MaxProperties,
// reading a message of very many properties takes time quadratic in their number.
func NoLimits() Limits {
	return Limits{
		MaxMessages:     math.MaxInt,
		MaxMessageBytes: math.MaxInt,
		MaxProperties:   math.MaxInt,
		MaxNameBytes:    math.MaxInt,
		MaxIDBytes:      math.MaxInt,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	if l.MaxMessages <= 0 {
		l.MaxMessages = d.MaxMessages
	}
	if l.MaxMessageBytes <= 0 {
		l.MaxMessageBytes = d.MaxMessageBytes
	}
	if l.MaxProperties <= 0 {
		l.MaxProperties = d.MaxProperties
	}
	if l.MaxNameBytes <= 0 {
		l.MaxNameBytes = d.MaxNameBytes
	}
	if l.MaxIDBytes <= 0 {
		l.MaxIDBytes = d.MaxIDBytes
	}
	return l
}
