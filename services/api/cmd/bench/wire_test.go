package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
)

func TestWire(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 10_000)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+r.URL.Path+`"`)
		switch r.URL.Path {
		case "/chunks":
			for _, text := range []string{long, "and", "short"} {
				_, _ = io.WriteString(w, text)
				_ = http.NewResponseController(w).Flush()
			}
		case "/full":
			http.Error(w, "the queue is full", http.StatusServiceUnavailable)
		default:
			w.Header().Set("Last-Modified", "Thu, 26 Nov 2026 07:00:00 GMT")
			_, _ = io.Copy(w, r.Body)
		}
	}))
	t.Cleanup(server.Close)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w, err := dialWire(ctx, server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(path, body string) error {
		t.Helper()
		return w.exchange(post(path, []byte(body)))
	}

	if err := exchange("/echo", "Hello"); err != nil || string(w.body) != "Hello" || string(w.etag) != `"/echo"` || len(w.modified) == 0 {
		t.Errorf("%v, body %q, ETag %s, Last-Modified %q", err, w.body, w.etag, w.modified)
	}
	if err := exchange("/chunks", ""); err != nil || string(w.body) != long+"andshort" || len(w.modified) != 0 {
		t.Errorf("in chunks: %v, %d bytes, Last-Modified %q", err, len(w.body), w.modified)
	}
	if err := exchange("/full", ""); err == nil || !strings.Contains(err.Error(), "503: the queue is full") {
		t.Errorf("an error's answer: %v", err)
	}
	if err := exchange("/echo", ""); err != nil || len(w.body) != 0 {
		t.Errorf("after an error: %v, body %q", err, w.body)
	}
	stop()
	if err := exchange("/echo", ""); err == nil {
		t.Error("it is open after its context has ended")
	}
}

// FuzzAnswer: whatever a server sends is an answer or an error.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"1\"\r\n\r\n[]"))
	f.Add([]byte("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 503 Service Unavailable\r\nContent-Length: -1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		w := &wire{in: bufio.NewReader(bytes.NewReader(text))}
		if err := w.answer(); err == nil && len(w.body) > len(text) {
			t.Errorf("%d bytes have a body of %d", len(text), len(w.body))
		}
	})
}

func TestIDs(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]*requests{"service": serviceRequests(), "nchan": nchanRequests(), "webdis": webdisRequests()} {
		push := r.push("bench-channel", marked("Hello, bench-0000000007"))
		before := len(push)
		renumber(push, 1234567890)
		var got []int
		if err := eachID(push, func(n int) { got = append(got, n) }); err == nil {
			t.Errorf("%s: no error for the channel's name, which is no id", name)
		}
		_, body, _ := bytes.Cut(push, []byte("\r\n\r\n"))
		if err := eachID(body, func(n int) { got = append(got, n) }); err != nil || !reflect.DeepEqual(got, []int{1234567890, 7}) || len(push) != before {
			t.Errorf("%s: %v, %v in %s", name, err, got, push)
		}
	}
	if err := eachID([]byte(`["bench-00`), func(int) {}); err == nil {
		t.Error("no error for an id that is cut off")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	n := names{all: []string{"a", "b", "c"}}
	if err := n.Set("c,a"); err != nil || !n.has("a") || n.has("b") || n.String() != "c,a" {
		t.Errorf("%v, %v", err, n.chosen)
	}
	if err := n.Set("a,d"); err == nil || err.Error() != `there is no "d", only a, b, c` {
		t.Errorf("%v", err)
	}
	if err := n.Set(""); err != nil || n.has("a") {
		t.Errorf("none: %v, %v", err, n.chosen)
	}
	var c counts
	if err := c.Set("100,1000000"); err != nil || c.String() != "100,1000000" {
		t.Errorf("%v, %v", err, c)
	}
	if err := c.Set("100,many"); err == nil {
		t.Error("no error for a number that is none")
	}
}
