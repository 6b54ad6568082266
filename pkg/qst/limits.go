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
}

// DefaultLimits returns the limits of a service nobody configured: 1000
// messages of 64 KiB, each with 64 property values and names of 256 bytes.
func DefaultLimits() Limits {
	return Limits{
		MaxMessages:     1000,
		MaxMessageBytes: 64 << 10,
		MaxProperties:   64,
		MaxNameBytes:    256,
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
	return l
}
