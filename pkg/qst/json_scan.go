package qst

import (
	"unicode/utf16"
	"unicode/utf8"
)

// valueType says, in words, of what type the value at pos is by its first
// byte; "" if none begins there.
func (d *jsonDecoder) valueType() string {
	switch c := d.peek(); {
	case c == '"':
		return "a string"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == 'n':
		return "null"
	case c == 't', c == 'f':
		return "a boolean"
	case c == '-' || '0' <= c && c <= '9':
		return "a number"
	}
	return ""
}

// literal skips word.
func (d *jsonDecoder) literal(word string) error {
	for i := range len(word) {
		if d.peek() != word[i] {
			return d.fail("expected %s, found %s", word, d.found())
		}
		d.pos++
	}
	return nil
}

// number skips a number, as RFC 8259 section 6 has it: no leading zeros, no
// leading plus, digits on both sides of a point.
func (d *jsonDecoder) number() error {
	if d.peek() == '-' {
		d.pos++
	}
	if d.peek() == '0' {
		d.pos++
		if c := d.peek(); '0' <= c && c <= '9' {
			return d.fail("a number must not begin with 0")
		}
	} else if err := d.digits(); err != nil {
		return err
	}
	if d.peek() == '.' {
		d.pos++
		if err := d.digits(); err != nil {
			return err
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.pos++
		if c := d.peek(); c == '+' || c == '-' {
			d.pos++
		}
		return d.digits()
	}
	return nil
}

// digits skips decimal digits, at least one.
func (d *jsonDecoder) digits() error {
	start := d.pos
	for c := d.peek(); '0' <= c && c <= '9'; c = d.peek() {
		d.pos++
	}
	if d.pos == start {
		return d.fail("expected a digit, found %s", d.found())
	}
	return nil
}

// str decodes the string at pos. The result is valid until the next call.
func (d *jsonDecoder) str() ([]byte, error) {
	d.pos++ // "
	start := d.pos
	escaped := false
	for d.pos < len(d.data) {
		d.pos = skipJSON(d.data, d.pos, atNothingMore)
		switch c := d.peek(); {
		case d.pos == len(d.data):
			// The string does not end.
		case c == '"':
			run := d.data[start:d.pos]
			d.pos++
			if !escaped {
				return run, nil
			}
			d.buf = append(d.buf, run...)
			return d.buf, nil
		case c == '\\':
			if !escaped {
				escaped = true
				d.buf = d.buf[:0]
			}
			d.buf = append(d.buf, d.data[start:d.pos]...)
			if err := d.escape(); err != nil {
				return nil, err
			}
			start = d.pos
		default:
			return nil, d.fail("control character U+%04X in a string must be escaped", c)
		}
	}
	return nil, d.fail("a string does not end")
}

// escape decodes the escape sequence at pos and appends its character to
// d.buf.
func (d *jsonDecoder) escape() error {
	d.pos++ // \
	c := d.peek()
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return d.unicodeEscape()
	default:
		return d.fail("%s after \\ is no escape sequence", d.found())
	}
	d.pos++
	d.buf = append(d.buf, c)
	return nil
}

// unicodeEscape decodes a \u escape, of which pos is at the u. A pair of
// surrogates is one character. A lone surrogate is none, and no text we could
// pass on holds one: it becomes U+FFFD, whatever the format it will leave in.
func (d *jsonDecoder) unicodeEscape() error {
	d.pos++ // u
	r := d.hex4(d.pos)
	if r < 0 {
		return d.fail("\\u must be followed by four hexadecimal digits")
	}
	d.pos += 4
	if utf16.IsSurrogate(r) {
		pair := rune(utf8.RuneError)
		if d.hasPrefix(`\u`) {
			// -1, no digits, is no surrogate, and is reported when its turn comes.
			pair = utf16.DecodeRune(r, d.hex4(d.pos+2))
		}
		if r = pair; r != utf8.RuneError {
			d.pos += 6
		}
	}
	d.buf = utf8.AppendRune(d.buf, r)
	return nil
}

// hex4 returns the value of the four hexadecimal digits at index i, or -1.
func (d *jsonDecoder) hex4(i int) rune {
	if i+4 > len(d.data) {
		return -1
	}
	var r rune
	for _, c := range d.data[i : i+4] {
		digit := hexDigit(c)
		if digit < 0 {
			return -1
		}
		r = r<<4 | rune(digit)
	}
	return r
}
