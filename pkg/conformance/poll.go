package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// where names the two replicas.
var where = []struct {
	name  string
	of    func(t *exam) replica
	needs func(t Target) string
}{
	{"here", func(t *exam) replica { return t.a }, nil},
	{"through another replica", func(t *exam) replica { return t.b }, needsSecond},
}

func longPolling() []Case {
	wiki := about(Wiki, "poll", `long-polling=true|false: When enabled, if the server doesn't have any message to return it holds the connection until a message arrives. Defaults to false.`)
	wiki.add("held until a message arrives", func(t *exam) {
		path := t.channel()
		poll := t.longPoll(t.a, path)
		t.stillHeld(poll)
		t.push(t.b, path, numbered(1, 2))
		t.wantIDs(t.poll(poll), "1 2")
	})
	wiki.add("not held unless asked for", func(t *exam) {
		path := t.channel()
		for _, query := range []string{"", "long-polling=false"} {
			t.wantIDs(t.pull(t.a, path, query), "")
		}
	})

	g := about(Contract, "poll/woken", `Every replica can answer for every channel: a message pushed through one wakes a poll on another at once.`)
	for _, end := range ends {
		for _, w := range where {
			g.add("by the "+end.name+", "+w.name, func(t *exam) { woken(t, end.in, end.out, w.of(t)) }).needs = w.needs
		}
	}
	g.add("once for all that is there", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 5))
		a := t.poll(t.longPoll(t.b, path, "max=2"))
		t.wantIDs(a, "1 2")
		t.wantIDs(t.poll(t.longPoll(t.b, path, "max=2")), "1 2") // unconfirmed
		a = t.poll(t.longPoll(t.a, path, "max=2", etag(a)))
		t.confirmed(a, 2)
		t.wantIDs(a, "3 4")
	})
	g.add("in XML", func(t *exam) {
		path := t.channel()
		poll := t.beside(t.b, "GET", path+"?long-polling=true", "")
		t.push(t.a, path, numbered(1, 2))
		t.batch(t.poll(poll), false, 2)
	})
	g.add("with If-None-Match", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		e := t.tagged(t.pull(t.a, path))
		poll := t.beside(t.b, "GET", path+"?long-polling=true&format=json", "", "If-None-Match: W/"+e)
		t.push(t.a, path, numbered(3, 3))
		a := t.poll(poll)
		t.confirmed(a, 2)
		t.wantIDs(a, "3")
	})
	g.add("with a body", func(t *exam) {
		path := t.channel()
		poll := t.beside(t.a, "GET", path+"?long-polling=true&format=json", "{}", typeJSON)
		t.stillHeld(poll)
		t.push(t.b, path, numbered(1, 1))
		t.wantIDs(t.poll(poll), "1")
	})

	wait := about(Contract, "poll/wait", `Held until a message arrives or the wait is over (then: empty 200).`)
	wait.add("the wait is over", func(t *exam) {
		path := t.channel()
		poll := t.longPoll(t.a, path, "wait=1")
		t.stillHeld(poll)
		a := t.poll(poll)
		t.wantIDs(a, "")
		t.untagged(a)
	})
	wait.add("the wait is over, with a good ETag", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		old := t.pull(t.b, path)
		a := t.poll(t.longPoll(t.a, path, "wait=1", etag(old)))
		t.wantIDs(a, "")
		t.confirmed(a, 2)
		if t.tagged(a) != t.tagged(old) {
			t.errorf("the ETag %s, want %s", t.tagged(a), t.tagged(old))
		}
		a = t.poll(t.longPoll(t.b, path, "wait=1", etag(a)))
		t.wantIDs(a, "")
		t.confirmed(a, 0)
	})
	wait.add("the wait is over, with a foreign ETag", func(t *exam) {
		a := t.poll(t.longPoll(t.b, t.channel(), "wait=1", "etag=garbage"))
		t.wantIDs(a, "")
		t.confirmed(a, 0)
		t.untagged(a)
	})
	wait.add("the ETag is confirmed before the poll is held", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		poll := t.longPoll(t.a, path, etag(t.pull(t.b, path)))
		t.untilEmpty(path)
		t.push(t.b, path, numbered(3, 3))
		a := t.poll(poll)
		t.confirmed(a, 2)
		t.wantIDs(t.pull(t.b, path), "3")
	})
	wait.add("a wait without a long poll", func(t *exam) {
		path := t.channel()
		for _, query := range []string{"wait=50", "long-polling=false&wait=50"} {
			poll := t.beside(t.a, "GET", path+"?format=json&"+query, "")
			t.wantIDs(t.poll(poll), "")
		}
	})
	return append(all(wiki, g, wait), gone()...)
}

// woken has a poll woken twice, and by nothing else in between.
func woken(t *exam, in, out string, r replica) {
	path := t.channel()
	poll := t.longPoll(t.a, path+out)
	t.push(r, path+in, numbered(1, 3))
	a := t.poll(poll)
	t.wantIDs(a, "1 2 3")
	t.tagged(a)
	poll = t.longPoll(t.b, path+out, etag(a))
	for _, other := range ends { // nothing of theirs comes
		if other.in != in {
			t.push(t.a, path+other.in, numbered(90, 91))
		}
	}
	t.stored(t.do(t.a, "POST", path+in, numbered(1, 3), typeJSON), "json", 0, 3)
	t.push(t.a, path+in, `[]`)
	t.stillHeld(poll)
	t.push(r, path+in, numbered(4, 4))
	a = t.poll(poll)
	t.confirmed(a, 3)
	t.wantIDs(a, "4")
	t.notCached(a)
}

