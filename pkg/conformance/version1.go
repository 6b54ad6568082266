package conformance

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// phone is a client of version 1.
type phone struct {
	t        *exam
	account  string
	channel  string // the path of its channel
	password string
}

// phone makes an account with a phone called phone.
func (t *exam) phone(reports bool) phone {
	p := phone{t: t, account: "conformance-" + random()}
	return p.connected(reports)
}

func (p phone) connected(reports bool) phone {
	p.channel, p.password = channelsPath+p.account+".phone", "secret"
	p.t.make(Channel{Name: p.account + ".phone", User: "phone", Reports: reports})
	if l, ok := p.t.logins[p.channel+"/gateway"]; ok {
		p.password = l.password
	}
	return p
}

// do sends a request of the phone's; path is what follows /qst/.
func (p phone) do(r replica, method, path, body string, header ...string) answer {
	return p.t.do(r, method, "/v1/"+strings.ReplaceAll(p.account, "@", "%40")+"/qst/"+path, body, append([]string{basic("phone", p.password)}, header...)...)
}

// incoming pushes, and expects this ETag.
func (p phone) incoming(r replica, want, body string) {
	if a := p.do(r, "POST", "incoming", body, typeXML); a.Status != http.StatusOK || a.Header.Get("ETag") != want {
		p.t.errorf("%d %s, ETag %q, want 200 and %q", a.Status, a.Body, a.Header.Get("ETag"), want)
	}
}

// sent is a message as a phone is given it.
type sent struct{ id, from, to, when, text string }

var sentMessage = regexp.MustCompile(`<message id="([^"]*)" from="([^"]*)" to="([^"]*)" when="([^"]*)">\s*<text>([^<]*)</text>\s*</message>`)

// outgoing pulls, with the id that the phone had last ("": none).
func (p phone) outgoing(r replica, last, query string) []sent {
	header := []string{}
	if last != "" {
		header = append(header, "If-None-Match: "+last)
	}
	return p.given(p.do(r, "GET", "outgoing"+query, "", header...))
}

func (p phone) given(a answer) []sent {
	if a.Status != http.StatusOK {
		p.t.fatalf("outgoing: %d %s", a.Status, a.Body)
	}
	var l []sent
	for _, m := range sentMessage.FindAllStringSubmatch(a.Body, -1) {
		l = append(l, sent{m[1], m[2], m[3], m[4], m[5]})
	}
	want := ""
	if len(l) > 0 {
		want = l[len(l)-1].id
	}
	if n := strings.Count(a.Body, "<message "); n != len(l) || !strings.Contains(a.Body, "<messages") {
		p.t.fatalf("old parsers do not read %s", a.Body)
	}
	if e := a.Header.Get("ETag"); e != want {
		p.t.errorf("outgoing: ETag %q, want the bare id %q", e, want)
	}
	return l
}

// wantSent compares what the phone was given, as ids or as texts.
func (p phone) wantSent(l []sent, of func(m sent) string, want ...string) {
	var got []string
	for _, m := range l {
		got = append(got, of(m))
	}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		p.t.errorf("the phone was given %q, want %q", got, want)
	}
}

func (m sent) itsID() string   { return m.id }
func (m sent) itsText() string { return m.text }

// toPhone is a JSON batch for a phone, of messages with these ids.
func toPhone(ids ...string) string {
	var l []string
	for _, id := range ids {
		l = append(l, fmt.Sprintf(`{"id":%q,"from":"app","to":"sms://2","when":"2010-01-01T23:18:03Z","body":"text of %s"}`, id, id))
	}
	return "[" + strings.Join(l, ",") + "]"
}

func encodedID(id string) string { return "qst-id-" + base64.RawURLEncoding.EncodeToString([]byte(id)) }

func v1Message(id, text string) string {
	return fmt.Sprintf(`<message id="%s" from="sms://1" to="sms://2" when="2010-01-01T23:18:03Z"><text>%s</text></message>`, id, text)
}

// needsPhones says what a target lacks for a phone, whose user another one's credentials are
// not.
func needsPhones(t Target) string {
	if t.Grant == nil && t.User != "" {
		return "it needs channels whose users it can name"
	}
	return ""
}

