package qst

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Every error of this package's decoders is an [*Error] of one of these
// kinds; test for them with [errors.Is].
var (
	// ErrMalformed: the batch does not follow the protocol and never will.
	// HTTP status 400.
	ErrMalformed = errors.New("malformed batch")

	// ErrTooLarge: something is over one of the Limits. HTTP status 413.
	ErrTooLarge = errors.New("batch too large")

	// ErrUnsupportedType: neither XML nor JSON, or XML in a charset this
	// package doesn't know. HTTP status 415.
	ErrUnsupportedType = errors.New("unsupported type")
)

// Error says what is wrong with a batch and where, in terms of the batch. Its
// text is meant to be shown to whoever sent it: it is valid UTF-8, holds no
// control characters and at most about a kilobyte, however long the input.
type Error struct {
	// Message is the number of the message that is wrong, counted from 1; 0 if it
	// is the batch itself.
	Message int

	// Reason is what is wrong, without the message's number.
	Reason string

	kind error
}

// Error returns the reason with its place: `message 3: property "id" has a
// field's name`.
func (e *Error) Error() string {
	if e.Message == 0 {
		return e.Reason
	}
	return "message " + strconv.Itoa(e.Message) + ": " + e.Reason
}

// Unwrap returns ErrMalformed, ErrTooLarge or ErrUnsupportedType.
func (e *Error) Unwrap() error { return e.kind }

func errorf(kind error, message int, format string, args ...any) *Error {
	return &Error{Message: message, Reason: fmt.Sprintf(format, args...), kind: kind}
}

// maxQuoted is the most bytes of input that quote repeats.
const maxQuoted = 64

// quote returns s as a Go string literal, cut short if it is long.
func quote[T string | []byte](s T) string {
	if len(s) <= maxQuoted {
		return strconv.Quote(string(s))
	}
	n := maxQuoted
	for n > maxQuoted-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return strconv.Quote(string(s[:n])) + "…"
}
