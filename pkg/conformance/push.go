package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

func pushAnswers() []Case {
	one, two := `{"id":"1","body":"x"}`, `{"id":"2","body":"y"}`
	x1, x2 := `<message id="1"><body>x</body></message>`, `<message id="2"><body>y</body></message>`
	wiki := about(Wiki, "push", `The server must return a HTTP status 200 (OK) if it successfully processed all the messages.`)
	wiki.add("200", func(t *exam) {
		path := t.channel()
		for i, c := range [][2]string{{typeJSON, `[` + one + `]`}, {typeXML, `<messages>` + x2 + `</messages>`}} {
			if a := t.do(t.a, "POST", path, c[1], c[0]); a.Status != http.StatusOK {
				t.fatalf("push %d: %d %s", i+1, a.Status, a.Body)
			}
		}
		t.wantIDs(t.pull(t.b, path), "1 2")
	})
	discard := about(Wiki, "push", `Otherwise, depending on the status code, the client should retry the message (ie: 500 - Internal Server Error), discard it (ie: 400 - Bad Request) or stop sending messages at all (ie: 401 - Unauthorized).`)
	discard.add("400 to what is malformed", func(t *exam) {
		path := t.channel()
		for _, c := range [][2]string{{typeJSON, `[{"id":"1","body":"x"`}, {typeXML, `<messages><message id="1">`}} {
			if a := t.do(t.a, "POST", path, c[1], c[0]); a.Status != http.StatusBadRequest {
				t.errorf("%d %s, want 400", a.Status, a.Body)
			}
		}
	})
	whole := about(Wiki, "push", `Pushing messages is now all or nothing.`)
	whole.add("all or nothing", func(t *exam) {
		path := t.channel()
		for _, c := range [][2]string{{typeJSON, `[` + one + `,{"id":"2","body":`}, {typeXML, `<messages>` + x1 + `<message id="2"`}} {
			if a := t.do(t.a, "POST", path, c[1], c[0]); a.Status == http.StatusOK {
				t.errorf("%s was taken", c[1])
			}
		}
		t.empty(t.b, path)
	})
	wholly := about(Contract, "push", `All or nothing: either every message of the batch is in the queue, or none is.`)
	wholly.add("the last of a hundred is wrong", func(t *exam) {
		path := t.channel()
		batch := strings.TrimSuffix(numbered(1, 99), "]") + `,{"id":"100"}]`
		t.refused(t.do(t.a, "POST", path, batch, typeJSON), only(400), "message 100")
		t.empty(t.b, path)
	})

	g := about(Contract, "push/answer", "The body says what happened, in the request's format: `{\"accepted\":2,\"duplicates\":1}` / `<result accepted=\"2\" duplicates=\"1\"/>`.")
	answered := func(g *group, name, first, header, body string, accepted, duplicates int) {
		c := g.add(name, func(t *exam) {
			path := t.channel()
			for _, end := range ends {
				t.push(t.b, path+end.in, first)
				format := "json"
				if strings.Contains(body, "<") {
					format = "xml"
				}
				t.stored(t.do(t.a, "POST", path+end.in, body, strings.Split(header, "\n")...), format, accepted, duplicates)
			}
		})
		c.Sends, c.Accepts = sends(header, body), fmt.Sprintf("200, accepted %d, duplicates %d", accepted, duplicates)
	}
	answered(g, "JSON", `[]`, typeJSON, `[`+one+`]`, 1, 0)
	answered(g, "JSON, two", `[]`, typeJSON, `[`+one+`,`+two+`]`, 2, 0)
	answered(g, "JSON, bare", `[]`, typeJSON, one, 1, 0)
	answered(g, "JSON, one of two", one, typeJSON, `[`+one+`,`+two+`]`, 1, 1)
	answered(g, "JSON, none of one", one, typeJSON, one, 0, 1)
	answered(g, "XML", `[]`, typeXML, `<messages>`+x1+`</messages>`, 1, 0)
	answered(g, "XML, two", `[]`, typeXML, `<messages>`+x1+x2+`</messages>`, 2, 0)
	answered(g, "XML, one of two", one, typeXML, `<messages>`+x1+x2+`</messages>`, 1, 1)
	answered(g, "XML, none of two", `[`+one+`,`+two+`]`, typeXML, `<messages>`+x1+x2+`</messages>`, 0, 2)
	answered(g, "XML, whatever Accept says", `[]`, typeXML+"\nAccept: application/json", `<messages>`+x1+`</messages>`, 1, 0)
	answered(g, "JSON, whatever Accept says", `[]`, typeJSON+"\nAccept: text/xml", one, 1, 0)
	empty := about(Contract, "push/answer", `An empty batch is 200 with zeros.`)
	answered(empty, "JSON, empty", `[]`, typeJSON, ` [ ] `, 0, 0)
	answered(empty, "XML, empty", `[]`, typeXML, `<messages/>`, 0, 0)
	etags := about(Contract, "push/answer", `A push never answers with an ETag: a client that keeps "the last ETag" must not mix the two.`)
	answered(etags, "JSON, with an If-None-Match", `[]`, typeJSON+"\nIf-None-Match: \"x\"", one, 1, 0)
	etags.add("with the ETag of a pull", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		e := t.tagged(t.pull(t.a, path))
		t.stored(t.do(t.b, "POST", path+"?etag="+strings.Trim(e, `"`), numbered(3, 3), typeJSON, "If-None-Match: "+e), "json", 1, 0)
		t.wantIDs(t.pull(t.a, path), "1 2 3")
	})
	problems := about(Contract, "push/answer", "Errors are RFC 9457 problem details (`application/problem+json`), with a `detail` that says what is wrong and where (`message 3: property \"id\" has a field's name`), in terms of the request, never of the inside.")
	problems.refusal("a problem of an XML batch", typeXML+"\nAccept: text/xml", messageXML(`id="1"`, ``), only(400), "message 1")
	return all(wiki, discard, whole, wholly, g, empty, etags, problems)
}

