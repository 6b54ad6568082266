package conformance

import (
	"fmt"
	"strings"
)

// bounds are the bounds that the contract itself has.
func bounds() []Case {
	max := about(Contract, "bounds/max", "most messages in the answer, 1 to 1000 (more is 1000)")
	max.add("counted", func(t *exam) {
		path := t.channel()
		for i := range 11 {
			t.push(t.a, path, numbered(100*i+1, 100*i+100))
		}
		for _, c := range []struct {
			query string
			last  int
		}{
			{"max=1", 1}, {"max=99", 99}, {"max=100", 100}, {"max=101", 101}, {"max=999", 999}, {"max=1000", 1000}, {"max=1001", 1000}, {"max=1100", 1000}, {"max=99999999999999999999", 1000},
		} {
			a := t.pull(t.b, path, c.query)
			t.tagged(a)
			if ids := t.ids(a); ids != span(1, c.last) {
				t.errorf("%s: %d messages %.60s…, want %d", c.query, len(strings.Fields(ids)), ids, c.last)
			}
		}
		a := t.pull(t.a, path, "max=1000")
		a = t.pull(t.b, path, "max=1000", etag(a))
		t.confirmed(a, 1000)
		t.wantIDs(a, span(1001, 1100))
	})
	standard := about(Contract, "bounds/max", "most messages in the answer, 1 to 1000 (more is 1000); 0: the request only confirms | 100")
	standard.add("100 by default", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 60))
		t.push(t.b, path, numbered(61, 120))
		t.wantIDs(t.pull(t.b, path), span(1, 100))
	})

	properties := about(Contract, "bounds/property", "A message has at most 64 property values (an array counts each), each name at most 256 bytes: more is 413.")
	values := func(n int) string {
		var l []string
		for i := range n {
			l = append(l, fmt.Sprintf(`"p%d":1`, i))
		}
		return `[{"id":"1","body":"x",` + strings.Join(l, ",") + `}]`
	}
	array := func(n int) string {
		return `[{"id":"1","body":"x","p":[` + strings.TrimSuffix(strings.Repeat(`1,`, n), ",") + `]}]`
	}
	repeated := func(n int) string {
		return messageXML(`id="1"`, `<body>x</body>`+strings.Repeat(`<property name="p" value="1"/>`, n))
	}
	named := func(name string) string { return `[{"id":"1","body":"x","` + name + `":1}]` }
	large := only(413)
	same(properties, "64 values", values(64))
	properties.refusal("65 values", typeJSON, values(65), large, "message 1")
	same(properties, "an array of 64", array(64))
	properties.refusal("an array of 65", typeJSON, array(65), large)
	properties.taken("64 values of XML", typeXML, repeated(64), "xml")
	properties.refusal("65 values of XML", typeXML, repeated(65), large)
	same(properties, "a name of 256 bytes", named(strings.Repeat("k", 256)))
	properties.refusal("a name of 257 bytes", typeJSON, named(strings.Repeat("k", 257)), large)
	same(properties, "a name of 85 Chinese characters", named(strings.Repeat("名", 85)))
	properties.refusal("a name of 86 Chinese characters", typeJSON, named(strings.Repeat("名", 86)), large)

	ids := about(Contract, "bounds/id", "An `id` has at most 1024 bytes (in UTF-8): more is 413.")
	called := func(id string) string { return `[{"id":"` + id + `","body":"x"}]` }
	same(ids, "1024 bytes", called(strings.Repeat("i", 1024)))
	ids.refusal("1025 bytes", typeJSON, called(strings.Repeat("i", 1025)), large, "message 1")
	same(ids, "1023 bytes of Chinese", called(strings.Repeat("名", 341)))
	ids.refusal("1026 bytes of Chinese", typeJSON, called(strings.Repeat("名", 342)), large)
	ids.refusal("1025 bytes of XML", typeXML, messageXML(`id="`+strings.Repeat("i", 1025)+`"`, `<body>x</body>`), large)
	return all(max, standard, properties, ids)
}
