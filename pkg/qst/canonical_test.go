package qst

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestDecodeCanonical(t *testing.T) {
	for _, want := range []Message{
		{},
		{ID: "i", From: "f", To: "t", When: "w", Subject: "s", Body: "b"},
		{Present: FieldID | FieldBody},
		{Properties: []Property{str("a", "1"), str("b", "2"), str("a", "3"), str("a", "4")}},
		{Properties: []Property{list("a"), list("a", Value{Text: "x"}), num("a", "1e5"), list("b", Value{Bool, "true"}, Value{Number, "-0"}), str("", "")}},
		{Body: "\x00\x1f\r\n\t\"\\\uFFFE\uFFFF\u2028😀"},
	} {
		got, err := DecodeCanonical(want.AppendCanonical(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("\n got %+v\nwant %+v", got, want)
		}
	}
}

func TestDecodeCanonicalErrors(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{``, `expected an object, found the end (line 1, column 1)`},
		{`[{"to":"1"}]`, `expected an object, found "[" (line 1, column 1)`},
		{`{"to":"1"`, `expected , or } after a value, found the end (line 1, column 10)`},
		{`{"to":"1"} {}`, `unexpected "{" after the end (line 1, column 12)`},
		{`{"to":"1","to":"2"}`, `key "to" appears twice`},
		{`{"to":1}`, `"to" is a number, not a string`},
		{`{"p":{}}`, `property "p" is an object`},
		{"{\"to\":\"\xff\"}", `invalid UTF-8 (line 1, column 8)`},
	} {
		_, err := DecodeCanonical([]byte(test.body))
		checkError(t, err, ErrMalformed, test.want)
	}
}

// checkFromCanonical checks that AppendFromCanonical makes of canonical forms what
// Append makes of the messages that DecodeCanonical returns for them, and refuses
// them where that does.
func checkFromCanonical(t *testing.T, canonical []string) {
	t.Helper()
	var msgs []Message
	refusals := make([]*Error, len(canonical))
	first := -1
	for i, c := range canonical {
		m, err := DecodeCanonical([]byte(c))
		if errors.As(err, &refusals[i]) {
			refusals[i].Message = i + 1
			if first < 0 {
				first = i
			}
		} else if err != nil {
			t.Fatalf("%v is a %T", err, err)
		}
		msgs = append(msgs, m)
	}
	for _, f := range []Format{XML, JSON} {
		got, err := AppendFromCanonical([]byte("x"), f, canonical)
		if e := (*Error)(nil); errors.As(err, &e) {
			checkRefusal(t, err)
			want := refusals[e.Message-1]
			if want == nil || e.Error() != want.Error() || !errors.Is(e, ErrMalformed) || string(got) != "x" || f == XML && e.Message-1 != first {
				t.Errorf("%s of %q: %s, %v, want %v", f, canonical, got, err, want)
			}
			continue
		}
		if first >= 0 && f == XML {
			t.Errorf("%s of %q: no error, want %v", f, canonical, refusals[first])
		}
		if first >= 0 || f == JSON && !asWritten(canonical) {
			continue // taken for what it is not, as documented
		}
		if want := Append([]byte("x"), f, msgs); !bytes.Equal(got, want) {
			t.Errorf("%s of %q\n got %s\nwant %s", f, canonical, got, want)
		}
	}
}

// asWritten reports whether AppendCanonical wrote the canonical forms.
func asWritten(canonical []string) bool {
	for _, c := range canonical {
		m, err := DecodeCanonical([]byte(c))
		if err != nil || string(m.AppendCanonical(nil)) != c {
			return false
		}
	}
	return true
}

// canonicalForms returns the canonical forms of a batch, made in one buffer.
func canonicalForms(msgs []Message) []string {
	var arena []byte
	var ends []int
	for i := range msgs {
		arena = msgs[i].AppendCanonical(arena)
		ends = append(ends, len(arena))
	}
	var forms []string
	all, start := string(arena), 0
	for _, end := range ends {
		forms = append(forms, all[start:end])
		start = end
	}
	return forms
}

func TestAppendFromCanonical(t *testing.T) {
	t.Parallel()
	g := newGenerator(t, 10)
	for range 1000 {
		var msgs []Message
		for range g.IntN(4) {
			m := g.message(Format(g.IntN(2)))
			if g.IntN(4) == 0 && len(m.Properties) > 0 {
				// Names that repeat beside arrays and numbers, as no one format has them.
				m.Properties = append(m.Properties, m.Properties[g.IntN(len(m.Properties))])
			}
			if g.IntN(8) == 0 {
				m.Present |= FieldID | FieldBody
				m.ID, m.Body = "", ""
			}
			msgs = append(msgs, m)
		}
		forms := canonicalForms(msgs)
		checkFromCanonical(t, forms)
		for _, f := range []Format{XML, JSON} {
			got, err := AppendFromCanonical(nil, f, forms)
			if want := Append(nil, f, msgs); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%s, %v\n got %s\nwant %s", f, err, got, want)
			}
		}
		for i := range msgs {
			if got := CanonicalID(forms[i]); got != msgs[i].ID {
				t.Errorf("id of %s: %q", forms[i], got)
			}
			if _, ok := transcode(nil, forms[i]); ok == hasNonXML(forms[i]) {
				t.Errorf("%s is transcoded: %v", forms[i], ok)
			}
			wantMark := len(viaJSON(msgs[i : i+1])[0].Properties) < len(msgs[i].Properties)
			if hasMark := strings.HasSuffix(forms[i], "} "); hasMark != wantMark {
				t.Errorf("%q: a name repeats: %v", forms[i], wantMark)
			}
		}
	}
}

