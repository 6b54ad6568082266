package qst

import (
	"strings"
	"unicode/utf8"
)

// transcode appends the <message> element of the message whose canonical form is c,
// reading and writing in one pass. It knows only what [Message.AppendCanonical]
// writes: fields in their order, then properties; no white space, no escape sequence
// that need not be one. For anything else, and for the rare text that no XML can hold,
// ok is false and dst as it was.
func transcode(dst []byte, c string) (out []byte, ok bool) {
	if !strings.HasPrefix(c, "{") {
		return dst, false
	}
	t := transcoder{in: c, pos: len("{"), out: append(dst, "<message"...)}
	for i := indexID; i <= indexWhen; i++ {
		if t.key(i) {
			t.write(attributeStarts[i])
			t.text(attributeEscapes)
			t.out = append(t.out, '"')
			t.comma()
		}
	}
	attributes := len(t.out)
	t.out = append(t.out, '>')
	for i := indexSubject; i <= indexBody; i++ {
		if t.key(i) {
			t.element(&elementTags[i-indexSubject])
			t.comma()
		}
	}
	for !t.bad && t.more() {
		t.property()
		t.comma()
	}
	if t.bad || t.in[t.pos:] != "}" && t.in[t.pos:] != "} " {
		return dst, false
	}
	if len(t.out) == attributes+len(">") {
		return append(t.out[:attributes], "/>"...), true
	}
	return append(t.out, "</message>"...), true
}

// A transcoder reads the canonical form of a message and writes XML.
type transcoder struct {
	in  string
	pos int // in in
	out []byte
	bad bool // in is not as AppendCanonical writes it; the rest does not matter
}

// attributeStarts are the attributes that fields are, up to where the text begins;
// elementTags are the elements that fields are.
var (
	attributeStarts = [...]string{` id="`, ` from="`, ` to="`, ` when="`}
	elementTags     = [...]tags{{"<subject>", "</subject>", "<subject/>"}, {"<body>", "</body>", "<body/>"}}
)

type tags struct{ start, end, empty string }

func (t *transcoder) write(s string) { t.out = append(t.out, s...) }

// peek returns the byte at pos, 0 at the end.
func (t *transcoder) peek() byte {
	if t.pos < len(t.in) {
		return t.in[t.pos]
	}
	return 0
}

// skip skips c, which must be next.
func (t *transcoder) skip(c byte) {
	if t.peek() != c {
		t.bad = true
		return
	}
	t.pos++
}

// key skips the key of the field with index i and reports whether it is next.
func (t *transcoder) key(i int) bool {
	if !strings.HasPrefix(t.in[t.pos:], keys[i]) {
		return false
	}
	t.pos += len(keys[i])
	return true
}

// more reports whether another member is next. After a comma one must be.
func (t *transcoder) more() bool { return t.peek() != '}' || t.in[t.pos-1] == ',' }

// comma skips a comma after a member, if it was not the last.
func (t *transcoder) comma() {
	if t.peek() != '}' {
		t.skip(',')
	}
}

// element transcodes the text of a field that is an element.
func (t *transcoder) element(tag *tags) {
	if t.peek() == '"' {
		t.pos++
		t.write(tag.empty)
		return
	}
	t.write(tag.start)
	t.text(textEscapes)
	t.write(tag.end)
}

// property transcodes a property: an element for each of its values.
func (t *transcoder) property() {
	start := len(t.out)
	t.write(`<property name="`)
	t.skip('"')
	name := t.pos
	t.text(attributeEscapes)
	if t.bad || fieldIndex(t.in[name:t.pos-1]) >= 0 {
		t.bad = true
		return
	}
	t.write(`" value="`)
	t.skip(':')
	if t.peek() != '[' {
		t.value()
		return
	}
	t.pos++ // [
	if t.peek() == ']' {
		t.pos++
		t.out = t.out[:start]
		return
	}
	end := len(t.out)
	t.value()
	for t.peek() == ',' {
		t.pos++
		t.out = append(t.out, t.out[start:end]...)
		t.value()
	}
	t.skip(']')
}

// value transcodes a scalar and ends its <property>.
func (t *transcoder) value() {
	switch c := t.peek(); c {
	case '"':
		t.pos++
		t.text(attributeEscapes)
	case 't':
		t.word("true")
	case 'f':
		t.word("false")
	default:
		end := t.pos
		for end < len(t.in) && t.in[end] != ',' && t.in[end] != ']' && t.in[end] != '}' {
			end++
		}
		number := t.in[t.pos:end]
		if !isNumber(number) {
			t.bad = true
			return
		}
		t.word(number)
	}
	t.write(`"/>`)
}

// word transcodes s, which must be next and needs no escapes.
func (t *transcoder) word(s string) {
	if !strings.HasPrefix(t.in[t.pos:], s) {
		t.bad = true
		return
	}
	t.pos += len(s)
	t.write(s)
}

// text transcodes the text of a string, of which the opening quotation mark is read
// already, up to and with the closing one.
func (t *transcoder) text(e *escapes) {
	for start := t.pos; ; start = t.pos {
		i, wide := skipMarkup(t.in, start)
		run := t.in[start:i]
		if wide && (!utf8.ValidString(run) || hasNonXML(run)) {
			t.bad = true
			return
		}
		t.write(run)
		t.pos = i
		switch c := t.peek(); c {
		case '"':
			t.pos++
			return
		case '\\':
			t.escape(e)
		case '&', '<', '>':
			t.pos++
			t.write(e[c])
		case '^', '|', '~':
			t.pos++
			t.out = append(t.out, c)
		default: // a control character, or the end
			t.bad = true
		}
		if t.bad {
			return
		}
	}
}

// escape transcodes the escape sequence at pos.
func (t *transcoder) escape(e *escapes) {
	rest := t.in[t.pos+1:]
	if rest == "" {
		t.bad = true
		return
	}
	c := rest[0]
	size := len(`\n`)
	switch c {
	case '"', '\\':
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
	default:
		size = len(`\u0000`)
		if len(rest) < size-1 || rest[:4] != "u000" && rest[:4] != "u001" || hexDigit(rest[4]) < 0 {
			t.bad = true
			return
		}
		c = (rest[3]-'0')<<4 | byte(hexDigit(rest[4]))
	}
	t.pos += size
	if s := e[c]; s != "" {
		t.write(s)
	} else {
		t.out = append(t.out, c)
	}
}
