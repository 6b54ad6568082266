package qst

import (
	"bytes"
	"unicode/utf8"
)

// utf8BOM is U+FEFF in UTF-8, the byte order mark some editors begin a file with.
var utf8BOM = []byte("\uFEFF")

// decodeJSON decodes a batch in JSON: an array of objects, or one object.
//
// It never recurses: the protocol's values are at most arrays of scalars, and
// whatever is deeper is refused where it begins.
func decodeJSON(body []byte, l Limits) ([]Message, error) {
	var d jsonDecoder
	d.init(body)
	d.limits = l
	d.space()
	if d.pos == len(d.data) && d.cut == "" {
		return nil, d.refuse("the body is empty")
	}
	var msgs []Message
	var err error
	switch d.peek() {
	case '[':
		msgs, err = d.batch()
	case '{':
		msgs, err = d.appendMessage(nil)
	default:
		err = d.fail("expected an array of messages, or one message, found %s", d.found())
	}
	if err != nil {
		return nil, err
	}
	d.message = 0
	if err := d.end(); err != nil {
		return nil, err
	}
	return msgs, nil
}

type jsonDecoder struct {
	scanner
	canonical bool // names of properties may repeat

	// Of the current message:
	seen   Fields              // fields whose key was there, null or not
	absent map[string]struct{} // names of properties that are null; rare
}

// init makes d ready to decode body. (A function that returns a decoder would
// put it on the heap.)
func (d *jsonDecoder) init(body []byte) {
	d.data = bytes.TrimPrefix(body, utf8BOM)
	if n := validUTF8(d.data); n < len(d.data) {
		d.data = d.data[:n]
		d.cut = "invalid UTF-8"
	}
}

// validUTF8 returns the length of the longest prefix of b that is valid UTF-8.
func validUTF8(b []byte) int {
	if utf8.Valid(b) {
		return len(b)
	}
	n := 0
	for {
		r, size := utf8.DecodeRune(b[n:])
		if r == utf8.RuneError && size <= 1 {
			return n
		}
		n += size
	}
}

// end expects nothing more than white space.
func (d *jsonDecoder) end() error {
	d.space()
	if d.pos < len(d.data) || d.cut != "" {
		return d.fail("unexpected %s after the end", d.found())
	}
	return nil
}

// batch decodes an array of messages.
func (d *jsonDecoder) batch() ([]Message, error) {
	var msgs []Message
	d.pos++ // [
	d.space()
	if d.peek() == ']' {
		d.pos++
		return nil, nil
	}
	for {
		var err error
		if msgs, err = d.appendMessage(msgs); err != nil {
			return nil, err
		}
		d.space()
		switch d.peek() {
		case ',':
			d.pos++
			d.space()
		case ']':
			d.pos++
			return msgs, nil
		default:
			return nil, d.fail("expected , or ] after the message, found %s", d.found())
		}
	}
}

// appendMessage decodes a message and appends it to msgs.
func (d *jsonDecoder) appendMessage(msgs []Message) ([]Message, error) {
	if err := d.beginMessage(); err != nil {
		return nil, err
	}
	msgs = d.addMessage(msgs)
	m := &msgs[len(msgs)-1]
	if err := d.object(m); err != nil {
		return nil, err
	}
	if err := d.endMessage(m); err != nil {
		return nil, err
	}
	return msgs, nil
}

// object decodes the members of a message.
func (d *jsonDecoder) object(m *Message) error {
	d.seen, d.absent = 0, nil
	if d.peek() != '{' {
		if what := d.valueType(); what != "" && d.message > 0 {
			return d.refuse("is %s, not an object", what)
		}
		return d.fail("expected an object, found %s", d.found())
	}
	d.pos++
	d.space()
	if d.peek() == '}' {
		d.pos++
		return nil
	}
	for {
		if err := d.member(m); err != nil {
			return err
		}
		d.space()
		switch d.peek() {
		case ',':
			d.pos++
			d.space()
		case '}':
			d.pos++
			return nil
		default:
			return d.fail("expected , or } after a value, found %s", d.found())
		}
	}
}