func order() []Case {
	g := about(Contract, "order", `Order is kept: messages come out in the order they went in, a batch together, properties in their order.`)
	g.add("within and between batches", func(t *exam) {
		path := t.channel()
		for i, r := range []replica{t.a, t.b, t.a, t.b} {
			t.push(r, path, numbered(i*10+1, i*10+10))
		}
		for _, r := range []replica{t.a, t.b} {
			t.wantIDs(t.pull(r, path), span(1, 40))
		}
	})
	g.add("between formats", func(t *exam) {
		path := t.channel()
		for i := range 6 {
			if i%2 == 0 {
				t.push(t.a, path, fmt.Sprintf(`{"id":"%d","body":"x"}`, i+1))
			} else {
				t.stored(t.do(t.b, "POST", path, messageXML(fmt.Sprintf(`id="%d"`, i+1), "<body>x</body>"), typeXML), "xml", 1, 0)
			}
		}
		t.wantIDs(t.pull(t.a, path), span(1, 6))
	})
	g.add("of ids and times that say otherwise", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, `[{"id":"9","when":"2030-01-01T00:00:00Z","body":"x"},{"id":"10","when":"1990-01-01T00:00:00Z","body":"x"},{"id":"1","body":"x"}]`)
		t.push(t.b, path, `[{"id":"0","when":"1970-01-01T00:00:00Z","body":"x"}]`)
		t.wantIDs(t.pull(t.a, path), "9 10 1 0")
	})
	g.add("in pieces", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 50))
		var l []string
		a := t.pull(t.b, path, "max=7")
		for range 20 {
			ids := t.ids(a)
			if ids == "" {
				break
			}
			l = append(l, ids)
			a = t.pull(t.a, path, "max=7", etag(a))
		}
		if got := strings.Join(l, " "); got != span(1, 50) || len(l) != 8 {
			t.errorf("in %d pieces: %s", len(l), got)
		}
	})
	g.add("of batches that are pushed at once", func(t *exam) {
		const clients, batches, size = 6, 5, 5
		path := t.channel()
		var each []<-chan answer
		for n := range batches {
			each = each[:0]
			for p := range clients {
				var l []string
				for i := range size {
					l = append(l, fmt.Sprintf(`{"id":"%d-%d-%d","body":"x"}`, p, n, i))
				}
				each = append(each, t.beside([]replica{t.a, t.b}[p%2], "POST", path, "["+strings.Join(l, ",")+"]", typeJSON))
			}
			for _, c := range each {
				if a := t.within(c); a.Status != http.StatusOK {
					t.fatalf("push: %d %s", a.Status, a.Body)
				}
			}
		}
		l := t.messages(t.pull(t.b, path, "max=1000"))
		if len(l) != clients*batches*size {
			t.fatalf("%d messages of %d", len(l), clients*batches*size)
		}
		next := map[int]int{}
		for i := 0; i < len(l); i += size {
			var p, n, m int
			_, _ = fmt.Sscanf(fmt.Sprint(l[i]["id"]), "%d-%d-%d", &p, &n, &m) // what is no such id is none of those wanted
			for j := range size {
				if want := fmt.Sprintf("%d-%d-%d", p, next[p], j); l[i+j]["id"] != want {
					t.fatalf("message %d is %v, want %s", i+j, l[i+j]["id"], want)
				}
			}
			next[p]++
		}
	})
	return all(g)
}

// together sends a request many times at once and gives the answers.
func (t *exam) together(n int, method, path, body string, header ...string) []answer {
	var each []<-chan answer
	for i := range n {
		each = append(each, t.beside([]replica{t.a, t.b}[i%2], method, path, body, header...))
	}
	var l []answer
	for _, c := range each {
		l = append(l, t.within(c))
	}
	return l
}

// atOnce is a batch that a client sends many times at once.
func atOnce(t *exam) {
	path := t.channel()
	accepted, duplicates := 0, 0
	const times = 12
	for _, a := range t.together(times, "POST", path, numbered(1, 20), typeJSON) {
		var n struct {
			Accepted   int `json:"accepted"`
			Duplicates int `json:"duplicates"`
		}
		if err := json.Unmarshal([]byte(a.Body), &n); err != nil || a.Status != http.StatusOK {
			t.errorf("push: %d %s", a.Status, a.Body)
		}
		accepted, duplicates = accepted+n.Accepted, duplicates+n.Duplicates
	}
	if accepted != 20 || duplicates != 20*(times-1) {
		t.errorf("accepted %d, duplicates %d of 20 sent %d times", accepted, duplicates, times)
	}
	t.wantIDs(t.pull(t.b, path), span(1, 20))
}
