package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// clientPulls is what a client has to make of a server that does as it should.
func clientPulls() []ClientCase {
	g := clientsAbout("pull")
	wiki := g.about(Wiki, `etag: The last ETag returned by the server in a previous request. This confirms to the server that the messages were processed.`)
	wiki.pull("one message", numbered(1, 1))
	wiki.pull("five messages", numbered(1, 5))
	wiki.pull("250 messages, of several answers", numbered(1, 250))
	wiki.add("the first time without an ETag", func(t *clientExam) {
		all := t.server.fill(numbered(1, 2))
		t.handled(t.do(Task{Max: 2}), all)
		t.server.mu.Lock()
		defer t.server.mu.Unlock()
		if len(t.server.seen) == 0 || strings.Contains(strings.SplitN(t.server.seen[0], "\n<", 2)[0], "etag=") {
			t.errorf("the first request brought an ETag")
		}
	})
	wiki.add("two runs", func(t *clientExam) {
		all := t.server.fill(numbered(1, 5))
		t.handled(t.do(Task{Max: 2}), all[:2])
		t.handled(t.do(Task{Max: 3}), all[2:])
	})

	exact := g.about(Contract, `Text is Unicode and arrives as it was sent, white space and line ends included.`)
	var together []string
	for _, f := range forms {
		exact.pull("as it is: "+f.name, "["+f.message+"]")
		together = append(together, f.message)
	}
	exact.pull("as it is: all of these together", "["+strings.Join(together, ",")+"]")
	same := g.about(Contract, "The same `id` with other content is another message (phones that restart count from 1 again), and is stored.")
	same.pull("the same id with other content", `[{"id":"1","body":"x"},{"id":"1","body":"y"},{"id":"1","body":"x "}]`)
	same.pull("the same twice in an answer", `[{"id":"1","body":"x"},{"id":"1","body":"x"}]`)

	waits := g.about(Wiki, `long-polling=true|false: When enabled, if the server doesn't have any message to return it holds the connection until a message arrives. Defaults to false.`)
	waits.add("a message that comes later", func(t *clientExam) {
		t.server.follow(map[string][]incident{"GET": {{after: func(s *scripted) { s.arrive(numbered(1, 2)) }}}})
		out := t.do(Task{Max: 2})
		t.same("handled", []string{`{"id":"1","body":"x"}`, `{"id":"2","body":"x"}`}, t.parsed(out))
	})
	waits.pull("three answers without a message", numbered(1, 2), incident{empty: true}, incident{empty: true}, incident{empty: true})
	waits.pull("an empty answer between", numbered(1, 150), incident{}, incident{empty: true})
	waits.pull("an empty answer that closes the connection", numbered(1, 150), incident{}, incident{empty: true, answer: func(h http.Header, body string) string {
		h.Set("Connection", "close")
		return body
	}})

	tags := g.about(Contract, "An ETag comes back in the forms proxies make of it: with or without quotes, with `W/`, percent-encoded.")
	for _, f := range []struct {
		name string
		tag  func(n int) string
	}{
		{"a weak ETag", func(n int) string { return fmt.Sprintf(`W/"e-%d"`, n) }},
		{"an ETag without quotes", func(n int) string { return fmt.Sprintf("e-%d", n) }},
		{"an ETag of base64", func(n int) string { return fmt.Sprintf(`"a+b/c%d=="`, n) }},
		{"an ETag of what URLs reserve", func(n int) string { return fmt.Sprintf(`"a&b=c#d?e;f,%d"`, n) }},
		{"an ETag with percent signs", func(n int) string { return fmt.Sprintf(`"100%%25-%d"`, n) }},
		{"an ETag of 500 bytes", func(n int) string { return fmt.Sprintf(`"%s-%d"`, strings.Repeat("x", 500), n) }},
		{"an ETag that is a number", func(n int) string { return fmt.Sprintf(`"%d"`, n) }},
	} {
		tags.add(f.name, func(t *clientExam) {
			t.server.tag = f.tag
			all := t.server.fill(numbered(1, 250))
			out := t.do(Task{Max: len(all)})
			t.ends(out, Done)
			t.handled(out, all)
		})
	}
	answers := g.about(Contract, "`Accept` if it names one of the two, else `xml`")
	answers.pull("JSON with a charset", numbered(1, 3), changed("application/json", func(h http.Header, body string) string {
		h.Set("Content-Type", "application/json; charset=utf-8")
		return body
	}))
	answers.pull("headers that nobody knows", numbered(1, 3), changed("", func(h http.Header, body string) string {
		h.Set("X-Served-By", "cache-7")
		h.Set("QST-Later", "x")
		return body
	}))
	answers.add("XML, whatever was asked for", func(t *clientExam) {
		all := t.server.fill(numbered(1, 3))
		script := make([]incident, 100)
		for i := range script {
			script[i].answer = func(h http.Header, body string) string {
				batch, err := parseJSON(body)
				if err != nil { // it is XML already
					return body
				}
				h.Set("Content-Type", "text/xml; charset=utf-8")
				return encodeXML(batch)
			}
		}
		t.server.follow(map[string][]incident{"GET": script})
		out := t.do(Task{Max: 3})
		t.ends(out, Done)
		t.handled(out, all)
	})
	return *g.cases
}

func changed(media string, change func(h http.Header, body string) string) incident {
	return incident{answer: func(h http.Header, body string) string {
		if strings.HasPrefix(h.Get("Content-Type"), media) {
			return change(h, body)
		}
		return body
	}}
}

// arrive puts messages into the queue, a little later; under the lock.
func (s *scripted) arrive(batch string) {
	timer := time.NewTimer(100 * time.Millisecond)
	s.serving.Go(func() {
		defer timer.Stop()
		select {
		case <-timer.C:
			s.fill(batch)
		case <-s.ctx.Done():
		}
	})
}

