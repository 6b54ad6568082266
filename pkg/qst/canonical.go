package qst

import (
	"errors"
	"slices"
	"strings"
)

// canonicalID is how the canonical form of a message with an id begins, up to the
// id's text.
const canonicalID = `{"id":"`

// repeatsMark is what the canonical form of a message whose properties repeat a name
// ends in. It stands for a space as JSON allows it there.
const repeatsMark = ' '

// AppendCanonical appends the message's canonical form: one JSON object as
// [AppendJSON] writes it, but with properties of the same name apart, each in
// its place, so that XML comes out as it went in. It is what the service
// stores, and what Limits.MaxMessageBytes counts.
//
// If a name repeats, one space follows the object's closing brace: it tells
// [AppendFromCanonical] that this object is not the message's object in JSON. Where
// there is none, it is.
//
// [DecodeCanonical] is its inverse; a JSON parser that takes the last of
// several values for a key would lose some. To make the canonical forms of a batch
// with few allocations, append them to one buffer and cut that.
func (m *Message) AppendCanonical(dst []byte) []byte {
	dst = m.appendObject(dst, false)
	if repeatsName(m.Properties) {
		dst = append(dst, repeatsMark)
	}
	return dst
}

// repeatsName reports whether two properties have the same name. MaxProperties bounds
// the loops.
func repeatsName(ps []Property) bool {
	for i := 1; i < len(ps); i++ {
		if propertyNamed(ps[:i], ps[i].Name) >= 0 {
			return true
		}
	}
	return false
}

// DecodeCanonical is the inverse of [Message.AppendCanonical]. It enforces no
// limits, and it accepts what [Decode] refuses for good reasons but the
// canonical form needs or an older release may have stored: a property's name
// that comes again, a message without any of from, to, subject and body.
//
// It is meant for a store's own content, but does not rely on it: whatever is
// no canonical form is an error, ErrMalformed. The space that AppendCanonical writes
// after an object may be missing or there; it says nothing here.
func DecodeCanonical(b []byte) (Message, error) {
	var d jsonDecoder
	d.init(b)
	d.limits = NoLimits()
	d.canonical = true
	d.space()
	var m Message
	if err := d.object(&m); err != nil {
		return Message{}, err
	}
	if err := d.end(); err != nil {
		return Message{}, err
	}
	return m, nil
}

// CanonicalID returns the id of the message whose canonical form is canonical, as
// [Message.AppendCanonical] wrote it; "" if the message has none. It reads no further
// than the id, and may share memory with canonical.
func CanonicalID(canonical string) string {
	text, ok := strings.CutPrefix(canonical, canonicalID)
	if !ok {
		return ""
	}
	end := strings.IndexByte(text, '"')
	if end < 0 {
		return ""
	}
	if strings.IndexByte(text[:end], '\\') < 0 {
		return text[:end]
	}
	d := new(jsonDecoder)
	d.data = []byte(text)
	d.pos = -1 // where the quotation mark would be
	id, err := d.str()
	if err != nil {
		return ""
	}
	return string(id)
}

// AppendFromCanonical appends, in format f, the batch of the messages whose canonical
// forms are given. What it appends is, to the byte, what [Append] makes of the
// messages that [DecodeCanonical] returns for them, without making any: JSON is the
// canonical forms with commas between them, XML is written as they are read.
//
// What is no canonical form is an error of kind ErrMalformed, whose Message is the
// number of the first such one, counted from 1, and dst comes back as it was. In JSON
// that is found only where it costs nothing: whatever begins with { and ends with }
// is taken for the object that AppendCanonical wrote.
func AppendFromCanonical(dst []byte, f Format, canonical []string) ([]byte, error) {
	if f == XML && len(canonical) == 0 {
		return AppendXML(dst, nil), nil
	}
	start := len(dst)
	dst = slices.Grow(dst, sizeFromCanonical(f, canonical))
	if f == JSON {
		dst = append(dst, '[')
	} else {
		dst = append(dst, "<messages>"...)
	}
	for i, c := range canonical {
		if f == JSON && i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendOneFromCanonical(dst, f, c); err != nil {
			if e := (*Error)(nil); errors.As(err, &e) {
				e.Message = i + 1
			}
			return dst[:start], err
		}
	}
	if f == JSON {
		return append(dst, ']'), nil
	}
	return append(dst, "</messages>"...), nil
}

// sizeFromCanonical returns how many bytes AppendFromCanonical usually appends.
func sizeFromCanonical(f Format, canonical []string) int {
	const perBatch = len("<messages></messages>")
	n := perBatch
	for _, c := range canonical {
		n += len(c) + len(",")
	}
	if f == XML {
		// A message with a body and two properties has that much more around its texts.
		const perMessage = 64
		n += perMessage * len(canonical)
	}
	return n
}

// appendOneFromCanonical appends the message whose canonical form is c, as its place
// in a batch has it.
func appendOneFromCanonical(dst []byte, f Format, c string) ([]byte, error) {
	if f == JSON && strings.HasPrefix(c, "{") && strings.HasSuffix(c, "}") {
		return append(dst, c...), nil
	}
	if f == XML {
		if dst, ok := transcode(dst, c); ok {
			return dst, nil
		}
	}
	// Names that repeat, in JSON; or, in XML, what AppendCanonical does not write, which
	// may still be something that DecodeCanonical reads.
	m, err := DecodeCanonical([]byte(c))
	if err != nil {
		return dst, err
	}
	if f == JSON {
		return m.appendObject(dst, true), nil
	}
	return m.appendElement(dst), nil
}
