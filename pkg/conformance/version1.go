package conformance

import (
	"net/http"
)

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
	halves := phones(Version1, "version1/incoming", "references to the two halves of one (`&#55357;&#56832;`) are that character.")
	halves.phone("an emoji by two references", func(t *exam, p phone) {
		p.incoming(t.a, "m1", "<messages>"+v1Message("m1", "a&#55357;&#56832;&#xD83D;&#xDE00;b&#55357;c")+"</messages>")
		if l := t.messages(t.pull(t.b, p.channel+"/application")); len(l) != 1 || l[0]["body"] != "a😀😀b\ufffdc" {
			t.errorf("pulled %v", l)
		}
	})
	g.cases = append(g.cases, halves.cases...)
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
