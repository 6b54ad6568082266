package qst

// decodeXML decodes a batch in XML, whose charset parameter was charset.
//
// It is a whole XML processor as far as the protocol's documents need one: no
// DOCTYPE, so no entities but XML's own, no namespaces, and no nesting deeper
// than the three levels there are, so no recursion. What it does take, it
// takes strictly as XML 1.0 (fifth edition) has it, with one exception:
// tabs and line ends in attribute values are kept, where section 3.3.3 would
// turn them into spaces, as the protocol keeps white space in from, to and
// properties.
func decodeXML(charset string, body []byte, l Limits, version1 bool) ([]Message, error) {
	d, err := newXMLDecoder(charset, body, version1)
	if err != nil {
		return nil, err
	}
	d.limits, d.version1 = l, version1
	if len(d.data) == 0 && d.cut == "" {
		return nil, d.refuse("the body is empty")
	}
	root, err := d.root()
	if err != nil {
		return nil, err
	}
	if root != "messages" {
		if root == "message" {
			return nil, d.refuse("the root element must be <messages>, also around a single <message>")
		}
		return nil, d.refuse("the root element is %s, not <messages>", quote(root))
	}
	msgs, err := d.batch()
	if err != nil {
		return nil, err
	}
	d.message = 0
	if d.full {
		return msgs, nil
	}
	if err := d.end(); err != nil {
		return nil, err
	}
	return msgs, nil
}

type xmlDecoder struct {
	scanner
	version1 bool // as DecodeVersion1 says
	full     bool // version 1: as many messages as may be were read, and there are more
}

// newXMLDecoder returns a decoder for a document in whatever charset. With mend,
// characters that XML does not allow are no error.
func newXMLDecoder(charset string, body []byte, mend bool) (*xmlDecoder, error) {
	doc, cut, err := toUTF8(charset, body)
	if err != nil {
		return nil, err
	}
	if mend {
		doc = mendChars(doc)
	}
	d := new(xmlDecoder)
	d.data, d.cut = doc, cut
	if n, reason := checkChars(doc); n < len(doc) {
		d.data, d.cut = doc[:n], reason
	}
	return d, nil
}

// root reads up to the name of the root element.
func (d *xmlDecoder) root() (string, error) {
	if _, err := d.declaration(); err != nil {
		return "", err
	}
	d.space()
	if d.pos == len(d.data) && d.cut == "" {
		return "", d.refuse("the body is empty")
	}
	name, closing, err := d.next()
	if err != nil {
		return "", err
	}
	if closing {
		return "", d.fail("</%s> ends nothing", cutName(name))
	}
	return string(name), nil
}

// end expects nothing more than white space, comments and instructions.
func (d *xmlDecoder) end() error {
	for {
		d.space()
		switch {
		case d.hasPrefix("<!--"):
			if err := d.comment(); err != nil {
				return err
			}
		case d.hasPrefix("<?"):
			if err := d.instruction(); err != nil {
				return err
			}
		case d.pos < len(d.data) || d.cut != "":
			return d.fail("unexpected %s after the root element", d.found())
		default:
			return nil
		}
	}
}

// batch decodes the attributes and content of <messages>.
func (d *xmlDecoder) batch() ([]Message, error) {
	name, end, err := d.attribute("messages")
	if err != nil {
		return nil, err
	}
	if end == attributeFound {
		return nil, d.refuse("<messages> has no attribute %s", quote(name))
	}
	if end == tagEmpty {
		return nil, nil
	}
	var msgs []Message
	for {
		name, closing, err := d.next()
		if err != nil {
			return nil, err
		}
		if closing {
			return msgs, d.checkEndTag(name, "messages")
		}
		if string(name) != "message" {
			d.message++ // it is where a message should be
			return nil, d.refuse("<messages> has no element %s", quote(name))
		}
		if d.full = d.version1 && d.message == d.limits.MaxMessages; d.full {
			return msgs, nil
		}
		if err := d.beginMessage(); err != nil {
			return nil, err
		}
		msgs = d.addMessage(msgs)
		m := &msgs[len(msgs)-1]
		if err := d.decodeMessage(m); err != nil {
			return nil, err
		}
		if err := d.endMessage(m); err != nil {
			return nil, err
		}
	}
}

