package app_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// assault is a replica with a channel whose client does its worst, and another one's, who is not
// to notice.
type assault struct {
	*replica
	redis     *redistest.Server
	bad, good string // their credentials, for their mailboxes
	phone     string // of the first one, for version 1
}

func startAssault(t *testing.T, env ...string) assault {
	t.Helper()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), withAuth(env...)...)
	h := assault{replica: r, redis: s}
	for _, name := range []string{"bad.phone", "good"} {
		mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"`+name+`"}`)
	}
	h.bad, _ = credential(t, r, "bad.phone", `{"endpoint":"mailbox"}`)
	h.good, _ = credential(t, r, "good", `{"endpoint":"mailbox"}`)
	h.phone, _ = credential(t, r, "bad.phone", `{"endpoint":"gateway","user":"phone"}`)
	return h
}

// neighbour pushes and pulls as the other channel's client, and is served.
func (h assault) neighbour(t *testing.T) {
	t.Helper()
	for i := range 10 {
		if a := do(t, "POST", h.URL+"/v2/channels/good", fmt.Sprintf(`{"id":"%d","body":"x"}`, i), h.good); a.Status != http.StatusOK {
			t.Fatalf("the neighbour pushes: %d %s", a.Status, a.Body)
		}
		if a := do(t, "GET", h.URL+"/v2/channels/good?format=json", "", h.good); a.Status != http.StatusOK {
			t.Fatalf("the neighbour pulls: %d %s", a.Status, a.Body)
		}
	}
}

// memory is the most that the replica's process has had resident, in bytes.
func (h assault) memory(t *testing.T) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", h.cmd.Process.Pid))
	if err != nil {
		t.Skip("no /proc here") // not on Linux: the rest of the test has run
	}
	for line := range strings.Lines(string(text)) {
		if kb, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	t.Fatal("no VmHWM")
	return 0
}

// raw opens a connection and writes a request's beginning; nothing is read from it.
func (h assault) raw(t *testing.T, text string) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", strings.TrimPrefix(h.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4 << 10)
	}
	_, _ = c.Write([]byte(text)) // the service may have closed it
	return c
}

func gzipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// limit is what a replica of these tests may take of memory: the race detector takes its part.
func limit() int64 {
	if raceEnabled {
		return 1200 << 20
	}
	return 400 << 20
}

// One credential pushes over many connections what is small on the way, large when it is
// decompressed, and never complete.
func TestUnfinishedGzip(t *testing.T) {
	t.Parallel()
	h := startAssault(t)
	body := gzipped(t, `{"body":"`+strings.Repeat("x", 1<<20-20)+`"}`)
	body = body[:len(body)-15]
	for range 1000 {
		h.raw(t, fmt.Sprintf("POST /v2/channels/bad.phone HTTP/1.1\r\nHost: x\r\n%s\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s",
			h.bad, len(body)+15, body))
	}
	h.neighbour(t)
	if n := h.memory(t); n > limit() {
		t.Errorf("%d MiB", n>>20)
	}
}

// One credential sends reports of very many messages in few bytes.
func TestReportsOfVeryMany(t *testing.T) {
	t.Parallel()
	h := startAssault(t)
	body := gzipped(t, `{"confirmed":[`+strings.TrimSuffix(strings.Repeat(`"",`, 345_000), ",")+`]}`)
	var wg sync.WaitGroup
	const requests = 20
	for range requests {
		wg.Go(func() {
			a, err := try(t.Context(), http.DefaultClient, "POST", h.URL+"/v1/bad/qst/outgoing", string(body), h.phone, "Content-Encoding: gzip")
			if err != nil || a.Status != http.StatusOK && a.Status != http.StatusServiceUnavailable {
				t.Errorf("%d %s %v", a.Status, a.Body, err)
			}
		})
	}
	h.neighbour(t)
	wg.Wait()
	stats := h.redis.Client().Info(t.Context(), "commandstats").Val()
	_, calls, _ := strings.Cut(stats, "cmdstat_xadd:calls=")
	calls, _, _ = strings.Cut(calls, ",")
	if n, err := strconv.Atoi(calls); err != nil || n > requests*1000+1000 {
		t.Errorf("%q XADDs of %d reports", calls, requests)
	}
	if n := h.memory(t); n > limit() {
		t.Errorf("%d MiB", n>>20)
	}
}

// One credential asks for large answers and reads none.
func TestUnreadAnswers(t *testing.T) {
	t.Parallel()
	h := startAssault(t, "QST_REQUEST_TIMEOUT=5s")
	text := strings.Repeat("<", 60<<10) // five times as large in XML
	for i := range 17 {
		if a := do(t, "POST", h.URL+"/v2/channels/bad.phone", fmt.Sprintf(`{"id":"%d","body":%q}`, i, text), h.bad); a.Status != http.StatusOK {
			t.Fatal(a)
		}
	}
	for range 400 {
		h.raw(t, "GET /v2/channels/bad.phone?format=xml HTTP/1.1\r\nHost: x\r\n"+h.bad+"\r\n\r\n")
	}
	h.neighbour(t)
	if n := h.memory(t); n > limit() {
		t.Errorf("%d MiB", n>>20)
	}
	// What those had is given back when they are given up.
	eventually(t, "the budget is whole again", func() error {
		a := admin(t, h.replica, "GET", "/channels/bad.phone", "")
		if !strings.Contains(a.Body, `"in_flight":{"requests":0,"bytes":0}`) {
			return fmt.Errorf("%s", a.Body)
		}
		return nil
	})
	if a := do(t, "GET", h.URL+"/v2/channels/bad.phone?format=json&max=1", "", h.bad); a.Status != http.StatusOK {
		t.Errorf("afterwards: %d", a.Status)
	}
}

// One credential pushes as much as it can over many connections: it is told to wait, by 503 with
// Retry-After, and nobody else is.
func TestFlood(t *testing.T) {
	t.Parallel()
	h := startAssault(t, "QST_CHANNEL_MAX_REQUESTS=4", "QST_CHANNEL_MAX_IN_FLIGHT=8MiB", "QST_MAX_IN_FLIGHT=16MiB")
	batch := "[" + strings.TrimSuffix(strings.Repeat(`{"body":"`+strings.Repeat("x", 900)+`"},`, 1000), ",") + "]"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	refused := make(chan answer, 1)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for ctx.Err() == nil {
				a, err := try(ctx, client, "POST", h.URL+"/v2/channels/bad.phone", batch, h.bad, "Content-Type: application/json")
				if err == nil && a.Status != http.StatusOK {
					select {
					case refused <- a:
					default:
					}
				}
			}
		})
	}
	a := within(t, refused)
	if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
		t.Errorf("%d %q", a.Status, a.Header)
	}
	for range 3 {
		h.neighbour(t)
	}
	cancel()
	wg.Wait()
	client.CloseIdleConnections()
}

// A channel pushes as many messages a second as it may: the service's number, or its own. Its pulls
// don't wait for that.
func TestPushRate(t *testing.T) {
	t.Parallel()
	r := startReplica(t, "embedded", withAuth("QST_PUSH_RATE=10", "QST_PUSH_MAX_MESSAGES=20", "QST_CHANNEL_MAX_REQUESTS=4")...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"usual"}`)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"any","settings":{"push_rate":0}}`)
	twenty := "[" + strings.TrimSuffix(strings.Repeat(`{"body":"x"},`, 20), ",") + "]"
	usual, _ := credential(t, r, "usual", `{"endpoint":"mailbox"}`)
	whatever, _ := credential(t, r, "any", `{"endpoint":"mailbox"}`)
	start := time.Now()
	var taken, refused atomic.Int64
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			a := do(t, "POST", r.URL+"/v2/channels/usual", twenty, usual)
			if a.Status == http.StatusOK {
				taken.Add(1)
				return
			}
			refused.Add(1)
			after, err := strconv.Atoi(a.Header.Get("Retry-After"))
			if a.Status != http.StatusServiceUnavailable || err != nil || after < 1 || after > 12 || !strings.Contains(a.Body, "10 messages a second") {
				t.Errorf("%d %q: %s", a.Status, a.Header, a.Body)
			}
		})
	}
	for range 5 {
		if a := do(t, "POST", r.URL+"/v2/channels/any", twenty, whatever); a.Status != http.StatusOK {
			t.Errorf("a channel with a rate of its own: %d", a.Status)
		}
	}
	for range 5 {
		if a := do(t, "GET", r.URL+"/v2/channels/usual", "", usual); a.Status != http.StatusOK {
			t.Errorf("a pull while the channel's pushes wait: %d %s", a.Status, a.Body)
		}
	}
	wg.Wait()
	if n := float64(20 * taken.Load()); n > 20+10*time.Since(start).Seconds() || taken.Load() == 0 || refused.Load() == 0 {
		t.Errorf("%d were taken, %d refused, in %s", taken.Load(), refused.Load(), time.Since(start))
	}
	eventually(t, "a push is refused before its body is looked at", func() error {
		wg.Go(func() { do(t, "POST", r.URL+"/v2/channels/usual", twenty, usual) })
		for range 10 {
			if a := do(t, "POST", r.URL+"/v2/channels/usual", "[", usual); a.Status == http.StatusServiceUnavailable {
				return nil
			}
		}
		return errors.New("it never was")
	})
	wg.Wait()
	mustAdmin(t, r, http.StatusOK, "PATCH", "/channels/usual", `{"settings":{"push_rate":1000000}}`, "If-Match: *")
	eventually(t, "its own rate holds", func() error {
		for range 3 {
			if a := do(t, "POST", r.URL+"/v2/channels/usual", twenty, usual); a.Status != http.StatusOK {
				return fmt.Errorf("%d", a.Status)
			}
		}
		return nil
	})
}

// Wrong credentials are counted and logged whatever becomes of their connections, and a channel that
// is there is not told from one that is not.
func TestGuesses(t *testing.T) {
	t.Parallel()
	r := startReplica(t, "embedded", withAuth("QST_LOG_REFUSED=2")...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"there"}`)
	right, _ := credential(t, r, "there", `{"endpoint":"mailbox"}`)
	for _, channel := range []string{"there", "not-there"} {
		a := do(t, "GET", r.URL+"/v2/channels/"+channel, "", basic(channel, "a-guess-of-sixteen-letters"))
		none := do(t, "GET", r.URL+"/v2/channels/"+channel, "")
		if a.Status != http.StatusUnauthorized || none.Status != http.StatusUnauthorized || a.Body != none.Body {
			t.Errorf("%s: %d %s, %d %s", channel, a.Status, a.Body, none.Status, none.Body)
		}
	}
	i := 0
	cut := func() {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		i++
		_, _ = try(ctx, http.DefaultClient, "GET", r.URL+"/v2/channels/there", "", basic("there", fmt.Sprint("a-guess-of-sixteen-letters", i)))
	}
	for range 50 {
		cut()
	}
	eventually(t, "guesses are counted whose connections are cut", func() error {
		cut() // on a busy machine one may be cut before the replica has it
		total := 0
		for line := range strings.Lines(do(t, "GET", r.Admin+"/metrics", "").Body) {
			if strings.HasPrefix(line, `qst_credentials_wrong_total{of="channel"`) {
				n, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
				total += int(n)
			}
		}
		if total < 52 {
			return fmt.Errorf("%d of %d", total, i+2)
		}
		return nil
	})
	if n := strings.Count(r.log.String(), `"msg":"wrong credentials"`); n < 1 || n > 40 {
		t.Errorf("%d lines", n)
	}
	if a := do(t, "GET", r.URL+"/v2/channels/there", "", right); a.Status != http.StatusOK {
		t.Errorf("the right one meanwhile: %d", a.Status)
	}
	// The admin API's token is guarded the same way.
	if a := do(t, "GET", r.Admin+"/admin/v1/channels", "", "Authorization: Bearer wrong"); a.Status != http.StatusUnauthorized {
		t.Error(a.Status)
	}
	if !strings.Contains(r.log.String(), `"of":"admin"`) {
		t.Error("a wrong token is not logged")
	}
}

// A page of another origin can't push with the credentials that a browser has.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	r := startReplica(t, "embedded")
	for _, c := range []struct {
		method string
		header []string
		want   int
	}{
		{"POST", nil, http.StatusOK},
		{"POST", []string{"Sec-Fetch-Site: same-origin", "Origin: " + r.URL}, http.StatusOK},
		{"POST", []string{"Origin: " + r.URL}, http.StatusOK},
		{"POST", []string{"Sec-Fetch-Site: cross-site"}, http.StatusForbidden},
		{"POST", []string{"Sec-Fetch-Site: same-site"}, http.StatusForbidden},
		{"POST", []string{"Origin: https://evil.example"}, http.StatusForbidden},
		{"POST", []string{"Origin: null"}, http.StatusForbidden},
		{"POST", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, http.StatusForbidden},
		{"GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors"}, http.StatusForbidden},
		{"GET", []string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate"}, http.StatusOK},
		{"GET", []string{"Sec-Fetch-Site: none"}, http.StatusOK},
	} {
		a := do(t, c.method, r.URL+"/v2/channels/c", `[]`, c.header...)
		if a.Status != c.want || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %q: %d, want %d", c.method, c.header, a.Status, c.want)
		}
	}
}
