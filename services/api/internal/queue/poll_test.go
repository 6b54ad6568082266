package queue

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Parked polls, more than may be answered at once, are all answered when the replica drains;
// those whose clients had gone are told so, and a message for one of them goes out before.
func TestManyPollsInLine(t *testing.T) {
	t.Parallel()
	const n = 5 * stepsAtOnce
	s, _ := open(t, func(o *Options, _ *Limits) { o.MaxPolls = n })
	var all sync.WaitGroup
	var empty, given, gone atomic.Int32
	for i := range n {
		name := Name{Channel: "c" + whole(i), Kind: Inbound}
		if i == 0 {
			name = inbox
		}
		_, p, err := s.Begin(t.Context(), name, s.caller, Request{Max: 1, Wait: time.Hour})
		if err != nil || p == nil {
			t.Fatal(p, err)
		}
		all.Add(1)
		p.Park(context.Background(), func(ctx context.Context, d Delivery, err error) {
			defer all.Done()
			switch {
			case ctx.Err() != nil && err != nil:
				gone.Add(1)
			case err == nil && len(d.Payloads) > 0:
				given.Add(1)
			case err == nil:
				empty.Add(1)
			}
		})
		if i%4 == 1 {
			p.Leave()
		}
	}
	s.waiters.recheck(-1)
	mustPush(t, s, batch(10, "1"))
	waitUntil(t, func() bool { return given.Load() == 1 })
	s.Drain()
	s.Close()
	all.Wait()
	if empty.Load() != n*3/4-1 || gone.Load() != n/4 || s.Polls() != 0 {
		t.Errorf("%d answered empty, %d gone, %d held of %d", empty.Load(), gone.Load(), s.Polls(), n)
	}
	s.line.mu.Lock()
	defer s.line.mu.Unlock()
	if s.line.free != stepsAtOnce || s.line.first != nil {
		t.Errorf("%d places are free, and %v is in line", s.line.free, s.line.first)
	}
}
