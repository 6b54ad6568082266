package app_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// asHeader pulls with If-None-Match.
func asHeader(t testing.TB, r *replica, path, value string, query ...string) answer {
	t.Helper()
	a := do(t, "GET", r.URL+path+"?format=json&"+strings.Join(query, "&"), "", "If-None-Match: "+value)
	if a.Status != http.StatusOK {
		t.Fatalf("pull: %d %s", a.Status, a.Body)
	}
	return a
}

// An ETag comes back in the forms that proxies and clients make of it.
func testETagForms(t *testing.T, a, b *replica) {
	percent := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	for name, form := range map[string]func(e string) (param, header string){ // of an ETag without its quotes
		"quoted":                  func(e string) (string, string) { return percent(`"` + e + `"`), `"` + e + `"` },
		"unquoted":                func(e string) (string, string) { return percent(e), e },
		"weak":                    func(e string) (string, string) { return percent(`W/"` + e + `"`), `W/"` + e + `"` },
		"percent-encoded twice":   func(e string) (string, string) { return percent(percent(`"` + e + `"`)), percent(`"` + e + `"`) },
		"unquoted, encoded twice": func(e string) (string, string) { return percent(percent(e)), percent(e) },
		"weak and encoded twice":  func(e string) (string, string) { return percent(percent(`W/"` + e + `"`)), percent(`W/"` + e + `"`) },
		"raw quotes":              func(e string) (string, string) { return `"` + e + `"`, `"` + e + `"` },
		"every byte encoded":      func(e string) (string, string) { return everyByte(`"` + e + `"`), everyByte(`"` + e + `"`) },
		"encoded in small letters": func(e string) (string, string) {
			return strings.ToLower(percent(`"`)) + percent(e) + "%22", `"` + e + `"`
		},
	} {
		for _, end := range []string{"", "/gateway", "/application"} {
			t.Run(name+" "+end, func(t *testing.T) {
				channel := newChannel()
				out := channel + end
				in := channel + map[string]string{"": "", "/gateway": "/application", "/application": "/gateway"}[end]
				push(t, a, in, numbered(1, 4))
				p, _ := form(strings.Trim(tagged(t, pull(t, a, out, "max=2")), `"`))
				got := pull(t, b, out, "max=1", "etag="+p)
				confirmed(t, got, 2)
				wantIDs(t, got, "3")
				_, h := form(strings.Trim(tagged(t, got), `"`))
				got = asHeader(t, a, out, h)
				confirmed(t, got, 1)
				wantIDs(t, got, "4")
				p, h = form(strings.Trim(tagged(t, got), `"`))
				got = pull(t, b, out, "etag="+p)
				confirmed(t, got, 1)
				wantIDs(t, got, "")
				again := asHeader(t, b, out, h)
				confirmed(t, again, 0)
				if e := tagged(t, got); e != tagged(t, again) {
					t.Errorf("ETags of empty answers: %s and %s", e, again.Header.Get("ETag"))
				}
			})
		}
	}
	t.Run("doubly quoted, undecided", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 2))
		e := tagged(t, pull(t, a, path, "max=1"))
		got := pull(t, b, path, "etag="+url.QueryEscape(`"`+e+`"`))
		t.Log(got.Header.Get("QST-Confirmed"))
		if n := got.Header.Get("QST-Confirmed"); n != "0" && n != "1" {
			t.Errorf("QST-Confirmed %q", n)
		}
	})
}

func everyByte(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[c>>4])+string("0123456789abcdef"[c&15])))
	}
	return b.String()
}

