package conformance

import (
	"fmt"
	"net/http"
	"strings"
)

func pullParameters() []Case {
	parameters := about(Contract, "pull/parameter", "An unknown parameter is ignored; a known one with a value it can't have is 400.")
	good := func(g *group, name, query string, messages int, json bool) {
		c := g.add(name, func(t *exam) {
			path := t.channel()
			t.push(t.b, path, numbered(1, 3))
			a := t.do(t.a, "GET", path+"?"+query, "")
			if a.Status != http.StatusOK {
				t.fatalf("%d %s", a.Status, a.Body)
			}
			if g.level == Wiki {
				if a.Header.Get("ETag") == "" {
					t.errorf("no ETag")
				}
			} else {
				t.tagged(a)
			}
			t.batch(a, json, messages)
		})
		c.Sends, c.Accepts = "GET with ?"+excerpt(query, 200), fmt.Sprintf("200 with %d of 3 messages", messages)
	}
	for _, c := range []struct{ name, query string }{
		{"an unknown one", "foo=bar"},
		{"an unknown one without a value", "foo"},
		{"an unknown one with an empty value", "foo="},
		{"names that begin like known ones", "etags=x&maximum=0&formats=yaml"},
		{"an underscore for the hyphen", "long_polling=maybe"},
		{"names in capitals", "MAX=0&Format=yaml&ETAG=x"},
		{"what keeps caches away", "_=1700000000"},
		{"an unknown one that is not ASCII", "foo=%C3%A9&bar=%00"},
		{"an empty name", "="},
		{"empty pairs", "&&"},
		{"a known one in an unknown one's value", "token=a%26max%3D0"},
		{"500 unknown ones", strings.TrimSuffix(strings.Repeat("a=b&", 500), "&")},
	} {
		good(parameters, c.name, c.query, 3, false)
	}
	good(parameters, "an empty pair before one", "&max=2&", 2, false)
	good(parameters, "names and values encoded", "lo%6Eg-polling=true&f%6Frmat=js%6Fn&max=%31", 1, true)

	wiki := about(Wiki, "pull", `format=xml|json: Specifies the desired format. Defaults to xml`)
	good(wiki, "format=xml", "format=xml", 3, false)
	good(wiki, "format=json", "format=json", 3, true)
	good(wiki, "no format", "", 3, false)
	polls := about(Wiki, "pull", `long-polling=true|false: When enabled, if the server doesn't have any message to return it holds the connection until a message arrives. Defaults to false.`)
	good(polls, "long-polling=true", "long-polling=true", 3, false)
	good(polls, "long-polling=false", "long-polling=false", 3, false)
	etags := about(Contract, "pull/parameter", `An ETag that this queue did not issue (another queue's, another server's, garbage) confirms nothing and is no error: the client gets its unconfirmed messages.`)
	good(etags, "etag=x", "etag=x", 3, false)

	max := about(Contract, "pull/max", "most messages in the answer, 1 to 1000 (more is 1000)")
	for _, c := range []struct {
		query    string
		messages int
	}{{"max=1", 1}, {"max=2", 2}, {"max=3", 3}, {"max=1000", 3}, {"max=1001", 3}, {"max=5000000000", 3}, {"max=99999999999999999999999999", 3}} {
		good(max, c.query, c.query, c.messages, false)
	}
	wait := about(Contract, "pull/wait", "seconds a long poll is held at the most; more than the server's limit is that limit")
	for _, query := range []string{"wait=1", "wait=50", "wait=99999999999", "wait=99999999999999999999999999", "long-polling=true&wait=9999999999999", "long-polling=false&wait=1"} {
		good(wait, query, query, 3, false)
	}
	return append(all(parameters, wiki, polls, etags, max, wait), badParameters()...)
}

