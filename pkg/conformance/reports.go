package conformance

import (
	"fmt"
	"net/http"
	"strings"
)

// reports are about what phones report of messages, in channels that tell their application.
func reports() []Case {
	told := phones(Reports, "reports", "For each report there is a message in the channel's `inbound` queue, in the order they came.")
	told.phone("in their order", func(t *exam, p phone) {
		p.report(t.a, "POST", "outgoing", `{"confirmed":["m1"],"failed":["m2"]}`)
		p.report(t.b, "GET", "set_state?guid=m3&state=delivered", "")
		t.wantTold(t.pull(t.a, p.channel+"/application"), "m1 confirmed", "m2 failed", "m3 delivered")
	})
	told.phone("between messages", func(t *exam, p phone) {
		p.incoming(t.a, "i1", "<messages>"+v1Message("i1", "x")+"</messages>")
		p.report(t.a, "GET", "set_state?guid=m1&state=sent", "")
		p.incoming(t.b, "i2", "<messages>"+v1Message("i2", "x")+"</messages>")
		l := t.messages(t.pull(t.b, p.channel+"/application"))
		if len(l) != 3 || l[0]["id"] != "i1" || l[1]["qst-message"] != "m1" || l[2]["id"] != "i2" {
			t.errorf("pulled %v", l)
		}
	})
	told.phone("they are no messages of the phone's", func(t *exam, p phone) {
		p.report(t.a, "POST", "outgoing", `{"confirmed":["m1"],"failed":[]}`)
		if a := p.do(t.b, "HEAD", "incoming", ""); a.Header.Get("ETag") != "" {
			t.errorf("ETag %q, when it has pushed nothing", a.Header.Get("ETag"))
		}
	})

	form := phones(Reports, "reports", "Its `subject` is the state; the properties `qst-status` (the state) and `qst-message` (the id of the message it speaks of) say the same for programs, each cut after 256 bytes. It has no `from`, `to` or `body`.")
	form.phone("their form", func(t *exam, p phone) {
		p.report(t.a, "GET", "set_state?guid=m1&state=sent", "")
		l := t.messages(t.pull(t.b, p.channel+"/application"))
		if len(l) != 1 || l[0]["subject"] != "sent" || l[0]["qst-status"] != "sent" || l[0]["qst-message"] != "m1" {
			t.fatalf("pulled %v", l)
		}
		for _, field := range []string{"from", "to", "body"} {
			if v, ok := l[0][field]; ok {
				t.errorf("it has the %s %v", field, v)
			}
		}
	})
	form.phone("long ones are cut", func(t *exam, p phone) {
		long := strings.Repeat("A", 255) // and an é does not fit in
		p.report(t.a, "POST", "outgoing", `{"confirmed":["`+long+strings.Repeat("é", 1000)+`"]}`)
		p.report(t.b, "GET", "set_state?guid=m1&state="+strings.Repeat("B", 5000), "")
		l := t.messages(t.pull(t.a, p.channel+"/application"))
		if len(l) != 2 || l[0]["qst-message"] != long || l[1]["qst-status"] != strings.Repeat("B", 256) {
			t.errorf("pulled %v", l)
		}
	})
	once := phones(Reports, "reports", "Its `id` is made of both, so a report that is sent again within the deduplication window is told once.")
	once.phone("told once", func(t *exam, p phone) {
		for _, r := range []replica{t.a, t.b, t.a} {
			p.report(r, "POST", "outgoing", `{"confirmed":["m1","m1"],"failed":["m2"]}`)
		}
		t.wantTold(t.pull(t.a, p.channel+"/application"), "m1 confirmed", "m2 failed")
	})
	once.phone("another state is another report", func(t *exam, p phone) {
		p.report(t.a, "GET", "set_state?guid=m1&state=sent", "")
		p.report(t.b, "GET", "set_state?guid=m1&state=delivered", "")
		t.wantTold(t.pull(t.a, p.channel+"/application"), "m1 sent", "m1 delivered")
	})
	nothing := phones(Reports, "reports", "What a phone reports of messages (`confirmed` and `failed` in a POST to `outgoing`, `set_state`) confirms nothing: `If-None-Match` does.")
	nothing.phone("they confirm nothing", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("o1", "o2"))
		p.wantSent(p.outgoing(t.a, "", ""), sent.itsID, "o1", "o2")
		p.report(t.b, "GET", "set_state?guid=o1&state=sent", "")
		p.wantSent(p.given(p.do(t.b, "POST", "outgoing", `{"confirmed":["o1","o2"],"failed":[]}`, typeJSON)), sent.itsID, "o1", "o2")
	})
	names := phones(Reports, "reports", "Reports may use either form; the application hears of the `id` that it gave.")
	names.phone("of an id that was written otherwise", func(t *exam, p phone) {
		t.push(t.a, p.channel+"/application", toPhone("über/1"))
		p.wantSent(p.outgoing(t.b, "", ""), sent.itsID, encodedID("über/1"))
		p.report(t.a, "POST", "outgoing", `{"confirmed":["`+encodedID("über/1")+`"],"failed":[]}`)
		t.wantTold(t.pull(t.b, p.channel+"/application"), "über/1 confirmed")
	})
	any := phones(Reports, "reports", "Reports may be any number.")
	any.phone("2000 at once", func(t *exam, p phone) {
		var ids, want []string
		for i := range 2000 {
			ids = append(ids, fmt.Sprintf(`"m%d"`, i))
			want = append(want, fmt.Sprintf("m%d confirmed", i))
		}
		p.report(t.a, "POST", "outgoing", `{"confirmed":[`+strings.Join(ids, ",")+`]}`)
		a := t.pull(t.b, p.channel+"/application", "max=1000")
		t.wantTold(a, want[:1000]...)
		t.wantTold(t.pull(t.b, p.channel+"/application", "max=1000", etag(a)), want[1000:]...)
	})
	var l []Case
	for _, g := range []*phoneGroup{told, form, once, nothing, names, any} {
		for _, c := range g.cases {
			c.needs = needsGrant
			l = append(l, c)
		}
	}
	return l
}

func (p phone) report(r replica, method, path, body string) {
	if a := p.do(r, method, path, body, typeJSON); a.Status != http.StatusOK {
		p.t.fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
}

// wantTold compares what the application is told.
func (t *exam) wantTold(a answer, want ...string) {
	var got []string
	for _, m := range t.messages(a) {
		got = append(got, fmt.Sprint(m["qst-message"], " ", m["qst-status"]))
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.errorf("the application is told %s, want %s", got, want)
	}
}