// phones makes cases of version 1.
func phones(level Level, name, holds string) *phoneGroup {
	return &phoneGroup{about(level, name, holds)}
}

type phoneGroup struct{ *group }

func (g *phoneGroup) phone(name string, run func(t *exam, p phone)) {
	g.add(name, func(t *exam) { run(t, t.phone(g.level == Reports)) }).needs = needsPhones
}

func version1() []Case {
	var l []Case
	for _, g := range []*phoneGroup{v1Incoming(), v1Outgoing(), v1Form(), v1IDs(), v1Rest()} {
		l = append(l, g.cases...)
	}
	return l
}

func v1Incoming() *phoneGroup {
	g := phones(Version1, "version1/incoming", "push, XML with `<text>` for the body; bare (unquoted) `ETag`: the last message's id")
	g.phone("the text is the body", func(t *exam, p phone) {
		p.incoming(t.a, "m1", "<messages>"+v1Message("m1", "one &amp; 😀")+"</messages>")
		a := t.pull(t.b, p.channel+"/application")
		batch, err := parseJSON(`[{"id":"m1","from":"sms://1","to":"sms://2","when":"2010-01-01T23:18:03Z","body":"one & 😀"}]`)
		got, err2 := parseJSON(a.Body)
		if err != nil || err2 != nil {
			t.fatalf("%v %v", err, err2)
		}
		for _, wrong := range compare(batch, got) {
			t.errorf("%s", wrong)
		}
	})
	g.phone("the ETag is the last id", func(t *exam, p phone) {
		p.incoming(t.a, "m2", "<messages>"+v1Message("m1", "x")+v1Message("m2", "y")+"</messages>")
		for _, method := range []string{"HEAD", "GET"} {
			if a := p.do(t.b, method, "incoming", ""); a.Status != http.StatusOK || a.Header.Get("ETag") != "m2" {
				t.errorf("%s: %d, ETag %q, want m2", method, a.Status, a.Header.Get("ETag"))
			}
		}
	})
	g.phone("no message yet: no ETag", func(t *exam, p phone) {
		for _, method := range []string{"HEAD", "GET"} {
			if a := p.do(t.a, method, "incoming", ""); a.Status != http.StatusOK || a.Header.Get("ETag") != "" {
				t.errorf("%s: %d, ETag %q, want none", method, a.Status, a.Header.Get("ETag"))
			}
		}
	})
	g.phone("an empty batch keeps the ETag", func(t *exam, p phone) {
		p.incoming(t.a, "m1", "<messages>"+v1Message("m1", "x")+"</messages>")
		p.incoming(t.b, "m1", "<messages/>")
	})
	g.phone("sent again", func(t *exam, p phone) {
		p.incoming(t.a, "m1", "<messages>"+v1Message("m1", "x")+"</messages>")
		p.incoming(t.b, "m2", "<messages>"+v1Message("m1", "x")+v1Message("m2", "y")+"</messages>")
		t.wantIDs(t.pull(t.a, p.channel+"/application"), "m1 m2")
	})
	g.phone("without a Content-Type", func(t *exam, p phone) {
		if a := p.do(t.a, "POST", "incoming", "<messages>"+v1Message("m1", "x")+"</messages>"); a.Status != http.StatusOK {
			t.errorf("%d %s", a.Status, a.Body)
		}
		t.wantIDs(t.pull(t.b, p.channel+"/application"), "m1")
	})
	g.phone("what is no XML is 400", func(t *exam, p phone) {
		for _, body := range []string{"<messages>", "[]", "<messages><message id='1'><body>x</body></message></messages>", "<other/>"} {
			if a := p.do(t.a, "POST", "incoming", body, typeXML); a.Status != http.StatusBadRequest {
				t.errorf("%s: %d, want 400", body, a.Status)
			}
		}
		t.empty(t.b, p.channel+"/application")
	})
	g.phone("characters that XML cannot carry become U+FFFD", func(t *exam, p phone) {
		p.incoming(t.a, "m1", "<messages>"+v1Message("m1", "a&#1;b\x02c")+"</messages>")
		if l := t.messages(t.pull(t.b, p.channel+"/application")); len(l) != 1 || l[0]["body"] != "a\ufffdb\ufffdc" {
			t.errorf("pulled %v", l)
		}
	})
	return g
}

