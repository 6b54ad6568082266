package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func testOrder(t *testing.T, a, b *replica) {
	t.Run("within and between batches", func(t *testing.T) {
		path := newChannel()
		for i, r := range []*replica{a, b, a, b} {
			push(t, r, path, numbered(i*10+1, i*10+10))
		}
		for _, r := range []*replica{a, b} {
			wantIDs(t, pull(t, r, path), span(1, 40))
		}
	})
	t.Run("between formats", func(t *testing.T) {
		path := newChannel()
		for i := range 6 {
			if i%2 == 0 {
				push(t, a, path, fmt.Sprintf(`{"id":"%d","body":"x"}`, i+1))
			} else {
				stored(t, do(t, "POST", b.URL+path, messageXML(fmt.Sprintf(`id="%d"`, i+1), "<body>x</body>"), typeXML), "xml", 1, 0)
			}
		}
		wantIDs(t, pull(t, a, path), span(1, 6))
	})
	t.Run("ids in any order", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, `[{"id":"9","when":"2030-01-01T00:00:00Z","body":"x"},{"id":"10","when":"1990-01-01T00:00:00Z","body":"x"},{"id":"1","body":"x"}]`)
		push(t, b, path, `[{"id":"0","when":"1970-01-01T00:00:00Z","body":"x"}]`)
		wantIDs(t, pull(t, a, path), "9 10 1 0")
	})
	t.Run("in pieces", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 50))
		var l []string
		for got := pull(t, b, path, "max=7"); got.Body != "[]"; got = pull(t, a, path, "max=7", etag(got)) {
			l = append(l, ids(t, got))
		}
		if got := strings.Join(l, " "); got != span(1, 50) || len(l) != 8 {
			t.Errorf("in %d pieces: %s", len(l), got)
		}
	})
}

// A batch stays together, also when others are pushed beside it.
func testConcurrentPushes(t *testing.T, a, b *replica) {
	path := newChannel()
	var wg sync.WaitGroup
	for p := range 6 {
		wg.Go(func() {
			for n := range 10 {
				r := a
				if n%2 == 1 {
					r = b
				}
				var l []string
				for i := range 5 {
					l = append(l, fmt.Sprintf(`{"id":"%d-%d-%d","body":"x"}`, p, n, i))
				}
				got := do(t, "POST", r.URL+path, "["+strings.Join(l, ",")+"]", typeJSON)
				if got.Status != http.StatusOK {
					t.Errorf("push: %d %s", got.Status, got.Body)
				}
			}
		})
	}
	wg.Wait()
	l := pull(t, b, path, "max=1000").messages(t)
	if len(l) != 300 {
		t.Fatalf("%d messages of 300", len(l))
	}
	next := map[int]int{}
	for i := 0; i < len(l); i += 5 {
		var p, n, m int
		_, _ = fmt.Sscanf(fmt.Sprint(l[i]["id"]), "%d-%d-%d", &p, &n, &m)
		for j := range 5 {
			if want := fmt.Sprintf("%d-%d-%d", p, next[p], j); l[i+j]["id"] != want {
				t.Fatalf("message %d is %v, want %s", i+j, l[i+j]["id"], want)
			}
		}
		next[p]++
	}
}

func testPushAnswers(t *testing.T, a, b *replica) {
	one, two := `{"id":"1","body":"x"}`, `{"id":"2","body":"y"}`
	x1, x2 := `<message id="1"><body>x</body></message>`, `<message id="2"><body>y</body></message>`
	for _, c := range []struct {
		name, first, header, body string
		accepted, duplicates      int
	}{
		{"JSON", `[]`, typeJSON, `[` + one + `]`, 1, 0},
		{"JSON, two", `[]`, typeJSON, `[` + one + `,` + two + `]`, 2, 0},
		{"JSON, bare", `[]`, typeJSON, one, 1, 0},
		{"JSON, empty", `[]`, typeJSON, ` [ ] `, 0, 0},
		{"JSON, one of two", one, typeJSON, `[` + one + `,` + two + `]`, 1, 1},
		{"JSON, all of them", one, typeJSON, one, 0, 1},
		{"XML", `[]`, typeXML, `<messages>` + x1 + `</messages>`, 1, 0},
		{"XML, two", `[]`, typeXML, `<messages>` + x1 + x2 + `</messages>`, 2, 0},
		{"XML, empty", `[]`, typeXML, `<messages/>`, 0, 0},
		{"XML, one of two", one, typeXML, `<messages>` + x1 + x2 + `</messages>`, 1, 1},
		{"XML, all of them", `[` + one + `,` + two + `]`, typeXML, `<messages>` + x1 + x2 + `</messages>`, 0, 2},
		{"XML, Accept of JSON", `[]`, typeXML + "\nAccept: application/json", `<messages>` + x1 + `</messages>`, 1, 0},
		{"JSON, Accept of XML", `[]`, typeJSON + "\nAccept: text/xml", one, 1, 0},
		{"JSON, an If-None-Match", `[]`, typeJSON + "\nIf-None-Match: \"x\"", one, 1, 0},
	} {
		for _, end := range []string{"", "/gateway", "/application"} {
			t.Run(c.name+" "+end, func(t *testing.T) {
				path := newChannel() + end
				push(t, b, path, c.first)
				format := "json"
				if strings.Contains(c.body, "<") {
					format = "xml"
				}
				stored(t, do(t, "POST", a.URL+path, c.body, strings.Split(c.header, "\n")...), format, c.accepted, c.duplicates)
			})
		}
	}
}

