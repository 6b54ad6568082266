package conformance

import (
	"net/url"
)

// step is a pull: with the ETag of an earlier step (1…; 0: none), and what comes of it.
// The number confirmed counts where an ETag was brought.
type step struct {
	max       string // "": 100
	etag      int
	confirmed int
	ids       string
}

// steps adds a case of pulls from a queue with the messages 1 to 6.
func (g *group) steps(name string, steps ...step) {
	g.add(name, func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 6))
		var tags []string
		for i, s := range steps {
			r, query := t.a, "max=100"
			if s.max != "" {
				query = "max=" + s.max
			}
			if i%2 == 0 {
				r = t.b
			}
			if s.etag > 0 {
				query += "&etag=" + url.QueryEscape(tags[s.etag-1])
			}
			a := t.pull(r, path, query)
			t.wantIDs(a, s.ids)
			if s.etag > 0 {
				t.confirmed(a, s.confirmed)
			}
			tag := ""
			switch {
			case s.ids != "":
				tag = t.tagged(a)
			case s.etag > 0:
				if tag = t.tagged(a); tag != tags[s.etag-1] {
					t.errorf("an empty answer to %s has %s", tags[s.etag-1], tag)
				}
			default:
				t.untagged(a)
			}
			if tags = append(tags, tag); t.failed() {
				t.fatalf("at step %d", i+1)
			}
		}
	})
}

func confirming() []Case {
	wiki := about(Wiki, "confirm", `etag: The last ETag returned by the server in a previous request. This confirms to the server that the messages were processed.`)
	wiki.add("what was confirmed is gone", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 3))
		a := t.pull(t.b, path)
		t.wantIDs(a, "1 2 3")
		t.wantIDs(t.pull(t.a, path, etag(a)), "")
		t.empty(t.b, path)
	})
	wiki.add("what was not comes again", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 3))
		t.wantIDs(t.pull(t.b, path), "1 2 3")
		t.wantIDs(t.pull(t.a, path), "1 2 3")
	})

	g := about(Contract, "confirm", `An ETag confirms every message that was delivered up to it, and they are gone. Confirming again is harmless.`)
	g.steps("all at once", step{"", 0, 0, "1 2 3 4 5 6"}, step{"", 1, 6, ""}, step{"", 1, 0, ""}, step{"", 2, 0, ""}, step{"", 0, 0, ""})
	g.steps("one by one", step{"1", 0, 0, "1"}, step{"1", 1, 1, "2"}, step{"1", 2, 1, "3"}, step{"1", 3, 1, "4"}, step{"1", 4, 1, "5"}, step{"1", 5, 1, "6"}, step{"1", 6, 1, ""}, step{"1", 7, 0, ""})
	g.steps("an earlier, smaller one", step{"2", 0, 0, "1 2"}, step{"", 0, 0, "1 2 3 4 5 6"}, step{"", 1, 2, "3 4 5 6"}, step{"", 2, 4, ""})
	g.steps("again", step{"2", 0, 0, "1 2"}, step{"2", 1, 2, "3 4"}, step{"2", 1, 0, "3 4"}, step{"", 1, 0, "3 4 5 6"}, step{"2", 2, 2, "5 6"})
	g.steps("two consumers", step{"3", 0, 0, "1 2 3"}, step{"5", 0, 0, "1 2 3 4 5"}, step{"", 2, 5, "6"}, step{"", 1, 0, "6"})
	empties := about(Contract, "confirm", `With none it repeats the request's ETag if that was a good one.`)
	empties.steps("the ETag of empty answers", step{"", 0, 0, "1 2 3 4 5 6"}, step{"", 1, 6, ""}, step{"", 2, 0, ""}, step{"", 3, 0, ""}, step{"", 4, 0, ""})
	old := about(Contract, "confirm", `Without an ETag, or with an old one, a pull gives the unconfirmed messages again, first ones first, then new ones: nothing is lost by a client that died before processing.`)
	old.steps("an old one", step{"2", 0, 0, "1 2"}, step{"2", 1, 2, "3 4"}, step{"2", 2, 2, "5 6"}, step{"", 1, 0, "5 6"}, step{"", 2, 0, "5 6"}, step{"", 3, 2, ""}, step{"", 1, 0, ""})
	old.steps("an old one, when there are more", step{"2", 0, 0, "1 2"}, step{"1", 1, 2, "3"}, step{"", 1, 0, "3 4 5 6"}, step{"", 2, 1, "4 5 6"})
	old.steps("none", step{"2", 0, 0, "1 2"}, step{"2", 0, 0, "1 2"}, step{"", 0, 0, "1 2 3 4 5 6"}, step{"", 0, 0, "1 2 3 4 5 6"})
	// Also when more of them were delivered before.
	max := about(Contract, "confirm", "most messages in the answer, 1 to 1000 (more is 1000)")
	max.steps("fewer than before", step{"2", 0, 0, "1 2"}, step{"2", 0, 0, "1 2"}, step{"", 0, 0, "1 2 3 4 5 6"}, step{"1", 0, 0, "1"})
	max.steps("a part of what was delivered", step{"", 0, 0, "1 2 3 4 5 6"}, step{"2", 0, 0, "1 2"}, step{"", 2, 2, "3 4 5 6"}, step{"", 1, 4, ""})
	max.steps("confirmed without another pull", step{"3", 0, 0, "1 2 3"}, step{"", 1, 3, "4 5 6"}, step{"1", 0, 0, "4"}, step{"", 3, 1, "5 6"}, step{"", 2, 2, ""})

	header := about(Contract, "confirm", "`If-None-Match` means the same as `etag` (the parameter wins).")
	header.add("the parameter wins", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 6))
		one, all := t.tagged(t.pull(t.a, path, "max=1")), t.tagged(t.pull(t.a, path))
		a := t.asHeader(t.b, path, all, "etag=garbage")
		t.confirmed(a, 0)
		t.wantIDs(a, span(1, 6))
		a = t.asHeader(t.b, path, all, "etag="+url.QueryEscape(one))
		t.confirmed(a, 1)
		t.wantIDs(a, span(2, 6))
		t.confirmed(t.asHeader(t.b, path, "garbage", "etag="+url.QueryEscape(all)), 5)
	})
	counted := about(Contract, "confirm", "`QST-Confirmed: n`, on every answer to a pull that brought an ETag, says how many this request confirmed.")
	counted.add("new messages after all was confirmed", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		old := t.pull(t.b, path)
		t.confirmed(t.pull(t.a, path, etag(old)), 2)
		t.push(t.b, path, numbered(3, 4))
		a := t.pull(t.a, path, etag(old))
		t.confirmed(a, 0)
		t.wantIDs(a, "3 4")
		if t.tagged(a) == t.tagged(old) {
			t.errorf("the same ETag %s for other messages", t.tagged(a))
		}
		t.wantIDs(t.pull(t.a, path, etag(old)), "3 4")
		t.confirmed(t.pull(t.a, path, etag(a)), 2)
	})
	counted.add("twelve times at once", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 20))
		sum := 0
		for _, a := range t.together(12, "GET", path+"?format=json&"+etag(t.pull(t.a, path, "max=10")), "") {
			t.wantIDs(a, span(11, 20))
			switch n := a.Header.Get("QST-Confirmed"); n {
			case "10":
				sum += 10
			case "0":
			default:
				t.errorf("QST-Confirmed %q", n)
			}
		}
		if sum != 10 {
			t.errorf("confirmed %d in all, want 10", sum)
		}
	})
	old.add("unconfirmed first, then new", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 4))
		first := t.pull(t.b, path, "max=2")
		t.pull(t.b, path, "max=3")
		t.push(t.b, path, numbered(5, 6))
		a := t.pull(t.a, path, etag(first))
		t.confirmed(a, 2)
		t.wantIDs(a, "3 4 5 6")
	})
	g.add("an ETag of one format in the other", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 4))
		x := t.do(t.a, "GET", path+"?format=xml&max=2", "")
		a := t.pull(t.b, path, etag(x))
		t.confirmed(a, 2)
		x = t.do(t.a, "GET", path+"?format=xml&"+etag(a), "")
		t.confirmed(x, 2)
		t.batch(x, false, 0)
		if x.Header.Get("ETag") != a.Header.Get("ETag") {
			t.errorf("the ETag %s, want %s", x.Header.Get("ETag"), a.Header.Get("ETag"))
		}
	})
	return all(wiki, g, empties, old, max, header, counted)
}

