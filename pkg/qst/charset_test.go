package qst

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
)

func utf16Bytes(order binary.AppendByteOrder, s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

func TestCharsets(t *testing.T) {
	must := func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	doc := func(encoding, text string) string {
		declaration := ""
		if encoding != "" {
			declaration = fmt.Sprintf("<?xml version=\"1.0\" encoding=%q?>\n", encoding)
		}
		return declaration + messages("<message><body>"+text+"</body></message>")
	}
	latin1 := func(s string) []byte { return must(charmap.ISO8859_1.NewEncoder().Bytes([]byte(s))) }
	be, le := binary.BigEndian, binary.LittleEndian

	for _, test := range []struct {
		name    string
		charset string // of the Content-Type
		body    []byte
		want    string
	}{
		{"declared ISO-8859-1", "", latin1(doc("ISO-8859-1", "£é\u0080")), "£é\u0080"},
		{"declared in other case", "", latin1(doc("iso-8859-1", "£")), "£"},
		{"declared latin1", "", latin1(doc("latin1", "£")), "£"},
		{"declared windows-1252", "", must(charmap.Windows1252.NewEncoder().Bytes([]byte(doc("Windows-1252", "€‘’")))), "€‘’"},
		{"declared cp1252", "", must(charmap.Windows1252.NewEncoder().Bytes([]byte(doc("cp1252", "€")))), "€"},
		{"declared windows-1251", "", must(charmap.Windows1251.NewEncoder().Bytes([]byte(doc("windows-1251", "Привет")))), "Привет"},
		{"declared KOI8-R", "", must(charmap.KOI8R.NewEncoder().Bytes([]byte(doc("KOI8-R", "Привет")))), "Привет"},
		{"declared Shift_JIS", "", must(japanese.ShiftJIS.NewEncoder().Bytes([]byte(doc("Shift_JIS", "こんにちはｱ")))), "こんにちはｱ"},
		{"declared GBK", "", must(simplifiedchinese.GBK.NewEncoder().Bytes([]byte(doc("GBK", "你好")))), "你好"},
		{"declared GB2312", "", must(simplifiedchinese.GBK.NewEncoder().Bytes([]byte(doc("gb2312", "你好")))), "你好"},
		{"declared GB18030, U+FFFD meant", "", must(simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(doc("GB18030", "你\uFFFD😀")))), "你\uFFFD😀"},
		{"declared US-ASCII", "", []byte(doc("US-ASCII", "a")), "a"},
		{"declared UTF-8", "", []byte(doc("UTF-8", "é\uFFFD")), "é\uFFFD"},
		{"single quotes", "", latin1("<?xml version='1.0' encoding='ISO-8859-1'?>" + doc("", "é")), "é"},
		{"nothing said", "", []byte(doc("", "é")), "é"},

		{"Content-Type alone", "iso-8859-1", latin1(doc("", "é")), "é"},
		{"Content-Type over declaration", "ISO-8859-1", latin1(doc("utf-8", "é")), "é"},
		{"Content-Type utf-8 over declaration", "UTF-8", []byte(doc("ISO-8859-1", "é")), "é"},
		{"Content-Type over declared UTF-16", "utf-8", []byte(doc("utf-16", "é")), "é"},
		{"declared unicode, but is UTF-8", "", []byte(doc("unicode", "é")), "é"},
		{"declared UCS-2, but is UTF-8", "", []byte(doc("UCS-2", "é")), "é"},
		{"declared ISO-10646-UCS-2, but is UTF-8", "", []byte(doc("ISO-10646-UCS-2", "é")), "é"},
		{"declared UTF-32, but is UTF-8", "", []byte(doc("UTF-32", "é")), "é"},
		{"declared ASCII, but is UTF-8", "", []byte(doc("ASCII", "é😀")), "é😀"},
		{"declared US-ASCII, but is UTF-8", "", []byte(doc("us-ascii", "é😀")), "é😀"},
		{"Content-Type US-ASCII, but is UTF-8", "US-ASCII", []byte(doc("", "é😀")), "é😀"},
		{"declared UTF-16, but is not", "", []byte(doc("UTF-16", "é")), "é"},
		{"byte order mark over Content-Type", "iso-8859-1", []byte("\uFEFF" + doc("", "é")), "é"},
		{"byte order mark over declaration", "", []byte("\uFEFF" + doc("iso-8859-1", "é")), "é"},
		{"byte order mark over all", "utf-16be", utf16Bytes(le, "\uFEFF"+doc("iso-8859-1", "é")), "é"},
		{"byte order mark over an unknown charset", "no-such", []byte("\uFEFF" + doc("", "é")), "é"},

		{"UTF-16BE with mark", "", utf16Bytes(be, "\uFEFF"+doc("UTF-16", "é😀\uFFFD")), "é😀\uFFFD"},
		{"UTF-16LE with mark", "utf-16", utf16Bytes(le, "\uFEFF"+doc("utf-16", "é😀\uFFFD")), "é😀\uFFFD"},
		{"UTF-16BE without mark", "", utf16Bytes(be, doc("utf-16", "é😀")), "é😀"},
		{"UTF-16LE without mark", "", utf16Bytes(le, doc("", "é😀")), "é😀"},
		{"UTF-16LE without mark, white space first", "", utf16Bytes(le, "\n"+doc("", "é")), "é"},
		{"UTF-16LE, Content-Type utf-16", "utf-16", utf16Bytes(le, doc("", "é")), "é"},
		{"UTF-16BE, Content-Type utf-16", "UTF-16", utf16Bytes(be, doc("", "é")), "é"},
		{"UTF-16LE, Content-Type utf-16le", "utf-16le", utf16Bytes(le, doc("", "é")), "é"},
		{"UTF-16BE, Content-Type utf-16be", "UTF-16BE", utf16Bytes(be, doc("", "é")), "é"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			msgs, err := Decode(XML, test.charset, test.body, Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if len(msgs) != 1 || msgs[0].Body != test.want {
				t.Errorf("got %+v, want body %q", msgs, test.want)
			}
		})
	}
}

