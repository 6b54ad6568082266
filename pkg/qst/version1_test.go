package qst

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestDecodeVersion1(t *testing.T) {
	t.Parallel()
	msgs, err := DecodeVersion1("", []byte(`<?xml version="1.0" encoding="UTF-8"?>
<messages><message id="1" from="sms://1" to="sms://2" when="2010-01-01T23:18:03Z"><text>h &amp; i</text><property name="a" value="b"/></message></messages>`), Limits{})
	if err != nil || len(msgs) != 1 {
		t.Fatal(msgs, err)
	}
	if m := msgs[0]; m.ID != "1" || m.Body != "h & i" || m.Subject != "" || m.When != "2010-01-01T23:18:03Z" || len(m.Properties) != 1 {
		t.Errorf("%+v", m)
	}
	for body, want := range map[string]string{
		"<messages><message from=\"\x01\"><text>a\x00b\x1a\uFFFFc\xffd&#1;e&#xD800;&#xFFFE;</text></message></messages>":                                           "\uFFFD|a\uFFFDb\uFFFD\uFFFDc\uFFFDd\uFFFDe\uFFFD\uFFFD",
		`<messages><message from="&#55357;&#56832;"><text>a&#xD83D;&#xDE00;b&#xD83D;&#65;&#xDE00;&#xD83D;&#xD83D;&#xDE00;&#xD83D;&#x;</text></message></messages>`: "",
		`<messages><message from="&#55357;&#56832;"><text>a&#xD83D;&#xDE00;b&#xD83D;&#65;&#xDE00;&#xD83D;&#xD83D;&#xDE00;</text></message></messages>`:             "😀|a😀b\uFFFDA\uFFFD\uFFFD😀",
		"<messages><message from=\"1\"><text/></message></messages>\x00":                                                                                           "",
	} {
		msgs, err := DecodeVersion1("", []byte(body), Limits{})
		if want == "" {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%q: %v", body, err)
			}
		} else if err != nil || msgs[0].From+"|"+msgs[0].Body != want {
			t.Errorf("%q: %+v %v", body, msgs, err)
		}
	}
	for _, body := range []string{
		`<messages><message><body>x</body></message></messages>`,
		`<messages><message><text>x</text><text>y</text></message></messages>`,
		`<messages><message><text a="b">x</text></message></messages>`,
		`<messages><message id="1"/></messages>`,
	} {
		if _, err := DecodeVersion1("", []byte(body), Limits{}); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", body, err)
		}
	}
	const two = `<messages><message id="1" from="a"/><message id="2" from="b"/>`
	for rest, want := range map[string]int{"</messages>": 2, "<message/></messages>": 2, "<message": 2, "": -1, "<other/></messages>": -1, "</messages>x": -1} {
		msgs, err := DecodeVersion1("", []byte(two+rest), Limits{MaxMessages: 2})
		if want < 0 && !errors.Is(err, ErrMalformed) || want >= 0 && (err != nil || len(msgs) != want) {
			t.Errorf("%s: %v %v, want %d", rest, msgs, err, want)
		}
	}
}

// However a message is called, the client's name for it leads back to it, survives
// a header, a path and SQL, and is not the one that the client has already.
func TestVersion1ID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		"1", "a b", "5a4d9b6c-8a55-4b5c-8b43-5a7ab2d6a0f1", "<ok>&,;=~.", " a", "a ", "a/b", `"a"`, "W/\"a\"", "it's", "50%", "a?b", "a#b", "é",
		"a\nb", "a\x00", "\xff", "qst-id-", "qst-id-MQ", "qst-id-MQ.", "qst-id-?", "€", "\u007f", "",
	} {
		last := ""
		for range 4 {
			s := Version1ID(id, last)
			if s == last && s != "" || ParseVersion1ID(s) != id {
				t.Errorf("%q after %q is %q, which is %q", id, last, s, ParseVersion1ID(s))
			}
			if strings.Trim(s, " ") != s || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune("\"#%'/?", r) }) {
				t.Errorf("%q is %q", id, s)
			}
			last = s
		}
	}
	for _, s := range []string{"1", "a b", "qst-id", "qst-id-?"} {
		if ParseVersion1ID(s) != s {
			t.Errorf("%q is %q", s, ParseVersion1ID(s))
		}
	}
	if Version1ID("1", "") != "1" || Version1ID("1", "1") != "qst-id-MQ" || Version1ID("é", "qst-id-w6k") != "qst-id-w6k." {
		t.Error("the documented names are others")
	}
}

func TestAppendVersion1(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 999, time.UTC)
	if got := string(AppendVersion1(nil, nil, "", now)); got != `<messages></messages>` {
		t.Error(got)
	}
	for _, test := range []struct {
		m    Message
		want string
	}{
		{Message{}, `<message id="" from="" to="" when="2026-11-23T08:00:00Z"><text> </text></message>`},
		{Message{ID: "7", When: "2010-01-01T23:18:03Z", Body: "b"}, `<message id="qst-id-Nw" from="" to="" when="2010-01-01T23:18:03Z"><text>b</text></message>`},
		{Message{ID: "1", From: "a", To: "b", When: "2010-01-02T00:18:03.5+01:00", Body: "<x>"}, `<message id="1" from="a" to="b" when="2010-01-01T23:18:03Z"><text>&lt;x&gt;</text></message>`},
		{Message{When: "2010-01-01T23:18:83Z", Subject: "s", Body: "b"}, `<message id="" from="" to="" when="2026-11-23T08:00:00Z"><text>s - b</text></message>`},
		{Message{When: "9999-12-31T23:59:59-23:00", Body: "b"}, `<message id="" from="" to="" when="2026-11-23T08:00:00Z"><text>b</text></message>`},
		{Message{When: "0000-12-31T23:59:59Z", Body: "b"}, `<message id="" from="" to="" when="2026-11-23T08:00:00Z"><text>b</text></message>`},
		{Message{When: "0000-01-01T00:00:00+23:00", Body: "b"}, `<message id="" from="" to="" when="2026-11-23T08:00:00Z"><text>b</text></message>`},
		{Message{When: "9999-12-31T23:59:59Z", Body: "b"}, `<message id="" from="" to="" when="9999-12-31T23:59:59Z"><text>b</text></message>`},
		{Message{When: "0001-01-01T00:00:00Z", Body: "b"}, `<message id="" from="" to="" when="0001-01-01T00:00:00Z"><text>b</text></message>`},
		{Message{When: "2010-01-01T23:18:03Z", Subject: "s", Properties: []Property{{Name: "p", Values: []Value{{Text: "v"}}}}},
			`<message id="" from="" to="" when="2010-01-01T23:18:03Z"><text>s</text></message>`},
	} {
		got := AppendVersion1(nil, []Message{test.m}, "7", now)
		if want := "<messages>" + test.want + "</messages>"; string(got) != want {
			t.Errorf("%+v:\n%s\nwant\n%s", test.m, got, want)
		}
		if err := xml.Unmarshal(got, new(struct{})); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}
