package app_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// noRedirects is a client like a phone's: it does not follow redirects.
var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func direct(t testing.TB, method, target, body string, header ...string) answer {
	t.Helper()
	a, err := try(context.Background(), noRedirects, method, target, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func testRouting(t *testing.T, a, b *replica) {
	ends := []string{"", "/gateway", "/application"}
	drains := map[string]string{"": "", "/gateway": "/application", "/application": "/gateway"}
	for _, slash := range []string{"", "/"} {
		for _, in := range ends {
			t.Run("POST "+in+slash, func(t *testing.T) {
				path := newChannel()
				stored(t, direct(t, "POST", a.URL+path+in+slash, `{"id":"1","body":"x"}`, typeJSON), "json", 1, 0)
				for _, out := range ends {
					want := ""
					if out == drains[in] {
						want = "1"
					}
					for _, tail := range []string{"", "/"} {
						got := direct(t, "GET", b.URL+path+out+tail+"?format=json", "")
						if got.Status != http.StatusOK || ids(t, got) != want {
							t.Errorf("GET %s: %d %s, want the ids %q", out+tail, got.Status, got.Body, want)
						}
					}
				}
			})
		}
	}
	t.Run("a channel called gateway", func(t *testing.T) {
		push(t, a, "/v2/channels/gateway", `{"id":"mailbox","body":"x"}`)
		push(t, a, "/v2/channels/gateway/gateway", `{"id":"inbound","body":"x"}`)
		push(t, a, "/v2/channels/gateway/application", `{"id":"outbound","body":"x"}`)
		wantIDs(t, pull(t, b, "/v2/channels/gateway"), "mailbox")
		wantIDs(t, pull(t, b, "/v2/channels/gateway/application"), "inbound")
		wantIDs(t, pull(t, b, "/v2/channels/gateway/gateway"), "outbound")
	})
	t.Run("names that hold a queue's name", func(t *testing.T) {
		push(t, a, "/v2/channels/q1", `{"id":"1","body":"x"}`)
		push(t, a, "/v2/channels/q1/gateway", `{"id":"2","body":"x"}`)
		for _, name := range []string{"q1.mailbox", "q1-inbound", "q1.inbound", "q1_inbound", "Q1", "q", "q11"} {
			empty(t, b, "/v2/channels/"+name)
			empty(t, b, "/v2/channels/"+name+"/application")
		}
	})
	for _, path := range []string{"/", "/v2", "/v2/channels", "/v2/channels/", "/v3/channels/a", "/v2/channels/a/phone", "/v2/channels/a/gateway/x", "/v2/channels/a//", "/v2/channels/a/gateway//", "/v2/queues/a"} {
		t.Run("no such URL "+path, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				got := direct(t, method, a.URL+path, "")
				if method == "POST" && got.Status == http.StatusMethodNotAllowed {
					continue
				}
				refused(t, got, []int{400, 404, 405})
			}
		})
	}
}

