package conformance

import (
	"fmt"
	"net/http"
	"strings"
)

// trip adds a case of a batch that goes in, and of what has to come out. want is JSON.
func (g *group) trip(name, header, body, want string) {
	c := g.add(name, func(t *exam) {
		format := "json"
		if strings.Contains(header, "xml") {
			format = "xml"
		}
		batch, err := parseJSON(want)
		if err != nil {
			t.fatalf("the case itself is wrong: %v", err)
		}
		path := t.channel()
		a := t.do(t.a, "POST", path, body, strings.Split(header, "\n")...)
		if g.level == Wiki {
			t.comesOutSomehow(a, path, batch)
			return
		}
		t.stored(a, format, len(batch), 0)
		t.comesOut(path, batch)
	})
	c.Sends, c.Accepts = sends(header, body), "200, and in JSON "+excerpt(want, 300)
}

// comesOutSomehow checks a push and what the queue holds then as far as the wiki goes: what
// was in a message is in it.
func (t *exam) comesOutSomehow(pushed answer, path string, want []message) {
	if pushed.Status != http.StatusOK {
		t.fatalf("push: %d %s, want 200", pushed.Status, pushed.Body)
	}
	got, err := parseJSON(t.pull(t.b, path).Body)
	if err != nil {
		t.fatalf("pulled JSON: %v", err)
	}
	for i := range got {
		if i < len(want) {
			for _, f := range fieldNames {
				if _, ok := want[i].fields[f]; !ok {
					want[i].fields[f] = got[i].fields[f]
					got[i].fields[f] = want[i].fields[f] // "" if neither has it
				}
			}
		}
	}
	for _, wrong := range compare(want, got) {
		t.errorf("pulled as JSON: %s", wrong)
	}
}

// comesOut checks what a queue holds, in both formats and of both replicas.
func (t *exam) comesOut(path string, want []message) {
	j := t.pull(t.b, path)
	t.mediaType(j, "application/json")
	got, err := parseJSON(j.Body)
	if err != nil {
		t.fatalf("pulled JSON %s: %v", j.Body, err)
	}
	for _, wrong := range compare(want, got) {
		t.errorf("pulled as JSON: %s", wrong)
	}
	x := t.do(t.a, "GET", path+"?format=xml", "")
	if x.Status != http.StatusOK {
		t.fatalf("pull: %d %s", x.Status, x.Body)
	}
	t.mediaType(x, "text/xml")
	if got, err = parseXML(x.Body); err != nil {
		t.fatalf("pulled XML %s: %v", x.Body, err)
	}
	inXML := make([]message, len(want))
	for i, m := range want {
		inXML[i] = m.inXML()
	}
	for _, wrong := range compare(inXML, got) {
		t.errorf("pulled as XML: %s", wrong)
	}
}

// refusal adds a case of a push that is refused, and leaves nothing in the queue. details
// are what the answer has to say.
func (g *group) refusal(name, header, body string, statuses []int, details ...string) {
	c := g.add(name, func(t *exam) {
		path := t.channel()
		t.refusedPush(path, header, body, statuses, details...)
		t.empty(t.b, path)
	})
	c.Sends, c.Accepts = sends(header, body), strings.Trim(fmt.Sprint(statuses), "[]")
	for _, d := range details {
		c.Accepts += fmt.Sprintf(" that says %q", d)
	}
}

// refusals adds a case of several pushes that are wrong in the same way, in different
// places.
func (g *group) refusals(name, header string, statuses []int, bodies ...string) {
	c := g.add(name, func(t *exam) {
		path := t.channel()
		for _, body := range bodies {
			t.refusedPush(path, header, body, statuses)
		}
		t.empty(t.b, path)
	})
	c.Sends, c.Accepts = sends(header, strings.Join(bodies, "\n")), strings.Trim(fmt.Sprint(statuses), "[]")
}

func (t *exam) refusedPush(path, header, body string, statuses []int, details ...string) {
	var headers []string
	if header != "" {
		headers = strings.Split(header, "\n")
	}
	a := t.do(t.a, "POST", path, body, headers...)
	if a.Status == http.StatusOK {
		t.fatalf("%s was taken: %s", excerpt(body, 200), a.Body)
	}
	t.refused(a, statuses, details...)
}

// either adds a case of what the contract does not settle: it is taken as it is meant, or
// refused; never an error of the server's, and never taken for something else.
func (g *group) either(name, header, body, wantBody string, statuses ...int) {
	c := g.add(name, func(t *exam) {
		path := t.channel()
		a := t.do(t.a, "POST", path, body, strings.Split(header, "\n")...)
		if a.Status != http.StatusOK {
			t.refused(a, statuses)
			t.empty(t.b, path)
			return
		}
		if l := t.messages(t.pull(t.b, path)); len(l) != 1 || l[0]["body"] != wantBody {
			t.errorf("pulled %v, want the body %q", l, wantBody)
		}
	})
	c.Sends = sends(header, body)
	c.Accepts = fmt.Sprintf("200 and the body %q, or %s", excerpt(wantBody, 100), strings.Trim(fmt.Sprint(statuses), "[]"))
}

func sends(header, body string) string {
	s := "POST"
	if header != "" {
		s += " with " + strings.ReplaceAll(header, "\n", ", ")
	}
	return s + ": " + excerpt(body, 300)
}