// confirmingOnly is max=0.
func confirmingOnly() []Case {
	reads := about(Contract, "confirm only", "With `max=0` a pull confirms what its ETag stands for and reads nothing: no message counts as delivered.")
	reads.add("it reads nothing", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 6))
		first := t.pull(t.a, path, "max=4")
		for _, n := range []int{4, 0} {
			a := t.pull(t.b, path, "max=0", etag(first))
			t.confirmed(a, n)
			t.wantIDs(a, "")
			if t.tagged(a) != t.tagged(first) {
				t.errorf("the ETag %s, want the request's, %s", a.Header.Get("ETag"), first.Header.Get("ETag"))
			}
			t.notCached(a)
		}
		t.wantIDs(t.pull(t.b, path), "5 6")
	})
	reads.add("a part of what was delivered", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 4))
		first := t.pull(t.a, path, "max=1")
		all := t.pull(t.b, path)
		t.confirmed(t.pull(t.b, path, "max=0", etag(first)), 1)
		t.wantIDs(t.pull(t.a, path, "max=2"), "2 3")
		t.confirmed(t.pull(t.b, path, "max=0", etag(all)), 3)
		t.empty(t.a, path)
	})
	reads.add("without an ETag", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		a := t.pull(t.b, path, "max=0")
		t.wantIDs(a, "")
		t.untagged(a)
		if n, ok := a.Header["Qst-Confirmed"]; ok {
			t.errorf("QST-Confirmed %q to a pull that brought no ETag", n)
		}
		t.wantIDs(t.pull(t.a, path), "1 2")
	})
	reads.add("with a foreign ETag", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		a := t.pull(t.b, path, "max=0", "etag=x")
		t.confirmed(a, 0)
		t.untagged(a)
		t.wantIDs(a, "")
		t.wantIDs(t.pull(t.a, path), "1 2")
	})
	reads.add("in XML", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 2))
		t.batch(t.do(t.b, "GET", path+"?max=0&"+etag(t.pull(t.a, path)), ""), false, 0)
		t.empty(t.a, path)
	})
	once := about(Contract, "confirm only", "The answer is an empty batch at once, also with `long-polling=true`; a long poll that waits on the queue goes on waiting.")
	once.add("it is not held", func(t *exam) {
		a := t.poll(t.longPoll(t.a, t.channel(), "max=0", "wait=3600"))
		t.wantIDs(a, "")
		t.untagged(a)
	})
	once.add("it leaves a waiting poll alone", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 1))
		first := t.pull(t.b, path)
		poll := t.longPoll(t.b, path, etag(first))
		t.stillHeld(poll)
		t.wantIDs(t.pull(t.a, path, "max=0", "long-polling=true", etag(first)), "")
		t.stillHeld(poll)
		t.push(t.a, path, numbered(2, 2))
		t.wantIDs(t.poll(poll), "2")
	})
	return all(reads, once)
}