// Each step is a push to one queue; accepted is what it has to add.
func testDuplicates(t *testing.T, a, b *replica) {
	type step struct {
		end, body            string
		accepted, duplicates int
	}
	m := `{"id":"1","from":"f","to":"t","when":"w","subject":"s","body":"b","p":"v","q":"u"}`
	twin := func(body string) []step { return []step{{"", m, 1, 0}, {"", body, 0, 1}} }
	other := func(body string) []step {
		return []step{{"", m, 1, 0}, {"", body, 1, 0}, {"", m, 0, 1}, {"", body, 0, 1}}
	}
	full := func(properties string) string {
		return messageXML(`id="1" from="f" to="t" when="w"`, `<subject>s</subject><body>b</body>`+properties)
	}
	pq := `<property name="p" value="v"/><property name="q" value="u"/>`
	for name, steps := range map[string][]step{
		"the same":                      twin(m),
		"in an array":                   twin(`[` + m + `]`),
		"other order of fields":         twin(`{"when":"w","body":"b","p":"v","subject":"s","to":"t","from":"f","q":"u","id":"1"}`),
		"in escapes":                    twin(`{"\u0069d":"\u0031","from":"f","to":"t","when":"w","subject":"\u0073","body":"b","p":"v","q":"u"}`),
		"with a null":                   twin(`{"id":"1","from":"f","to":"t","when":"w","subject":"s","body":"b","x":null,"p":"v","q":"u"}`),
		"in XML":                        twin(full(pq)),
		"in XML and back":               {{"", full(pq), 1, 0}, {"", m, 0, 1}, {"", full(pq), 0, 1}},
		"in XML, other spelling":        {{"", full(pq), 1, 0}, {"", declared("ISO-8859-1", strings.ReplaceAll(full(pq), `value="u"`, `value='&#117;'`)), 0, 1}},
		"an umlaut in another charset":  {{"", bodyXML("ä"), 1, 0}, {"", declared("ISO-8859-1", bodyXML("\xe4")), 0, 1}, {"", `{"id":"1","body":"\u00e4"}`, 0, 1}},
		"a name twice, and an array":    {{"", full(`<property name="p" value="1"/><property name="p" value="2"/>`), 1, 0}, {"", strings.Replace(m, `"p":"v","q":"u"`, `"p":["1","2"]`, 1), 0, 1}},
		"without when":                  {{"", `{"id":"1","body":"b"}`, 1, 0}, {"", `{"id":"1","body":"b"}`, 0, 1}, {"", bodyXML("b"), 0, 1}},
		"three times":                   {{"", m, 1, 0}, {"", m, 0, 1}, {"", m, 0, 1}},
		"other body":                    other(strings.Replace(m, `"b"`, `"B"`, 1)),
		"other subject":                 other(strings.Replace(m, `"s"`, `"S"`, 1)),
		"other from":                    other(strings.Replace(m, `"f"`, `"F"`, 1)),
		"other to":                      other(strings.Replace(m, `"t"`, `"T"`, 1)),
		"other when":                    other(strings.Replace(m, `"w"`, `"W"`, 1)),
		"other id":                      other(strings.Replace(m, `"1"`, `"2"`, 1)),
		"id with a blank":               other(strings.Replace(m, `"1"`, `"1 "`, 1)),
		"other value":                   other(strings.Replace(m, `"v"`, `"V"`, 1)),
		"other name":                    other(strings.Replace(m, `"p"`, `"P"`, 1)),
		"one more property":             other(strings.Replace(m, `"p"`, `"o":"n","p"`, 1)),
		"values exchanged":              other(strings.Replace(m, `"p":"v","q":"u"`, `"p":"u","q":"v"`, 1)),
		"one more value":                other(strings.Replace(m, `"v"`, `["v","v"]`, 1)),
		"from and to exchanged":         other(strings.Replace(m, `"from":"f","to":"t"`, `"from":"t","to":"f"`, 1)),
		"subject moved to body":         {{"", `{"id":"1","subject":"x"}`, 1, 0}, {"", `{"id":"1","body":"x"}`, 1, 0}},
		"text divided elsewhere":        {{"", `{"id":"1","subject":"ab","body":"c"}`, 1, 0}, {"", `{"id":"1","subject":"a","body":"bc"}`, 1, 0}},
		"id divided elsewhere":          {{"", `{"id":"1","from":"23"}`, 1, 0}, {"", `{"id":"12","from":"3"}`, 1, 0}},
		"arrays divided elsewhere":      {{"", `{"id":"1","body":"x","p":["a,b"]}`, 1, 0}, {"", `{"id":"1","body":"x","p":["a","b"]}`, 1, 0}},
		"white space differs":           {{"", `{"id":"1","body":"x"}`, 1, 0}, {"", `{"id":"1","body":"x "}`, 1, 0}, {"", `{"id":"1","body":"x\n"}`, 1, 0}},
		"within a batch":                {{"", `[` + m + `,` + m + `]`, 1, 1}},
		"within a batch, other content": {{"", `[{"id":"1","body":"x"},{"id":"1","body":"y"},{"id":"1","body":"x"}]`, 2, 1}},
		"within an XML batch":           {{"", `<messages><message id="1" from="a"/><message id="1" from="a"/><message id="1" from="b"/></messages>`, 2, 1}},
		"a part of the batch":           {{"", numbered(1, 3), 3, 0}, {"", numbered(2, 5), 2, 2}, {"", numbered(1, 6), 1, 5}},
		"without an id":                 {{"", `{"from":"f","when":"w","body":"b"}`, 1, 0}, {"", `{"from":"f","when":"w","body":"b"}`, 1, 0}},
		"without an id, in XML":         {{"", `<messages><message from="f"/><message from="f"/></messages>`, 2, 0}},
		"with an empty id":              {{"", `[{"id":"","body":"b"},{"id":"","body":"b"},{"id":null,"body":"b"},{"body":"b"}]`, 4, 0}, {"", messageXML(`id=""`, "<body>b</body>"), 1, 0}},
		"in another queue":              {{"", m, 1, 0}, {"/gateway", m, 1, 0}, {"/application", m, 1, 0}, {"2", m, 1, 0}, {"/application", m, 0, 1}},
		"after a refused batch":         {{"", `[` + m + `,{}]`, -1, 0}, {"", m, 1, 0}},
		"after a broken batch":          {{"", `[` + m, -1, 0}, {"", m, 1, 0}},
		"in a refused batch":            {{"", m, 1, 0}, {"", `[` + m + `,{"id":"2"}]`, -1, 0}, {"", m, 0, 1}},
		"empty batches between":         {{"", m, 1, 0}, {"", `[]`, 0, 0}, {"", `<messages/>`, 0, 0}, {"", m, 0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			path, total := newChannel(), 0
			for i, s := range steps {
				r, header, format := a, typeJSON, "json"
				if i%2 == 1 {
					r = b
				}
				if strings.Contains(s.body, "<") {
					header, format = typeXML, "xml"
				}
				got := do(t, "POST", r.URL+path+s.end, s.body, header)
				if s.accepted < 0 {
					refused(t, got, only(400))
					continue
				}
				stored(t, got, format, s.accepted, s.duplicates)
				if s.end == "" {
					total += s.accepted
				}
				if t.Failed() {
					t.Fatalf("at step %d: %s", i+1, s.body)
				}
			}
			if got := pull(t, b, path); len(got.messages(t)) != total {
				t.Errorf("the queue holds %s, want %d", got.Body, total)
			}
		})
	}
	t.Run("after it was confirmed", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, m)
		confirmed(t, pull(t, b, path, etag(pull(t, a, path))), 1)
		stored(t, do(t, "POST", a.URL+path, m, typeJSON), "json", 0, 1)
		empty(t, b, path)
	})
	t.Run("properties in another order, undecided", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, m)
		got := do(t, "POST", b.URL+path, strings.Replace(m, `"p":"v","q":"u"`, `"q":"u","p":"v"`, 1), typeJSON)
		t.Log(got.Body)
		if got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
	t.Run("a number and its text, undecided", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, `{"id":"1","body":"x","p":1}`)
		got := do(t, "POST", b.URL+path, messageXML(`id="1"`, `<body>x</body><property name="p" value="1"/>`), typeXML)
		t.Log(got.Body)
		if got.Status != http.StatusOK {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	})
}

// A batch that a client sends many times at once is stored once.
func testConcurrentDuplicates(t *testing.T, a, b *replica) {
	path := newChannel()
	results := make(chan answer, 12)
	for i := range cap(results) {
		r := a
		if i%2 == 1 {
			r = b
		}
		go func() {
			got, err := try(t.Context(), http.DefaultClient, "POST", r.URL+path, numbered(1, 20), typeJSON)
			if err != nil {
				got.Body = err.Error()
			}
			results <- got
		}()
	}
	accepted, duplicates := 0, 0
	for range cap(results) {
		var n struct{ Accepted, Duplicates int }
		got := within(t, results)
		if err := json.Unmarshal([]byte(got.Body), &n); err != nil || got.Status != http.StatusOK {
			t.Errorf("push: %d %s", got.Status, got.Body)
		}
		accepted, duplicates = accepted+n.Accepted, duplicates+n.Duplicates
	}
	if accepted != 20 || duplicates != 20*(cap(results)-1) {
		t.Errorf("accepted %d, duplicates %d", accepted, duplicates)
	}
	wantIDs(t, pull(t, b, path), span(1, 20))
}
