package queue

import (
	"testing"
	"time"
)

// Of one queue a replica holds one poll: the next one takes its place of the replica's limit at
// once, before it has heard of anything. So one queue can't have them all.
func TestOnePollOfAQueue(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(o *Options, _ *Limits) { o.MaxPolls = 2 })
	const polls = 20
	answers := make(chan Delivery, polls)
	for range polls {
		go func() {
			d, err := s.Pull(t.Context(), inbox, Request{Max: 1, Wait: time.Minute})
			if err != nil {
				t.Error(err)
			}
			answers <- d
		}()
	}
	for range polls - 1 {
		if d := <-answers; !d.Superseded || len(d.Payloads) > 0 {
			t.Errorf("%+v", d)
		}
	}
	if n := s.Polls(); n != 1 {
		t.Errorf("%d polls are held", n)
	}
	// There is a place for another queue's.
	other := make(chan Delivery, 1)
	go func() {
		d, err := s.Queues.Pull(t.Context(), Name{Channel: "other", Kind: Inbound}, s.caller, Request{Max: 1, Wait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		other <- d
	}()
	waitUntil(t, func() bool { return s.Polls() == 2 })
	mustPush(t, s, batch(10, "1"))
	if d := <-answers; len(d.Payloads) != 1 {
		t.Errorf("%+v", d)
	}
	s.Drain()
	<-other
}