func testChannelNames(t *testing.T, a, b *replica) {
	unique := fmt.Sprint(channels.Add(1))
	long := strings.Repeat("x", 128-len(unique)) + unique
	for _, c := range []struct{ name, as string }{ // the same channel, twice
		{"a" + unique, "%61" + unique},
		{"Z" + unique, "%5A" + unique},
		{"0" + unique, "%30" + unique},
		{"+15551234567" + unique, "%2B15551234567" + unique},
		{"9.b_c~d@e+f-g" + unique, "9%2Eb%5Fc%7Ed%40e%2Bf%2Dg" + unique},
		{"joe@example.org" + unique, "joe%40example.org" + unique},
		{"a%2b" + unique, "a+" + unique},
		{"a-" + unique + "-", "a-" + unique + "%2d"},
		{"a.." + unique, "a%2e%2E" + unique},
		{long, long + "/"},
		{strings.Repeat("%61", 128-len(unique)) + unique, strings.Repeat("a", 128-len(unique)) + unique},
	} {
		t.Run("good "+c.name, func(t *testing.T) {
			stored(t, direct(t, "POST", a.URL+"/v2/channels/"+c.name, `{"id":"1","body":"x"}`, typeJSON), "json", 1, 0)
			wantIDs(t, direct(t, "GET", b.URL+"/v2/channels/"+c.as+"?format=json", ""), "1")
			stored(t, direct(t, "POST", a.URL+"/v2/channels/"+c.name+"/gateway", `{"id":"2","body":"x"}`, typeJSON), "json", 1, 0)
			wantIDs(t, direct(t, "GET", b.URL+"/v2/channels/"+strings.TrimSuffix(c.as, "/")+"/application?format=json", ""), "2")
		})
	}
	t.Run("one character", func(t *testing.T) {
		for _, name := range []string{"a", "Z", "7", "+"} {
			stored(t, direct(t, "POST", a.URL+"/v2/channels/"+name, `{"id":"1","body":"x"}`, typeJSON), "json", 1, 0)
			wantIDs(t, direct(t, "GET", b.URL+"/v2/channels/"+name+"?format=json", ""), "1")
		}
	})
	bad := []string{
		"-a", ".a", "_a", "~a", "@a", "%2Da", "%2ea", "%7ea", "%40a", ".", "%2E", "%2e%2e",
		"a%20b", "%20a", "a%20", "a%2Fb", "a%2Fgateway", "a%5Cb", "a%00", "%00", "a%0A", "a%0D%0A", "%0Aa", "a%7F", "a%09",
		"%C3%A9", "a%C3%A9", "a%FF", "a%C0%AF", "%F0%9F%98%80", "%EF%BC%91", "a%E2%80%8B",
		"a:b", "a%3Ab", "a!b", "a;b", "a,b", "a*b", "a=b", "a&b", "a$b", "a'b", "a(b)", "%7Ba%7D", "a%7C", "a%22", "a%3Cb%3E", "a%23", "a%3F", "a%5B0%5D", "a%5E", "a%60",
		"a%25b", "%2541", "a%2540b", "a%252Fb",
		strings.Repeat("x", 129), strings.Repeat("x", 128) + "%61", strings.Repeat("%61", 129), strings.Repeat("x", 5000),
	}
	for _, name := range bad {
		title := name
		if len(title) > 20 {
			title = fmt.Sprintf("%.10s (%d)", name, len(name))
		}
		t.Run("bad "+title, func(t *testing.T) {
			for _, end := range []string{"", "/gateway", "/application", "/"} {
				refused(t, direct(t, "POST", a.URL+"/v2/channels/"+name+end, `{"id":"1","body":"x"}`, typeJSON), only(400))
				refused(t, direct(t, "GET", b.URL+"/v2/channels/"+name+end, ""), only(400))
			}
		})
	}
	for _, name := range []string{"a%zz", "a%2", "%", "a%", "a b"} { // no URL at all
		t.Run("malformed "+name, func(t *testing.T) {
			for _, method := range []string{"GET", "POST"} {
				got := raw(t, a, method+" /v2/channels/"+name+" HTTP/1.1\nHost: x\nContent-Length: 0\nConnection: close\n\n")
				if got.Status != http.StatusBadRequest {
					t.Errorf("%s: %d %s, want 400", method, got.Status, got.Body)
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) { // 400 by the rule for names, 404 by the URLs there are
		refused(t, direct(t, "GET", a.URL+"/v2/channels//gateway", ""), []int{400, 404})
		refused(t, direct(t, "POST", a.URL+"/v2/channels//gateway", `{"body":"x"}`, typeJSON), []int{400, 404})
	})
}

func testMethods(t *testing.T, a, _ *replica) {
	path := newChannel()
	for _, method := range []string{"PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "get", "Post"} {
		for _, end := range []string{"", "/", "/gateway", "/gateway/", "/application", "/application/"} {
			t.Run(method+" "+end, func(t *testing.T) {
				got := direct(t, method, a.URL+path+end, `{"id":"1","body":"x"}`, typeJSON)
				allow := map[string]bool{}
				for m := range strings.SplitSeq(strings.Join(got.Header.Values("Allow"), ","), ",") {
					allow[strings.TrimSpace(m)] = true
				}
				if got.Status != http.StatusMethodNotAllowed || !allow["GET"] || !allow["POST"] || allow[method] {
					t.Errorf("%d, Allow %q, want 405 with GET and POST", got.Status, got.Header.Values("Allow"))
				}
				if method != "HEAD" && got.Status == http.StatusMethodNotAllowed {
					refused(t, got, only(405))
				}
			})
		}
	}
	empty(t, a, path)
}
