package app_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

func utf16le(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return string(b)
}

func utf16be(s string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.BigEndian.AppendUint16(b, u)
	}
	return string(b)
}

func declared(charset, document string) string {
	return `<?xml version="1.0" encoding="` + charset + `"?>` + "\n" + document
}

func testCharsets(t *testing.T, a, b *replica) {
	const le, be, utf8 = "\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"
	document := func(text string) string {
		return messageXML(`id="1" from="`+text+`"`, `<body>`+text+`</body><property name="name" value="`+text+`"/>`)
	}
	text := "grüße €“😀”"
	latin := func(charset, bytes string) string { return declared(charset, document(bytes)) }
	for _, c := range []struct{ name, body, want string }{
		{"ISO-8859-1", latin("ISO-8859-1", "caf\xe9 \xa4\xa0\xff"), "café ¤\u00a0ÿ"},
		{"iso-8859-1 in small letters", latin("iso-8859-1", "\xe9\xdf"), "éß"},
		{"Windows-1252", latin("Windows-1252", "caf\xe9 \x80\x93\x94\x99"), "café €“”™"},
		{"windows-1252 in small letters", latin("windows-1252", "\x85\xfc"), "…ü"},
		{"US-ASCII", latin("US-ASCII", "plain"), "plain"},
		{"UTF-8", latin("UTF-8", text), text},
		{"utf-8 in small letters", latin("utf-8", text), text},
		{"UTF-8 with a BOM", utf8 + declared("UTF-8", document(text)), text},
		{"UTF-8 with a BOM, undeclared", utf8 + document(text), text},
		{"UTF-16 LE with a BOM", le + utf16le(latin("UTF-16", text)), text},
		{"UTF-16 BE with a BOM", be + utf16be(latin("UTF-16", text)), text},
		{"utf-16 in small letters", le + utf16le(latin("utf-16", text)), text},
		{"UTF-16 LE with a BOM, undeclared", le + utf16le(document(text)), text},
		{"UTF-16 BE with a BOM, undeclared", be + utf16be(document(text)), text},
		{"UTF-16LE, declared so, no BOM", utf16le(latin("UTF-16LE", text)), text},
		{"UTF-16BE, declared so, no BOM", utf16be(latin("UTF-16BE", text)), text},
		{"UTF-16 LE, no BOM", utf16le(latin("UTF-16", text)), text},
		{"UTF-16 BE, no BOM", utf16be(latin("UTF-16", text)), text},
		{"a reference in ISO-8859-1", latin("ISO-8859-1", "\xe9&#8364;&#x1F600;"), "é€😀"},
		{"a long one", latin("ISO-8859-1", strings.Repeat("\xe9", 3000)), strings.Repeat("é", 3000)},
		{"a long one in UTF-16", le + utf16le(latin("UTF-16", strings.Repeat("a😀", 2000))), strings.Repeat("a😀", 2000)},
	} {
		want := `[{"id":"1","from":"` + c.want + `","body":"` + c.want + `","name":"` + c.want + `"}]`
		t.Run(c.name, func(t *testing.T) { trip{"", typeXML, c.body, want}.run(t, a, b) })
		t.Run(c.name+" as application/xml, zipped", func(t *testing.T) {
			path := newChannel()
			stored(t, do(t, "POST", a.URL+path, zip(c.body), "Content-Type: application/xml", gzipped), "xml", 1, 0)
			batch, err := parseJSON(want)
			if err != nil {
				t.Fatal(err)
			}
			asWanted(t, b, a, path, batch)
		})
	}
	// Charsets that the contract's "…" may or may not hold: taken as they are, or refused.
	for _, c := range []struct{ name, charset, bytes, want string }{
		{"ISO-8859-15", "ISO-8859-15", "\xa4", "€"}, {"ISO-8859-2", "ISO-8859-2", "\xb1", "ą"}, {"KOI8-R", "KOI8-R", "\xc1", "а"}, {"Windows-1251", "windows-1251", "\xe0", "а"},
		{"Shift_JIS", "Shift_JIS", "\x93\xfa", "日"}, {"GBK", "GBK", "\xd6\xd0", "中"}, {"Big5", "Big5", "\xa4\xa4", "中"}, {"EUC-KR", "EUC-KR", "\xb0\xa1", "가"},
		{"latin1", "latin1", "\xe9", "é"}, {"cp1252", "cp1252", "\x80", "€"}, {"UTF-7", "UTF-7", "+AOk-", "é"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := newChannel()
			got := do(t, "POST", a.URL+path, latin(c.charset, c.bytes), typeXML)
			if got.Status != 200 {
				refused(t, got, []int{400, 415})
				return
			}
			if l := pull(t, b, path).messages(t); len(l) != 1 || l[0]["body"] != c.want {
				t.Errorf("pulled %v, want %q", l, c.want)
			}
		})
	}
	whole := le + utf16le(latin("UTF-16", text))
	runRefusals(t, a, b, []refusal{
		{"half a UTF-16 unit", typeXML, whole[:len(whole)-1], only(400), nil},
		{"half of a UTF-16 document", typeXML, whole[:len(whole)/2&^1], only(400), nil},
		{"only a BOM", typeXML, le, only(400), nil},
		{"only a UTF-8 BOM", typeXML, utf8, only(400), nil},
		{"JSON in UTF-16 with a BOM", typeJSON, le + utf16le(oneJSON), only(400), nil},
		{"JSON in ISO-8859-1", typeJSON, "[{\"body\":\"caf\xe9\"}]", only(400), nil},
		{"no field, in UTF-16", typeXML, le + utf16le(declared("UTF-16", messageXML(`id="1"`, ""))), only(400), nil},
		{"an unknown element, in UTF-16", typeXML, le + utf16le(declared("UTF-16", messageXML(`from="a"`, "<größe/>"))), only(400), []string{"größe"}},
		{"an unknown element, in ISO-8859-1", typeXML, declared("ISO-8859-1", messageXML(`from="a"`, "<gr\xf6\xdfe/>")), only(400), []string{"größe"}},
		{"two roots in UTF-16", typeXML, be + utf16be(oneXML+oneXML), only(400), nil},
	})
}