// batch checks an answer's format and number of messages.
func (t *exam) batch(a answer, json bool, messages int) {
	parse, media := parseXML, "text/xml"
	if json {
		parse, media = parseJSON, "application/json"
	}
	t.mediaType(a, media)
	if l, err := parse(a.Body); err != nil {
		t.errorf("%q is no batch: %v", a.Body, err)
	} else if len(l) != messages {
		t.errorf("%d messages, want %d", len(l), messages)
	}
}

func badParameters() []Case {
	g := about(Contract, "pull/refused", "An unknown parameter is ignored; a known one with a value it can't have is 400.")
	bad := func(parameter string, queries ...string) {
		for _, query := range queries {
			c := g.add(query, func(t *exam) {
				path := t.channel()
				for _, end := range []string{"", "/gateway", "/application/"} {
					t.refused(t.do(t.a, "GET", path+end+"?"+query, ""), only(400), parameter)
				}
			})
			c.Sends, c.Accepts = "GET with ?"+query, "400 that names "+parameter
		}
	}
	bad("long-polling", "long-polling=1", "long-polling=yes", "long-polling=truefalse", "long-polling=true%20", "long-polling=")
	bad("format", "format=yaml", "format=application%2Fjson", "format=xml,json", "format=", "format=xml%20", "format=jsonp", "max=1&format=yaml")
	bad("max", "max=-1", "max=-0", "max=-99999999999999999999", "max=abc", "max=1.5", "max=1e3", "max=0x10", "max=", "max=1,000", "max=%205", "max=5%20", "max=+5", "max=%D9%A3", "max=null", "max=1%00", "max=0%20")
	bad("wait", "wait=-1", "wait=abc", "wait=1s", "wait=", "wait=0x1", "wait=%201", "wait=NaN", "wait=-99999999999999999999", "long-polling=true&wait=-1", "long-polling=false&wait=abc")
	g.add("it confirms nothing", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 3))
		e := etag(t.pull(t.a, path))
		for _, query := range []string{"max=-1", "format=yaml", "long-polling=maybe", "wait=x"} {
			t.refused(t.do(t.b, "GET", path+"?"+e+"&"+query, ""), only(400))
		}
		t.wantIDs(t.pull(t.a, path), "1 2 3")
		t.confirmed(t.pull(t.b, path, e), 3)
	})
	g.add("it is not held", func(t *exam) {
		path := t.channel()
		for _, query := range []string{"max=x", "wait=x", "format=yaml", "wait=-1"} {
			t.refused(t.do(t.a, "GET", path+"?long-polling=true&"+query, ""), only(400))
		}
	})
	return all(g)
}

func pullAnswers() []Case {
	g := about(Contract, "pull/answer", "With messages it carries `ETag`, quoted, which stands for this batch's last message.")
	caches := about(Contract, "pull/answer", "`Cache-Control: no-store`.")
	for _, query := range []string{"format=xml", "format=json", "", "max=1", "long-polling=true"} {
		name := query
		if name == "" {
			name = "no parameter"
		}
		g.add("with messages, "+name, func(t *exam) {
			path := t.channel()
			t.push(t.a, path, `{"id":"1","body":"x"}`)
			a := t.do(t.b, "GET", path+"?"+query, "")
			t.tagged(a)
			t.notCached(a)
		})
		caches.add("without, "+name, func(t *exam) {
			a := t.do(t.b, "GET", t.channel()+"?wait=1&"+query, "")
			t.untagged(a)
			t.notCached(a)
			t.batch(a, query == "format=json", 0)
		})
	}
	status := about(Contract, "pull/answer", "The answer** is always 200: a batch, or an empty one (`<messages/>`, `[]`) when there is nothing.")
	status.add("never 304", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, `{"id":"1","body":"x"}`)
		e := t.tagged(t.pull(t.b, path))
		for _, value := range []string{e, e, "*"} {
			if a := t.do(t.a, "GET", path, "", "If-None-Match: "+value); a.Status != http.StatusOK {
				t.errorf("If-None-Match: %s: %d", value, a.Status)
			}
		}
	})
	status.add("never 304 to If-Modified-Since", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, `{"id":"1","body":"x"}`)
		a := t.do(t.b, "GET", path+"?format=json", "", "If-Modified-Since: Fri, 31 Dec 2100 23:59:59 GMT", "Range: bytes=0-3", `If-Match: "x"`)
		if a.Status != http.StatusOK {
			t.fatalf("%d %s", a.Status, a.Body)
		}
		t.wantIDs(a, "1")
	})
	status.add("a body is ignored", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 3))
		a := t.do(t.a, "GET", path+"?format=json", oneJSON, typeJSON)
		if a.Status != http.StatusOK {
			t.fatalf("%d %s", a.Status, a.Body)
		}
		t.wantIDs(a, "1 2 3")
	})
	status.add("nothing is compressed unasked", func(t *exam) {
		path := t.channel()
		t.push(t.a, path, numbered(1, 100))
		if a := t.pull(t.a, path); a.Header.Get("Content-Encoding") != "" {
			t.errorf("Content-Encoding %q", a.Header.Get("Content-Encoding"))
		}
	})
	return all(g, caches, status)
}

