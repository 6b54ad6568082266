package qst

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

const (
	utf16BE = "utf-16be"
	utf16LE = "utf-16le"

	// maxCharsetName is the most bytes of a charset's name that are looked
	// up. IANA's longest has 45.
	maxCharsetName = 64
)

// toUTF8 converts an XML document to UTF-8, without its byte order mark. What
// decides about its charset is, in this order: the byte order mark, the
// Content-Type's charset parameter, the first bytes if they are UTF-16's, the
// XML declaration; UTF-8 without any of them. (XML 1.0 appendix F, RFC 7303.)
//
// If the document has bytes that are nothing in its charset, doc ends before
// them and cut says so. A charset that is not known is ErrUnsupportedType.
//
// What it allocates is bounded by a multiple of len(body): no byte of any
// charset becomes more than three of UTF-8.
func toUTF8(charset string, body []byte) (doc []byte, cut string, err error) {
	if rest, ok := bytes.CutPrefix(body, utf8BOM); ok {
		return rest, "", nil
	}
	if name := utf16BOM(body); name != "" {
		doc, cut = decodeUTF16(body[2:], name == utf16BE)
		return doc, cut, nil
	}
	byPattern := sniffUTF16(body)
	declared := ""
	if charset == "" && byPattern == "" {
		declared = declaredEncoding(body)
	}
	name := cmp.Or(charset, byPattern, declared)
	if len(name) > maxCharsetName {
		return nil, "", errorf(ErrUnsupportedType, 0, "charset %s is not supported", quote(name))
	}
	name = strings.ToLower(name)
	if declared != "" && isWide(name) || isASCII(name) && utf8.Valid(body) {
		// We could read the declaration, so it isn't: some programs (.NET's
		// StringWriter) write it into every document and send that as UTF-8. Others
		// say ASCII, and don't mean it.
		name = ""
	}
	switch name {
	case "", "utf-8", "utf8":
		return body, "", nil
	case "utf-16":
		doc, cut = decodeUTF16(body, byPattern != utf16LE) // big-endian by RFC 2781
	case utf16BE, utf16LE:
		doc, cut = decodeUTF16(body, name == utf16BE)
	default:
		enc := lookupCharset(name)
		if enc == nil {
			return nil, "", errorf(ErrUnsupportedType, 0, "charset %s is not supported", quote(name))
		}
		doc, cut = decodeCharset(enc, name, body)
	}
	return doc, cut, nil
}

// isWide tells whether a charset, of which name is in lower case, has no character of one byte.
func isWide(name string) bool {
	switch name {
	case "unicode", "csunicode", "ucs-2", "iso-10646-ucs-2", "ucs-4", "iso-10646-ucs-4":
		return true
	}
	return strings.HasPrefix(name, "utf-16") || strings.HasPrefix(name, "utf-32")
}

// isASCII tells whether name, in lower case, is one of ASCII's.
func isASCII(name string) bool {
	switch name {
	case "ascii", "us-ascii", "iso646-us", "ansi_x3.4-1968":
		return true
	}
	return false
}

// utf16BOM returns the kind of UTF-16 whose byte order mark body begins with,
// or "".
func utf16BOM(body []byte) string {
	switch {
	case len(body) < 2:
		return ""
	case body[0] == 0xFE && body[1] == 0xFF:
		return utf16BE
	case body[0] == 0xFF && body[1] == 0xFE:
		return utf16LE
	}
	return ""
}

// sniffUTF16 returns the kind of UTF-16 a document seems to be in by its byte
// order mark, or by beginning with < or white space; or "".
func sniffUTF16(body []byte) string {
	begins := func(c byte) bool { return c == '<' || isSpace(c) }
	switch name := utf16BOM(body); {
	case name != "":
		return name
	case len(body) < 2:
		return ""
	case body[0] == 0 && begins(body[1]):
		return utf16BE
	case begins(body[0]) && body[1] == 0:
		return utf16LE
	}
	return ""
}

// declaredEncoding returns the encoding that the XML declaration names, "" if
// there is none, or none that can be read as ASCII. What else is wrong with
// the declaration is found when the document is decoded.
func declaredEncoding(body []byte) string {
	d := new(xmlDecoder)
	d.data = body
	name, err := d.declaration()
	if err != nil {
		return ""
	}
	return name
}

// lookupCharset returns the charset called name, nil if it is not known. IANA
// names go first: the WHATWG's, in htmlindex, take ISO-8859-1 for
// windows-1252.
func lookupCharset(name string) encoding.Encoding {
	enc, err := ianaindex.IANA.Encoding(name)
	if err != nil || enc == nil {
		if enc, err = htmlindex.Get(name); err != nil {
			return nil
		}
	}
	if enc == encoding.Replacement {
		return nil // what the WHATWG puts for charsets it wants nobody to read
	}
	return enc
}

// decodeCharset converts body to UTF-8.
func decodeCharset(enc encoding.Encoding, name string, body []byte) (doc []byte, cut string) {
	cut = fmt.Sprintf("bytes that are nothing in charset %s", quote(name))
	doc, err := enc.NewDecoder().Bytes(body)
	if err != nil {
		return doc, cut
	}
	// The decoder writes U+FFFD for such bytes, but few charsets (GB18030) can
	// also say U+FFFD and mean it.
	const replacement = "\uFFFD"
	bad := bytes.Index(doc, []byte(replacement))
	if bad < 0 {
		return doc, ""
	}
	if meant, err := enc.NewEncoder().Bytes([]byte(replacement)); err == nil &&
		bytes.Count(body, meant) >= bytes.Count(doc, []byte(replacement)) {
		return doc, ""
	}
	return doc[:bad], cut
}

// decodeUTF16 converts body, without a byte order mark, to UTF-8. Unlike
// x/text's decoder it tells U+FFFD from half a pair of surrogates.
func decodeUTF16(body []byte, bigEndian bool) (doc []byte, cut string) {
	unit := func(i int) rune {
		if i+1 >= len(body) {
			return -1
		}
		if bigEndian {
			return rune(body[i])<<8 | rune(body[i+1])
		}
		return rune(body[i+1])<<8 | rune(body[i])
	}
	doc = make([]byte, 0, len(body)/2*3)
	for i := 0; i < len(body); i += 2 {
		r := unit(i)
		if utf16.IsSurrogate(r) {
			if r = utf16.DecodeRune(r, unit(i+2)); r == utf8.RuneError {
				return doc, "half a surrogate pair in UTF-16"
			}
			i += 2
		}
		if r < 0 {
			return doc, "half a character of UTF-16"
		}
		doc = utf8.AppendRune(doc, r)
	}
	return doc, ""
}