// superseding: of two polls of a queue one goes on, the other is answered, empty.
func superseding() []Case {
	g := about(Contract, "poll/superseded", `If a client polls again while an older poll of the same queue still hangs (a dead connection, say), the new poll gets the messages; the old one is answered empty.`)
	for _, w := range where {
		g.add(w.name, func(t *exam) {
			path := t.channel()
			old := t.surelyHeld(t.a, path)
			young := t.longPoll(w.of(t), path)
			t.wantIDs(t.poll(old), "")
			t.push(t.b, path, numbered(1, 2))
			t.wantIDs(t.poll(young), "1 2")
		}).needs = w.needs
	}
	g.add("seven by the eighth", func(t *exam) {
		path, c := t.channel(), make(chan answer)
		for i := range 8 {
			poll := t.longPoll([]replica{t.a, t.b}[i%2], path)
			t.begun.Go(func() {
				a := <-poll
				select {
				case c <- a:
				case <-t.ctx.Done():
				}
			})
		}
		for range 7 {
			t.wantIDs(t.poll(c), "")
		}
		t.push(t.a, path, numbered(1, 2))
		t.wantIDs(t.poll(c), "1 2")
	})
	g.add("with the same ETag", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		e := t.pull(t.b, path)
		old := t.longPoll(t.a, path, etag(e))
		t.untilEmpty(path)
		young := t.longPoll(t.b, path, etag(e))
		a := t.poll(old)
		t.wantIDs(a, "")
		t.confirmed(a, 2)
		if t.tagged(a) != t.tagged(e) {
			t.errorf("the older poll is answered with the ETag %s, want %s", t.tagged(a), t.tagged(e))
		}
		t.push(t.a, path, numbered(3, 3))
		a = t.poll(young)
		t.wantIDs(a, "3")
		t.confirmed(a, 0)
	})
	g.add("not by polls of other queues", func(t *exam) {
		path := t.channel()
		polls := map[string]<-chan answer{}
		for _, end := range ends {
			polls[end.in] = t.longPoll(t.a, path+end.out)
		}
		t.stillHeld(polls[""])
		for i, end := range ends {
			t.push(t.b, path+end.in, numbered(i+1, i+1))
		}
		for i, end := range ends {
			t.wantIDs(t.poll(polls[end.in]), fmt.Sprint(i+1))
		}
	})
	g.add("not by a pull that does not wait", func(t *exam) {
		path := t.channel()
		poll := t.longPoll(t.a, path)
		t.stillHeld(poll)
		t.empty(t.b, path)
		t.stillHeld(poll)
		t.push(t.b, path, numbered(1, 1))
		t.wantIDs(t.poll(poll), "1")
	})
	return all(g)
}

// gone: a poll whose client is gone takes nothing with it.
func gone() []Case {
	g := about(Contract, "poll/gone", `A poll whose client is gone is given up, and takes no message with it.`)
	g.add("five connections that end", func(t *exam) {
		path := t.channel()
		for range 5 {
			t.leave(path)
		}
		poll := t.longPoll(t.b, path)
		t.push(t.a, path, numbered(1, 2))
		a := t.poll(poll)
		t.wantIDs(a, "1 2")
		a = t.pull(t.a, path, etag(a))
		t.confirmed(a, 2)
		t.wantIDs(a, "")
	})
	g.add("a message that comes after", func(t *exam) {
		path := t.channel()
		t.leave(path)
		t.pause() // a server that has noticed is the one that is asked
		t.push(t.b, path, numbered(1, 1))
		t.wantIDs(t.pull(t.a, path), "1")
	})
	return all(g)
}

// surelyHeld starts a long poll, and returns when the server has it: a pull that does not
// wait sees what the poll has confirmed.
func (t *exam) surelyHeld(r replica, path string) <-chan answer {
	t.push(t.a, path, `{"body":"to be confirmed"}`)
	poll := t.longPoll(r, path, etag(t.pull(t.b, path)))
	t.untilEmpty(path)
	return poll
}

func (t *exam) untilEmpty(path string) {
	t.until("the messages are gone", func() string {
		if a := t.pull(t.b, path); len(t.messages(a)) > 0 {
			return a.Body
		}
		return ""
	})
}

// leave sends a long poll over a connection of its own, and closes that when the server has
// it.
func (t *exam) leave(path string) {
	t.push(t.a, path, `{"body":"to be confirmed"}`)
	e := t.pull(t.b, path)
	u, err := url.Parse(at(string(t.a), path))
	if err != nil {
		t.fatalf("%v", err)
	}
	c := t.dial(u)
	defer func() { _ = c.Close() }()
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s?long-polling=true&format=json&%s HTTP/1.1\r\nHost: %s\r\n", u.EscapedPath(), etag(e), u.Host)
	if l, ok := t.login(path); ok {
		q := http.Request{Header: http.Header{}}
		q.SetBasicAuth(l.user, l.password)
		fmt.Fprintf(&b, "Authorization: %s\r\n", q.Header.Get("Authorization"))
	}
	if _, err := c.Write([]byte(b.String() + "\r\n")); err != nil {
		t.fatalf("%v", err)
	}
	t.untilEmpty(path)
}
