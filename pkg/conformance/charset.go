package conformance

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

func utf16le(s string) string { return inUTF16(s, binary.LittleEndian) }
func utf16be(s string) string { return inUTF16(s, binary.BigEndian) }

func inUTF16(s string, order binary.AppendByteOrder) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return string(b)
}

func charsets() []Case {
	const le, be, utf8 = "\xff\xfe", "\xfe\xff", "\xef\xbb\xbf"
	document := func(text string) string {
		return messageXML(`id="1" from="`+text+`"`, `<body>`+text+`</body><property name="name" value="`+text+`"/>`)
	}
	text := "grüße €“😀”"
	in := func(charset, bytes string) string { return declared(charset, document(bytes)) }
	taken := about(Contract, "charset", `XML may declare another charset (ISO-8859-1, Windows-1252, UTF-16 …): it is converted.`)
	for _, c := range []struct{ name, body, want string }{
		{"ISO-8859-1", in("ISO-8859-1", "caf\xe9 \xa4\xa0\xff"), "café ¤\u00a0ÿ"},
		{"iso-8859-1 in small letters", in("iso-8859-1", "\xe9\xdf"), "éß"},
		{"Windows-1252", in("Windows-1252", "caf\xe9 \x80\x93\x94\x99"), "café €“”™"},
		{"windows-1252 in small letters", in("windows-1252", "\x85\xfc"), "…ü"},
		{"US-ASCII", in("US-ASCII", "plain"), "plain"},
		{"UTF-8", in("UTF-8", text), text},
		{"utf-8 in small letters", in("utf-8", text), text},
		{"UTF-8 with a mark", utf8 + declared("UTF-8", document(text)), text},
		{"UTF-8 with a mark, undeclared", utf8 + document(text), text},
		{"UTF-16, little-endian with a mark", le + utf16le(in("UTF-16", text)), text},
		{"UTF-16, big-endian with a mark", be + utf16be(in("UTF-16", text)), text},
		{"utf-16 in small letters", le + utf16le(in("utf-16", text)), text},
		{"UTF-16, little-endian with a mark, undeclared", le + utf16le(document(text)), text},
		{"UTF-16, big-endian with a mark, undeclared", be + utf16be(document(text)), text},
		{"UTF-16LE without a mark", utf16le(in("UTF-16LE", text)), text},
		{"UTF-16BE without a mark", utf16be(in("UTF-16BE", text)), text},
		{"UTF-16, little-endian without a mark", utf16le(in("UTF-16", text)), text},
		{"UTF-16, big-endian without a mark", utf16be(in("UTF-16", text)), text},
		{"a reference in ISO-8859-1", in("ISO-8859-1", "\xe9&#8364;&#x1F600;"), "é€😀"},
		{"3000 characters of ISO-8859-1", in("ISO-8859-1", strings.Repeat("\xe9", 3000)), strings.Repeat("é", 3000)},
		{"4000 characters of UTF-16", le + utf16le(in("UTF-16", strings.Repeat("a😀", 2000))), strings.Repeat("a😀", 2000)},
	} {
		taken.trip(c.name, typeXML, c.body, `[{"id":"1","from":"`+c.want+`","body":"`+c.want+`","name":"`+c.want+`"}]`)
	}
	taken.add("zipped", func(t *exam) {
		path := t.channel()
		t.stored(t.do(t.a, "POST", path, zip(in("ISO-8859-1", "\xe9")), typeXML, gzipBody), "xml", 1, 0)
		if l := t.messages(t.pull(t.b, path)); len(l) != 1 || l[0]["body"] != "é" {
			t.errorf("pulled %v", l)
		}
	})
	untrue := about(Contract, "charset", `XML that declares UTF-16, UCS-2, "unicode" or ASCII and is UTF-8 is read as UTF-8.`)
	for _, name := range []string{"UTF-16", "UCS-2", "unicode", "ASCII", "US-ASCII"} {
		untrue.trip(name+", and is UTF-8", typeXML, in(name, text), `[{"id":"1","from":"`+text+`","body":"`+text+`","name":"`+text+`"}]`)
	}
	// The "…" of the sentence may or may not hold these.
	for _, c := range []struct{ name, bytes, want string }{
		{"ISO-8859-15", "\xa4", "€"}, {"ISO-8859-2", "\xb1", "ą"}, {"KOI8-R", "\xc1", "а"}, {"windows-1251", "\xe0", "а"},
		{"Shift_JIS", "\x93\xfa", "日"}, {"GBK", "\xd6\xd0", "中"}, {"Big5", "\xa4\xa4", "中"}, {"EUC-KR", "\xb0\xa1", "가"},
		{"latin1", "\xe9", "é"}, {"cp1252", "\x80", "€"}, {"UTF-7", "+AOk-", "é"},
	} {
		taken.either("perhaps "+c.name, typeXML, in(c.name, c.bytes), c.want, 400, 415)
	}

	bad := about(Contract, "charset/refused", `this batch can never be taken: malformed, too large, wrong type`)
	whole := le + utf16le(in("UTF-16", text))
	malformed := only(400)
	bad.refusal("half a UTF-16 unit at the end", typeXML, whole[:len(whole)-1], malformed)
	bad.refusal("half of a UTF-16 document", typeXML, whole[:len(whole)/2&^1], malformed)
	bad.refusal("only a UTF-16 mark", typeXML, le, malformed)
	bad.refusal("only a UTF-8 mark", typeXML, utf8, malformed)
	bad.refusal("no field, in UTF-16", typeXML, le+utf16le(declared("UTF-16", messageXML(`id="1"`, ""))), malformed)
	bad.refusal("an unknown element, in UTF-16", typeXML, le+utf16le(declared("UTF-16", messageXML(`from="a"`, "<größe/>"))), malformed, "größe")
	bad.refusal("an unknown element, in ISO-8859-1", typeXML, declared("ISO-8859-1", messageXML(`from="a"`, "<gr\xf6\xdfe/>")), malformed, "größe")
	bad.refusal("two roots, in UTF-16", typeXML, be+utf16be(oneXML+oneXML), malformed)
	bad.refusal("an unknown charset", typeXML, declared("x-nonsense", oneXML), []int{400, 415}, "x-nonsense")
	return all(taken, untrue, bad)
}
