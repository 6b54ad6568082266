package qst

import (
	"encoding/xml"
	"errors"
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
}

func TestAppendVersion1(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 8, 0, 0, 999, time.UTC)
	if got := string(AppendVersion1(nil, nil, now)); got != `<messages></messages>` {
		t.Error(got)
	}
	for _, test := range []struct {
		m    Message
		want string
	}{
		{Message{}, `<message id="" from="" to="" when="2026-11-23T08:00:00Z"><text></text></message>`},
		{Message{ID: "1", From: "a", To: "b", When: "2010-01-02T00:18:03.5+01:00", Body: "<x>"}, `<message id="1" from="a" to="b" when="2010-01-01T23:18:03Z"><text>&lt;x&gt;</text></message>`},
		{Message{When: "2010-01-01T23:18:83Z", Subject: "s", Body: "b"}, `<message id="" from="" to="" when="2026-11-23T08:00:00Z"><text>s - b</text></message>`},
		{Message{When: "2010-01-01T23:18:03Z", Subject: "s", Properties: []Property{{Name: "p", Values: []Value{{Text: "v"}}}}},
			`<message id="" from="" to="" when="2010-01-01T23:18:03Z"><text>s</text></message>`},
	} {
		got := AppendVersion1(nil, []Message{test.m}, now)
		if want := "<messages>" + test.want + "</messages>"; string(got) != want {
			t.Errorf("%+v:\n%s\nwant\n%s", test.m, got, want)
		}
		if err := xml.Unmarshal(got, new(struct{})); err != nil {
			t.Errorf("%s: %v", got, err)
		}
	}
}
