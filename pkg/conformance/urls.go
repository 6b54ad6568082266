package conformance

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// ends are a channel's endpoints, each with the one that drains what is put into it.
var ends = []struct{ name, in, out, holds string }{
	{"mailbox", "", "", "The third is the one-queue case: whoever POSTs fills it, whoever GETs drains it."},
	{"gateway", "/gateway", "/application", "`/v2/channels/{channel}/gateway` | the channel's `inbound` queue | its `outbound` queue"},
	{"application", "/application", "/gateway", "`/v2/channels/{channel}/application` | `outbound` | `inbound`"},
}

func routing() []Case {
	var l []Case
	for _, end := range ends {
		g := about(Contract, "urls", end.holds)
		for _, slash := range []string{"", "/"} {
			name := "POST to the " + end.name
			if slash != "" {
				g, name = about(Contract, "urls", `A trailing slash is tolerated.`), name+", with a slash"
			}
			g.add(name, func(t *exam) {
				path := t.channel()
				t.stored(t.do(t.a, "POST", path+end.in+slash, `{"id":"1","body":"x"}`, typeJSON), "json", 1, 0)
				for _, e := range ends {
					want := ""
					if e.in == end.out {
						want = "1"
					}
					for _, tail := range []string{"", "/"} {
						got := t.do(t.b, "GET", path+e.in+tail+"?format=json", "")
						if got.Status != http.StatusOK {
							t.fatalf("GET %s: %d %s", e.in+tail, got.Status, got.Body)
						}
						if ids := t.ids(got); ids != want {
							t.errorf("GET %s: the ids %q, want %q", e.in+tail, ids, want)
						}
					}
				}
			})
			l = append(l, g.cases[len(g.cases)-1])
		}
	}
	names := about(Contract, "urls", `So a channel has at most three queues, and the table above is the whole routing logic.`)
	names.add("names that hold a queue's name", func(t *exam) {
		name := "conformance-" + random()
		path := t.channelNamed(name)
		t.push(t.a, path, `{"id":"1","body":"x"}`)
		t.push(t.a, path+"/gateway", `{"id":"2","body":"x"}`)
		for _, other := range []string{".mailbox", "-inbound", ".inbound", "_inbound", "~", "+"} {
			path := t.channelNamed(name + other)
			t.empty(t.b, path)
			t.empty(t.b, path+"/application")
		}
		other := t.channelNamed("C" + name[1:])
		t.empty(t.b, other)
		t.wantIDs(t.pull(t.b, path), "1")
		t.wantIDs(t.pull(t.b, path+"/application"), "2")
	})
	for _, path := range []string{"/phone", "/gateway/x", "//", "/gateway//", "/Gateway"} {
		names.add("no such endpoint: "+path, func(t *exam) {
			channel := t.channel()
			t.push(t.a, channel, oneJSON)
			for _, method := range []string{"GET", "POST"} {
				if a := t.do(t.a, method, channel+path, ""); !slices.Contains([]int{301, 307, 308, 401, 403}, a.Status) {
					t.refused(a, []int{400, 404, 405})
				}
			}
		})
	}
	names.add("no such URL", func(t *exam) {
		t.push(t.a, t.channel(), oneJSON)
		for _, path := range []string{"/v2/channels/", "/v2/channels", "/v2/queues/a", "/v3/channels/a"} {
			for _, method := range []string{"GET", "POST"} {
				t.refused(t.do(t.a, method, path, ""), []int{400, 401, 404, 405})
			}
		}
	}).needs = func(t Target) string {
		if strings.HasSuffix(t.URL, "{channel}") {
			return "it is about URLs of the contract's form"
		}
		return ""
	}
	return append(l, names.cases...)
}

