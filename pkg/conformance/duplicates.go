package conformance

import (
	"strings"
)

// again is a push to one queue of a channel; accepted is what it has to add, -1 if it
// must be refused.
type again struct {
	end, body            string
	accepted, duplicates int
}

func (g *group) again(name string, steps ...again) {
	c := g.add(name, func(t *exam) {
		path, total := t.channel(), 0
		second := t.channel() // "2": of another channel
		for i, s := range steps {
			r, header, format := t.a, typeJSON, "json"
			if i%2 == 1 {
				r = t.b
			}
			if strings.Contains(s.body, "<") {
				header, format = typeXML, "xml"
			}
			target := path + s.end
			if s.end == "2" {
				target = second
			}
			a := t.do(r, "POST", target, s.body, header)
			if s.accepted < 0 {
				t.refused(a, only(400))
				continue
			}
			t.stored(a, format, s.accepted, s.duplicates)
			if s.end == "" {
				total += s.accepted
			}
			if t.failed() {
				t.fatalf("at step %d: %s", i+1, s.body)
			}
		}
		if a := t.pull(t.b, path); len(t.messages(a)) != total {
			t.errorf("the queue holds %s, want %d messages", a.Body, total)
		}
	})
	for i, s := range steps {
		if i > 0 {
			c.Sends += "; then "
		}
		c.Sends += excerpt(s.body, 200)
	}
}

func duplicates() []Case {
	m := `{"id":"1","from":"f","to":"t","when":"w","subject":"s","body":"b","p":"v","q":"u"}`
	twice := func(g *group, name, body string) {
		g.again(name, again{"", m, 1, 0}, again{"", body, 0, 1})
	}
	full := func(properties string) string {
		return messageXML(`id="1" from="f" to="t" when="w"`, `<subject>s</subject><body>b</body>`+properties)
	}
	pq := `<property name="p" value="v"/><property name="q" value="u"/>`

	same := about(Contract, "again/same", "A message with an `id` that is, in all the fields its sender gave, one that this queue took within the deduplication window is counted as a duplicate and not stored twice (what the server adds, such as a missing `when`, does not count; nor do the format it came in, the order of its properties and the types of their values: `1` and `\"1\"` are the same text, see [ADR 5](adr/0005-deduplication-by-content.md)); the answer is still 200.")
	twice(same, "the same", m)
	twice(same, "in an array", `[`+m+`]`)
	twice(same, "its fields in another order", `{"when":"w","body":"b","p":"v","subject":"s","to":"t","from":"f","q":"u","id":"1"}`)
	twice(same, "its properties in another order", strings.Replace(m, `"p":"v","q":"u"`, `"q":"u","p":"v"`, 1))
	twice(same, "in escapes", `{"\u0069d":"\u0031","from":"f","to":"t","when":"w","subject":"\u0073","body":"b","p":"v","q":"u"}`)
	twice(same, "with a null", `{"id":"1","from":"f","to":"t","when":"w","subject":"s","body":"b","x":null,"p":"v","q":"u"}`)
	twice(same, "in XML", full(pq))
	same.again("in XML and back", again{"", full(pq), 1, 0}, again{"", m, 0, 1}, again{"", full(pq), 0, 1})
	same.again("in XML, spelled otherwise", again{"", full(pq), 1, 0}, again{"", declared("ISO-8859-1", strings.ReplaceAll(full(pq), `value="u"`, `value='&#117;'`)), 0, 1})
	same.again("in another charset", again{"", bodyXML("ä"), 1, 0}, again{"", declared("ISO-8859-1", bodyXML("\xe4")), 0, 1}, again{"", `{"id":"1","body":"\u00e4"}`, 0, 1})
	same.again("a name twice, and an array", again{"", full(`<property name="p" value="1"/><property name="p" value="2"/>`), 1, 0}, again{"", strings.Replace(m, `"p":"v","q":"u"`, `"p":["1","2"]`, 1), 0, 1})
	same.again("a number and its text", again{"", `{"id":"1","body":"b","p":1}`, 1, 0}, again{"", `{"id":"1","body":"b","p":"1"}`, 0, 1}, again{"", messageXML(`id="1"`, `<body>b</body><property name="p" value="1"/>`), 0, 1})
	same.again("a boolean and its text", again{"", `{"id":"1","body":"b","p":true}`, 1, 0}, again{"", `{"id":"1","body":"b","p":"true"}`, 0, 1})
	same.again("without when", again{"", `{"id":"1","body":"b"}`, 1, 0}, again{"", `{"id":"1","body":"b"}`, 0, 1}, again{"", bodyXML("b"), 0, 1})
	same.again("three times", again{"", m, 1, 0}, again{"", m, 0, 1}, again{"", m, 0, 1})
	same.again("within a batch", again{"", `[` + m + `,` + m + `]`, 1, 1})
	same.again("a part of the batch", again{"", numbered(1, 3), 3, 0}, again{"", numbered(2, 5), 2, 2}, again{"", numbered(1, 6), 1, 5})
	same.again("after a refused batch", again{"", `[` + m + `,{}]`, -1, 0}, again{"", m, 1, 0})
	same.again("after a broken batch", again{"", `[` + m, -1, 0}, again{"", m, 1, 0})
	same.again("in a refused batch", again{"", m, 1, 0}, again{"", `[` + m + `,{"id":"2"}]`, -1, 0}, again{"", m, 0, 1})
	same.again("empty batches between", again{"", m, 1, 0}, again{"", `[]`, 0, 0}, again{"", `<messages/>`, 0, 0}, again{"", m, 0, 1})
	same.again("in another queue", again{"", m, 1, 0}, again{"/gateway", m, 1, 0}, again{"/application", m, 1, 0}, again{"2", m, 1, 0}, again{"/application", m, 0, 1})
	same.add("after it was confirmed", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, m)
		t.confirmed(t.pull(t.b, path, etag(t.pull(t.a, path))), 1)
		t.stored(t.do(t.a, "POST", path, m, typeJSON), "json", 0, 1)
		t.empty(t.b, path)
	})
	same.add("twelve times at once", atOnce)

	return append(all(same), otherMessages(m)...)
}

