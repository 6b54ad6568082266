package queue

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Request says what a pull asks for.
type Request struct {
	ETag *qst.ETag     // what was processed; nil: the client named nothing
	Max  int           // most messages, at least 1
	Wait time.Duration // how long to wait for a message; 0: not at all
}

// Delivery is a pull's answer.
type Delivery struct {
	Messages []qst.Message
	// ETag stands for the last of the messages. With none, it is the request's if
	// this queue issued that, else nil.
	ETag      *qst.ETag
	Confirmed int // by this request
	// Held is how long the pull waited for a message.
	Held time.Duration
	// Superseded: a later poll of the same queue took this one's place.
	Superseded bool
}

// Pull confirms what the request's ETag stands for, then reads: unconfirmed
// messages first, then new ones, in order. If there are none it waits, unless
// this replica holds all the polls it may, or is draining.
//
// What is read stays in the queue until it is confirmed. A pull given up by its
// client (ctx ends) while it waits takes nothing.
//
// It returns ErrUnavailable, ErrUnknownChannel, or the context's error.
func (s *Store) Pull(ctx context.Context, n Name, c Call, r Request) (Delivery, error) {
	k := s.layout.queue(n)
	if r.Wait <= 0 || s.drained.Load() {
		_, d, err := s.read(ctx, n, k, c, r, nil)
		return d, err
	}
	p := s.polls.add(k.partition, r.Wait)
	if p == nil {
		_, d, err := s.read(ctx, n, k, c, r, nil)
		return d, err
	}
	defer s.polls.remove(p)
	outcome, d, err := s.read(ctx, n, k, c, r, p)
	if err != nil || outcome != waiting {
		return d, err
	}
	// The queue was empty, and the ETag has been dealt with.
	outcome, later, err := s.wait(ctx, n, k, c, r.Max, p)
	if err != nil {
		return Delivery{}, err
	}
	later.Held = time.Since(p.start)
	later.Superseded = outcome == superseded
	later.Confirmed = d.Confirmed
	if later.ETag == nil {
		later.ETag = d.ETag
	}
	return later, nil
}

// What came of a run of the pull script, as the script calls it.
const (
	waiting    = "waiting"    // nothing to read; the poll is the queue's waiter
	superseded = "superseded" // a later poll is
	unknown    = "unknown"    // there is no such channel
)

// read runs the pull script once. With a poll, that becomes the queue's waiter
// if there is nothing to read.
func (s *Store) read(ctx context.Context, n Name, k queueKeys, c Call, r Request, p *poll) (outcome string, d Delivery, err error) {
	var epoch, id string
	if r.ETag != nil {
		epoch, id = r.ETag.Epoch, r.ETag.ID.String()
	}
	var who, since string
	var left time.Duration
	if p != nil {
		who, since, left = s.replica+"/"+p.name, p.since, p.left()
	}
	reply, err := s.run(ctx, s.scripts.pull,
		[]string{k.stream, k.meta, k.waiter, k.dead, k.record, k.oldest, k.due},
		[]any{
			epoch, id, r.Max, s.opts.PullMaxBytes, c.Limits.Retention.Milliseconds(), c.Limits.MaxDeliveries,
			n.String(), k.wakes, who, left.Milliseconds(), since, c.flag(), c.Address, c.UserAgent,
		}, 0)
	if err != nil {
		return "", Delivery{}, unavailable(err)
	}
	f := fields(reply)
	if f.string(0) == unknown {
		return "", Delivery{}, ErrUnknownChannel
	}
	s.logDropped(ctx, n, f.int(4), f.int(5))
	if p != nil {
		p.since = f.string(7)
	}
	d.Confirmed = f.int(3)
	if f.int(2) == 1 {
		d.ETag = r.ETag
	}
	entries := f.slice(8)
	if len(entries) == 0 {
		return f.string(0), d, nil
	}
	d.Messages = make([]qst.Message, 0, len(entries)/2)
	for i := 0; i+1 < len(entries); i += 2 {
		m, err := qst.DecodeCanonical([]byte(entries.string(i + 1)))
		if err != nil {
			return "", Delivery{}, fmt.Errorf("entry %s of %s: %w", entries.string(i), k.stream, err)
		}
		d.Messages = append(d.Messages, m)
	}
	last, err := qst.ParseStreamID(entries.string(len(entries) - 2))
	if err != nil {
		return "", Delivery{}, fmt.Errorf("last entry of %s: %w", k.stream, err)
	}
	d.ETag = &qst.ETag{Epoch: f.string(1), ID: last}
	return f.string(0), d, nil
}

// newEpoch makes the random part of a new queue's ETags.
func newEpoch() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
