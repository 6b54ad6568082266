package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sized is a JSON batch of n messages from id first on, each with a body of size bytes.
func sized(first, n, size int) string {
	var l []string
	for i := range n {
		l = append(l, fmt.Sprintf(`{"id":"%d","body":"%s"}`, first+i, strings.Repeat("b", size)))
	}
	return "[" + strings.Join(l, ",") + "]"
}

// full checks the answer of a queue without room: retry, and when.
func full(t testing.TB, a answer) {
	t.Helper()
	refused(t, a, only(503))
	if !regexp.MustCompile(`^\d+$`).MatchString(a.Header.Get("Retry-After")) {
		t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
	}
}

// Small limits; all of them on one service.
func TestProtocolLimits(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		t.Run("push", func(t *testing.T) {
			t.Parallel()
			testPushLimits(t, a, b)
		})
		t.Run("queue of messages", func(t *testing.T) {
			t.Parallel()
			testFullQueue(t, a, b, 10, "")
		})
		t.Run("queue of bytes", func(t *testing.T) {
			t.Parallel()
			testFullBytes(t, a, b)
		})
		t.Run("pull", func(t *testing.T) {
			t.Parallel()
			testPullBytes(t, a, b)
		})
		t.Run("long poll", func(t *testing.T) {
			t.Parallel()
			got := atOnce(t, longPoll(t, a, newChannel(), "wait=100000"))
			wantIDs(t, got, "")
			wantIDs(t, atOnce(t, longPoll(t, b, newChannel())), "")
		})
	}, "QST_PUSH_MAX_BYTES=9000", "QST_PUSH_MAX_MESSAGES=6", "QST_MESSAGE_MAX_BYTES=2000",
		"QST_QUEUE_MAX_MESSAGES=10", "QST_QUEUE_MAX_BYTES=8000", "QST_PULL_MAX_BYTES=1500", "QST_LONG_POLL_MAX=1s")
}

func largeNames(n int) string {
	s := ""
	for i := range n {
		s += fmt.Sprintf(`,"%0100d":1`, i)
	}
	return s
}

