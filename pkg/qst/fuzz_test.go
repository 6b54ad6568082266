package qst

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzDecodeJSON(f *testing.F) {
	for _, body := range goldenInputs(f, JSON) {
		f.Add(body)
	}
	g := newGenerator(f, 6)
	for range 20 {
		f.Add(AppendJSON(nil, g.batch(JSON)))
	}
	for _, body := range []string{
		"", "[", "[[", `[{}]`, `{"to":"\ud800\u12"}`, `{"to":"1","p":[01]}`, "{\"to\":\"\xff\"}", "\uFEFF[]", `{"to":"1","a":null,"a":1}`, `{"\ud800":1,"to":"1","\udfff":2}`,
		jsonMessages(1001), `{"to":"1","p":[1` + strings.Repeat(",1", 64) + `]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		msgs, err := Decode(JSON, "", body, Limits{})
		want, ok := oracleJSON(body, DefaultLimits())
		if err != nil {
			if ok {
				t.Errorf("refused, but good: %v", err)
			}
			checkRefusal(t, err)
			return
		}
		if !ok {
			t.Fatal("accepted, but bad")
		}
		checkSame(t, "encoding/json", msgs, want, nil)
		checkDecoded(t, msgs)
	})
}

func FuzzDecodeXML(f *testing.F) {
	for _, doc := range goldenInputs(f, XML) {
		f.Add("", doc)
		f.Add("utf-16be", doc)
	}
	g := newGenerator(f, 7)
	for range 20 {
		f.Add("", AppendXML(nil, g.batch(XML)))
	}
	for _, doc := range []string{
		"", "<", "<messages>", "\uFEFF<messages/>", "<?xml version='1.1' encoding='shift_jis' standalone='no'?><messages>\x83\x65</messages>",
		message("<body>\r\n\r&#13;&#xD800;]]&gt;<![CDATA[]]]]><![CDATA[>\r]]></body>"), messages("<message to='\t\r\n&#9;\"'/>"),
		"<!-- -- --><messages/>", "<?été?><messages/>", "<!DOCTYPE x><messages/>", message("<text>x</text>"), "\xfe\xff\x00<", "<\x00m\x00",
		`<?xml version="1.0" encoding="gb18030"?>` + message("<body>\x84\x31\xa4\x37</body>"),
	} {
		f.Add("", []byte(doc))
		f.Add("iso-8859-1", []byte(doc))
	}
	f.Fuzz(func(t *testing.T, charset string, body []byte) {
		msgs, err := Decode(XML, charset, body, Limits{})
		if err != nil {
			checkRefusal(t, err)
			return
		}
		checkDecoded(t, msgs)
		doc, cut, err := toUTF8(charset, body)
		if err != nil || cut != "" {
			t.Fatal(cut, err)
		}
		if i := strings.Index(string(doc), "?>"); strings.HasPrefix(string(doc), "<?xml") && i > 0 {
			if c := doc[len("<?xml")]; isSpace(c) {
				doc = doc[i+2:] // encoding/xml takes version 1.0 only
			}
		}
		if strings.Contains(string(doc), "<?") {
			return // encoding/xml has the names of an older edition for instructions
		}
		want, err := oracleXML(doc)
		checkSame(t, "encoding/xml", msgs, want, err)
	})
}

func FuzzDecodeCanonical(f *testing.F) {
	g := newGenerator(f, 8)
	for range 20 {
		for _, format := range []Format{XML, JSON} {
			m := g.message(format)
			f.Add(m.AppendCanonical(nil))
		}
	}
	for _, body := range []string{"", "{}", `{"a":1,"a":1}`, `{"a":[],"a":null}`, `{"to":"1","to":"1"}`, "[]", "{\"\xff\":1}"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := DecodeCanonical(body)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		back, err := DecodeCanonical(m.AppendCanonical(nil))
		checkSame(t, "canonical", []Message{back}, []Message{m}, err)
		if back.Digest() != m.Digest() {
			t.Error("digest changes")
		}
		// What Decode accepts, DecodeCanonical reads the same.
		if msgs, err := Decode(JSON, "", body, Limits{}); err == nil && len(msgs) == 1 {
			checkSame(t, "decoded", msgs, []Message{m}, nil)
		}
	})
}

func FuzzAppendFromCanonical(f *testing.F) {
	g := newGenerator(f, 13)
	for range 20 {
		for _, format := range []Format{XML, JSON} {
			a, b := g.message(format), g.message(format)
			f.Add(string(a.AppendCanonical(nil)), string(b.AppendCanonical(nil)))
		}
	}
	for _, c := range []string{"", "{}", "{} ", `{"a":1,"a":1} `, `{"a":[],"a":null}`, `{"to":"1","to":"1"}`, "[]", "{\"\xff\":1}", `{"p":"\u000a\ud800"}`, "{\"p\":\"\uFFFE\"}"} {
		f.Add(c, `{"to":"1"}`)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		checkFromCanonical(t, []string{a, b})
		if m, err := DecodeCanonical([]byte(a)); err == nil {
			forms := canonicalForms([]Message{m, m})
			checkFromCanonical(t, forms)
			if got := CanonicalID(forms[1]); got != m.ID {
				t.Errorf("id of %s: %q", forms[1], got)
			}
		}
	})
}

func FuzzDecodeResult(f *testing.F) {
	for _, body := range []string{
		`{"accepted":2,"duplicates":1}`, `{"duplicates":0,"accepted":0,"x":[1]}`, `{"accepted":-1,"duplicates":1e3}`, `[]`, ``,
	} {
		f.Add(true, []byte(body))
	}
	for _, body := range []string{
		`<result accepted="2" duplicates="1"/>`, `<?xml version="1.0"?><result duplicates="0" x="" accepted="0"> </result>`, `<result/>`, `<messages/>`,
	} {
		f.Add(false, []byte(body))
	}
	f.Fuzz(func(t *testing.T, isJSON bool, body []byte) {
		format := XML
		if isJSON {
			format = JSON
		}
		r, err := DecodeResult(format, body)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if r.Accepted < 0 || r.Duplicates < 0 {
			t.Errorf("negative: %+v", r)
		}
		for _, other := range []Format{XML, JSON} {
			if back, err := DecodeResult(other, AppendResult(nil, other, r)); err != nil || back != r {
				t.Errorf("%v: %v, %v", r, back, err)
			}
		}
	})
}

func FuzzParseETag(f *testing.F) {
	f.Add(testETag.String())
	for _, s := range []string{
		"", "W/\"", `W/"0123456789abcdef-1-2"-gzip`, "%220123456789abcdef-1-2%22", "%25220123456789abcdef-1-2%2522", `"0123456789abcdef-1-2;gzip"`, "%", "%%2", "-gzip-gzip",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, ok := ParseETag(s)
		if !ok {
			if e != (ETag{}) {
				t.Errorf("%v with false", e)
			}
			return
		}
		// Forgiving about form only: with all form taken away, what is left
		// is the ETag.
		plain := strings.Trim(e.String(), `"`)
		if !strings.Contains(percentDecode(percentDecode(s)), plain) {
			t.Errorf("%q is not in %q", plain, s)
		}
		for _, form := range []string{e.String(), plain, "W/" + e.String(), " " + e.String() + "-gzip"} {
			if back, ok := ParseETag(form); !ok || back != e {
				t.Errorf("%q: %v, %v", form, back, ok)
			}
		}
		if id, err := ParseStreamID(e.ID.String()); err != nil || id != e.ID {
			t.Errorf("%v: %v, %v", e.ID, id, err)
		}
	})
}

