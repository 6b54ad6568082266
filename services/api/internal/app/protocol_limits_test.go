package app_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	stored(t, do(t, "POST", b.URL+path, sized(4, 3, 1700), typeJSON), 3, 0)
	full(t, do(t, "POST", a.URL+path, sized(7, 2, 1700), typeJSON))
	stored(t, do(t, "POST", b.URL+path, sized(4, 3, 1700), typeJSON), 0, 3)
	push(t, a, path, numbered(7, 8))
	wantIDs(t, pull(t, b, path, "max=1"), "4")
}

// No name is a word of the URLs. (The public suite takes no names that may be others'.)
func testChannelCalledGateway(t *testing.T, a, b *replica) {
	push(t, a, "/v2/channels/gateway", `{"id":"mailbox","body":"x"}`)
	push(t, a, "/v2/channels/gateway/gateway", `{"id":"inbound","body":"x"}`)
	push(t, a, "/v2/channels/gateway/application", `{"id":"outbound","body":"x"}`)
	wantIDs(t, pull(t, b, "/v2/channels/gateway"), "mailbox")
	wantIDs(t, pull(t, b, "/v2/channels/gateway/application"), "inbound")
	wantIDs(t, pull(t, b, "/v2/channels/gateway/gateway"), "outbound")
}

func TestProtocolSettings(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		t.Run("window 0", func(t *testing.T) {
			t.Parallel()
			path := newChannel()
			push(t, a, path, `{"id":"1","body":"x"}`)
			stored(t, do(t, "POST", b.URL+path, `{"id":"1","body":"x"}`, typeJSON), 1, 0)
			wantIDs(t, pull(t, a, path), "1 1")
		})
		t.Run("two deliveries", func(t *testing.T) {
			t.Parallel()
			path := newChannel()
			push(t, a, path, numbered(1, 4))
			wantIDs(t, pull(t, a, path, "max=1"), "1")
			wantIDs(t, pull(t, b, path, "max=1"), "1")
			got := pull(t, a, path) // another one in its stead
			wantIDs(t, got, "2")
			got = pull(t, b, path, etag(got))
			wantIDs(t, got, "1")
			got = pull(t, a, path)
			wantIDs(t, got, "3")
			got = pull(t, b, path, etag(got)) // and 1 is a dead letter
			wantIDs(t, got, "4")
			confirmed(t, pull(t, a, path, etag(got)), 1)
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
			wantIDs(t, within(t, longPoll(t, a, held)), "1") // there is room again
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
		stored(t, do(t, "POST", b.URL+path, numbered(1, 3), typeJSON), 3, 0)
		got = pull(t, a, path, etag(old))
		confirmed(t, got, 0)
		wantIDs(t, got, "1 2 3")
	}, "QST_RETENTION=3s", "QST_DEDUP_WINDOW=1s")
}