func (t *exam) notCached(a answer) {
	if a.Status != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
		t.errorf("%d, Cache-Control %q, want 200 and no-store", a.Status, a.Header.Get("Cache-Control"))
	}
}

func accepted() []Case {
	g := about(Contract, "accept", "`Accept` if it names one of the two, else `xml`")
	for _, c := range []struct{ accept, query, want string }{
		{"*/*", "", "xml"},
		{"text/xml", "", "xml"},
		{"application/xml", "", "xml"},
		{"application/json", "", "json"},
		{"APPLICATION/JSON", "", "json"},
		{"application/json; charset=utf-8", "", "json"},
		{"application/json;q=0.1", "", "json"},
		{"text/html", "", "xml"},
		{"image/png, text/plain", "", "xml"},
		{"nonsense", "", "xml"},
		{";;;,,,", "", "xml"},
		{"text/*", "", "xml"},
		{"application/jsonx", "", "xml"},
		{"text/html, application/json", "", "json"},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "", "xml"},
		{"application/json, text/plain, */*", "", "json"},
		{"text/xml;q=0.5, application/json", "", "json"},
		{"application/json;q=0.5, text/xml", "", "xml"},
		{"application/json;q=0.5, text/xml;q=0.8", "", "xml"},
		{"text/xml;q=0.2, application/json;q=0.3", "", "json"},
		{"application/xml;q=0.2, application/json;q=0.3", "", "json"},
		{"application/json;q=0.2,application/xml;q=0.21", "", "xml"},
		{"application/json;q=0", "", "xml"},
		{"application/json;q=0.000, */*", "", "xml"},
		{"text/xml;q=0, application/json", "", "json"},
		{"application/json ; q=0.9 , text/xml ; q=0.1", "", "json"},
		{"text/html\napplication/json", "", "json"},
		{"application/json;q=0.1\ntext/xml", "", "xml"},
		{"application/json", "format=xml", "xml"},
		{"text/xml", "format=json", "json"},
		{"application/json;q=0", "format=json", "json"},
	} {
		name := strings.ReplaceAll(c.accept, "\n", " and ")
		if c.query != "" {
			name += ", " + c.query
		}
		added := g.add(name, func(t *exam) {
			var header []string
			for v := range strings.SplitSeq(c.accept, "\n") {
				header = append(header, "Accept: "+v)
			}
			path := t.channel()
			t.push(t.a, path, numbered(1, 2))
			for end, messages := range map[string]int{"": 2, "/gateway": 0} {
				a := t.do(t.b, "GET", path+end+"?"+c.query, "", header...)
				if a.Status != http.StatusOK {
					t.fatalf("%d %s", a.Status, a.Body)
				}
				t.batch(a, c.want == "json", messages)
			}
		})
		added.Sends, added.Accepts = "GET with Accept: "+strings.ReplaceAll(c.accept, "\n", " and Accept: ")+", and ?"+c.query, "200, in "+c.want
	}
	return all(g)
}