// decodeMessage decodes a message from after its tag's name.
func (d *xmlDecoder) decodeMessage(m *Message) error {
	var seen Fields
	for {
		name, end, err := d.attribute("message")
		if err != nil {
			return err
		}
		if end == tagEmpty {
			return nil
		}
		if end == tagOpen {
			break
		}
		i := fieldIndex(string(name))
		if i < 0 || i >= indexSubject {
			return d.refuse("<message> has no attribute %s", quote(name))
		}
		if seen&(1<<i) != 0 {
			return d.refuse("attribute %q appears twice", fieldNames[i])
		}
		seen |= 1 << i
		value, err := d.attributeValue()
		if err != nil {
			return err
		}
		if err := d.setField(m, i, value); err != nil {
			return err
		}
	}
	for {
		name, closing, err := d.next()
		if err != nil {
			return err
		}
		if closing {
			return d.checkEndTag(name, "message")
		}
		switch {
		case string(name) == "property":
			err = d.property(m)
		case string(name) == "text" && d.version1:
			err = d.textField(m, indexBody, "text", &seen)
		case string(name) == "subject" && !d.version1:
			err = d.textField(m, indexSubject, "subject", &seen)
		case string(name) == "body" && !d.version1:
			err = d.textField(m, indexBody, "body", &seen)
		case string(name) == "text":
			err = d.refuse("<message> has no element \"text\": QSTv2 calls this body")
		default:
			err = d.refuse("<message> has no element %s", quote(name))
		}
		if err != nil {
			return err
		}
	}
}

// textField decodes the element of a field, called tag, from after its name.
func (d *xmlDecoder) textField(m *Message, i int, tag string, seen *Fields) error {
	if *seen&(1<<i) != 0 {
		return d.refuse("<%s> appears twice", tag)
	}
	*seen |= 1 << i
	name, end, err := d.attribute(tag)
	if err != nil {
		return err
	}
	var text []byte
	switch end {
	case attributeFound:
		return d.refuse("<%s> has no attribute %s", tag, quote(name))
	case tagOpen:
		if text, err = d.text(tag); err != nil {
			return err
		}
	case tagEmpty: // no text
	}
	return d.setField(m, i, text)
}

// property decodes <property> from after its tag's name.
func (d *xmlDecoder) property(m *Message) error {
	var name string
	var hasName, hasValue bool
	d.room.beginProperty()
attributes:
	for {
		attr, end, err := d.attribute("property")
		if err != nil {
			return err
		}
		switch {
		case end == tagEmpty:
			break attributes
		case end == tagOpen:
			if err := d.emptyContent("property"); err != nil {
				return err
			}
			break attributes
		case string(attr) == "name" && !hasName:
			value, err := d.attributeValue()
			if err != nil {
				return err
			}
			if fieldIndex(string(value)) >= 0 {
				return d.refuse("property %s has a field's name", quote(value))
			}
			name, hasName = d.own(value), true
			if err := d.checkName(name); err != nil {
				return err
			}
		case string(attr) == "value" && !hasValue:
			value, err := d.attributeValue()
			if err != nil {
				return err
			}
			hasValue = true
			if err := d.addValue(String, value); err != nil {
				return err
			}
		case string(attr) == "name", string(attr) == "value":
			return d.refuse("attribute %q of <property> appears twice", string(attr))
		default:
			return d.refuse("<property> has no attribute %s", quote(attr))
		}
	}
	if !hasName {
		return d.refuse("<property> lacks its attribute \"name\"")
	}
	if !hasValue {
		return d.refuse("property %s lacks its attribute \"value\"", quote(name))
	}
	d.room.addProperty(m, Property{Name: name})
	return nil
}

// emptyContent expects the end tag of an element that has no content.
func (d *xmlDecoder) emptyContent(tag string) error {
	name, closing, err := d.next()
	if err != nil {
		return err
	}
	if !closing {
		return d.refuse("<%s> has no element %s", tag, quote(name))
	}
	return d.checkEndTag(name, tag)
}
