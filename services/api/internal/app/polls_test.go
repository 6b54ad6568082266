package app_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// manyPolls is as many as the checks of the service's promises ask for.
const manyPolls = 10_000

// pushedTo: every so many-th poll gets a message.
const pushedTo = 20

// Ten thousand polls wait on one replica: the number of connections to Redis is
// what it was before. Each poll for which a message is pushed, through another
// replica, gets it and no other; the rest are answered when the replica drains.
func TestManyPolls(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	// Longer than the test may take, and the other replica gets none: no poll ends by itself.
	r, other := startReplica(t, s.URL(), "QST_LONG_POLL_MAX=1h", "QST_REBALANCE_PERCENT=0"), startReplica(t, s.URL())
	c := s.Client()
	before := connections(t, c)

	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	got := make(chan error, manyPolls)
	waiting := func() (n int) {
		// A poll waits in the state of its queue, which nothing was pushed into yet.
		iter := c.Scan(t.Context(), 0, "qst:*:meta", 10_000).Iterator()
		for iter.Next(t.Context()) {
			n++
		}
		return n
	}
	const group = 500 // that connect at once
	for i := range manyPolls {
		go func() {
			a, err := try(t.Context(), client, "GET", fmt.Sprintf("%s/v2/channels/c%d?format=json&long-polling=true", r.URL, i), "")
			want := "[]"
			if i%pushedTo == 0 {
				want = fmt.Sprintf(`[{"id":"%d",`, i)
			}
			if err == nil && !strings.HasPrefix(a.Body, want) {
				err = fmt.Errorf("poll %d: %d %s", i, a.Status, a.Body)
			}
			got <- err
		}()
		if (i+1)%group > 0 {
			continue
		}
		eventually(t, "the polls wait", func() error {
			select {
			case err := <-got:
				t.Fatalf("a poll was answered before there was a message: %v", err)
			default:
			}
			if n := waiting(); n < i+1 {
				return fmt.Errorf("%d of %d", n, i+1)
			}
			return nil
		})
	}
	if after := connections(t, c); after > before {
		t.Errorf("%d connections to Redis before the polls, %d with them", before, after)
	}
	for i := 0; i < manyPolls; i += pushedTo {
		push(t, other, fmt.Sprintf("/v2/channels/c%d", i), fmt.Sprintf(`{"id":"%d","body":"x"}`, i))
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
	r.terminate()
	for range manyPolls - manyPolls/pushedTo {
		if err := <-got; err != nil {
			t.Fatal(err)
		}
	}
	if code := r.exitCode(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
}

func connections(t testing.TB, c *redis.Client) int {
	t.Helper()
	info, err := c.Info(t.Context(), "clients").Result()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(info) {
		if _, err := fmt.Sscanf(line, "connected_clients:%d", &n); err == nil {
			return n
		} else if errors.Is(err, io.EOF) {
			continue
		}
	}
	t.Fatal("Redis does not say how many clients it has")
	return 0
}
