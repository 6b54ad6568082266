package conformance

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

const redelivered = "QST-Redelivered"

func repetition() []Case {
	g := about(Contract, "repetition", "`QST-Redelivered: n`, on an answer that gives messages out again, says how many of them, the first ones, were given out before.")
	g.add("the first ones of an answer", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 5))
		for _, step := range []struct{ query, want, ids string }{
			{"max=2", "", "1 2"}, {"max=4", "2", "1 2 3 4"}, {"max=3", "3", "1 2 3"}, {"max=9", "4", "1 2 3 4 5"},
		} {
			a := t.pull(t.b, path, step.query)
			t.wantIDs(a, step.ids)
			if got := a.Header.Get(redelivered); got != step.want {
				t.errorf("%s %q, want %q", redelivered, got, step.want)
			}
		}
	})
	g.add("not after a confirmation", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 4))
		e := t.tagged(t.pull(t.b, path, "max=2"))
		a := t.pull(t.a, path, "etag="+e)
		t.wantIDs(a, "3 4")
		if got := a.Header.Get(redelivered); got != "" {
			t.errorf("%s %q", redelivered, got)
		}
		if a := t.pull(t.b, path, "etag="+t.tagged(a)); a.Header.Get(redelivered) != "" {
			t.errorf("%s %q on an empty answer", redelivered, a.Header.Get(redelivered))
		}
	})
	return all(g)
}

func receipts() []Case {
	g := about(Contract, "push/ids", "A push that has the header `Prefer: return=representation` (RFC 7240) is answered with the ids of the batch's messages, too, all of them, in their order: those that the sender gave, those that the server made, and those of duplicates.")
	const batch = `[{"id":"a","body":"1"},{"body":"2"},{"id":"a","body":"1"},{"id":"b","body":"3"}]`
	prefer := "Prefer: return=representation"
	check := func(t *exam, path string, a answer, ids []string) {
		if a.Status != http.StatusOK || a.Header.Get("Preference-Applied") != "return=representation" {
			t.fatalf("%d, Preference-Applied %q", a.Status, a.Header.Get("Preference-Applied"))
		}
		if len(ids) != 4 || ids[0] != "a" || ids[1] == "" || ids[2] != "a" || ids[3] != "b" {
			t.fatalf("ids %q", ids)
		}
		if path != "" {
			t.wantIDs(t.pull(t.b, path), strings.Join([]string{ids[0], ids[1], ids[3]}, " "))
		}
	}
	g.add("JSON", func(t *exam) {
		path := t.channel()
		a := t.do(t.a, "POST", path, batch, typeJSON, prefer)
		check(t, path, a, receiptJSON(t, a))
	})
	g.add("XML", func(t *exam) {
		path := t.channel()
		a := t.do(t.a, "POST", path, `<messages><message id="a"><body>1</body></message><message><body>2</body></message>`+
			`<message id="a"><body>1</body></message><message id="b"><body>3</body></message></messages>`, typeXML, prefer)
		var r struct {
			Message []struct {
				ID string `xml:"id,attr"`
			} `xml:"message"`
		}
		if err := xml.Unmarshal([]byte(a.Body), &r); err != nil {
			t.fatalf("%v", err)
		}
		var ids []string
		for _, m := range r.Message {
			ids = append(ids, m.ID)
		}
		check(t, path, a, ids)
	})
	g.add("among other preferences", func(t *exam) {
		a := t.do(t.a, "POST", t.channel(), batch, typeJSON, `Prefer: respond-async, wait=5; x=y , Return = "representation";foo`)
		check(t, "", a, receiptJSON(t, a))
	})
	g.add("of duplicates alone", func(t *exam) {
		path := t.channel()
		for range 2 {
			a := t.do(t.a, "POST", path, `[{"id":"x","body":"1"},{"id":"y","body":"2"}]`, typeJSON, prefer)
			if ids := receiptJSON(t, a); !slices.Equal(ids, []string{"x", "y"}) {
				t.errorf("ids %q", ids)
			}
		}
	})
	g.add("not unasked", func(t *exam) {
		for _, header := range []string{"Prefer: return=minimal", "Prefer: representation", "Accept: application/json"} {
			a := t.do(t.a, "POST", t.channel(), batch, typeJSON, header)
			t.stored(a, "json", 3, 1)
			if a.Header.Get("Preference-Applied") != "" || strings.Contains(a.Body, "ids") {
				t.errorf("%s: %s", header, a.Body)
			}
		}
	})
	return all(g)
}

func receiptJSON(t *exam, a answer) []string {
	var r struct {
		IDs []string `json:"ids"`
	}
	if err := json.Unmarshal([]byte(a.Body), &r); err != nil {
		t.fatalf("%s: %v", a.Body, err)
	}
	return r.IDs
}