// An ETag that the queue did not issue confirms nothing and is no error.
func testForeignETags(t *testing.T, a, b *replica) {
	elsewhere := startReplica(t, "embedded")
	name := newChannel()
	queues := map[string]string{"/gateway": "/application", "/application": "/gateway", "": ""}
	tags := map[string]string{} // of each queue, all with messages of the same ids
	for in, out := range queues {
		push(t, a, name+in, numbered(1, 3))
		tags[out] = tagged(t, pull(t, b, name+out))
	}
	push(t, elsewhere, name, numbered(1, 3))
	others := map[string]string{"another server": tagged(t, pull(t, elsewhere, name))}
	for _, path := range []string{newChannel(), newChannel()} {
		push(t, a, path, numbered(1, 3))
		others["channel "+path] = tagged(t, pull(t, b, path))
	}
	for out := range queues {
		for from, e := range tags {
			if from != out {
				others["queue "+from] = e
			}
		}
		for from, e := range others {
			if from == "queue "+out {
				continue
			}
			t.Run(from+" at "+out, func(t *testing.T) {
				for _, got := range []answer{pull(t, a, name+out, "etag="+url.QueryEscape(e)), asHeader(t, b, name+out, e)} {
					confirmed(t, got, 0)
					wantIDs(t, got, "1 2 3")
				}
			})
		}
	}
	garbage := []string{
		"x", "0", "1", "2", "3", "-1", "00", "1-1", "1:1", "1.1", "0-0", "9999999999999999999999", "18446744073709551615", "9223372036854775807", "*", `"`, `""`, `"""`, `W/`, `W/"`, `W/""`, `"x`, `x"`, `""x""`, "null", "undefined", "nil", "true", "NaN", "1e9", "inf", "+inf", "-inf", "$", "(1", "[1", "-", "+",
		"é", "\U0001F600", "  x  ", "\x00", "a\x00b", "a\n", "a\r\nX-Injected: 1", "%", "%%", "%zz", "%22", "%2522", "\xff\xfe", `\`, `'; DROP TABLE messages; --`, `{"a":1}`, "<x/>", "../../x", "${7*7}", "redis.call('FLUSHALL')", "mailbox", "p1:mailbox", `"a", "b"`,
		strings.Repeat("x", 500), strings.Repeat("9", 5000), `"` + strings.Repeat("A", 5000) + `"`, strings.Repeat("%25", 500), strings.Repeat(`"`, 999),
		"019ab000-0000-7000-8000-000000000000", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAA.BBBB.CCCC",
	}
	for _, g := range garbage {
		title := g
		if len(g) > 30 {
			title = g[:30]
		}
		t.Run("garbage "+title, func(t *testing.T) {
			got := pull(t, a, name, "etag="+url.QueryEscape(g))
			confirmed(t, got, 0)
			wantIDs(t, got, "1 2 3")
			vacant := pull(t, b, newChannel(), "etag="+url.QueryEscape(g))
			confirmed(t, vacant, 0)
			untagged(t, vacant)
			wantIDs(t, vacant, "")
			if strings.TrimSpace(g) != g || strings.ContainsAny(g, "\x00\n\r") || g == "" {
				return
			}
			got = asHeader(t, b, name, g)
			confirmed(t, got, 0)
			wantIDs(t, got, "1 2 3")
		})
	}
	t.Run("foreign ETags are not repeated", func(t *testing.T) {
		for from, e := range others {
			vacant := pull(t, b, newChannel(), "etag="+url.QueryEscape(e))
			confirmed(t, vacant, 0)
			if h := vacant.Header.Get("ETag"); h != "" {
				t.Errorf("%s: repeated as %s", from, h)
			}
		}
	})
	t.Run("and then the right one", func(t *testing.T) { confirmed(t, pull(t, a, name, "etag="+url.QueryEscape(tags[""])), 3) })
}

