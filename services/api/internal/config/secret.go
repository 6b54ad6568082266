package config

import (
	"fmt"
	"io"
	"log/slog"
)

// Secret is a string that does not show: however it is printed, logged or
// marshalled, it reads "[hidden]", or "" if it is empty. One way remains: fmt
// calls no methods on unexported fields, so don't print a struct that keeps a
// Secret in one.
type Secret string

const hidden = "[hidden]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String hides the secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// Format hides the secret from every verb of fmt, %x and %q among them.
func (s Secret) Format(f fmt.State, verb rune) {
	text := s.String()
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		text = s.GoString()
	}
	// What a formatter's writer reports, fmt itself drops: there is no one to tell.
	_, _ = io.WriteString(f, text)
}

// LogValue hides the secret from slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoding/json and its like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
