package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// forms are messages that have to arrive as they are, whichever way.
var forms = []struct{ name, message string }{
	{"all fields", `{"id":"1","from":"sms://5550100","to":"sms://4636","when":"2010-01-01T23:18:03Z","subject":"Subject","body":"Body"}`},
	{"only from", `{"id":"1","from":"sms://5550100"}`},
	{"only a subject", `{"id":"1","subject":"x"}`},
	{"when has second 83", `{"id":"1","when":"2010-01-01T23:18:83Z","body":"x"}`},
	{"when is no time", `{"id":"1","when":"yesterday, or so","body":"x"}`},
	{"an id of any form", `{"id":"a b/?#&\"'<>ä","body":"x"}`},
	{"emoji", `{"id":"1","body":"😀👨‍👩‍👧 \ud83d\ude00"}`},
	{"many scripts", `{"id":"1","body":"សួស្តី 中文 ‮שלום e\u0301"}`},
	{"white space around", `{"id":"1","body":"  x \t \n\n "}`},
	{"only white space", `{"id":"1","subject":" ","body":"   "}`},
	{"CR LF", `{"id":"1","from":"a\r\nb","body":"a\r\nb\rc\n"}`},
	{"markup", `{"id":"1","body":"<b>&amp;</b> ]]> <![CDATA[x]]> &#13;"}`},
	{"quotes and backslashes", `{"id":"1","body":"\"'\\ \\n \\u0041","p":"\"'\\"}`},
	{"control characters", `{"id":"1","body":"a\u0001\u001fb\u007f"}`},
	{"a property", `{"id":"1","body":"x","network":"metfone"}`},
	{"an empty property", `{"id":"1","body":"x","p":""}`},
	{"a property of any name", `{"id":"1","body":"x","a b":"1","<&\"":"2","ä":"3","Body":"4","text":"5","xml:lang":"6"}`},
	{"properties in their order", `{"id":"1","body":"x","z":"1","a":"2","10":"3","9":"4"}`},
	{"a number's digits", `{"id":"1","body":"x","p":1.10,"q":12345678901234567890,"r":1E+2,"s":-0}`},
	{"booleans", `{"id":"1","body":"x","p":true,"q":false}`},
	{"an array", `{"id":"1","body":"x","p":["a",1,true,"1"]}`},
	{"60 properties", sixtyProperties()},
	{"60000 characters", `{"id":"1","body":"` + strings.Repeat("lang und länger ", 3750) + `"}`},
}

func sixtyProperties() string {
	var l []string
	for i := range 60 {
		l = append(l, fmt.Sprintf(`"p%d":"v%d"`, (i*37)%60, i))
	}
	return `{"id":"1","body":"x",` + strings.Join(l, ",") + `}`
}

// clientPushes is what a client has to say to a server that does as it should.
func clientPushes() []ClientCase {
	g := clientsAbout("push")
	wiki := g.about(Wiki, `POST /url Content-Type: text/xml Content-Length: ... <messages> ... </messages>`)
	wiki.push("one message", numberedMessages(1), Done)
	wiki.push("three messages", numberedMessages(3), Done)

	exact := g.about(Contract, `Text is Unicode and arrives as it was sent, white space and line ends included.`)
	var together []string
	for _, f := range forms {
		exact.push("as it is: "+f.name, []string{f.message}, Done)
		together = append(together, f.message)
	}
	exact.push("as it is: all of these together", together, Done)
	order := g.about(Contract, `Order is kept: messages come out in the order they went in, a batch together, properties in their order.`)
	order.push("2500 messages, in batches of a thousand at the most", numberedMessages(2500), Done)
	large := make([]string, 40)
	for i := range large {
		large[i] = fmt.Sprintf(`{"id":"%d","body":"%s"}`, i+1, strings.Repeat("b", 50000))
	}
	order.push("2 MB, in batches of 1 MiB at the most", large, Done)
	order.push("the same id with other content", []string{`{"id":"1","body":"x"}`, `{"id":"1","body":"y"}`}, Done)

	none := g.about(Contract, "A message whose sender gave no `id` is never a duplicate.")
	none.push("two of the same, without an id", []string{`{"from":"f","body":"x"}`, `{"from":"f","body":"x"}`}, Done)
	none.add("without an id, unheard: it is given one before it is sent", func(t *clientExam) {
		t.server.follow(map[string][]incident{"POST": {{lost: true}}})
		messages := []string{`{"from":"f","body":"x"}`}
		t.ends(t.do(Task{Messages: messages}), Done)
		t.stored(messages)
	})
	credentials := g.about(Contract, `unknown or wrong credentials; not allowed to do this here`)
	for _, c := range []struct{ name, user, password string }{
		{"credentials", "acme", "secret"},
		{"credentials with a colon and blanks", "acme", "a:b c%41+/="},
		{"credentials beyond ASCII", "ämè", "pässwörd"},
	} {
		credentials.add(c.name, func(t *clientExam) {
			t.server.user, t.server.password = c.user, c.password
			t.ends(t.do(Task{Messages: numberedMessages(1)}), Done)
			t.stored(numberedMessages(1))
		})
	}
	mixed := g.about(Contract, `A push never answers with an ETag: a client that keeps "the last ETag" must not mix the two.`)
	mixed.add("a push's ETag, of a server that is wrong, is not brought to a pull", func(t *clientExam) {
		t.server.follow(map[string][]incident{"POST": {{answer: func(h http.Header, body string) string {
			h.Set("ETag", `"of-a-push"`)
			return body
		}}}})
		t.ends(t.do(Task{Messages: numberedMessages(1)}), Done)
		all := t.server.fill(`[{"id":"1","body":"x"}]`)
		t.handled(t.do(Task{Max: 1}), all)
	})
	return *g.cases
}

