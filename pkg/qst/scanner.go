package qst

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// scanner is what the XML and the JSON decoder have in common: a place in a
// document of valid UTF-8, the message it is in, and what that message may
// still hold.
type scanner struct {
	data []byte
	pos  int

	// cut says why data ends early, "" if it doesn't: the document goes on
	// with something no document can hold, such as invalid UTF-8. It is
	// found before decoding, and reported as the reason if decoding gets that far.
	// So the first error of a document is the one reported, with its message.
	cut string

	limits  Limits
	message int             // number of the current message, 0 before the first
	buf     []byte          // scratch for texts with escapes
	texts   strings.Builder // see own

	room room

	// Of the current message:
	size  int // bytes of its names and texts, a lower bound of its canonical form
	count int // values of its properties, and properties that are empty arrays
}

// fail returns the error of a malformed document, with its line and column.
func (s *scanner) fail(format string, args ...any) error {
	reason := fmt.Sprintf(format, args...)
	if s.cut != "" && s.pos >= len(s.data) {
		reason = s.cut
	}
	line, column := s.place()
	return errorf(ErrMalformed, s.message, "%s (line %d, column %d)", reason, line, column)
}

// refuse returns the error of a well-formed document that breaks a rule of
// the protocol, which names what is wrong instead of a place.
func (s *scanner) refuse(format string, args ...any) error {
	return errorf(ErrMalformed, s.message, format, args...)
}

// place returns the line and column of pos, in characters counted from 1.
func (s *scanner) place() (line, column int) {
	line, start := 1, 0
	end := min(s.pos, len(s.data))
	for i, c := range s.data[:end] {
		if c == '\n' || c == '\r' && (i+1 == len(s.data) || s.data[i+1] != '\n') {
			line, start = line+1, i+1
		}
	}
	return line, 1 + utf8.RuneCount(s.data[start:end])
}

// space skips white space, which is the same in XML and JSON.
func (s *scanner) space() {
	for s.pos < len(s.data) && isSpace(s.data[s.pos]) {
		s.pos++
	}
}

func isSpace(c byte) bool {
	return c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r') // most are above
}

// peek returns the byte at pos, 0 at the end of the document.
func (s *scanner) peek() byte {
	if s.pos < len(s.data) {
		return s.data[s.pos]
	}
	return 0
}

// hasPrefix reports whether the document goes on with prefix.
func (s *scanner) hasPrefix(prefix string) bool {
	return len(s.data)-s.pos >= len(prefix) && string(s.data[s.pos:s.pos+len(prefix)]) == prefix
}

// found describes what is at pos, for an error message.
func (s *scanner) found() string {
	if s.pos >= len(s.data) {
		return "the end"
	}
	_, n := utf8.DecodeRune(s.data[s.pos:])
	return quote(s.data[s.pos : s.pos+n])
}

// beginMessage counts a message, and is an error if that is one too many.
func (s *scanner) beginMessage() error {
	if s.message == s.limits.MaxMessages {
		return errorf(ErrTooLarge, 0, "the batch has more than %d messages", s.limits.MaxMessages)
	}
	s.message++
	s.size, s.count = 0, 0
	s.room.beginMessage()
	return nil
}

// grow counts n bytes of text towards the message's size.
func (s *scanner) grow(n int) error {
	if s.size += n; s.size > s.limits.MaxMessageBytes {
		return s.tooLarge()
	}
	return nil
}

func (s *scanner) tooLarge() error {
	return errorf(ErrTooLarge, s.message, "is larger than %d bytes", s.limits.MaxMessageBytes)
}

// setField sets the field with index i, whose presence is already known to be
// new.
func (s *scanner) setField(m *Message, i int, text []byte) error {
	if len(text) == 0 {
		m.Present |= 1 << i
		return nil
	}
	if fieldNames[i] == "id" && len(text) > s.limits.MaxIDBytes {
		return errorf(ErrTooLarge, s.message, "the id is longer than %d bytes", s.limits.MaxIDBytes)
	}
	*m.field(i) = s.own(text)
	return s.grow(len(text))
}

// textChunk is how many bytes of short texts share an allocation: enough to make
// allocations rare, and little for whoever keeps one message of a batch to
// keep with it.
const textChunk = 4 << 10

// own returns text, which was read up to pos, as a string that shares no
// memory with the document.
func (s *scanner) own(text []byte) string {
	if len(text) > textChunk/4 {
		return string(text)
	}
	if s.texts.Cap()-s.texts.Len() < len(text) {
		// No text is longer than it was in the document, so what is left of
		// that bounds what is still to come.
		s.texts.Reset()
		s.texts.Grow(min(textChunk, len(text)+len(s.data)-s.pos))
	}
	start := s.texts.Len()
	s.texts.Write(text)
	return s.texts.String()[start:]
}

// checkName tells whether a property may be called name.
func (s *scanner) checkName(name string) error {
	if len(name) > s.limits.MaxNameBytes {
		return errorf(ErrTooLarge, s.message, "the name of property %s is longer than %d bytes", quote(name), s.limits.MaxNameBytes)
	}
	return s.grow(len(name))
}

// addValue adds a value to the current property.
func (s *scanner) addValue(kind Kind, text []byte) error {
	if err := s.countValue(); err != nil {
		return err
	}
	s.room.addValue(Value{Kind: kind, Text: s.own(text)})
	return s.grow(len(text))
}

// countValue counts a value, or an empty array, of the message.
func (s *scanner) countValue() error {
	if s.count++; s.count > s.limits.MaxProperties {
		return errorf(ErrTooLarge, s.message, "has more than %d property values", s.limits.MaxProperties)
	}
	return nil
}

// endMessage checks the rules for a message as a whole.
func (s *scanner) endMessage(m *Message) error {
	if m.From == "" && m.To == "" && m.Subject == "" && m.Body == "" {
		if err := s.refuseEmpty(m); err != nil {
			return err
		}
	}
	// The exact size matters only if escapes could make the difference: no byte
	// takes more than the six of \u0000, and around every value there are at
	// most 16 more: a field's name, quotes, colon, comma, brackets.
	const perText, perByte = 16, 6
	upper := perText*(len(fieldNames)+2*len(m.Properties)+s.count+1) + perByte*s.size
	if upper <= s.limits.MaxMessageBytes {
		return nil
	}
	s.buf = m.AppendCanonical(s.buf[:0])
	if len(s.buf) > s.limits.MaxMessageBytes {
		return s.tooLarge()
	}
	return nil
}