// parsed returns the messages that the client handled.
func (t *clientExam) parsed(out Outcome) []message {
	l, err := parseJSON("[" + strings.Join(out.Messages, ",") + "]")
	if err != nil {
		t.errorf("the client says that it handled what is no message: %v", err)
	}
	return l
}

// clientLosses is what a client makes of answers that are lost, cut or wrong.
func clientLosses() []ClientCase {
	g := clientsAbout("pull")
	again := g.about(Contract, `anything that may pass: storage down, queue full, too busy, shutting down`)
	for _, status := range []int{500, 502, 503, 504} {
		again.pull(fmt.Sprintf("%d: again", status), numbered(1, 150), incident{}, incident{status: status})
	}
	again.pull("503 at first, three times", numbered(1, 3), incident{status: 503}, incident{status: 503}, incident{status: 503})
	again.pull("a page of a proxy's with 504: again", numbered(1, 150), incident{},
		incident{status: 504, body: "<html>Gateway Time-out</html>", header: http.Header{"Content-Type": {"text/html"}}})
	hint := g.about(Contract, "retries; `Retry-After` where known")
	hint.add("503 with Retry-After: not before", func(t *clientExam) {
		t.server.follow(map[string][]incident{"GET": {{status: 503, header: http.Header{"Retry-After": {"1"}}}}})
		all := t.server.fill(numbered(1, 2))
		t.handled(t.do(Task{Max: 2}), all)
		t.apart("GET", time.Second)
	})

	lost := g.about(Contract, `nothing is lost by a client that died before processing.`)
	lost.pull("no answer", numbered(1, 3), incident{unheard: true})
	lost.pull("an answer that is lost", numbered(1, 3), incident{lost: true})
	lost.pull("the second answer is lost", numbered(1, 250), incident{}, incident{lost: true})
	for _, percent := range []int{1, 50, 95} {
		lost.pull(fmt.Sprintf("an answer of which %d%% arrive", percent), numbered(1, 100), incident{cut: percent})
		lost.pull(fmt.Sprintf("an answer of which %d%% arrive, and it seems whole", percent), numbered(1, 100), incident{cut: percent, ends: true})
	}
	strange := g.about(Contract, "is always 200: a batch, or an empty one (`<messages/>`, `[]`) when there is nothing.")
	strange.pull("200 of a page that is not the server's", numbered(1, 3),
		incident{status: 200, body: "<html>Welcome to our wireless network</html>", header: http.Header{"Content-Type": {"text/html"}}})
	strange.pull("200 with nothing in it", numbered(1, 3), incident{status: 200, body: " ", header: http.Header{"Content-Type": {"application/json"}}})

	stop := g.about(Contract, `unknown or wrong credentials; not allowed to do this here`)
	for _, status := range []int{401, 403} {
		stop.add(fmt.Sprintf("%d: stopped", status), func(t *clientExam) {
			script := make([]incident, 50)
			for i := range script {
				script[i] = incident{status: status, header: http.Header{"Www-Authenticate": {"Basic"}}}
			}
			t.server.follow(map[string][]incident{"GET": script})
			t.ends(t.do(Task{Max: 1}), Stopped)
			t.asked("GET", 1, 2)
		})
	}
	stop.add("credentials", func(t *clientExam) {
		t.server.user, t.server.password = "acme", "a:b c"
		all := t.server.fill(numbered(1, 2))
		t.handled(t.do(Task{Max: 2}), all)
	})

	dies := g.about(Contract, `nothing is lost by a client that died before processing.`)
	for _, fail := range []int{1, 3, 5} {
		dies.add(fmt.Sprintf("message %d of 5 fails: it is not confirmed", fail), func(t *clientExam) {
			all := t.server.fill(numbered(1, 5))
			out := t.do(Task{Max: 5, Fail: fail})
			if out.Ending == Done {
				t.errorf("the client says that it is done")
			}
			t.handled(out, all[:fail-1])
			t.asked("GET", 1, 5)
			t.server.mu.Lock()
			confirmed := t.server.confirmed
			t.server.mu.Unlock()
			if confirmed >= fail {
				t.errorf("%d messages were confirmed, of which the last was not handled", confirmed)
			}
		})
	}
	once := g.about(Once, `nothing is lost by a client that died before processing.`)
	once.add("a confirmation that the server forgets", func(t *clientExam) {
		t.server.follow(map[string][]incident{"GET": {{}, {after: func(s *scripted) { s.confirmed = 0 }}}})
		all := t.server.fill(numbered(1, 150))
		t.handled(t.do(Task{Max: 150}), all)
	})
	once.add("a message that fails comes first the next time", func(t *clientExam) {
		all := t.server.fill(numbered(1, 5))
		t.handled(t.do(Task{Max: 5, Fail: 3}), all[:2])
		t.handled(t.do(Task{Max: 3}), all[2:])
	})
	once.add("a restart after the last confirmation was lost", func(t *clientExam) {
		all := t.server.fill(numbered(1, 5))
		t.handled(t.do(Task{Max: 2}), all[:2])
		t.server.mu.Lock()
		t.server.confirmed = 0
		t.server.mu.Unlock()
		t.handled(t.do(Task{Max: 3}), all[2:])
	})
	once.add("another ETag for the same messages", func(t *clientExam) {
		n := 0
		t.server.tag = func(end int) string { n++; return fmt.Sprintf(`"e%d-%d"`, n, end) }
		t.server.follow(map[string][]incident{"GET": {{}, {after: func(s *scripted) { s.confirmed = 0 }}}})
		all := t.server.fill(numbered(1, 150))
		t.handled(t.do(Task{Max: 150}), all)
	})
	return *g.cases
}