func TestCharsetErrors(t *testing.T) {
	be := binary.BigEndian
	for _, test := range []struct {
		name    string
		charset string
		body    []byte
		kind    error
		want    string
	}{
		{"unknown in Content-Type", "klingon", []byte("<messages/>"), ErrUnsupportedType, `charset "klingon" is not supported`},
		{"unknown in declaration", "", []byte(`<?xml version="1.0" encoding="x-klingon"?><messages/>`), ErrUnsupportedType, `charset "x-klingon" is not supported`},
		{"known but unsupported", "utf-7", []byte("<messages/>"), ErrUnsupportedType, `charset "utf-7" is not supported`},
		{"UTF-32", "utf-32", []byte("<messages/>"), ErrUnsupportedType, `charset "utf-32" is not supported`},
		{"WHATWG's replacement", "iso-2022-kr", []byte("<messages/>"), ErrUnsupportedType, `charset "iso-2022-kr" is not supported`},
		{"invalid ASCII", "us-ascii", []byte("<messages>\n<message to=\"\xe9\"/></messages>"), ErrMalformed,
			`message 1: bytes that are nothing in charset "us-ascii" (line 2, column 14)`},
		{"invalid Shift_JIS", "shift_jis", []byte("<messages><message to=\"1\"/><message to=\"\x81\x00\"/></messages>"), ErrMalformed,
			`message 2: bytes that are nothing in charset "shift_jis" (line 1, column 41)`},
		{"invalid windows-1253", "windows-1253", []byte("<messages><message to=\"\xaa\"/></messages>"), ErrMalformed,
			`message 1: bytes that are nothing in charset "windows-1253" (line 1, column 24)`},
		{"invalid GB18030", "gb18030", []byte("<messages><message to=\"\x84\x31\xa4\x37\xff\"/></messages>"), ErrMalformed,
			`message 1: bytes that are nothing in charset "gb18030" (line 1, column 24)`},
		{"odd UTF-16", "", append(utf16Bytes(be, "\uFEFF<messages/>"), 0), ErrMalformed,
			`half a character of UTF-16 (line 1, column 12)`},
		{"lone high surrogate", "", append(utf16Bytes(be, "\uFEFF<messages><message to='"), 0xD8, 0x3D, 0, '\''), ErrMalformed,
			`message 1: half a surrogate pair in UTF-16 (line 1, column 24)`},
		{"lone low surrogate", "", append(utf16Bytes(be, "\uFEFF<messages><message to='"), 0xDE, 0x00, 0, '\''), ErrMalformed,
			`message 1: half a surrogate pair in UTF-16 (line 1, column 24)`},
		{"high surrogate last", "", append(utf16Bytes(be, "\uFEFF<messages/>"), 0xD8, 0x3D), ErrMalformed,
			`half a surrogate pair in UTF-16 (line 1, column 12)`},
		{"only a mark", "", []byte("\xfe\xff"), ErrMalformed, `the body is empty`},
		{"UTF-16 named, UTF-8 sent", "utf-16", []byte("<messages/> "), ErrMalformed, `expected <, found "㱭" (line 1, column 1)`},
		{"UTF-8 named, UTF-16 sent", "utf-8", utf16Bytes(be, "<messages/>"), ErrMalformed, `XML does not allow U+0000 (line 1, column 1)`},
		{"control character", "iso-8859-1", []byte("<messages>\x01</messages>"), ErrMalformed, `XML does not allow U+0001 (line 1, column 11)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := Decode(XML, test.charset, test.body, Limits{})
			checkError(t, err, test.kind, test.want)
		})
	}
}

// No charset may make more than three bytes of one, else toUTF8's promise is
// wrong.
func TestCharsetExpansion(t *testing.T) {
	for _, name := range []string{
		"iso-8859-1", "iso-8859-15", "windows-1250", "windows-1252", "windows-874", "koi8-r", "koi8-u", "macintosh", "ibm437", "ibm037",
		"shift_jis", "euc-jp", "iso-2022-jp", "gbk", "gb18030", "hz-gb-2312", "big5", "big5-hkscs", "euc-kr", "utf-16", "utf-16le", "us-ascii",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "utf-16" && name != "utf-16le" && lookupCharset(name) == nil {
				return // one that x/text lacks is refused: nothing expands
			}
			check := func(body []byte) {
				doc, _, err := toUTF8(name, body)
				if err != nil {
					t.Fatal(err)
				}
				if len(doc) > 3*len(body) {
					t.Fatalf("%d bytes of %x become %d", len(body), body[:2], len(doc))
				}
			}
			for a := range 256 {
				for b := range 256 {
					pair := []byte{byte(a), byte(b)}
					if utf16BOM(pair) == "" {
						check(bytes.Repeat(pair, 8))
					}
				}
			}
			check([]byte(strings.Repeat("\x1b$B", 100)))
		})
	}
}