// member decodes a key and its value.
func (d *jsonDecoder) member(m *Message) error {
	if d.peek() != '"' {
		return d.fail("expected a key in double quotes, found %s", d.found())
	}
	key, err := d.str()
	if err != nil {
		return err
	}
	if i := fieldIndex(string(key)); i >= 0 {
		if err := d.colon(); err != nil {
			return err
		}
		return d.field(m, i)
	}
	// The name must outlive d.buf, in which the value may be decoded.
	name := d.own(key)
	if err := d.colon(); err != nil {
		return err
	}
	return d.property(m, name)
}

// colon skips the colon between a key and its value.
func (d *jsonDecoder) colon() error {
	d.space()
	if d.peek() != ':' {
		return d.fail("expected : after a key, found %s", d.found())
	}
	d.pos++
	d.space()
	return nil
}

// field decodes the value of a field.
func (d *jsonDecoder) field(m *Message, i int) error {
	if d.seen&(1<<i) != 0 {
		return d.refuse("key %q appears twice", fieldNames[i])
	}
	d.seen |= 1 << i
	if d.peek() != '"' {
		what := d.valueType()
		switch what {
		case "null":
			return d.literal("null")
		case "":
			return d.fail("expected a string as %q, found %s", fieldNames[i], d.found())
		}
		return d.refuse("%q is %s, not a string", fieldNames[i], what)
	}
	text, err := d.str()
	if err != nil {
		return err
	}
	return d.setField(m, i, text)
}

// property decodes the value of a property and adds it to the message.
func (d *jsonDecoder) property(m *Message, name string) error {
	if !d.canonical && d.known(m, name) {
		return d.refuse("key %s appears twice", quote(name))
	}
	p := Property{Name: name}
	d.room.beginProperty()
	switch d.peek() {
	case 'n':
		if err := d.literal("null"); err != nil {
			return err
		}
		if d.absent == nil {
			d.absent = make(map[string]struct{})
		}
		d.absent[name] = struct{}{}
		return nil
	case '[':
		p.Array = true
		before := d.count
		if err := d.array(name); err != nil {
			return err
		}
		if d.count == before {
			if err := d.countValue(); err != nil {
				return err
			}
		}
	case '{':
		return d.refuse("property %s is an object", quote(name))
	default:
		if err := d.scalar(name); err != nil {
			return err
		}
	}
	if err := d.checkName(name); err != nil {
		return err
	}
	d.room.addProperty(m, p)
	return nil
}

// known reports whether the message had a property called name already, be it
// null. MaxProperties bounds the loop.
func (d *jsonDecoder) known(m *Message, name string) bool {
	for i := range m.Properties {
		if m.Properties[i].Name == name {
			return true
		}
	}
	_, ok := d.absent[name]
	return ok
}

// array decodes a property's array.
func (d *jsonDecoder) array(name string) error {
	d.pos++ // [
	d.space()
	if d.peek() == ']' {
		d.pos++
		return nil
	}
	for {
		switch d.peek() {
		case '[':
			return d.refuse("property %s has an array in its array", quote(name))
		case '{':
			return d.refuse("property %s has an object in its array", quote(name))
		case 'n':
			return d.refuse("property %s has null in its array", quote(name))
		}
		if err := d.scalar(name); err != nil {
			return err
		}
		d.space()
		switch d.peek() {
		case ',':
			d.pos++
			d.space()
		case ']':
			d.pos++
			return nil
		default:
			return d.fail("expected , or ] in the array of property %s, found %s", quote(name), d.found())
		}
	}
}

// scalar decodes a string, number or boolean.
func (d *jsonDecoder) scalar(name string) error {
	start := d.pos
	switch c := d.peek(); {
	case c == '"':
		text, err := d.str()
		if err != nil {
			return err
		}
		return d.addValue(String, text)
	case c == '-' || '0' <= c && c <= '9':
		if err := d.number(); err != nil {
			return err
		}
		return d.addValue(Number, d.data[start:d.pos])
	case c == 't' || c == 'f':
		word := "true"
		if c == 'f' {
			word = "false"
		}
		if err := d.literal(word); err != nil {
			return err
		}
		return d.addValue(Bool, d.data[start:d.pos])
	}
	return d.fail("expected a value for property %s, found %s", quote(name), d.found())
}
