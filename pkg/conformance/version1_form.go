package conformance

import (
	"net/http"
	"regexp"
	"strings"
)

func v1Form() *phoneGroup {
	g := phones(Version1, "version1/form", "Messages are written with `<text>` (subject and body joined by \" - \"), and `id`, `from`, `to`, `when` all present, `when` as `2010-01-01T23:18:03Z` (UTC, whole seconds): the old parsers accept nothing else. A `when` that cannot be written so is the time of the answer.")
	text := func(name, fields, want string) {
		g.phone(name, func(t *exam, p phone) {
			t.push(t.a, p.channel+"/application", `{"id":"o1","to":"sms://2",`+fields+`}`)
			p.wantSent(p.outgoing(t.b, "", ""), sent.itsText, want)
		})
	}
	text("subject and body", `"subject":"Alert","body":"Flood <now>"`, "Alert - Flood &lt;now&gt;")
	text("only a subject", `"subject":"Alert"`, "Alert")
	text("only a body", `"body":"Flood"`, "Flood")
	text("neither is a space", `"from":"x"`, " ")
	when := func(name, value, want string) {
		g.phone(name, func(t *exam, p phone) {
			t.push(t.a, p.channel+"/application", `{"id":"o1","body":"x","when":"`+value+`"}`)
			pattern := regexp.MustCompile(want)
			for _, m := range p.outgoing(t.b, "", "") {
				if !pattern.MatchString(m.when) || m.id != "o1" {
					t.errorf("when is %q, want %s", m.when, want)
				}
				return
			}
			t.errorf("no message")
		})
	}
	const seconds = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`
	when("when in UTC", "2010-01-01T23:18:03Z", "^2010-01-01T23:18:03Z$")
	when("when in another zone, with a fraction", "2010-01-02T00:18:03.25+01:00", "^2010-01-01T23:18:03Z$")
	when("when is no time", "yesterday", seconds)
	when("when has second 83", "2010-01-01T23:18:83Z", seconds)
	when("when is missing", "", seconds)
	return g
}

func v1IDs() *phoneGroup {
	long := phones(Version1, "version1/long id", "An `id` has at most 1024 bytes (in UTF-8): more is 413. Clients of version 1 are told it in a header.")
	long.phone("the longest confirms", func(t *exam, p phone) {
		for _, id := range []string{strings.Repeat("i", 1024), strings.Repeat("é", 512)} {
			given := id
			if id[0] != 'i' {
				given = encodedID(id)
			}
			t.push(t.a, p.channel+"/application", toPhone(id))
			p.wantSent(p.outgoing(t.b, "", ""), sent.itsID, given)
			p.wantSent(p.outgoing(t.a, given, ""), sent.itsID)
		}
	})
	long.phone("a longer one is not taken", func(t *exam, p phone) {
		id := strings.Repeat("i", 1025)
		if a := p.do(t.a, "POST", "incoming", "<messages>"+v1Message(id, "x")+"</messages>", typeXML); a.Status != http.StatusRequestEntityTooLarge {
			t.errorf("%d, want 413", a.Status)
		}
		t.empty(t.b, p.channel+"/application")
	})
	g := phones(Version1, "version1/id", "An `id` that a client could not send back, or that a phone fails over (white space at an end, control characters, `\"` `#` `%` `'` `/` `?`, and all beyond ASCII), is written as `qst-id-` and its base64url without padding.")
	for _, c := range []struct {
		name string
		ids  []string
	}{
		{"white space at an end", []string{" o1", "o1 "}},
		{"what breaks a URL", []string{"o#1", "o%1", "o/1", "o?1"}},
		{"a single quote", []string{"o'1"}},
		{"beyond ASCII", []string{"über", "日"}},
	} {
		g.phone(c.name, func(t *exam, p phone) {
			last := ""
			for _, id := range c.ids {
				t.push(t.a, p.channel+"/application", toPhone(id))
				p.wantSent(p.outgoing(t.b, last, ""), sent.itsID, encodedID(id))
				last = encodedID(id)
			}
			p.wantSent(p.outgoing(t.a, last, ""), sent.itsID)
		})
	}
	twice := phones(Version1, "version1/id", "An answer never has two messages of one `id`: it ends before the second, which comes with the next.")
	twice.phone("twice in a queue", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", `[{"id":"1","body":"a"},{"id":"2","body":"b"},{"id":"2","body":"c"},{"id":"3","body":"d"}]`)
		p.wantSent(p.outgoing(t.a, "", ""), sent.itsText, "a", "b")
		l := p.outgoing(t.b, "2", "")
		p.wantSent(l, sent.itsText, "c", "d")
		p.wantSent(l, sent.itsID, encodedID("2"), "3")
	})
	twice.phone("always the same", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", `[{"id":"1","body":"a"},{"id":"1","body":"b"},{"id":"1","body":"c"},{"id":"1","body":"d"}]`)
		last := ""
		for i, want := range []string{"a", "b", "c", "d"} {
			r := []replica{t.a, t.b}[i%2]
			p.wantSent(p.outgoing(r, last, ""), sent.itsText, want) // this answer is lost
			l := p.outgoing(r, last, "")
			if p.wantSent(l, sent.itsText, want); len(l) != 1 || l[0].id == last {
				t.fatalf("after %q: %v", last, l)
			}
			last = l[0].id
		}
	})
	again := phones(Version1, "version1/id", "An `If-None-Match` that is the same as in the pull before confirms nothing more.")
	again.phone("the same as before", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("o1", "o2", "o3"))
		p.wantSent(p.outgoing(t.a, "", "?max=1"), sent.itsID, "o1")
		for range 3 {
			p.wantSent(p.outgoing(t.b, "o1", "?max=1"), sent.itsID, "o2")
		}
	})
	again.phone("begun anew, with an id of before", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", `{"id":"1","body":"before"}`)
		p.wantSent(p.outgoing(t.a, "", ""), sent.itsText, "before")
		p.wantSent(p.outgoing(t.b, "1", ""), sent.itsText)
		t.push(t.a, p.channel+"/application", `{"id":"1","body":"after"}`)
		p.wantSent(p.outgoing(t.a, "", ""), sent.itsText, "after")
		p.wantSent(p.outgoing(t.b, "1", ""), sent.itsText)
	})
	g.cases = append(g.cases, append(twice.cases, again.cases...)...)
	g.cases = append(g.cases, long.cases...)
	return g
}