// A changed ETag was not issued. It may be one that the queue could have issued, for
// a message that was delivered; in no case may it take what was not.
func testAlteredETags(t *testing.T, a, b *replica) {
	path := newChannel()
	push(t, a, path, numbered(1, 30))
	e := strings.Trim(tagged(t, pull(t, b, path, "max=12")), `"`)
	altered := map[string]bool{}
	for i := range e {
		altered[e[:i]], altered[e[i:]], altered[e[:i]+e[i+1:]] = true, true, true
		for _, c := range "019zAf-.:" {
			altered[e[:i]+string(c)+e[i+1:]] = true
			altered[e[:i]+string(c)+e[i:]] = true
		}
	}
	for _, s := range []string{e + "0", e + "1", e + "9", e + "x", e + ".1", e + "-1", e + e, "0" + e, strings.ToUpper(e), e + "\x00"} {
		altered[s] = true
	}
	delete(altered, e)
	delete(altered, "")
	sum := 0
	for s := range altered {
		if sum == 12 { // what was delivered is gone, and the next message is delivered
			break
		}
		got := pull(t, a, path, "max=1", "etag="+url.QueryEscape(s))
		n, err := strconv.Atoi(got.Header.Get("QST-Confirmed"))
		if sum += n; n > 0 {
			t.Logf("%q, made of %q, confirmed %d", s, e, n)
		}
		if err != nil || sum > 12 {
			t.Fatalf("%q, made of %q, confirmed %q", s, e, got.Header.Get("QST-Confirmed"))
		}
	}
	confirmed(t, pull(t, a, path, "max=1", "etag="+url.QueryEscape(e)), 12-sum)
	wantIDs(t, pull(t, b, path), span(13, 30))
}

// step is a pull: with the ETag of an earlier step ("1"…; "": none), and what comes
// of it; confirmed is -1 where no ETag was brought.
type step struct {
	max, etag string
	confirmed int
	ids       string
}

// runSteps runs each list of steps on a queue with the messages 1 to 6.
func runSteps(t *testing.T, a, b *replica, lists map[string][]step) {
	for name, steps := range lists {
		t.Run(name, func(t *testing.T) {
			path := newChannel()
			push(t, a, path, numbered(1, 6))
			var tags []string
			for i, s := range steps {
				r, query := a, "max="+s.max
				if s.max == "" {
					query = "max=100"
				}
				if i%2 == 0 {
					r = b
				}
				if s.etag != "" {
					query += "&etag=" + url.QueryEscape(tags[s.etag[0]-'1'])
				}
				got := pull(t, r, path, query)
				wantIDs(t, got, s.ids)
				if s.confirmed >= 0 {
					confirmed(t, got, s.confirmed)
				}
				if e := got.Header.Get("ETag"); s.ids == "" && s.etag != "" && e != tags[s.etag[0]-'1'] {
					t.Errorf("an empty answer to %s has %q", tags[s.etag[0]-'1'], e)
				}
				if s.ids == "" && s.etag == "" {
					untagged(t, got)
					tags = append(tags, "")
				} else {
					tags = append(tags, tagged(t, got))
				}
				if t.Failed() {
					t.Fatalf("at step %d", i+1)
				}
			}
		})
	}
}