func testPushLimits(t *testing.T, a, b *replica) {
	large := only(413)
	pad := func(s string, n int) string { return s[:len(s)-1] + strings.Repeat(" ", n-len(s)) + s[len(s)-1:] }
	xmlOf := func(n int) string {
		return "<messages>" + strings.Repeat(`<message from="a"><body>x</body></message>`, n) + "</messages>"
	}
	var cases []refusal
	for _, end := range []string{"", "\n" + gzipped} {
		z := func(s string) string {
			if end != "" {
				return zip(s)
			}
			return s
		}
		cases = append(cases,
			refusal{"one byte more" + end, typeJSON + end, z(pad(oneJSON, 9001)), large, nil},
			refusal{"one byte more of XML" + end, typeXML + end, z(strings.Replace(oneXML, "><", ">"+strings.Repeat("\n", 9001-len(oneXML))+"<", 1)), large, nil},
			refusal{"one byte more after the end" + end, typeJSON + end, z(oneJSON + strings.Repeat("\n", 9001-len(oneJSON))), large, nil},
			refusal{"much more" + end, typeJSON + end, z(pad(oneJSON, 900000)), large, nil},
			refusal{"seven messages" + end, typeJSON + end, z(numbered(1, 7)), large, nil},
			refusal{"seven messages of XML" + end, typeXML + end, z(xmlOf(7)), large, nil},
			refusal{"a large body" + end, typeJSON + end, z(sized(1, 1, 2500)), large, nil},
			refusal{"a large property" + end, typeJSON + end, z(`{"body":"x","p":"` + strings.Repeat("p", 2500) + `"}`), large, nil},
			refusal{"large names" + end, typeJSON + end, z(`{"body":"x"` + largeNames(25) + `}`), large, nil},
			refusal{"a large id" + end, typeXML + end, z(messageXML(`id="`+strings.Repeat("1", 2500)+`"`, "<body>x</body>")), large, nil},
			refusal{"many properties" + end, typeXML + end, z(messageXML(`id="1"`, "<body>x</body>"+strings.Repeat(`<property name="p" value="`+strings.Repeat("v", 100)+`"/>`, 25))), large, nil},
			refusal{"the last is large" + end, typeJSON + end, z(`[{"body":"x"},{"body":"y"},` + sized(1, 1, 2500)[1:]), large, []string{"message 3"}},
			refusal{"the last has no field" + end, typeJSON + end, z(numbered(1, 5)[:len(numbered(1, 5))-1] + `,{"id":"6"}]`), only(400), []string{"message 6"}},
			refusal{"the last is cut" + end, typeXML + end, z(strings.TrimSuffix(xmlOf(3), "e></messages>")), only(400), nil},
		)
	}
	for i := range cases {
		cases[i].name = strings.ReplaceAll(cases[i].name, "\n"+gzipped, ", zipped")
	}
	runRefusals(t, a, b, cases)
	t.Run("just so", func(t *testing.T) {
		for _, c := range []struct {
			body     string
			header   []string
			accepted int
		}{
			{pad(oneJSON, 9000), []string{typeJSON}, 1}, {zip(pad(oneJSON, 9000)), []string{typeJSON, gzipped}, 1}, {numbered(1, 6), []string{typeJSON}, 6}, {sized(1, 1, 1500), []string{typeJSON}, 1}, {zip(sized(1, 5, 1200)), []string{typeJSON, gzipped}, 5},
		} {
			path := newChannel()
			stored(t, do(t, "POST", a.URL+path, c.body, c.header...), "json", c.accepted, 0)
		}
		stored(t, do(t, "POST", a.URL+newChannel(), xmlOf(6), typeXML), "xml", 6, 0)
	})
	t.Run("chunked", func(t *testing.T) {
		path := newChannel()
		got := raw(t, a, "POST "+path+" HTTP/1.1\nHost: x\nContent-Type: application/json\nTransfer-Encoding: chunked\nConnection: close\n\n"+
			fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", 9001, pad(oneJSON, 9001)))
		refused(t, got, large)
		empty(t, b, path)
	})
}

// testFullQueue has a queue that takes room messages of any size that small ones have.
func testFullQueue(t *testing.T, a, b *replica, room int, end string) {
	path := newChannel() + end
	push(t, a, path, numbered(1, 6))
	three := pull(t, b, path, "max=3")
	for _, r := range []*replica{a, b} { // there is room for half of it
		full(t, do(t, "POST", r.URL+path, numbered(7, 12), typeJSON))
		full(t, do(t, "POST", r.URL+path, "<messages>"+strings.Repeat(`<message from="a"/>`, 5)+"</messages>", typeXML))
	}
	wantIDs(t, pull(t, b, path), span(1, 6))
	push(t, b, path, numbered(7, room))
	wantIDs(t, pull(t, b, path), span(1, room))
	full(t, do(t, "POST", a.URL+path, `{"id":"11","body":"x"}`, typeJSON))
	// Sent again, it needs no room; nor does nothing.
	stored(t, do(t, "POST", a.URL+path, numbered(1, 6), typeJSON), "json", 0, 6)
	stored(t, do(t, "POST", b.URL+path, numbered(7, room), typeJSON), "json", 0, room-6)
	stored(t, do(t, "POST", a.URL+path, `[]`, typeJSON), "json", 0, 0)
	// Malformed is malformed, also when the queue is full; a pull works.
	refused(t, do(t, "POST", a.URL+path, `[{"id":"11"}]`, typeJSON), only(400))
	refused(t, do(t, "POST", a.URL+path, numbered(11, 17), typeJSON), only(413))
	// The other queues of the channel have room.
	push(t, a, path+"/gateway", numbered(1, 6))
	push(t, a, path+"/application", numbered(1, 6))
	// Confirming makes room, for what it makes room for.
	confirmed(t, pull(t, a, path, etag(three)), 3)
	full(t, do(t, "POST", a.URL+path, numbered(11, 14), typeJSON))
	stored(t, do(t, "POST", a.URL+path, numbered(11, 13), typeJSON), "json", 3, 0) // the refused ones are no duplicates
	full(t, do(t, "POST", b.URL+path, `{"id":"14","body":"x"}`, typeJSON))
	wantIDs(t, pull(t, b, path), span(4, 13))
	confirmed(t, pull(t, b, path, etag(pull(t, b, path))), 10)
	push(t, a, path, numbered(14, 19))
	wantIDs(t, pull(t, b, path), span(14, 19))
}

func testFullBytes(t *testing.T, a, b *replica) {
	path := newChannel()
	push(t, a, path, sized(1, 3, 1700))
	full(t, do(t, "POST", a.URL+path, sized(4, 3, 1700), typeJSON)) // 10 200 bytes in 8000
	var l []string
	got := pull(t, b, path)
	for ; got.Body != "[]" && len(l) < 10; got = pull(t, a, path, etag(got)) {
		l = append(l, ids(t, got))
	}
	if strings.Join(l, " ") != "1 2 3" {
		t.Errorf("pulled %v", l)
	}
	stored(t, do(t, "POST", b.URL+path, sized(4, 3, 1700), typeJSON), "json", 3, 0)
	full(t, do(t, "POST", a.URL+path, sized(7, 2, 1700), typeJSON))
	stored(t, do(t, "POST", b.URL+path, sized(4, 3, 1700), typeJSON), "json", 0, 3)
	push(t, a, path, numbered(7, 8))
	wantIDs(t, pull(t, b, path, "max=1"), "4")
}

// A pull of at most 1500 bytes.
func testPullBytes(t *testing.T, a, b *replica) {
	for _, format := range []string{"json", "xml"} {
		t.Run(format, func(t *testing.T) {
			path := newChannel()
			push(t, a, path, `[{"id":"1","body":"x"},`+sized(2, 1, 1800)[1:]) // one small, one beyond
			push(t, b, path, sized(3, 4, 300))
			var l []string
			query := ""
			for range 10 {
				got := do(t, "GET", b.URL+path+"?max=100&format="+format+query, "")
				parse := parseJSON
				if format == "xml" {
					parse = parseXML
				}
				batch, err := parse(got.Body)
				if err != nil {
					t.Fatal(err)
				}
				if len(batch) == 0 {
					break
				}
				if len(batch) > 4 {
					t.Errorf("%d bytes in a batch of %d", len(got.Body), len(batch))
				}
				for _, m := range batch {
					l = append(l, m.fields["id"])
				}
				query = "&" + etag(got)
			}
			if strings.Join(l, " ") != span(1, 6) {
				t.Errorf("pulled %v", l)
			}
		})
	}
	t.Run("one beyond it", func(t *testing.T) {
		path := newChannel()
		push(t, a, path, sized(1, 2, 1800))
		got := pull(t, b, path)
		wantIDs(t, got, "1")
		got = pull(t, a, path, etag(got))
		confirmed(t, got, 1)
		wantIDs(t, got, "2")
	})
}

func TestProtocolSettings(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		t.Run("window 0", func(t *testing.T) {
			t.Parallel()
			path := newChannel()
			push(t, a, path, `{"id":"1","body":"x"}`)
			stored(t, do(t, "POST", b.URL+path, `{"id":"1","body":"x"}`, typeJSON), "json", 1, 0)
			wantIDs(t, pull(t, a, path), "1 1")
		})
		t.Run("two deliveries", func(t *testing.T) {
			t.Parallel()
			path := newChannel()
			push(t, a, path, numbered(1, 2))
			wantIDs(t, pull(t, a, path, "max=1"), "1")
			wantIDs(t, pull(t, b, path, "max=1"), "1")
			got := pull(t, a, path)
			wantIDs(t, got, "2")
			push(t, b, path, numbered(3, 3))
			got = pull(t, b, path)
			wantIDs(t, got, "2 3")
			confirmed(t, pull(t, a, path, etag(got)), 2)
			empty(t, b, path)
		})
		t.Run("one poll per replica", func(t *testing.T) {
			t.Parallel()
			type result struct {
				answer
				path string
			}
			paths, c := []string{newChannel(), newChannel(), newChannel()}, make(chan result, 3)
			for _, path := range paths {
				go func() {
					got, _ := try(context.WithoutCancel(t.Context()), http.DefaultClient, "GET", a.URL+path+"?format=json&long-polling=true", "")
					c <- result{got, path}
				}()
			}
			held := strings.Join(paths, " ")
			for range 2 {
				select {
				case got := <-c:
					wantIDs(t, got.answer, "")
					held = strings.TrimSpace(strings.Replace(held, got.path, "", 1))
				case <-time.After(30 * time.Second):
					t.Fatal("more than one poll hangs")
				}
			}
			push(t, b, held, numbered(1, 1))
			wantIDs(t, (<-c).answer, "1")
			wantIDs(t, atOnce(t, longPoll(t, a, held)), "1") // there is room again
		})
	}, "QST_DEDUP_WINDOW=0", "QST_MAX_DELIVERIES=2", "QST_MAX_POLLS=1")
}