func otherMessages(m string) []Case {
	g := about(Contract, "again/other", "The same `id` with other content is another message (phones that restart count from 1 again), and is stored.")
	other := func(name, old, replacement string) {
		body := strings.Replace(m, old, replacement, 1)
		g.again(name, again{"", m, 1, 0}, again{"", body, 1, 0}, again{"", m, 0, 1}, again{"", body, 0, 1})
	}
	other("another body", `"b"`, `"B"`)
	other("another subject", `"s"`, `"S"`)
	other("another from", `"f"`, `"F"`)
	other("another to", `"t"`, `"T"`)
	other("another when", `"w"`, `"W"`)
	other("another id", `"1"`, `"2"`)
	other("the id and a blank", `"1"`, `"1 "`)
	other("another value", `"v"`, `"V"`)
	other("another name", `"p"`, `"P"`)
	other("one more property", `"p"`, `"o":"n","p"`)
	other("values exchanged", `"p":"v","q":"u"`, `"p":"u","q":"v"`)
	other("one more value", `"v"`, `["v","v"]`)
	other("from and to exchanged", `"from":"f","to":"t"`, `"from":"t","to":"f"`)
	pair := func(name string, bodies ...string) {
		var steps []again
		for _, b := range bodies {
			steps = append(steps, again{"", b, 1, 0})
		}
		g.again(name, steps...)
	}
	pair("subject moved to body", `{"id":"1","subject":"x"}`, `{"id":"1","body":"x"}`)
	pair("text divided elsewhere", `{"id":"1","subject":"ab","body":"c"}`, `{"id":"1","subject":"a","body":"bc"}`)
	pair("id divided elsewhere", `{"id":"1","from":"23"}`, `{"id":"12","from":"3"}`)
	pair("an array divided elsewhere", `{"id":"1","body":"x","p":["a,b"]}`, `{"id":"1","body":"x","p":["a","b"]}`)
	pair("white space differs", `{"id":"1","body":"x"}`, `{"id":"1","body":"x "}`, `{"id":"1","body":"x\n"}`)
	pair("when is given, and is not", `{"id":"1","body":"x"}`, `{"id":"1","body":"x","when":"2010-01-01T00:00:00Z"}`)
	g.again("within a batch", again{"", `[{"id":"1","body":"x"},{"id":"1","body":"y"},{"id":"1","body":"x"}]`, 2, 1})
	g.again("within an XML batch", again{"", `<messages><message id="1" from="a"/><message id="1" from="a"/><message id="1" from="b"/></messages>`, 2, 1})

	none := about(Contract, "again/no id", "A message whose sender gave no `id` is never a duplicate.")
	none.again("JSON", again{"", `{"from":"f","when":"w","body":"b"}`, 1, 0}, again{"", `{"from":"f","when":"w","body":"b"}`, 1, 0})
	none.again("XML", again{"", `<messages><message from="f"/><message from="f"/></messages>`, 2, 0})
	none.again("an empty one", again{"", `[{"id":"","body":"b"},{"id":"","body":"b"},{"id":null,"body":"b"},{"body":"b"}]`, 4, 0}, again{"", messageXML(`id=""`, "<body>b</body>"), 1, 0})
	return all(g, none)
}
