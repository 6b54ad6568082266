package conformance

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// asHeader pulls with If-None-Match.
func (t *exam) asHeader(r replica, path, value string, query ...string) answer {
	a := t.do(r, "GET", path+"?format=json&"+strings.Join(query, "&"), "", "If-None-Match: "+value)
	if a.Status != http.StatusOK {
		t.fatalf("pull: %d %s", a.Status, a.Body)
	}
	return a
}

// percent is percent-encoding as a proxy writes it.
func percent(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func everyByte(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// etagForms: an ETag comes back in the forms that proxies and clients make of it.
func etagForms() []Case {
	g := about(Contract, "etag/form", "An ETag comes back in the forms proxies make of it: with or without quotes, with `W/`, percent-encoded.")
	for _, form := range []struct {
		name              string
		parameter, header func(e string) string // of an ETag without its quotes
	}{
		{"quoted", func(e string) string { return percent(`"` + e + `"`) }, func(e string) string { return `"` + e + `"` }},
		{"unquoted", percent, func(e string) string { return e }},
		{"weak", func(e string) string { return percent(`W/"` + e + `"`) }, func(e string) string { return `W/"` + e + `"` }},
		{"encoded twice", func(e string) string { return percent(percent(`"` + e + `"`)) }, func(e string) string { return percent(`"` + e + `"`) }},
		{"unquoted, encoded twice", func(e string) string { return percent(percent(e)) }, percent},
		{"weak, encoded twice", func(e string) string { return percent(percent(`W/"` + e + `"`)) }, func(e string) string { return percent(`W/"` + e + `"`) }},
		{"raw quotes", func(e string) string { return `"` + e + `"` }, func(e string) string { return `"` + e + `"` }},
		{"every byte encoded", func(e string) string { return everyByte(`"` + e + `"`) }, func(e string) string { return everyByte(`"` + e + `"`) }},
		{"encoded in small letters", func(e string) string { return "%22" + strings.ToLower(percent(e)) + "%22" }, func(e string) string { return `"` + e + `"` }},
	} {
		g.add(form.name, func(t *exam) {
			channel := t.channel()
			for _, end := range ends {
				in, out := channel+end.in, channel+end.out
				t.push(t.a, in, numbered(1, 4))
				e := strings.Trim(t.tagged(t.pull(t.a, out, "max=2")), `"`)
				a := t.pull(t.b, out, "max=1", "etag="+form.parameter(e))
				t.confirmed(a, 2)
				t.wantIDs(a, "3")
				a = t.asHeader(t.a, out, form.header(strings.Trim(t.tagged(a), `"`)))
				t.confirmed(a, 1)
				t.wantIDs(a, "4")
				e = strings.Trim(t.tagged(a), `"`)
				a = t.pull(t.b, out, "etag="+form.parameter(e))
				t.confirmed(a, 1)
				t.wantIDs(a, "")
				again := t.asHeader(t.b, out, form.header(e))
				t.confirmed(again, 0)
				if e := t.tagged(a); e != t.tagged(again) {
					t.errorf("the ETags of empty answers: %s and %s", e, again.Header.Get("ETag"))
				}
			}
		})
	}
	return all(g)
}

// foreignETags: an ETag that the queue did not issue confirms nothing and is no error.
func foreignETags() []Case {
	g := about(Contract, "etag/foreign", `An ETag that this queue did not issue (another queue's, another server's, garbage) confirms nothing and is no error: the client gets its unconfirmed messages.`)
	for _, of := range ends {
		for _, at := range ends {
			if of.out == at.out {
				continue
			}
			g.add("of the "+of.name+"'s queue at the "+at.name+"'s", func(t *exam) {
				path := t.channel()
				t.push(t.a, path+of.in, numbered(1, 3))
				t.push(t.b, path+at.in, numbered(1, 3))
				t.pull(t.a, path+at.out)
				t.foreign(path+at.out, t.tagged(t.pull(t.b, path+of.out)))
			})
		}
	}
	g.add("of another channel", func(t *exam) {
		path, other := t.channel(), t.channel()
		t.push(t.a, path, numbered(1, 3))
		t.push(t.a, other, numbered(1, 3))
		t.pull(t.b, path)
		t.foreign(path, t.tagged(t.pull(t.b, other)))
		t.confirmed(t.pull(t.a, path, etag(t.pull(t.a, path))), 3)
	})
	for _, c := range []struct {
		name    string
		garbage []string
	}{
		{"small numbers", []string{"0", "1", "2", "3", "-1", "00", "1-1", "1:1", "1.1", "0-0", "1e9"}},
		{"large numbers", []string{"9999999999999999999999", "18446744073709551615", "9223372036854775807", strings.Repeat("9", 5000)}},
		{"words", []string{"x", "null", "undefined", "nil", "true", "NaN", "inf", "+inf", "-inf"}},
		{"signs", []string{"*", "$", "(1", "[1", "-", "+", `\`}},
		{"quotes", []string{`"`, `""`, `"""`, `W/`, `W/"`, `W/""`, `"x`, `x"`, `""x""`, `"a", "b"`, strings.Repeat(`"`, 999)}},
		{"percent signs", []string{"%", "%%", "%zz", "%22", "%2522", strings.Repeat("%25", 500)}},
		{"beyond ASCII", []string{"é", "\U0001F600", "\xff\xfe"}},
		{"control characters", []string{"\x00", "a\x00b", "a\n", "a\r\nX-Injected: 1"}},
		{"white space around", []string{"  x  "}},
		{"what injects", []string{`'; DROP TABLE messages; --`, `{"a":1}`, "<x/>", "../../x", "${7*7}", "redis.call('FLUSHALL')"}},
		{"names of queues", []string{"mailbox", "p1:mailbox"}},
		{"forms of other servers", []string{"019ab000-0000-7000-8000-000000000000", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAA.BBBB.CCCC", "0123456789abcdef-1600000000000-0"}},
		{"long ones", []string{strings.Repeat("x", 500), `"` + strings.Repeat("A", 5000) + `"`}},
	} {
		added := g.add("garbage: "+c.name, func(t *exam) {
			path, vacant := t.channel(), t.channel()
			t.push(t.a, path, numbered(1, 3))
			t.pull(t.a, path)
			for _, garbage := range c.garbage {
				t.foreign(path, garbage)
				a := t.pull(t.b, vacant, "etag="+url.QueryEscape(garbage))
				t.confirmed(a, 0)
				t.untagged(a)
				t.wantIDs(a, "")
				if t.failed() {
					t.fatalf("for the ETag %q", garbage)
				}
			}
		})
		added.Sends, added.Accepts = "GET with etag="+excerpt(strings.Join(c.garbage, ", etag="), 200), "200 with QST-Confirmed: 0 and the unconfirmed messages"
	}
	repeated := about(Contract, "etag/foreign", `With none it repeats the request's ETag if that was a good one.`)
	repeated.add("it is not repeated", func(t *exam) {
		path, vacant := t.channel(), t.channel()
		t.push(t.a, path, numbered(1, 3))
		for _, e := range []string{t.tagged(t.pull(t.b, path)), `"x"`} {
			a := t.pull(t.b, vacant, "etag="+url.QueryEscape(e))
			t.confirmed(a, 0)
			t.untagged(a)
		}
	})
	altered := about(Contract, "etag/altered", `An ETag confirms every message that was delivered up to it, and they are gone.`)
	altered.add("it takes nothing that was not delivered", alteredETags)
	return all(g, repeated, altered)
}

// foreign pulls with an ETag that the queue, with the messages 1 to 3, did not issue.
func (t *exam) foreign(path, e string) {
	a := t.pull(t.a, path, "etag="+url.QueryEscape(e))
	t.confirmed(a, 0)
	t.wantIDs(a, "1 2 3")
	if strings.TrimSpace(e) != e || e == "" || strings.ContainsAny(e, "\x00\n\r") {
		return // no value of a header
	}
	a = t.asHeader(t.b, path, e)
	t.confirmed(a, 0)
	t.wantIDs(a, "1 2 3")
}

// alteredETags: a changed ETag was not issued. It may be one that the queue could have
// issued, for a message that was delivered; in no case may it take what was not.
func alteredETags(t *exam) {
	path := t.channel()
	t.push(t.a, path, numbered(1, 30))
	e := strings.Trim(t.tagged(t.pull(t.b, path, "max=12")), `"`)
	seen := map[string]bool{e: true, "": true}
	sum := 0
	try := func(s string) {
		if seen[s] || sum >= 12 { // what was delivered is gone, and the next message is delivered
			return
		}
		seen[s] = true
		a := t.pull(t.a, path, "max=1", "etag="+url.QueryEscape(s))
		n, err := strconv.Atoi(a.Header.Get("QST-Confirmed"))
		if sum += n; err != nil || sum > 12 {
			t.fatalf("%q, made of %q, confirmed %q, when 12 messages were delivered", s, e, a.Header.Get("QST-Confirmed"))
		}
	}
	for i := len(e) - 1; i >= 0; i-- { // what goes further than it should is likely at the end
		for _, c := range "9zA-.0" {
			try(e[:i] + string(c) + e[i+1:])
			try(e[:i] + string(c) + e[i:])
		}
		try(e[:i])
		try(e[i:])
		try(e[:i] + e[i+1:])
	}
	for _, s := range []string{e + "0", e + "1", e + "9", e + "x", e + ".1", e + "-1", e + e, "0" + e, strings.ToUpper(e), e + "\x00"} {
		try(s)
	}
	t.confirmed(t.pull(t.a, path, "max=1", "etag="+url.QueryEscape(e)), 12-sum)
	t.wantIDs(t.pull(t.b, path), span(13, 30))
}
