package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// A poll ends when its time is over, whatever Redis does: what its look brings later is for the next poll.
func TestPollKeepsItsTime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	opts, limits := defaults()
	limits.MaxDeliveries = 1
	s := openOn(t, server, opts, limits)
	// Queues that wait for Redis for ever, and know that a step takes half a second.
	c := redis.NewClient(&redis.Options{Addr: server.Addr, ReadTimeout: -1})
	t.Cleanup(func() { _ = c.Close() })
	runner := storage.NewRunner(c, storage.RunnerOptions{Timeout: time.Hour})
	t.Cleanup(runner.Close)
	opts.Timeout = 500 * time.Millisecond
	slow := &limited{Queues: New(runner, c, c, opts), Operator: s.Operator, caller: s.caller}
	for _, news := range []string{"time is over", "look again"} {
		ended := make(chan error, 1)
		go func() {
			_, err := slow.Pull(t.Context(), inbox, Request{Max: 10, Wait: 2 * time.Second})
			ended <- err
		}()
		waitUntil(t, func() bool { // its first look is over: one that Redis never answers has no end here
			slow.waiters.mu.Lock()
			defer slow.waiters.mu.Unlock()
			return len(slow.waiters.waiter) == 1
		})
		server.Freeze()
		if news == "look again" {
			slow.waiters.recheck(-1)
		}
		if err := <-ended; !errors.Is(err, storage.ErrUnavailable) {
			t.Fatalf("%s: %v", news, err)
		}
		server.Thaw()
		slow.looks.Wait()
		waitUntil(t, func() bool { return waiter(t, s) == "" })
		mustPush(t, s, batch(10, news))
		ids, d := mustPull(t, s, Request{})
		if ids != news || d.Redelivered != 0 {
			t.Fatalf("%q, redelivered %d", ids, d.Redelivered)
		}
		mustPull(t, s, Request{Processed: UpTo(d.ETag)})
	}
}