func v1Rest() *phoneGroup {
	g := phones(Version1, "version1/path", "Paths may end in `.xml`, the account may be percent-encoded (an e-mail address), a POST may come without a Content-Type.")
	g.phone("ends in .xml", func(t *exam, p phone) {
		if a := p.do(t.a, "POST", "incoming.xml", "<messages>"+v1Message("m1", "x")+"</messages>", typeXML); a.Status != http.StatusOK || a.Header.Get("ETag") != "m1" {
			t.errorf("%d, ETag %q", a.Status, a.Header.Get("ETag"))
		}
		p.wantSent(p.given(p.do(t.b, "GET", "outgoing.xml", "")), sent.itsID)
	})
	g.add("an e-mail address as the account", func(t *exam) {
		p := phone{t: t, account: "me@" + random() + ".example.org"}.connected(false)
		p.incoming(t.a, "m1", "<messages>"+v1Message("m1", "x")+"</messages>")
		t.wantIDs(t.pull(t.b, p.channel+"/application"), "m1")
	}).needs = needsPhones
	slashes := phones(Version1, "version1/path", "More than one `/` in a row in a path is one.")
	slashes.phone("two slashes", func(t *exam, p phone) {
		if a := p.do(t.a, "POST", "/incoming", "<messages>"+v1Message("m1", "x")+"</messages>", typeXML); a.Status != http.StatusOK {
			t.errorf("%d %s", a.Status, a.Body)
		}
		t.wantIDs(t.pull(t.b, p.channel+"/application"), "m1")
	})
	user := phones(Version1, "version1/path", "Under `/v1/{account}/qst/` the same queues answer them, for the channel `{account}.{user}`, where `user` is the Basic user name; the client is the channel's gateway.")
	user.phone("no user is 401", func(t *exam, p phone) {
		for _, path := range []string{"incoming", "outgoing"} {
			a := p.do(t.a, "GET", path, "", noLogin)
			if a.Status != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
				t.errorf("%s: %d, WWW-Authenticate %q", path, a.Status, a.Header.Get("WWW-Authenticate"))
			}
		}
	})
	user.phone("other paths are 404", func(t *exam, p phone) {
		if a := p.do(t.a, "GET", "elsewhere", ""); a.Status != http.StatusNotFound {
			t.errorf("%d, want 404", a.Status)
		}
	})
	user.phone("other methods are 405", func(t *exam, p phone) {
		if a := p.do(t.a, "PUT", "incoming", ""); a.Status != http.StatusMethodNotAllowed || a.Header.Get("Allow") == "" {
			t.errorf("%d, Allow %q, want 405", a.Status, a.Header.Get("Allow"))
		}
	})
	state := phones(Version1, "version1/state", "keeps the state a phone reports of a message")
	status := func(name, path string, want int) {
		state.phone(name, func(t *exam, p phone) {
			if a := p.do(t.a, "GET", path, ""); a.Status != want {
				t.errorf("%d %s, want %d", a.Status, a.Body, want)
			}
		})
	}
	status("set_state", "set_state?guid=o1&state=delivered", 200)
	status("set_state without a state", "set_state?guid=o1", 400)
	status("set_state without a message", "set_state?state=sent", 400)
	look := phones(Version1, "version1/outgoing", "says that the URL and the credentials are good; takes and confirms nothing")
	look.phone("HEAD", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("o1", "o2"))
		p.wantSent(p.outgoing(t.a, "", "?max=1"), sent.itsID, "o1")
		if a := p.do(t.b, "HEAD", "outgoing", "", "If-None-Match: o1"); a.Status != http.StatusOK || a.Header.Get("ETag") != "" {
			t.errorf("%d, ETag %q", a.Status, a.Header.Get("ETag"))
		}
		p.wantSent(p.outgoing(t.a, "", ""), sent.itsID, "o1", "o2")
	})
	status("setaddress", "setaddress?address=sms://+85512345678", 200)
	status("setaddress, encoded", "setaddress?address=%2B85512345678", 200)
	status("setaddress without an address", "setaddress", 400)
	for _, o := range []*phoneGroup{slashes, user, state, look} {
		g.cases = append(g.cases, o.cases...)
	}
	return g
}
