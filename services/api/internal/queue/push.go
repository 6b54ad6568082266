package queue

import (
	"context"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// Entry is a message as it goes into a queue.
type Entry struct {
	// Digest is the digest of what the message's sender gave; empty if the sender gave no
	// id: then the message is never a duplicate.
	Digest []byte
	// Payload is the message's canonical form. A queue does not look into it.
	Payload []byte
	// Until is when the message stops being valid; zero: TTL after it was taken. Where both
	// are zero, the queue's limits say how long it is valid.
	Until time.Time
	TTL   time.Duration
}

// Batch is what a push brings.
type Batch struct {
	Entries []Entry
	// Last is the id of the last message, kept as what a client pushed last; "": these are
	// messages of the service itself.
	Last string
	// Trace is the W3C trace context that is kept with the messages; "": none.
	Trace string
}

// Push puts a batch into a queue, in order: every message of it, or none. What the queue
// took before, within the deduplication window, is counted and not stored again; see
// "Sent again" in the protocol. When Push returns without an error the messages are stored,
// as durably as Redis is set up to be, and a poll that waits for them has them or hears of them.
//
// It returns ErrFull, storage.ErrUnavailable or ErrUnknownChannel.
func (q *Queues) Push(ctx context.Context, n Name, c Caller, b Batch) (qst.Result, error) {
	if len(b.Entries) == 0 {
		return qst.Result{}, nil
	}
	start := time.Now()
	k := q.key(n)
	const own = 7
	args := append(q.argv(k, c, own+2*len(b.Entries)),
		c.Limits.DedupWindow.Milliseconds(), q.opts.MaxDigests, c.Limits.MaxMessages, c.Limits.MaxBytes, b.Trace, b.Last, validity(b.Entries, c.Limits.ttl(n.Kind)))
	for _, e := range b.Entries {
		args = append(args, q.keyed(e.Digest), e.Payload)
	}
	r, err := q.runPush(ctx, k, args)
	if err == nil && r.outcome == fullOld {
		// What is over its age or past its end must not be in the way.
		var dropped int64
		if dropped, err = q.expire(ctx, n); err == nil && dropped > 0 {
			r, err = q.runPush(ctx, k, args)
		}
	}
	if err != nil {
		// The script may have run, and have delivered to a poll of this replica, which only the
		// lost answer names.
		q.waiters.recheckQueue(k)
		return qst.Result{}, err
	}
	if r.outcome == unknown {
		return qst.Result{}, ErrUnknownChannel
	}
	q.activity.pushed(k, c)
	if r.outcome == full || r.outcome == fullOld {
		return qst.Result{}, ErrFull
	}
	if r.poll != "" {
		h := &handoff{epoch: r.epoch, trace: b.Trace, pushed: start}
		for i, place := range r.places {
			h.ids = append(h.ids, r.ids[i])
			h.payloads = append(h.payloads, string(b.Entries[place].Payload))
		}
		q.handOff(ctx, k, c.Life, r.poll, h)
	}
	if r.forgotten > 0 {
		q.metrics.Forgotten.Add(ctx, r.forgotten, n.attribute())
	}
	q.metrics.Accepted.Add(ctx, r.accepted, n.attribute())
	if r.duplicates > 0 {
		q.metrics.Duplicate.Add(ctx, r.duplicates, n.attribute())
	}
	return qst.Result{Accepted: int(r.accepted), Duplicates: int(r.duplicates)}, nil
}

func (q *Queues) runPush(ctx context.Context, k storage.Queue, args []any) (pushReply, error) {
	reply, err := q.runner.RunDurable(ctx, q.scripts.push, k.Stream, args...)
	if err != nil {
		return pushReply{}, err
	}
	return parsePush(reply)
}

// Outcomes of scripts, as the scripts call them.
const (
	stored     = "stored"     // pushed
	full       = "full"       // there is no room
	fullOld    = "full_old"   // the same, and messages over their age or past their ends may be in the way
	reading    = "read"       // there is something to read
	empty      = "empty"      // there is nothing to read
	waiting    = "waiting"    // there is nothing to read, and the poll is the queue's waiter
	superseded = "superseded" // a later poll is the waiter
	unknown    = "unknown"    // there is no such channel
	lapsing    = "lapsing"    // more is past its end than one run drops
)

// pushReply is what push.lua returns.
type pushReply struct {
	outcome                         string
	accepted, duplicates, forgotten int64
	epoch, poll                     string
	places                          []int64  // of the messages that the poll gets, in the batch
	ids                             []string // theirs
}

func parsePush(reply storage.Reply) (r pushReply, err error) {
	f := reply.Fields()
	r.outcome = f.Text()
	r.accepted, r.duplicates, r.forgotten = f.Int(), f.Int(), f.Int()
	r.epoch, r.poll = f.Text(), f.Text()
	handed := f.List().Fields()
	for handed.More() {
		r.places = append(r.places, handed.Int())
		r.ids = append(r.ids, handed.Text())
	}
	if err := handed.Err(); err != nil {
		return pushReply{}, err
	}
	return r, f.Err()
}