// clientRetries is what a client makes of a server that fails.
func clientRetries() []ClientCase {
	g := clientsAbout("push")
	again := g.about(Contract, `anything that may pass: storage down, queue full, too busy, shutting down`)
	for _, status := range []int{500, 502, 503, 504} {
		again.push(fmt.Sprintf("%d: again", status), numberedMessages(3), Done, incident{status: status})
	}
	again.push("500 three times: again", numberedMessages(3), Done, incident{status: 500}, incident{status: 500}, incident{status: 500})
	again.push("a page of a proxy's with 502: again", numberedMessages(3), Done,
		incident{status: 502, body: "<html>Bad Gateway</html>", header: http.Header{"Content-Type": {"text/html"}}})
	again.push("503 to the second batch: order is kept", numberedMessages(2500), Done, incident{}, incident{status: 503})
	hint := g.about(Contract, "retries; `Retry-After` where known")
	hint.add("503 with Retry-After: not before", func(t *clientExam) {
		t.server.follow(map[string][]incident{"POST": {{status: 503, header: http.Header{"Retry-After": {"1"}}}}})
		t.ends(t.do(Task{Messages: numberedMessages(1)}), Done)
		t.stored(numberedMessages(1))
		t.apart("POST", time.Second)
	})

	unheard := g.about(Contract, `A client that did not hear the 200 sends the batch again.`)
	unheard.push("no answer, nothing stored: again", numberedMessages(3), Done, incident{unheard: true})
	unheard.push("no answer, all stored: again, and the same", numberedMessages(3), Done, incident{lost: true})
	unheard.push("no answer three times", numberedMessages(3), Done, incident{lost: true}, incident{unheard: true}, incident{lost: true})
	unheard.push("no answer to the second batch", numberedMessages(2500), Done, incident{}, incident{lost: true})
	unheard.push("half an answer", numberedMessages(3), Done, incident{cut: 50})
	unheard.push("a 503 after all was stored", numberedMessages(3), Done, incident{lost: true}, incident{status: 503})
	known := g.about(Contract, `counted as a duplicate and not stored twice`)
	known.add("all of them duplicates: done", func(t *clientExam) {
		t.ends(t.do(Task{Messages: numberedMessages(3)}), Done)
		t.ends(t.do(Task{Messages: numberedMessages(3)}), Done)
		t.stored(numberedMessages(3))
	})
	strange := g.about(Contract, `means every message is stored (as durably as the deployment's Redis is set up to be).`)
	strange.push("200 of a page that is not the server's: again", numberedMessages(3), Done,
		incident{status: 200, body: "<html>Welcome to our wireless network</html>", header: http.Header{"Content-Type": {"text/html"}}})

	discard := g.about(Contract, `this batch can never be taken: malformed, too large, wrong type`)
	for _, status := range []int{400, 413, 415} {
		discard.add(fmt.Sprintf("%d: discarded", status), func(t *clientExam) {
			script := make([]incident, 50)
			for i := range script {
				script[i] = incident{status: status}
			}
			t.server.follow(map[string][]incident{"POST": script})
			t.ends(t.do(Task{Messages: numberedMessages(1)}), Refused)
			t.asked("POST", 1, 2)
		})
	}
	stop := g.about(Contract, `unknown or wrong credentials; not allowed to do this here`)
	for _, status := range []int{401, 403} {
		stop.add(fmt.Sprintf("%d: stopped", status), func(t *clientExam) {
			script := make([]incident, 50)
			for i := range script {
				script[i] = incident{status: status, header: http.Header{"Www-Authenticate": {"Basic"}}}
			}
			t.server.follow(map[string][]incident{"POST": script})
			t.ends(t.do(Task{Messages: numberedMessages(2500)}), Stopped)
			t.asked("POST", 1, 2)
		})
	}
	stop.add("401 to the second batch: stopped", func(t *clientExam) {
		t.server.follow(map[string][]incident{"POST": {{}, {status: 401}, {status: 401}, {status: 401}}})
		t.ends(t.do(Task{Messages: numberedMessages(2500)}), Stopped)
		t.asked("POST", 2, 3)
		t.server.mu.Lock()
		n := len(t.server.stored)
		t.server.mu.Unlock()
		t.stored(numberedMessages(2499)[:min(n, 2499)]) // the first batch, however large it is
	})
	moved := g.about(Wiki, `There is now a single URL that is used both for pulling and pushing messages.`)
	for _, status := range []int{301, 302, 303} {
		moved.add(fmt.Sprintf("%d: a push does not become a pull", status), func(t *clientExam) {
			t.server.follow(map[string][]incident{"POST": {{status: status, header: http.Header{"Location": {scriptedPath}}}}})
			out := t.do(Task{Messages: numberedMessages(1)})
			if n := t.server.count("GET"); n > 0 {
				t.errorf("the push was redirected, and became a GET, which takes messages")
			}
			t.asked("POST", 1, 50)
			if out.Ending == Done {
				t.stored(numberedMessages(1))
			}
		})
	}
	return *g.cases
}

// asked checks how many requests of a method there were. One more than are needed may be to
// hear which credentials are wanted.
func (t *clientExam) asked(method string, least, most int) {
	if n := t.server.count(method); n < least || n > most {
		t.errorf("%d times %s, want %d, or %d", n, method, least, most)
	}
}

// apart checks that the first two requests of a method are not closer than d.
func (t *clientExam) apart(method string, d time.Duration) {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	l := t.server.times[method]
	if len(l) < 2 {
		t.errorf("%d requests, want a second one", len(l))
	} else if got := l[1].Sub(l[0]); got < d-50*time.Millisecond {
		t.errorf("the second request came after %v, want %v at the least", got, d)
	}
}