func channelNames() []Case {
	good := about(Contract, "channel", "`{channel}`: 1 to 128 of `A-Z a-z 0-9 . _ ~ @ + -`, starting with a letter, a digit or `+`.")
	decoded := about(Contract, "channel", `Percent-encoding is decoded first.`)
	for _, c := range []struct {
		g             *group
		name          string
		channel, same string // UNIQUE is a text of 20 that nobody else has
	}{
		{good, "begins with a small letter", "aUNIQUE", "aUNIQUE/"},
		{good, "begins with a capital", "ZUNIQUE", "ZUNIQUE"},
		{good, "begins with a digit", "0UNIQUE", "0UNIQUE"},
		{good, "begins with a plus", "+15551234567UNIQUE", "+15551234567UNIQUE"},
		{good, "every character", "9.b_c~d@e+f-gUNIQUE", "9.b_c~d@e+f-gUNIQUE"},
		{good, "an e-mail address", "joe@UNIQUE.example.org", "joe@UNIQUE.example.org"},
		{good, "ends with a hyphen", "UNIQUE-", "UNIQUE-"},
		{good, "two dots", "a..UNIQUE", "a..UNIQUE"},
		{good, "128 characters", strings.Repeat("x", 108) + "UNIQUE", strings.Repeat("x", 108) + "UNIQUE/"},
		{decoded, "a letter encoded", "aUNIQUE", "%61UNIQUE"},
		{decoded, "a plus encoded", "+1UNIQUE", "%2B1UNIQUE"},
		{decoded, "punctuation encoded", "9.b_c~d@e+f-gUNIQUE", "9%2Eb%5Fc%7Ed%40e%2Bf%2DgUNIQUE"},
		{decoded, "encoded in small letters", "a-UNIQUE-", "a%2dUNIQUE%2d"},
		{decoded, "dots encoded", "a..UNIQUE", "a%2e%2EUNIQUE"},
		{decoded, "128 characters, encoded", strings.Repeat("a", 108) + "UNIQUE", strings.Repeat("%61", 108) + "UNIQUE"},
	} {
		c.g.add(c.name, func(t *exam) {
			unique := random()
			path := t.channelNamed(strings.ReplaceAll(c.channel, "UNIQUE", unique))
			same := channelsPath + strings.ReplaceAll(c.same, "UNIQUE", unique)
			t.stored(t.do(t.a, "POST", path, `{"id":"1","body":"x"}`, typeJSON), "json", 1, 0)
			t.wantIDs(t.do(t.b, "GET", same+"?format=json", ""), "1")
			t.stored(t.do(t.a, "POST", strings.TrimSuffix(same, "/")+"/gateway", `{"id":"2","body":"x"}`, typeJSON), "json", 1, 0)
			t.wantIDs(t.pull(t.b, path+"/application"), "2")
		})
	}

	bad := about(Contract, "channel/refused", "`{channel}`: 1 to 128 of `A-Z a-z 0-9 . _ ~ @ + -`, starting with a letter, a digit or `+`. Percent-encoding is decoded first. Anything else: 400.")
	for _, c := range []struct {
		name  string
		names []string
	}{
		{"begins with a hyphen", []string{"-a", "%2Da"}},
		{"begins with a dot", []string{".a", "%2ea"}},
		{"begins with other punctuation", []string{"_a", "~a", "@a", "%7ea", "%40a"}},
		{"only dots", []string{"%2E", "%2e%2e"}},
		{"a space", []string{"a%20b", "%20a", "a%20"}},
		{"a slash, encoded", []string{"a%2Fb", "a%2Fgateway"}},
		{"a backslash", []string{"a%5Cb"}},
		{"U+0000", []string{"a%00", "%00"}},
		{"line ends", []string{"a%0A", "a%0D%0A", "%0Aa"}},
		{"other control characters", []string{"a%7F", "a%09"}},
		{"letters beyond ASCII", []string{"%C3%A9", "a%C3%A9"}},
		{"digits beyond ASCII", []string{"%EF%BC%91"}},
		{"emoji", []string{"%F0%9F%98%80"}},
		{"what nobody sees", []string{"a%E2%80%8B"}},
		{"what is not UTF-8", []string{"a%FF", "a%C0%AF"}},
		{"a colon", []string{"a:b", "a%3Ab"}},
		{"what separates in URLs", []string{"a!b", "a;b", "a,b", "a*b", "a=b", "a&b", "a$b", "a'b", "a(b)"}},
		{"brackets", []string{"%7Ba%7D", "a%3Cb%3E", "a%5B0%5D"}},
		{"other punctuation", []string{"a%7C", "a%22", "a%5E", "a%60"}},
		{"a query's and a fragment's marks, encoded", []string{"a%23", "a%3F"}},
		{"encoded twice", []string{"a%25b", "%2541", "a%2540b", "a%252Fb"}},
		{"129 characters", []string{strings.Repeat("x", 129), strings.Repeat("x", 128) + "%61", strings.Repeat("%61", 129)}},
		{"5000 characters", []string{strings.Repeat("x", 5000)}},
	} {
		added := bad.add(c.name, func(t *exam) {
			for _, name := range c.names {
				for _, end := range []string{"", "/gateway", "/application", "/"} {
					t.refused(t.do(t.a, "POST", channelsPath+name+end, `{"id":"1","body":"x"}`, typeJSON), only(400))
					t.refused(t.do(t.b, "GET", channelsPath+name+end, ""), only(400))
				}
			}
		})
		added.Sends, added.Accepts = "POST and GET at "+excerpt(strings.Join(c.names, ", "), 200), "400"
	}
	for _, name := range []string{"a%zz", "a%2", "%", "a b"} {
		bad.add("no URL: "+name, func(t *exam) {
			for _, method := range []string{"GET", "POST"} {
				if a := t.raw(t.a, method+" "+channelsPath+name+" HTTP/1.1\nHost: HOST\nContent-Length: 0\nConnection: close\n\n"); a.Status != http.StatusBadRequest {
					t.errorf("%s: %d %s, want 400", method, a.Status, a.Body)
				}
			}
		})
	}
	bad.add("no name", func(t *exam) { // 400 by the rule for names, 404 by the URLs there are
		t.refused(t.do(t.a, "GET", channelsPath+"/gateway", ""), []int{400, 404})
		t.refused(t.do(t.a, "POST", channelsPath+"/gateway", `{"body":"x"}`, typeJSON), []int{400, 404})
	})
	return all(good, decoded, bad)
}

func methods() []Case {
	g := about(Contract, "method", "Any other method on these URLs: 405 with `Allow`.")
	for _, method := range []string{"PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "get", "Post"} {
		added := g.add(method, func(t *exam) {
			path := t.channel()
			for _, end := range []string{"", "/", "/gateway", "/gateway/", "/application", "/application/"} {
				a := t.do(t.a, method, path+end, `{"id":"1","body":"x"}`, typeJSON)
				allow := map[string]bool{}
				for m := range strings.SplitSeq(strings.Join(a.Header.Values("Allow"), ","), ",") {
					allow[strings.TrimSpace(m)] = true
				}
				if a.Status != http.StatusMethodNotAllowed || !allow["GET"] || !allow["POST"] || allow[method] {
					t.fatalf("%d, Allow %q, want 405 with GET and POST", a.Status, a.Header.Values("Allow"))
				}
				if method != "HEAD" {
					t.refused(a, only(405))
				}
			}
			t.empty(t.b, path)
		})
		added.Sends, added.Accepts = fmt.Sprintf("%s at each endpoint", method), "405 with Allow: GET, POST"
	}
	return all(g)
}