func testConfirming(t *testing.T, a, b *replica) {
	runSteps(t, a, b, map[string][]step{
		"all at once":           {{"", "", -1, "1 2 3 4 5 6"}, {"", "1", 6, ""}, {"", "1", 0, ""}, {"", "2", 0, ""}, {"", "", -1, ""}},
		"one by one":            {{"1", "", -1, "1"}, {"1", "1", 1, "2"}, {"1", "2", 1, "3"}, {"1", "3", 1, "4"}, {"1", "4", 1, "5"}, {"1", "5", 1, "6"}, {"1", "6", 1, ""}, {"1", "7", 0, ""}},
		"an earlier, smaller":   {{"2", "", -1, "1 2"}, {"", "", -1, "1 2 3 4 5 6"}, {"", "1", 2, "3 4 5 6"}, {"", "2", 4, ""}},
		"again":                 {{"2", "", -1, "1 2"}, {"2", "1", 2, "3 4"}, {"2", "1", 0, "3 4"}, {"", "1", 0, "3 4 5 6"}, {"2", "2", 2, "5 6"}},
		"an old one":            {{"2", "", -1, "1 2"}, {"2", "1", 2, "3 4"}, {"2", "2", 2, "5 6"}, {"", "1", 0, "5 6"}, {"", "2", 0, "5 6"}, {"", "3", 2, ""}, {"", "1", 0, ""}},
		"an old one, when more": {{"2", "", -1, "1 2"}, {"1", "1", 2, "3"}, {"", "1", 0, "3 4 5 6"}, {"", "2", 1, "4 5 6"}},
		"two consumers":         {{"3", "", -1, "1 2 3"}, {"5", "", -1, "1 2 3 4 5"}, {"", "2", 5, "6"}, {"", "1", 0, "6"}},
		"ETag of empty answers": {{"", "", -1, "1 2 3 4 5 6"}, {"", "1", 6, ""}, {"", "2", 0, ""}, {"", "3", 0, ""}, {"", "4", 0, ""}},
		"without an ETag":       {{"2", "", -1, "1 2"}, {"2", "", -1, "1 2"}, {"", "", -1, "1 2 3 4 5 6"}, {"", "", -1, "1 2 3 4 5 6"}},
	})
	t.Run("the parameter wins", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 6))
		one, all := tagged(t, pull(t, a, path, "max=1")), tagged(t, pull(t, a, path))
		got := asHeader(t, b, path, all, "etag=garbage")
		confirmed(t, got, 0)
		wantIDs(t, got, span(1, 6))
		got = asHeader(t, b, path, all, "etag="+url.QueryEscape(one))
		confirmed(t, got, 1)
		wantIDs(t, got, span(2, 6))
		confirmed(t, asHeader(t, b, path, "garbage", "etag="+url.QueryEscape(all)), 5)
	})
	t.Run("new messages after everything was confirmed", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 2))
		old := pull(t, b, path)
		confirmed(t, pull(t, a, path, etag(old)), 2)
		push(t, b, path, numbered(3, 4))
		got := pull(t, a, path, etag(old))
		confirmed(t, got, 0)
		wantIDs(t, got, "3 4")
		if tagged(t, got) == tagged(t, old) {
			t.Errorf("the same ETag %s for other messages", tagged(t, got))
		}
		wantIDs(t, pull(t, a, path, etag(old)), "3 4")
		confirmed(t, pull(t, a, path, etag(got)), 2)
	})
	t.Run("unconfirmed first, then new", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 4))
		first := pull(t, b, path, "max=2")
		pull(t, b, path, "max=3")
		push(t, b, path, numbered(5, 6))
		got := pull(t, a, path, etag(first))
		confirmed(t, got, 2)
		wantIDs(t, got, "3 4 5 6")
	})
	t.Run("an ETag of one format in the other", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 4))
		x := do(t, "GET", a.URL+path+"?format=xml&max=2", "")
		got := pull(t, b, path, etag(x))
		confirmed(t, got, 2)
		x = do(t, "GET", a.URL+path+"?format=xml&"+etag(got), "")
		confirmed(t, x, 2)
		if l, err := parseXML(x.Body); err != nil || len(l) != 0 || x.Header.Get("ETag") != got.Header.Get("ETag") {
			t.Errorf("%q with %q: %v", x.Body, x.Header.Get("ETag"), err)
		}
	})
	t.Run("one ETag, many times at once", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, numbered(1, 20))
		e := etag(pull(t, a, path, "max=10"))
		c := make(chan answer, 8)
		for i := range cap(c) {
			r := []*replica{a, b}[i%2]
			go func() {
				got, _ := try(t.Context(), http.DefaultClient, "GET", r.URL+path+"?format=json&"+e, "")
				c <- got
			}()
		}
		sum := 0
		for range cap(c) {
			got := within(t, c)
			wantIDs(t, got, span(11, 20))
			if n := got.Header.Get("QST-Confirmed"); n == "10" {
				sum += 10
			} else if n != "0" {
				t.Errorf("QST-Confirmed %q", n)
			}
		}
		if sum != 10 {
			t.Errorf("confirmed %d in all", sum)
		}
	})
}
