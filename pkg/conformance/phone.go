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
