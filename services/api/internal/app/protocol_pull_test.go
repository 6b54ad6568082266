package app_test

import (
	"net/http"
	"strings"
	"testing"
)

func testPullParameters(t *testing.T, a, b *replica) {
	path := newChannel()
	push(t, a, path, numbered(1, 3))
	for _, q := range []string{
		"", "etag=x", "long-polling=true", "long-polling=false", "format=xml", "format=json", "max=1", "max=2", "max=3", "max=100", "max=1000", "max=1001", "max=5000000000", "max=99999999999999999999999999",
		"wait=1", "wait=50", "wait=5000", "wait=99999999999", "wait=99999999999999999999999999", "long-polling=true&wait=9999999999999", "long-polling=false&wait=1",
		"foo=bar", "foo", "foo=", "limit=abc", "etags=x&maximum=0&formats=yaml", "long_polling=maybe", "format=json&_=1700000000", "foo=%C3%A9", "foo=%00", "callback=x", "=", "&&", "&max=2&", "token=a%26max%3D0",
		"lo%6Eg-polling=true&f%6Frmat=js%6Fn&max=%31", strings.Repeat("a=b&", 500),
	} {
		title := q
		if len(q) > 100 {
			title = q[:100]
		}
		t.Run("good "+title, func(t *testing.T) {
			path := newChannel()
			push(t, b, path, numbered(1, 3))
			got := do(t, "GET", a.URL+path+"?"+q, "")
			if got.Status != http.StatusOK {
				t.Fatalf("%d %s", got.Status, got.Body)
			}
			tagged(t, got)
			want := 3
			if strings.Contains(q, "max=1") && !strings.Contains(q, "max=10") || strings.HasSuffix(q, "%31") {
				want = 1
			} else if strings.Contains(q, "max=2") {
				want = 2
			}
			var l []message
			var err error
			if strings.Contains(q, "format=json") || strings.Contains(q, "f%6Frmat=js%6Fn") {
				mediaType(t, got, "application/json")
				l, err = parseJSON(got.Body)
			} else {
				mediaType(t, got, "text/xml")
				l, err = parseXML(got.Body)
			}
			if err != nil || len(l) != want {
				t.Errorf("%d messages, want %d: %v", len(l), want, err)
			}
		})
	}
	for _, q := range []string{
		"long-polling=1", "long-polling=0", "long-polling=yes", "long-polling=on", "long-polling=maybe", "long-polling=truefalse", "long-polling=true%20", "long-polling=",
		"format=yaml", "format=text%2Fxml", "format=application%2Fjson", "format=html", "format=xml,json", "format=", "format=xml%20", "format=jsonp",
		"max=-1", "max=-0", "max=-99999999999999999999", "max=abc", "max=1.5", "max=1e3", "max=0x10", "max=", "max=1,000", "max=%205", "max=5%20", "max=+5", "max=1;2", "max=%D9%A3", "max=null", "max=1%00", "max=0%20",
		"wait=-1", "wait=abc", "wait=1s", "wait=", "wait=1m", "wait=0x1", "wait=%201", "wait=NaN", "wait=-99999999999999999999", "long-polling=true&wait=-1", "long-polling=false&wait=abc",
		"max=1&format=yaml", "format=json&max=x&etag=x",
	} {
		t.Run("bad "+q, func(t *testing.T) {
			for _, end := range []string{"", "/gateway", "/application/"} {
				if q == "max=1;2" { // no parameter at all to some, a bad one to others
					if got := do(t, "GET", a.URL+path+end+"?"+q, ""); got.Status != http.StatusOK {
						refused(t, got, only(400))
					}
					continue
				}
				name, _, _ := strings.Cut(q[strings.LastIndex(q, "&")+1:], "=")
				if name == "etag" {
					name = "max"
				}
				refused(t, do(t, "GET", a.URL+path+end+"?"+q, ""), only(400), name)
			}
		})
	}
	t.Run("nothing was confirmed by all that", func(t *testing.T) { wantIDs(t, pull(t, b, path), "1 2 3") })
	t.Run("a bad parameter confirms nothing", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 3))
		e := etag(pull(t, a, path))
		refused(t, do(t, "GET", b.URL+path+"?"+e+"&max=-1", ""), only(400))
		refused(t, do(t, "GET", b.URL+path+"?"+e+"&format=yaml", ""), only(400))
		refused(t, do(t, "GET", b.URL+path+"?"+e+"&long-polling=maybe", ""), only(400))
		wantIDs(t, pull(t, a, path), "1 2 3")
		confirmed(t, pull(t, b, path, e), 3)
	})
	t.Run("a body is ignored", func(t *testing.T) {
		got := do(t, "GET", a.URL+path+"?format=json", oneJSON, typeJSON)
		if got.Status != http.StatusOK {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
		wantIDs(t, got, "1 2 3")
	})
}

