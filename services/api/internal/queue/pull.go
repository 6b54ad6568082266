package queue

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Request says what a pull asks for.
type Request struct {
	ETag      *qst.ETag     // what was processed; nil: the client named nothing
	Last      string        // instead of an ETag: the id of the last message processed, as qst.Version1ID has it; "": none
	Max       int           // most messages; 0: none is read, the request only confirms
	UniqueIDs bool          // the answer ends before a message whose id another of it has
	Wait      time.Duration // how long to wait for a message; 0: not at all
}

// prefix returns how the canonical form of the message with the id Last begins.
func (r Request) prefix() []byte {
	if r.Last == "" {
		return nil
	}
	m := qst.Message{ID: qst.ParseVersion1ID(r.Last)}
	return bytes.TrimSuffix(m.AppendCanonical(nil), []byte("}"))
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
	// HandedOver: another replica is to hold the poll, so its client has to come back
	// over another connection.
	HandedOver bool
	// Redelivered is how many of the messages, the first ones, had gone out before.
	Redelivered int
	// Traces are the W3C trace contexts of the pushes that brought the messages, and
	// those of what was confirmed; each one once.
	Traces, ConfirmedTraces []string

	waited float64 // of the first message, from its push, in seconds
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
	later.Held = p.held()
	if err != nil {
		return Delivery{Held: later.Held}, err
	}
	later.Superseded = outcome == superseded
	later.Confirmed, later.ConfirmedTraces = d.Confirmed, d.ConfirmedTraces
	if len(later.Messages) > 0 {
		s.metrics.Wake.Record(ctx, later.waited)
	}
	if later.ETag == nil {
		later.ETag = d.ETag
	}
	return later, nil
}

// What came of a run of the pull script, as the script calls it.
const (
	reading    = "read"       // there is something to read
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
		defer func(start time.Time) { p.looked = time.Since(start) }(time.Now())
		who, since, left = s.replica+"/"+p.name, p.since, p.left()
	}
	f, err := s.onQueue(ctx, s.scripts.pull, n, k, c.Limits.Retention.Milliseconds(), nil,
		c.flag(), c.Address, c.UserAgent, epoch, id, r.Max, s.opts.PullMaxBytes, c.Limits.MaxDeliveries,
		who, left.Milliseconds(), since, r.prefix(), r.Last, r.UniqueIDs)
	if err != nil {
		return "", Delivery{}, err
	}
	outcome = f.string(0)
	if outcome == unknown {
		return "", Delivery{}, ErrUnknownChannel
	}
	if p != nil {
		p.since = f.string(4)
	}
	if c.Registered || f.string(1) != "" { // anybody may ask for a channel that never was
		s.heard[k.partition].note(n.Channel)
	}
	now := f.int(3)
	s.dropped(ctx, n, f.int(5), f.int(6))
	if f.int(2) == 1 {
		d.ETag = r.ETag
	}
	confirmed := f.slice(9)
	d.Confirmed = len(confirmed)
	s.metrics.Confirmed.Add(ctx, int64(d.Confirmed), n.attribute())
	for i := range confirmed {
		s.metrics.ToConfirm.Record(ctx, seconds(now-confirmed.int(i)), n.attribute())
	}
	d.ConfirmedTraces = f.slice(10).strings()
	if outcome != reading {
		return outcome, d, nil
	}
	d.Redelivered = f.int(7)
	if err := s.decode(ctx, n, f.slice(8), now, &d); err != nil {
		return "", Delivery{}, fmt.Errorf("%s: %w", k.stream, err)
	}
	d.ETag.Epoch = f.string(1)
	return outcome, d, nil
}

// decode puts what was read into d: {id, canonical JSON, trace context, id, …}.
func (s *Store) decode(ctx context.Context, n Name, entries fields, now int, d *Delivery) error {
	const width = 3
	d.Messages = make([]qst.Message, 0, len(entries)/width)
	d.ETag = new(qst.ETag)
	for i := 0; i+width <= len(entries); i += width {
		id, err := qst.ParseStreamID(entries.string(i))
		if err != nil {
			return err
		}
		m, err := qst.DecodeCanonical([]byte(entries.string(i + 1)))
		if err != nil {
			// Without what err says: it speaks of a request, which this is not (a 400
			// would be the client's fault), and quotes the message.
			return fmt.Errorf("entry %s is not a message as the service writes them", id)
		}
		if i/width >= d.Redelivered {
			s.metrics.ToDeliver.Record(ctx, seconds(now-int(id.Ms)), n.attribute())
		}
		if i == 0 {
			d.waited = seconds(now - int(id.Ms))
		}
		if trace := entries.string(i + 2); trace != "" && !slices.Contains(d.Traces, trace) && len(d.Traces) < mostTraces {
			d.Traces = append(d.Traces, trace)
		}
		d.Messages = append(d.Messages, m)
		d.ETag.ID = id
	}
	s.metrics.Delivered.Add(ctx, int64(len(d.Messages)-d.Redelivered), n.attribute())
	s.metrics.Redelivered.Add(ctx, int64(d.Redelivered), n.attribute())
	return nil
}

// mostTraces bounds the traces that an answer names: what the OpenTelemetry SDK
// keeps of a span's links.
const mostTraces = 128

func seconds(ms int) float64 { return float64(max(0, ms)) / 1000 }

// newEpoch makes the random part of a new queue's ETags.
func newEpoch() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