// A canonical form with any byte changed, or cut short, is refused as DecodeCanonical
// refuses it, or is what that reads.
func TestAppendFromDamagedCanonical(t *testing.T) {
	t.Parallel()
	g := newGenerator(t, 11)
	for range 12 {
		m := g.message(Format(g.IntN(2)))
		c := m.AppendCanonical(nil)
		for i := range c {
			checkFromCanonical(t, []string{string(c[:i])})
			damaged := bytes.Clone(c)
			damaged[i] = byte(g.IntN(256))
			if g.IntN(2) == 0 {
				damaged[i] = " \"\\{}[],:0t\xef"[g.IntN(12)]
			}
			checkFromCanonical(t, []string{string(c), string(damaged)})
		}
	}
}

func TestAppendFromCanonicalOfOtherForms(t *testing.T) {
	t.Parallel()
	for _, c := range []string{
		"{}", "{} ", "{}  ", " {}", "\uFEFF{}", `{"to":"1"}`, `{"to" : "1"}`, `{"body":"b","to":"1"}`, `{"p":1,"to":"1"}`, `{"to":null}`, `{"p":null,"p":1} `,
		`{"p":[]}`, `{"p":[[]]}`, `{"p":[1,]}`, `{"p":[,1]}`, `{"p":[1 ]}`, `{"p":01}`, `{"p":1.}`, `{"p":-}`, `{"p":1e5}`, `{"p":true}`, `{"p":truex}`, `{"p":tru}`,
		`{"p":}`, `{"p"}`, `{"p":1,}`, `{,"p":1}`, `{"to":"1",}`, `{"to":"1""body":"2"}`, `{"to":"1","to":"2"}`, `{"\u0074o":"1"}`, `{"p":"","\u0069d":"1"}`, `{"id":1}`,
		`{"to":"\/\u0041\ud83d\ude00\ud800"}`, `{"to":"\u001F\u001f\u000A\u0000"}`, `{"to":"\u002"}`, `{"to":"\u`, `{"to":"\`, `{"to":"\x"}`, "{\"to\":\"\n\"}", "{\"to\":\"\xef\"}",
		"{\"to\":\"\uFFFD\uFFFE\uFFFF\uF000\"}", "{\"to\":\"\xff\"}", `[]`, ``, `{`, `}`, `{"`, `{"id":"`, `{"id":"\`, `{"id":"1\"}`,
	} {
		checkFromCanonical(t, []string{c})
		checkFromCanonical(t, []string{`{"to":"1"}`, c, `{"to":"2"}`})
	}
}

func TestAppendFromCanonicalError(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		format Format
		forms  []string
		want   string // "": none
	}{
		{XML, nil, ""},
		{JSON, nil, ""},
		{XML, []string{`{"to":"1"}`, `{"to":1}`}, `message 2: "to" is a number, not a string`},
		{JSON, []string{`{"to":"1"}`, `{"to":1}`}, ""}, // as documented
		{JSON, []string{`{"to":"1"}`, `{"to":1} `}, `message 2: "to" is a number, not a string`},
		{JSON, []string{`{"to":"1"`}, `message 1: expected , or } after a value, found the end (line 1, column 10)`},
		{JSON, []string{`"to":"1"}`}, `message 1: expected an object, found "\"" (line 1, column 1)`},
		{JSON, []string{``}, `message 1: expected an object, found the end (line 1, column 1)`},
	} {
		got, err := AppendFromCanonical([]byte("x"), test.format, test.forms)
		if test.want == "" {
			if err != nil {
				t.Errorf("%q: %v", test.forms, err)
			}
			continue
		}
		checkError(t, err, ErrMalformed, test.want)
		if string(got) != "x" {
			t.Errorf("%q: %s", test.forms, got)
		}
	}
}

func TestCanonicalID(t *testing.T) {
	t.Parallel()
	for canonical, want := range map[string]string{
		`{"id":"1","to":"2"}`: "1", `{"id":"","to":"2"}`: "", `{"to":"2"}`: "", `{}`: "", ``: "",
		`{"id":"\"\\\u0000"} `: "\"\\\x00", `{"id":"é\n😀","p":"\""}`: "é\n😀",
		`{"id":"`: "", `{"id":"\`: "", `{"id":"\"`: "", `{"id":"\x"}`: "", `{"idx":"1"}`: "",
	} {
		if got := CanonicalID(canonical); got != want {
			t.Errorf("%s: %q, want %q", canonical, got, want)
		}
	}
}

// What the service does for each message of a batch allocates nothing more than the
// buffers that it brings.
func TestCanonicalFormsDoNotAllocate(t *testing.T) {
	g := newGenerator(t, 12)
	for i := range 100 {
		m := g.message(Format(i % 2))
		m.Body = strings.Repeat(m.Body, i)
		arena := make([]byte, 0, 1<<20)
		c := string(m.AppendCanonical(nil))
		forms := []string{c}
		work := map[string]func(){
			"AppendCanonical": func() { m.AppendCanonical(arena) },
			"Digest":          func() { m.Digest() },
		}
		if !hasNonXML(c) {
			work["to XML"] = func() { _, _ = AppendFromCanonical(arena, XML, forms) }
		}
		if !strings.HasSuffix(c, " ") {
			work["to JSON"] = func() { _, _ = AppendFromCanonical(arena, JSON, forms) }
		}
		if !strings.Contains(m.ID, `"`) && !strings.ContainsFunc(m.ID, func(r rune) bool { return r < ' ' || r == '\\' }) {
			work["CanonicalID"] = func() { CanonicalID(c) }
		}
		for what, f := range work {
			if n := testing.AllocsPerRun(10, f); n > 0 {
				t.Fatalf("%s of %s: %v allocations", what, c, n)
			}
		}
	}
}
