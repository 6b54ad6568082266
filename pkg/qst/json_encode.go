package qst

import "unicode/utf8"

// AppendJSON appends a batch as a JSON array, [] for an empty one.
//
// A message's keys are its fields in the order of [Message], as far as they
// are present, and then its properties in their order. Properties of the same
// name become one array, at the place of the first. Bytes that are not UTF-8
// become U+FFFD.
func AppendJSON(dst []byte, msgs []Message) []byte {
	dst = append(dst, '[')
	for i := range msgs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = msgs[i].appendObject(dst, true)
	}
	return append(dst, ']')
}

// appendObject appends a JSON object, with properties of the same name merged
// or not.
func (m *Message) appendObject(dst []byte, merge bool) []byte {
	start := len(dst)
	dst = append(dst, '{')
	for i := range fieldNames {
		if m.hasIndex(i) {
			dst = appendComma(dst, start)
			dst = append(dst, keys[i]...)
			dst = appendEscaped(dst, *m.field(i))
			dst = append(dst, '"')
		}
	}
	for i := range m.Properties {
		p := &m.Properties[i]
		if !merge {
			dst = appendKey(dst, start, p.Name)
			dst = p.appendValues(dst, p.isArray())
			continue
		}
		if propertyNamed(m.Properties[:i], p.Name) >= 0 {
			continue // is in the array of the first one
		}
		dst = appendKey(dst, start, p.Name)
		rest := m.Properties[i+1:]
		next := propertyNamed(rest, p.Name)
		if next < 0 {
			dst = p.appendValues(dst, p.isArray())
			continue
		}
		dst = append(dst, '[')
		values := len(dst)
		dst = p.appendValues(dst, false)
		for next >= 0 {
			if len(dst) > values && len(rest[next].Values) > 0 {
				dst = append(dst, ',')
			}
			dst = rest[next].appendValues(dst, false)
			rest = rest[next+1:]
			next = propertyNamed(rest, p.Name)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// propertyNamed returns the index of the first property called name, or -1.
func propertyNamed(ps []Property, name string) int {
	for i := range ps {
		if ps[i].Name == name {
			return i
		}
	}
	return -1
}

// isArray reports whether p is an array in JSON, which for a well-made
// Property is what it says itself.
func (p *Property) isArray() bool { return p.Array || len(p.Values) != 1 }

// keys are the keys of fields, up to where the text begins.
var keys = [...]string{`"id":"`, `"from":"`, `"to":"`, `"when":"`, `"subject":"`, `"body":"`}

// appendKey appends a key of the object that begins at index start.
func appendKey(dst []byte, start int, name string) []byte {
	dst = appendString(appendComma(dst, start), name)
	return append(dst, ':')
}

// appendComma appends the comma before a key, unless it is the first of the object
// that begins at index start.
func appendComma(dst []byte, start int) []byte {
	if len(dst) > start+1 {
		return append(dst, ',')
	}
	return dst
}

// appendValues appends the property's values with commas between them, in
// brackets if they are an array by themselves.
func (p *Property) appendValues(dst []byte, array bool) []byte {
	if array {
		dst = append(dst, '[')
	}
	for i := range p.Values {
		if i > 0 {
			dst = append(dst, ',')
		}
		v := &p.Values[i]
		if v.isBare() {
			dst = append(dst, v.Text...)
		} else {
			dst = appendString(dst, v.Text)
		}
	}
	if array {
		dst = append(dst, ']')
	}
	return dst
}

// isBare reports whether the value is written without quotes. A number or
// boolean that is none, which no decoder makes, is written as a string rather than
// as broken JSON.
func (v *Value) isBare() bool {
	switch v.Kind {
	case Number:
		return isNumber(v.Text)
	case Bool:
		return v.Text == "true" || v.Text == "false"
	default:
		return false
	}
}

// isNumber reports whether s is a number by the grammar of RFC 8259.
func isNumber(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && '0' <= s[n] && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	if s != "" && s[0] == '-' {
		s = s[1:]
	}
	if s != "" && s[0] == '0' {
		s = s[1:]
	} else if !digits() {
		return false
	}
	if s != "" && s[0] == '.' {
		s = s[1:]
		if !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		return digits() && s == ""
	}
	return s == ""
}

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = appendEscaped(dst, s)
	return append(dst, '"')
}

// appendEscaped appends the text of a JSON string. It escapes what JSON requires and
// nothing else.
func appendEscaped(dst []byte, s string) []byte {
	stop := atNonASCII
	for start := 0; ; start++ {
		i := skipJSON(s, start, stop)
		if i < len(s) && s[i] >= utf8.RuneSelf {
			if !utf8.ValidString(s[i:]) {
				s = string([]rune(s)) // has U+FFFD for each byte that is not UTF-8
			}
			stop = atNothingMore
			i = skipJSON(s, i, stop)
		}
		dst = append(dst, s[start:i]...)
		if i == len(s) {
			return dst
		}
		dst = appendEscape(dst, s[i])
		start = i
	}
}

// appendEscape appends the shortest escape sequence of c.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
