package app_test

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

func TestDeadPollerTakesNothing(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	a, b := startReplica(t, s.URL()), startReplica(t, s.URL())
	for name, vanish := range map[string]func(c *net.TCPConn){
		"reset": func(c *net.TCPConn) {
			_ = c.SetLinger(0) // closing sends a reset
			_ = c.Close()
		},
		"half-open": func(*net.TCPConn) {}, // and never a word again
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := "/v2/channels/" + name
			dead := rawPoll(t, a, path)
			defer dead.Close()
			first := waitForPoll(t, s, name, "mailbox", "")
			vanish(dead)
			next := longPoll(t, b, path)
			waitForPoll(t, s, name, "mailbox", first)
			push(t, a, path, `{"id":"1","body":"x"}`)
			if got := within(t, next); ids(t, got) != "1" {
				t.Fatalf("the next poll got %v", got)
			}
		})
	}
}

// On SIGTERM held polls are answered at once, requests in flight finish, and the
// process ends in order.
func TestDrain(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	a, b := startReplica(t, s.URL()), startReplica(t, s.URL())
	polls := make([]<-chan answer, 20)
	for i := range polls {
		channel := fmt.Sprintf("c%d", i)
		polls[i] = longPoll(t, a, "/v2/channels/"+channel)
		waitForPoll(t, s, channel, "mailbox", "")
	}
	start := time.Now()
	a.terminate()
	for _, p := range polls {
		got := within(t, p)
		if got.Status != http.StatusOK || got.Body != "[]" || !got.Close {
			t.Fatalf("a held poll: %v", got)
		}
	}
	if code := a.exitCode(); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if took := time.Since(start); took > 40*time.Second { // the polls' own wait is 50 s
		t.Fatalf("drained in %v: it waited for its polls", took)
	}
	// The other one goes on, and takes over.
	poll := longPoll(t, b, "/v2/channels/c0")
	push(t, b, "/v2/channels/c0", `{"id":"1","body":"x"}`)
	if got := within(t, poll); ids(t, got) != "1" {
		t.Fatalf("after the drain: %v", got)
	}
}
