package queue

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// What a round trip to a real Redis on the same machine costs: look at how they
// change, not at what they are.

// room is a queue that a benchmark can't fill.
func room(_ *Options, l *Limits) {
	l.MaxMessages, l.MaxBytes = 1_000_000_000, 1<<40
}

// benchBatch makes n messages with ids that were not there before.
func benchBatch(n int, next *int) []qst.Message {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = strconv.Itoa(*next)
		*next++
	}
	return batch(80, ids...)
}

// sizes are the messages in a push or an answer.
var sizes = []int{1, 100}

func BenchmarkPush(b *testing.B) {
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, _ := open(b, room)
			next := 0
			for b.Loop() {
				mustPush(b, s, benchBatch(n, &next))
			}
		})
	}
}

// Each pull confirms the one before.
func BenchmarkPull(b *testing.B) {
	for _, n := range sizes {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			s, _ := open(b, room)
			next := 0
			var etag *qst.ETag
			for b.Loop() {
				b.StopTimer()
				mustPush(b, s, benchBatch(n, &next))
				b.StartTimer()
				_, d := mustPull(b, s, Request{Max: n, Processed: UpTo(etag)})
				if len(d.Payloads) != n {
					b.Fatalf("%d messages, want %d", len(d.Payloads), n)
				}
				etag = d.ETag
			}
		})
	}
}

// A message goes to a poll that waits for it, and the next poll confirms it.
func BenchmarkWake(b *testing.B) {
	s, c := open(b, room)
	k := s.key(inbox)
	ctx, stop := context.WithTimeout(b.Context(), time.Minute)
	defer stop()
	next := 0
	var etag *qst.ETag
	for b.Loop() {
		got := make(chan Delivery, 1)
		go func() {
			d, _ := s.Pull(ctx, inbox, Request{Max: 1, Processed: UpTo(etag), Wait: time.Minute})
			got <- d
		}()
		for c.HGet(ctx, k.Meta(), "waiter").Val() == "" {
			if ctx.Err() != nil {
				b.Fatal("the poll does not wait")
			}
		}
		mustPush(b, s, benchBatch(1, &next))
		d := <-got
		if len(d.Payloads) != 1 {
			b.Fatalf("%d messages, want 1", len(d.Payloads))
		}
		etag = d.ETag
	}
}
