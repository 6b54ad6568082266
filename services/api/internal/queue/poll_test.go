package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
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

// A client goes while its poll looks into the queue, for Redis takes long to answer: what the look finds
// was not delivered, and the next pull has it.
func TestLookForNobody(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	opts, limits := defaults()
	s := openOn(t, server, opts, limits)
	_, p, err := s.Begin(t.Context(), inbox, s.caller, Request{Max: 10, Wait: time.Hour})
	if err != nil || p == nil {
		t.Fatal(p, err)
	}
	answered := make(chan error, 1)
	p.Park(context.Background(), func(_ context.Context, d Delivery, err error) {
		if err == nil {
			err = fmt.Errorf("answered with %q", d.Payloads)
		}
		answered <- err
	})
	server.Client().HSet(t.Context(), s.key(inbox).Meta(), "waiter", "") // as if it had been lost: then nobody hears of the push
	mustPush(t, s, batch(10, "1"))
	server.Freeze()
	p.notify(func(n *news) { n.recheck = true })
	waitUntil(t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.state == steps && p.cancel != nil
	})
	p.Leave()
	server.Thaw()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if ids, d := mustPull(t, s, Request{}); ids != "1" || d.Redelivered != 0 {
		t.Errorf("%q, redelivered %d", ids, d.Redelivered)
	}
}
