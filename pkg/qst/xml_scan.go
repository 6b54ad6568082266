package qst

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// checkChars returns the length of the longest prefix of doc that is valid
// UTF-8 and holds only characters XML 1.0 allows anywhere (section 2.2), and
// what is wrong with the rest, "" if nothing is.
func checkChars(doc []byte) (n int, reason string) {
	// Each is much faster than to look at one character after the other.
	if utf8.Valid(doc) && !hasControls(doc) && !bytes.Contains(doc, []byte("\uFFFE")) && !bytes.Contains(doc, []byte("\uFFFF")) {
		return len(doc), ""
	}
	return firstNonXML(doc)
}

// hasControls reports whether doc has a control character that XML does not allow.
func hasControls(doc []byte) bool {
	for i := skipToControl(doc, 0); i < len(doc); i = skipToControl(doc, i+1) {
		if !isSpace(doc[i]) {
			return true
		}
	}
	return false
}

// firstNonXML is checkChars, character after character.
func firstNonXML(doc []byte) (n int, reason string) {
	for n < len(doc) {
		c := doc[n]
		if c < utf8.RuneSelf {
			if c < ' ' && !isSpace(c) {
				return n, "XML does not allow U+00" + string("0123456789ABCDEF"[c>>4]) + string("0123456789ABCDEF"[c&15])
			}
			n++
			continue
		}
		r, size := utf8.DecodeRune(doc[n:])
		switch {
		case r == utf8.RuneError && size == 1:
			return n, "invalid UTF-8"
		case r == 0xFFFE:
			return n, "XML does not allow U+FFFE"
		case r == 0xFFFF:
			return n, "XML does not allow U+FFFF"
		}
		n += size
	}
	return n, ""
}

// mendChars returns doc with U+FFFD in the place of what checkChars finds wrong.
func mendChars(doc []byte) []byte {
	n, reason := checkChars(doc)
	if reason == "" {
		return doc
	}
	mended := append(make([]byte, 0, len(doc)+utf8.UTFMax), doc[:n]...)
	for n < len(doc) {
		_, size := utf8.DecodeRune(doc[n:])
		doc = doc[n+size:]
		n, _ = firstNonXML(doc) // which reads no further than it has to
		mended = append(utf8.AppendRune(mended, utf8.RuneError), doc[:n]...)
	}
	return mended
}

// isXMLChar reports whether XML 1.0 allows r (section 2.2).
func isXMLChar(r rune) bool {
	return r >= ' ' && r <= 0xD7FF || r == '\t' || r == '\n' || r == '\r' ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// nameStarts are the characters beyond ASCII that a name may begin with, and
// nameMore those it may go on with (XML 1.0 fifth edition, section 2.3).
var (
	nameStarts = [...][2]rune{
		{0xC0, 0xD6}, {0xD8, 0xF6}, {0xF8, 0x2FF}, {0x370, 0x37D}, {0x37F, 0x1FFF}, {0x200C, 0x200D},
		{0x2070, 0x218F}, {0x2C00, 0x2FEF}, {0x3001, 0xD7FF}, {0xF900, 0xFDCF}, {0xFDF0, 0xFFFD}, {0x10000, 0xEFFFF},
	}
	nameMore = [...][2]rune{{0xB7, 0xB7}, {0x300, 0x36F}, {0x203F, 0x2040}}
)

func isNameChar(r rune, first bool) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', r == '_', r == ':':
		return true
	case '0' <= r && r <= '9', r == '-', r == '.':
		return !first
	case r < utf8.RuneSelf:
		return false
	}
	for _, span := range nameStarts {
		if span[0] <= r && r <= span[1] {
			return true
		}
	}
	for _, span := range nameMore {
		if span[0] <= r && r <= span[1] {
			return !first
		}
	}
	return false
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }

// name reads the name at pos, nil if none begins there.
func (d *xmlDecoder) name() []byte {
	start := d.pos
	for d.pos < len(d.data) && isLower(d.data[d.pos]) { // most names are no more than that
		d.pos++
	}
	for d.pos < len(d.data) {
		r, size := rune(d.data[d.pos]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(d.data[d.pos:])
		}
		if !isNameChar(r, d.pos == start) {
			break
		}
		d.pos += size
	}
	return d.data[start:d.pos]
}

// comment skips the comment at pos.
func (d *xmlDecoder) comment() error {
	d.pos += len("<!--")
	i := bytes.Index(d.data[d.pos:], []byte("--"))
	if i < 0 {
		d.pos = len(d.data)
		return d.fail("a comment does not end")
	}
	d.pos += i
	if !d.hasPrefix("-->") {
		d.pos += len("--")
		return d.fail("-- inside a comment")
	}
	d.pos += len("-->")
	return nil
}

// instruction skips the processing instruction at pos.
func (d *xmlDecoder) instruction() error {
	at := d.pos
	d.pos += len("<?")
	target := d.name()
	if len(target) == 0 {
		return d.fail("expected the name of a processing instruction, found %s", d.found())
	}
	if strings.EqualFold(string(target), "xml") && d.pos < len(d.data) {
		d.pos = at
		return d.fail("an XML declaration may only stand at the very start")
	}
	if !d.hasPrefix("?>") && !isSpace(d.peek()) {
		return d.fail("expected white space in a processing instruction, found %s", d.found())
	}
	i := bytes.Index(d.data[d.pos:], []byte("?>"))
	if i < 0 {
		d.pos = len(d.data)
		return d.fail("a processing instruction does not end")
	}
	d.pos += i + len("?>")
	return nil
}

