package app_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

const (
	typeJSON = "Content-Type: application/json"
	typeXML  = "Content-Type: text/xml"
)

var channels atomic.Int64

// newChannel is the URL path of a channel that no other case uses.
func newChannel() string { return fmt.Sprintf("/v2/channels/p%d", channels.Add(1)) }

func zip(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

// stored checks the answer to a push of JSON.
func stored(t testing.TB, a answer, accepted, duplicates int) {
	t.Helper()
	want := fmt.Sprintf(`{"accepted":%d,"duplicates":%d}`, accepted, duplicates)
	if a.Status != http.StatusOK || strings.TrimSpace(a.Body) != want {
		t.Fatalf("push: %d %s, want %s", a.Status, a.Body, want)
	}
}

// full checks the answer of a queue without room: retry, and when.
func full(t testing.TB, a answer) {
	t.Helper()
	var p struct{ Status int }
	err := json.Unmarshal([]byte(a.Body), &p)
	if a.Status != http.StatusServiceUnavailable || p.Status != a.Status || err != nil || !regexp.MustCompile(`^\d+$`).MatchString(a.Header.Get("Retry-After")) {
		t.Fatalf("%d %s, Retry-After %q, want 503", a.Status, a.Body, a.Header.Get("Retry-After"))
	}
}

// empty checks that a queue has no message.
func empty(t testing.TB, r *replica, path string) {
	t.Helper()
	if a := pull(t, r, path); len(a.messages(t)) != 0 {
		t.Errorf("the queue holds %s", a.Body)
	}
}

// confirmed checks QST-Confirmed.
func confirmed(t testing.TB, a answer, want int) {
	t.Helper()
	if got := a.Header.Get("QST-Confirmed"); got != strconv.Itoa(want) {
		t.Errorf("QST-Confirmed %q, want %d", got, want)
	}
}

// tagged checks that an answer has a quoted ETag, and returns it.
func tagged(t testing.TB, a answer) string {
	t.Helper()
	e := a.Header.Get("ETag")
	if !regexp.MustCompile(`^"[\x21\x23-\x7e]+"$`).MatchString(e) {
		t.Fatalf("ETag %q of %q", e, a.Body)
	}
	return e
}

// numbered is a JSON batch of messages with the ids first to last.
func numbered(first, last int) string {
	var l []string
	for i := first; i <= last; i++ {
		l = append(l, fmt.Sprintf(`{"id":"%d","body":"x"}`, i))
	}
	return "[" + strings.Join(l, ",") + "]"
}

func wantIDs(t testing.TB, a answer, want string) {
	t.Helper()
	if got := ids(t, a); got != want {
		t.Errorf("messages %q, want %q", got, want)
	}
}