func v1Outgoing() *phoneGroup {
	g := phones(Version1, "version1/outgoing", "pull, at most `max` (default 10), always 200, root `<messages>`; `If-None-Match` is the bare **id of a message**: confirms up to it in delivery order; unknown: confirms nothing. A POST body may be empty or `{\"confirmed\":[ids],\"failed\":[ids]}`")
	twelve := []string{"o1", "o2", "o3", "o4", "o5", "o6", "o7", "o8", "o9", "o10", "o11", "o12"}
	g.phone("nothing there", func(t *exam, p phone) { p.wantSent(p.outgoing(t.a, "", ""), sent.itsID) })
	g.phone("ten at the most", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone(twelve...))
		p.wantSent(p.outgoing(t.b, "", ""), sent.itsID, twelve[:10]...)
	})
	g.phone("max", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone(twelve...))
		p.wantSent(p.outgoing(t.b, "", "?max=3"), sent.itsID, "o1", "o2", "o3")
		p.wantSent(p.outgoing(t.a, "", "?max=100"), sent.itsID, twelve...)
	})
	g.phone("an id confirms up to it", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone(twelve...))
		p.wantSent(p.outgoing(t.b, "", "?max=4"), sent.itsID, "o1", "o2", "o3", "o4")
		p.wantSent(p.outgoing(t.a, "o2", "?max=3"), sent.itsID, "o3", "o4", "o5")
		p.wantSent(p.outgoing(t.b, "o5", "?max=100"), sent.itsID, "o6", "o7", "o8", "o9", "o10", "o11", "o12")
	})
	g.phone("an unknown id confirms nothing", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("o1", "o2"))
		p.wantSent(p.outgoing(t.a, "", ""), sent.itsID, "o1", "o2")
		p.wantSent(p.outgoing(t.b, "of-another-server", ""), sent.itsID, "o1", "o2")
	})
	g.phone("an id that was not given yet confirms nothing", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("o1", "o2", "o3"))
		p.wantSent(p.outgoing(t.a, "", "?max=1"), sent.itsID, "o1")
		p.wantSent(p.outgoing(t.b, "o3", "?max=1"), sent.itsID, "o1")
	})
	g.phone("without an id, again from the first", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("o1", "o2"))
		p.wantSent(p.outgoing(t.a, "", ""), sent.itsID, "o1", "o2")
		p.wantSent(p.outgoing(t.b, "", ""), sent.itsID, "o1", "o2")
	})
	g.phone("the id as a proxy writes it", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("o1", "o2"))
		p.wantSent(p.outgoing(t.a, "", "?max=1"), sent.itsID, "o1")
		p.wantSent(p.outgoing(t.b, `"o1"`, "?max=1"), sent.itsID, "o2")
	})
	g.phone("by POST", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("o1", "o2"))
		p.wantSent(p.given(p.do(t.a, "POST", "outgoing", "")), sent.itsID, "o1", "o2")
		p.wantSent(p.given(p.do(t.b, "POST", "outgoing", `{"confirmed":["o1","o2"],"failed":[]}`, typeJSON)), sent.itsID, "o1", "o2") // it confirms nothing
		p.wantSent(p.given(p.do(t.a, "POST", "outgoing", `{"confirmed":["o1"],"failed":["o2"]}`, typeJSON, "If-None-Match: o1")), sent.itsID, "o2")
	})
	g.phone("a report that is none is 400", func(t *exam, p phone) {
		if a := p.do(t.a, "POST", "outgoing", `neither`, typeJSON); a.Status != http.StatusBadRequest {
			t.errorf("%d, want 400", a.Status)
		}
	})
	g.phone("not held", func(t *exam, p phone) {
		p.wantSent(p.outgoing(t.a, "", "?long-polling=true&wait=3600"), sent.itsID)
	})
	return g
}

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
	status("setaddress", "setaddress?address=sms://+85512345678", 200)
	status("setaddress, encoded", "setaddress?address=%2B85512345678", 200)
	status("setaddress without an address", "setaddress", 400)
	for _, o := range []*phoneGroup{slashes, user, state} {
		g.cases = append(g.cases, o.cases...)
	}
	return g
}