// declaration reads the XML declaration at pos, if there is one, and returns
// the encoding it names, "" if it names none (section 2.8).
func (d *xmlDecoder) declaration() (encoding string, err error) {
	if !d.hasPrefix("<?xml") || d.pos+5 < len(d.data) && !isSpace(d.data[d.pos+5]) {
		return "", nil
	}
	d.pos += len("<?xml")
	pseudo := [...]string{"version", "encoding", "standalone"}
	next := 0
	for {
		spaced := isSpace(d.peek())
		d.space()
		if d.hasPrefix("?>") {
			if next == 0 {
				return "", d.fail("the XML declaration has no version")
			}
			d.pos += len("?>")
			return encoding, nil
		}
		name := string(d.name())
		for next < len(pseudo) && name != pseudo[next] && next > 0 {
			next++
		}
		if next == len(pseudo) || name != pseudo[next] || !spaced {
			return "", d.fail("malformed XML declaration")
		}
		value, ok := d.pseudoValue()
		switch {
		case !ok, name == "standalone" && value != "yes" && value != "no", name == "encoding" && !isEncodingName(value):
			return "", d.fail("malformed XML declaration")
		case name == "version" && !isVersion1(value):
			return "", d.fail("XML version %s is not supported", quote(value))
		case name == "encoding":
			encoding = value
		}
		next++
	}
}

// pseudoValue reads = and a quoted value in an XML declaration.
func (d *xmlDecoder) pseudoValue() (value string, ok bool) {
	d.space()
	if d.peek() != '=' {
		return "", false
	}
	d.pos++
	d.space()
	quotation := d.peek()
	if quotation != '"' && quotation != '\'' {
		return "", false
	}
	d.pos++
	i := bytes.IndexByte(d.data[d.pos:], quotation)
	if i < 0 {
		return "", false
	}
	value = string(d.data[d.pos : d.pos+i])
	d.pos += i + 1
	return value, true
}

// isVersion1 reports whether s is a version 1.x, all of which an XML 1.0
// processor reads as 1.0.
func isVersion1(s string) bool {
	digits, ok := strings.CutPrefix(s, "1.")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// isEncodingName reports whether s has the form of an encoding's name.
func isEncodingName(s string) bool {
	for i := range len(s) {
		switch c := s[i] | 0x20; {
		case 'a' <= c && c <= 'z':
		case i > 0 && ('0' <= s[i] && s[i] <= '9' || s[i] == '.' || s[i] == '_' || s[i] == '-'):
		default:
			return false
		}
	}
	return s != ""
}

// reference decodes the reference at pos and appends its character to d.buf.
// Only the five entities of XML itself exist, and every one of them is a
// single character: no input can make the text longer than itself.
func (d *xmlDecoder) reference() error {
	at := d.pos
	d.pos++ // &
	if d.peek() == '#' {
		return d.charReference(at)
	}
	name := d.name()
	if len(name) == 0 || d.peek() != ';' {
		if d.pos < len(d.data) {
			d.pos = at
		}
		return d.fail("& begins no reference; a plain one is written &amp;")
	}
	d.pos++ // ;
	var c byte
	switch string(name) {
	case "amp":
		c = '&'
	case "lt":
		c = '<'
	case "gt":
		c = '>'
	case "quot":
		c = '"'
	case "apos":
		c = '\''
	default:
		d.pos = at
		return d.fail("unknown entity %s", quote(name))
	}
	d.buf = append(d.buf, c)
	return nil
}

// charReference decodes a character reference that began at index at, of
// which pos is at the #.
func (d *xmlDecoder) charReference(at int) error {
	r, ok := d.charNumber()
	if !ok {
		return d.fail("malformed character reference")
	}
	if !isXMLChar(r) && d.version1 {
		r = d.surrogatePair(r) // or U+FFFD, in no more bytes than the reference has
	}
	if !isXMLChar(r) {
		ref := d.data[at:d.pos]
		d.pos = at
		return d.fail("XML does not allow the character %s", quote(ref))
	}
	d.buf = utf8.AppendRune(d.buf, r)
	return nil
}

// charNumber reads a character reference from its # to behind its semicolon.
func (d *xmlDecoder) charNumber() (r rune, ok bool) {
	d.pos++ // #
	base := 10
	if d.peek() == 'x' {
		d.pos++
		base = 16
	}
	start := d.pos
	for {
		digit := hexDigit(d.peek())
		if digit < 0 || digit >= base {
			break
		}
		// Stops growing above Unicode, so it can't overflow.
		if r <= utf8.MaxRune {
			r = r*rune(base) + rune(digit)
		}
		d.pos++
	}
	if d.pos == start || d.peek() != ';' {
		return 0, false
	}
	d.pos++ // ;
	return r, true
}

// surrogatePair returns the character whose first half r is, if a reference to the second
// follows, which it reads; else U+FFFD. Android's XML serializer writes an emoji as two
// references.
func (d *xmlDecoder) surrogatePair(r rune) rune {
	behind := d.pos
	if utf16.IsSurrogate(r) && d.hasPrefix("&#") {
		d.pos++ // &
		if low, ok := d.charNumber(); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				return pair
			}
		}
		d.pos = behind
	}
	return utf8.RuneError
}
