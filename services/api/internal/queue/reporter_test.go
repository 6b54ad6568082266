package queue

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

var outbox = Name{Channel: inbox.Channel, Kind: Outbound}

// tell makes a message of each end.
func tell(ends []End) (b Batch, err error) {
	for _, e := range ends {
		m := qst.Message{ID: e.State + " " + e.Message, Body: "x"}
		digest := m.Digest()
		b.Entries = append(b.Entries, Entry{Digest: digest[:], Payload: m.AppendCanonical(nil)})
	}
	return b, nil
}

// pushPast pushes messages to a gateway that are past their ends.
func pushPast(t *testing.T, q *limited, n int) {
	t.Helper()
	b := Batch{}
	for i := range n {
		m := qst.Message{ID: whole(i), Body: "x"}
		b.Entries = append(b.Entries, Entry{Payload: m.AppendCanonical(nil), Until: time.Unix(1, 0)})
	}
	if _, err := q.Queues.Push(t.Context(), outbox, q.caller, b); err != nil {
		t.Fatal(err)
	}
	if d, err := q.Pull(t.Context(), outbox, Request{Max: 10}); err != nil || len(d.Payloads) != 0 {
		t.Fatalf("%d %v", len(d.Payloads), err)
	}
}

// An application whose queue holds fewer messages than there are to be reported hears of all of them.
func TestReportsFitASmallQueue(t *testing.T) {
	t.Parallel()
	const reports, room = 100, 3
	q, c := open(t, func(o *Options, l *Limits) {
		small := *l
		small.MaxMessages = room
		o.Reporting = func(context.Context, string) (Reporting, error) {
			return Reporting{Wanted: true, Caller: Caller{Limits: small}, Batch: tell}, nil
		}
	})
	pushPast(t, q, reports)
	got := map[string]bool{}
	var tag *qst.ETag
	for deadline := time.Now().Add(time.Minute); len(got) < reports && time.Now().Before(deadline); {
		_, d := mustPull(t, q, Request{Processed: UpTo(tag)})
		if len(d.Payloads) > room {
			t.Fatalf("the queue held %d messages", len(d.Payloads))
		}
		tag = d.ETag
		for _, p := range d.Payloads {
			got[qst.CanonicalID(p)] = true
		}
		q.reporter.add(outbox) // as the sweep does in a minute
	}
	for i := range reports {
		if id := fmt.Sprint(StateExpired, " ", i); !got[id] {
			t.Fatalf("%d reports, and none of %s", len(got), id)
		}
	}
	waitUntil(t, func() bool { return c.Exists(t.Context(), q.key(outbox).Unreported()).Val() == 0 })
}

// What can't be reported waits, but not without bounds.
func TestUnreportedAreBounded(t *testing.T) {
	t.Parallel()
	const bound, more = 10_000, 50
	var works atomic.Bool
	q, c := open(t, func(o *Options, l *Limits) {
		o.Reporting = func(context.Context, string) (Reporting, error) {
			if !works.Load() {
				return Reporting{}, errors.New("not now")
			}
			return Reporting{Wanted: true, Caller: Caller{Limits: *l}, Batch: tell}, nil
		}
	})
	pushPast(t, q, bound+more)
	if n := c.XLen(t.Context(), q.key(outbox).Unreported()).Val(); n != bound {
		t.Fatalf("%d wait to be reported, want %d", n, bound)
	}
	works.Store(true)
	q.reporter.add(outbox)
	waitUntil(t, func() bool { return c.XLen(t.Context(), q.key(inbox).Stream).Val() == bound })
}