func testAccept(t *testing.T, a, b *replica) {
	path := newChannel()
	push(t, a, path, numbered(1, 2))
	for _, c := range []struct{ accept, query, want string }{
		{"", "", "xml"}, {"*/*", "", "xml"}, {"text/xml", "", "xml"}, {"application/xml", "", "xml"}, {"application/json", "", "json"},
		{"APPLICATION/JSON", "", "json"}, {"application/json; charset=utf-8", "", "json"}, {"application/json;q=0.1", "", "json"}, {"  application/json  ", "", "json"},
		{"text/html", "", "xml"}, {"image/png, text/plain", "", "xml"}, {"nonsense", "", "xml"}, {";;;,,,", "", "xml"}, {"text/*", "", "xml"}, {"application/jsonx", "", "xml"},
		{"text/html, application/json", "", "json"}, {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "", "xml"}, {"application/json, text/plain, */*", "", "json"},
		{"text/xml;q=0.5, application/json", "", "json"}, {"application/json;q=0.5, text/xml", "", "xml"}, {"application/json;q=0.5, text/xml;q=0.8", "", "xml"}, {"text/xml;q=0.2, application/json;q=0.3", "", "json"},
		{"application/xml;q=0.2, application/json;q=0.3", "", "json"}, {"application/json;q=0.2,application/xml;q=0.21", "", "xml"},
		{"application/json;q=0", "", "xml"}, {"application/json;q=0.000, */*", "", "xml"}, {"text/xml;q=0, application/json", "", "json"}, {"application/json ; q=0.9 , text/xml ; q=0.1", "", "json"},
		{"text/html\napplication/json", "", "json"}, {"application/json;q=0.1\ntext/xml", "", "xml"},
		{"application/json", "format=xml", "xml"}, {"text/xml", "format=json", "json"}, {"application/json;q=0", "format=json", "json"}, {"text/html", "format=json", "json"}, {"text/html", "format=xml", "xml"},
	} {
		t.Run(c.accept+" "+c.query, func(t *testing.T) {
			var header []string
			for v := range strings.SplitSeq(c.accept, "\n") {
				if v != "" {
					header = append(header, "Accept: "+v)
				}
			}
			for _, p := range []string{path, path + "/gateway"} { // with messages, and without
				got := do(t, "GET", b.URL+p+"?"+c.query, "", header...)
				if got.Status != http.StatusOK {
					t.Fatalf("%d %s", got.Status, got.Body)
				}
				var l []message
				var err error
				if c.want == "json" {
					mediaType(t, got, "application/json")
					l, err = parseJSON(got.Body)
				} else {
					mediaType(t, got, "text/xml")
					l, err = parseXML(got.Body)
				}
				if want := map[bool]int{true: 2, false: 0}[p == path]; err != nil || len(l) != want {
					t.Errorf("%d messages of %q: %v", len(l), got.Body, err)
				}
			}
		})
	}
}

func testPullAnswers(t *testing.T, a, b *replica) {
	path := newChannel()
	push(t, a, path, `{"id":"1","body":"x"}`)
	for _, query := range []string{"format=xml", "format=json", "", "max=1", "long-polling=true"} {
		t.Run("with messages "+query, func(t *testing.T) {
			got := do(t, "GET", b.URL+path+"?"+query, "")
			tagged(t, got)
			if got.Status != http.StatusOK || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d, Cache-Control %q", got.Status, got.Header["Cache-Control"])
			}
		})
		t.Run("without "+query, func(t *testing.T) {
			got := do(t, "GET", b.URL+newChannel()+"?wait=1&"+query, "")
			untagged(t, got)
			if got.Status != http.StatusOK || got.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d, Cache-Control %q", got.Status, got.Header["Cache-Control"])
			}
			if query == "format=json" && strings.TrimSpace(got.Body) != "[]" {
				t.Errorf("empty: %q", got.Body)
			}
			if query != "format=json" {
				if l, err := parseXML(got.Body); err != nil || len(l) != 0 {
					t.Errorf("empty: %q %v", got.Body, err)
				}
			}
		})
	}
	t.Run("never 304", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, `{"id":"1","body":"x"}`)
		e := tagged(t, pull(t, b, path))
		for range 2 {
			got := do(t, "GET", a.URL+path, "", "If-None-Match: "+e)
			if got.Status != http.StatusOK {
				t.Errorf("%d", got.Status)
			}
		}
		if got := do(t, "GET", a.URL+path, "", "If-None-Match: *"); got.Status != http.StatusOK {
			t.Errorf("*: %d", got.Status)
		}
	})
}

func testMax(t *testing.T, a, b *replica) {
	path := newChannel()
	push(t, a, path, numbered(1, 1000))
	push(t, b, path, numbered(1001, 1100))
	for _, c := range []struct {
		query string
		last  int
	}{
		{"max=1", 1}, {"max=99", 99}, {"", 100}, {"max=100", 100}, {"max=101", 101}, {"max=999", 999}, {"max=1000", 1000}, {"max=1001", 1000}, {"max=1100", 1000}, {"max=99999999999999999999", 1000},
	} {
		t.Run(c.query, func(t *testing.T) {
			got := pull(t, b, path, c.query)
			wantIDs(t, got, span(1, c.last))
			tagged(t, got)
		})
	}
	t.Run("the rest", func(t *testing.T) {
		got := pull(t, a, path, "max=1000")
		got = pull(t, b, path, "max=1000", etag(got))
		confirmed(t, got, 1000)
		wantIDs(t, got, span(1001, 1100))
	})
}