func TestProtocolAges(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		path := newChannel()
		push(t, a, path+"/gateway", numbered(1, 3)) // never pulled before it is too old
		push(t, a, path, numbered(1, 3))
		old := pull(t, b, path, "max=2")
		eventually(t, "they are too old", func() error {
			if got := pull(t, a, path); got.Body != "[]" {
				return errors.New(got.Body)
			}
			return nil
		})
		empty(t, b, path+"/application")
		got := pull(t, b, path, etag(old))
		confirmed(t, got, 0)
		wantIDs(t, got, "")
		// The deduplication window is over as well: it is shorter.
		stored(t, do(t, "POST", b.URL+path, numbered(1, 3), typeJSON), "json", 3, 0)
		got = pull(t, a, path, etag(old))
		confirmed(t, got, 0)
		wantIDs(t, got, "1 2 3")
	}, "QST_RETENTION=3s", "QST_DEDUP_WINDOW=1s")
}

// The contract bounds a message, not the number of its properties or the length of a
// name. If a service has bounds there, what is over them is too large, not malformed.
func testManyProperties(t *testing.T, a, _ *replica) {
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf(`"p%d":1`, i))
	}
	for _, c := range []struct{ name, header, body string }{
		{"65 properties", typeJSON, `{"id":"1","body":"x",` + strings.Join(many, ",") + `}`},
		{"an array of 65", typeJSON, `{"id":"1","body":"x","p":[` + strings.Repeat(`1,`, 64) + `1]}`},
		{"65 properties of XML", typeXML, messageXML(`id="1"`, `<body>x</body>`+strings.Repeat(`<property name="p" value="1"/>`, 65))},
		{"a name of 257 characters", typeJSON, `{"id":"1","body":"x","` + strings.Repeat("k", 257) + `":1}`},
		{"a name of 100 Chinese characters", typeJSON, `{"id":"1","body":"x","` + strings.Repeat("名", 100) + `":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := do(t, "POST", a.URL+newChannel(), c.body, c.header)
			if got.Status != http.StatusOK && got.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("%d %.200s, want 200, or 413", got.Status, got.Body)
			}
		})
	}
}
