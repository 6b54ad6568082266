package qst

import "bytes"

// What [xmlDecoder.attribute] came upon.
type attributeEnd int

const (
	attributeFound attributeEnd = iota // an attribute
	tagOpen                            // > the end of a start tag
	tagEmpty                           // /> the end of an empty element's tag
)

// next goes to the next tag, between elements where no text may be, and reads
// it: a start tag's name, up to where its attributes begin, or a whole end tag.
func (d *xmlDecoder) next() (name []byte, closing bool, err error) {
	for {
		d.space()
		if i := d.pos + 1; i < len(d.data) && d.data[d.pos] == '<' && isLower(d.data[i]) {
			d.pos = i
			return d.name(), false, nil // the usual, before what is rare
		}
		switch {
		case d.hasPrefix("<!--"):
			err = d.comment()
		case d.hasPrefix("<?"):
			err = d.instruction()
		case d.hasPrefix("</"):
			name, err = d.endTag()
			return name, true, err
		case d.hasPrefix("<!DOCTYPE"):
			err = d.fail("a document type declaration is not allowed")
		case d.hasPrefix("<![CDATA["):
			err = d.fail("text outside of <subject> and <body>")
		case d.peek() == '<':
			d.pos++
			if name = d.name(); len(name) == 0 {
				err = d.fail("expected an element's name after <, found %s", d.found())
			}
			return name, false, err
		case d.pos == len(d.data):
			err = d.fail("the document ends too early")
		case d.message > 0:
			err = d.fail("text outside of <subject> and <body>: %s", d.found())
		default:
			err = d.fail("expected <, found %s", d.found())
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// endTag reads the end tag at pos.
func (d *xmlDecoder) endTag() ([]byte, error) {
	d.pos += len("</")
	name := d.name()
	d.space()
	if len(name) == 0 || d.peek() != '>' {
		return nil, d.fail("malformed end tag")
	}
	d.pos++
	return name, nil
}

// checkEndTag tells whether an end tag ends the element it should.
func (d *xmlDecoder) checkEndTag(name []byte, tag string) error {
	if string(name) != tag {
		return d.fail("expected </%s>, found </%s>", tag, cutName(name))
	}
	return nil
}

// cutName returns a name, which holds nothing that would need quoting, cut
// short if it is long.
func cutName(name []byte) string {
	q := quote(name)
	if len(name) <= maxQuoted {
		return q[1 : len(q)-1]
	}
	return q[1:len(q)-len(`"…`)] + "…"
}

// attribute goes to the next attribute in a start tag of an element called tag
// and reads its name, up to the = sign; or reads the tag's end.
func (d *xmlDecoder) attribute(tag string) (name []byte, end attributeEnd, err error) {
	at := d.pos
	d.space()
	switch {
	case d.peek() == '>':
		d.pos++
		return nil, tagOpen, nil
	case d.hasPrefix("/>"):
		d.pos += len("/>")
		return nil, tagEmpty, nil
	}
	if name = d.name(); len(name) == 0 {
		return nil, 0, d.fail("the tag <%s> does not end: found %s", tag, d.found())
	}
	if at == d.pos-len(name) {
		return nil, 0, d.fail("expected white space before attribute %s", quote(name))
	}
	return name, attributeFound, nil
}

// attributeValue reads = and the value of an attribute whose name was just
// read. The result is valid until the next call of this or of text.
func (d *xmlDecoder) attributeValue() ([]byte, error) {
	d.space()
	if d.peek() != '=' {
		return nil, d.fail("expected = after an attribute's name, found %s", d.found())
	}
	d.pos++
	d.space()
	quotation := d.peek()
	if quotation != '"' && quotation != '\'' {
		return nil, d.fail("expected an attribute's value in quotes, found %s", d.found())
	}
	d.pos++
	t := d.beginText()
	for {
		d.pos = skipXML(d.data, d.pos, quotation)
		if d.pos == len(d.data) {
			return nil, d.fail("an attribute's value does not end")
		}
		switch c := d.data[d.pos]; c {
		case quotation:
			value := t.end(d)
			d.pos++
			return value, nil
		case '<':
			return nil, d.fail("< inside an attribute's value; it is written &lt; there")
		default: // & or a carriage return
			if err := t.special(d, c); err != nil {
				return nil, err
			}
		}
	}
}

// text reads the content of an element that holds text only, up to and with its
// end tag. The result is valid until the next call of this or of
// attributeValue.
func (d *xmlDecoder) text(tag string) ([]byte, error) {
	t := d.beginText()
	for {
		d.pos = skipXML(d.data, d.pos, ']')
		if d.pos == len(d.data) {
			return nil, d.fail("<%s> does not end", tag)
		}
		switch c := d.data[d.pos]; c {
		case '<':
			if d.hasPrefix("</") {
				text := t.end(d)
				name, err := d.endTag()
				if err != nil {
					return nil, err
				}
				return text, d.checkEndTag(name, tag)
			}
			if err := d.markupInText(&t, tag); err != nil {
				return nil, err
			}
		case '&', '\r':
			if err := t.special(d, c); err != nil {
				return nil, err
			}
		case ']':
			if d.hasPrefix("]]>") {
				return nil, d.fail("]]> in text; its > is written &gt;")
			}
			d.pos++
		}
	}
}

// markupInText reads what begins with < inside text and is no end tag.
func (d *xmlDecoder) markupInText(t *textRun, tag string) (err error) {
	t.flush(d)
	switch {
	case d.hasPrefix("<!--"):
		err = d.comment()
	case d.hasPrefix("<?"):
		err = d.instruction()
	case d.hasPrefix("<![CDATA["):
		err = d.cdata()
	default:
		d.pos++
		if name := d.name(); len(name) > 0 && d.pos < len(d.data) {
			return d.refuse("<%s> holds text only, not an element %s; a plain < is written &lt;", tag, quote(name))
		}
		err = d.fail("< begins no markup; a plain one is written &lt;")
	}
	t.start = d.pos
	return err
}

// cdata reads the CDATA section at pos and appends its text to d.buf.
func (d *xmlDecoder) cdata() error {
	d.pos += len("<![CDATA[")
	i := bytes.Index(d.data[d.pos:], []byte("]]>"))
	if i < 0 {
		d.pos = len(d.data)
		return d.fail("a CDATA section does not end")
	}
	run := d.data[d.pos : d.pos+i]
	d.pos += i + len("]]>")
	for {
		i := bytes.IndexByte(run, '\r')
		if i < 0 {
			d.buf = append(d.buf, run...)
			return nil
		}
		d.buf = append(d.buf, run[:i]...)
		d.buf = append(d.buf, '\n')
		run = run[i+1:]
		if len(run) > 0 && run[0] == '\n' {
			run = run[1:]
		}
	}
}

// textRun collects a text that is, most of the time, one run of the document,
// which then need not be copied to d.buf.
type textRun struct {
	start  int  // of the run that pos is in
	copied bool // there are earlier runs, in d.buf
}

func (d *xmlDecoder) beginText() textRun { return textRun{start: d.pos} }

// flush moves the run before pos to d.buf.
func (t *textRun) flush(d *xmlDecoder) {
	if !t.copied {
		t.copied = true
		d.buf = d.buf[:0]
	}
	d.buf = append(d.buf, d.data[t.start:d.pos]...)
}

// end returns the text, which ends before pos.
func (t *textRun) end(d *xmlDecoder) []byte {
	if !t.copied {
		return d.data[t.start:d.pos]
	}
	t.flush(d)
	return d.buf
}

// special reads a reference, or a line end that has a carriage return: CR and
// CRLF are LF (section 2.11). A carriage return that is meant is written
// &#13;.
func (t *textRun) special(d *xmlDecoder, c byte) error {
	t.flush(d)
	if c == '&' {
		if err := d.reference(); err != nil {
			return err
		}
	} else {
		d.pos++
		if d.peek() == '\n' {
			d.pos++
		}
		d.buf = append(d.buf, '\n')
	}
	t.start = d.pos
	return nil
}