func FuzzParseMediaType(f *testing.F) {
	for _, s := range []string{"", "text/xml", "application/json; charset=utf-8", `text/xml; charset="x`, "text/xml;charset=a;charset=b", "text/xml; charset*=utf-8''x", "\xff/"} {
		f.Add(s, []byte("<"))
	}
	for _, body := range []string{"", " ", "[", "\uFEFF{", "\x00<", "<\x00", "\xfe\xff", "\xff"} {
		f.Add("application/xml", []byte(body))
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		if format, charset, err := ParseMediaType(contentType); err != nil {
			checkRefusal(t, err)
			if charset != "" {
				t.Errorf("charset %q with an error", charset)
			}
		} else if f, _, err := ParseMediaType(strings.ToUpper(contentType)); utf8.ValidString(contentType) && (err != nil || f != format) {
			t.Errorf("%q in upper case: %v, %v", contentType, f, err)
		}
		// What Sniff refuses, neither decoder takes; and never the wrong one.
		format, err := Sniff(body)
		for _, f := range []Format{XML, JSON} {
			_, decodeErr := Decode(f, "", body, Limits{})
			if decodeErr == nil && (err != nil || f != format) {
				t.Errorf("decoded as %v, sniffed as %v, %v", f, format, err)
			}
		}
		if err != nil {
			checkRefusal(t, err)
		}
	})
}
