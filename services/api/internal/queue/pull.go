package queue

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// Request says what a pull asks for.
type Request struct {
	Processed Processed     // what the client has processed
	Max       int           // messages at the most; 0: only confirm
	Wait      time.Duration // how long to wait for a message; 0: not at all
	Fence     string        // fencing token of the webhook's lease; "": it is no worker that pulls
}

// Processed is how a client says what it has processed.
type Processed struct {
	etag *qst.ETag
	// Of a version 1 client, instead of the ETag:
	version1  bool
	start, id string
}

// UpTo is what a client says that brings an ETag; nil: it brings none.
func UpTo(etag *qst.ETag) Processed { return Processed{etag: etag} }

// UpToMessage is what a version 1 client says: the id of the last message that it processed, as
// it has that id, and how the message's payload begins, up to the end of the id. "" and "":
// it names none.
func UpToMessage(id, start string) Processed { return Processed{version1: true, start: start, id: id} }

// kept returns what a poll keeps while it waits: nothing of the request that it came with.
func (p Processed) kept() Processed {
	p.start, p.id = strings.Clone(p.start), strings.Clone(p.id)
	if p.etag != nil {
		p.etag = &qst.ETag{Epoch: strings.Clone(p.etag.Epoch), ID: p.etag.ID}
	}
	return p
}

// Delivery is a pull's answer.
type Delivery struct {
	Payloads []string // of the messages
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

	ids    []string // of the messages
	poll   string   // that was held; "": none
	waited float64  // from the first message's push to its reading, in seconds
}

// Pull confirms what the request says was processed, then reads: unconfirmed
// messages first, then new ones, in order. If there are none it waits, unless
// this replica holds all the polls it may, or is draining.
//
// What is read stays in the queue until it is confirmed. A pull given up by its
// client (ctx ends) while it waits takes nothing.
//
// It returns storage.ErrUnavailable, ErrUnknownChannel, ErrFenced, or the context's error.
func (q *Queues) Pull(ctx context.Context, n Name, c Caller, r Request) (Delivery, error) {
	d, p, err := q.Begin(ctx, n, c, r)
	if p == nil {
		return d, err
	}
	return p.Wait(ctx)
}

// Begin is Pull without the wait: it returns a poll if the pull has to wait, else nil.
func (q *Queues) Begin(ctx context.Context, n Name, c Caller, r Request) (Delivery, *Poll, error) {
	k := q.key(n)
	if r.Wait <= 0 || r.Max <= 0 {
		_, d, err := q.read(ctx, n, k, c, r, nil, 0)
		return d, nil, err
	}
	p := &Poll{queues: q, of: n, queue: k, caller: c, request: r, start: time.Now()}
	if !q.waiters.add(p) {
		_, d, err := q.read(ctx, n, k, c, r, nil, 0)
		return d, nil, err
	}
	outcome, d, err := q.read(ctx, n, k, c, r, p, r.Wait)
	if err != nil || outcome != waiting {
		q.end(ctx, p)
		q.waiters.open.Done()
		return d, nil, err
	}
	q.waiters.hold(p)
	// The queue was empty, and what was processed has been dealt with.
	p.etag, p.confirmed, p.confirmedTraces = d.ETag, d.Confirmed, d.ConfirmedTraces
	p.request.Processed = r.Processed.kept()
	return Delivery{}, p, nil
}

// GiveBack takes a delivery back that does not reach its client, from its i-th message on
// (counted from 0): it does not count, and what was in it is for the next pull.
func (q *Queues) GiveBack(ctx context.Context, n Name, c Caller, d Delivery, i int) {
	q.giveBack(ctx, q.key(n), c.Life, d.poll, d.ids[i:])
}

func (q *Queues) giveBack(ctx context.Context, k storage.Queue, life, poll string, ids []string) {
	if len(ids) == 0 {
		return
	}
	args := append(q.argv(k, Caller{Life: life}, 1+len(ids)), poll)
	for _, id := range ids {
		args = append(args, id)
	}
	// Best effort: otherwise that delivery counts.
	if _, err := q.runner.Run(ctx, q.scripts.giveBack, k.Stream, args...); err != nil {
		q.log.DebugContext(ctx, "a delivery that did not reach its client counts", "key", k.Stream, "error", err)
	}
}

// read runs the pull script once. A poll becomes the queue's waiter if there is nothing to
// read, for as long as it waits; with 0, this is its last look.
func (q *Queues) read(ctx context.Context, n Name, k storage.Queue, c Caller, r Request, p *Poll, wait time.Duration) (outcome string, d Delivery, err error) {
	const own = 10
	args := append(q.argv(k, c, own), r.Max, q.opts.PullMaxBytes, q.buries(c.Limits))
	if p == nil {
		args = append(args, "", 0, "")
	} else {
		defer func(start time.Time) { p.looked = time.Since(start) }(time.Now())
		if wait > 0 {
			wait = max(time.Millisecond, wait)
		}
		args = append(args, p.name, wait.Milliseconds(), p.since)
	}
	script := q.scripts.pull
	switch etag := r.Processed.etag; {
	case r.Processed.version1:
		script = q.scripts.pullVersion1
		args = append(args, r.Processed.start, r.Processed.id)
	case etag != nil:
		args = append(args, etag.Epoch, etag.ID.Ms, etag.ID.Seq)
	default:
		args = append(args, "", 0, 0)
	}
	if r.Fence != "" {
		script = q.scripts.pullFenced
		args = append(args, r.Fence)
	}
	f, err := q.runPull(ctx, n, k, script, args)
	if err != nil {
		return "", Delivery{}, err
	}
	if f.outcome == unknown {
		return "", Delivery{}, ErrUnknownChannel
	}
	if p != nil {
		p.since = f.since
	}
	if c.Life != "" || f.epoch != "" { // anybody may ask for a channel that never was
		q.activity.pulled(k, c, len(f.confirmed) > 0 || f.recovered > 0)
	}
	q.dropped(ctx, n, f.expired, f.dead)
	q.deadDropped(ctx, n, f.deadDropped)
	if f.good == 1 {
		d.ETag = r.Processed.etag
	}
	if d.Confirmed = len(f.confirmed); d.Confirmed > 0 {
		q.metrics.Confirmed.Add(ctx, int64(d.Confirmed), n.attribute())
		for _, ms := range f.confirmed {
			q.metrics.ToConfirm.Record(ctx, seconds(f.now-ms), n.attribute())
		}
	}
	q.recovered(ctx, n, f.recovered)
	d.Confirmed += int(f.recovered)
	d.ConfirmedTraces = f.traces
	if f.outcome != reading {
		return f.outcome, d, nil
	}
	d.Redelivered = int(f.redelivered)
	return f.outcome, d, q.deliver(ctx, n, &d, f.epoch, f.ids, f.payloads, f.entryTraces, func(ms int64) float64 { return seconds(f.now - ms) })
}

// deliver puts what was read, or handed over, into d. age tells how old a message is, by
// when it was pushed.
func (q *Queues) deliver(ctx context.Context, n Name, d *Delivery, epoch string, ids, payloads, traces []string, age func(ms int64) float64) error {
	d.ids, d.Payloads = ids, payloads
	last, err := qst.ParseStreamID(ids[len(ids)-1])
	if err != nil {
		return err
	}
	d.ETag = &qst.ETag{Epoch: epoch, ID: last}
	for i, id := range ids {
		old := age(milliseconds(id))
		if i == 0 {
			d.waited = old
		}
		if i >= d.Redelivered {
			q.metrics.ToDeliver.Record(ctx, old, n.attribute())
		}
	}
	for _, trace := range traces {
		if trace != "" && len(d.Traces) < maxTraces && !slices.Contains(d.Traces, trace) {
			d.Traces = append(d.Traces, trace)
		}
	}
	if first := len(ids) - d.Redelivered; first > 0 {
		q.metrics.Delivered.Add(ctx, int64(first), n.attribute())
	}
	if d.Redelivered > 0 {
		q.metrics.Redelivered.Add(ctx, int64(d.Redelivered), n.attribute())
	}
	return nil
}

// maxTraces bounds the traces that an answer names: what the OpenTelemetry SDK
// keeps of a span's links.
const maxTraces = 128

// milliseconds returns the time of a stream id.
func milliseconds(id string) int64 {
	ms, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(ms, 10, 64) // Redis made it
	return n
}

func seconds(ms int64) float64 { return float64(max(0, ms)) / 1000 }

// pullReply is what pull.lua returns.
type pullReply struct {
	outcome, epoch             string
	good, now                  int64
	since                      string
	expired, dead, redelivered int64
	recovered                  int64    // confirmed without a delivery that Redis remembers
	ids, payloads, entryTraces []string // of what is read
	confirmed                  []int64  // when what is confirmed was pushed, ms
	traces                     []string // of what is confirmed
	deadDropped                int64
	lapsed, unreported         int64 // dropped as past their ends
}

func parsePull(reply storage.Reply) (r pullReply, err error) {
	f := reply.Fields()
	r.outcome, r.epoch = f.Text(), f.Text()
	r.good, r.now, r.since = f.Int(), f.Int(), f.Text()
	r.expired, r.dead, r.redelivered, r.recovered = f.Int(), f.Int(), f.Int(), f.Int()
	read := f.List()
	entries := read.Fields()
	const width = 3
	if n := len(read) / width; n > 0 {
		all := make([]string, 0, len(read))
		for entries.More() {
			all = append(all, entries.Text())
		}
		r.ids, r.payloads, r.entryTraces = make([]string, n), make([]string, n), make([]string, n)
		for i := range n {
			r.ids[i], r.payloads[i], r.entryTraces[i] = all[width*i], all[width*i+1], all[width*i+2]
		}
	}
	if err := entries.Err(); err != nil {
		return pullReply{}, err
	}
	r.confirmed, r.traces = f.Ints(), f.Texts()
	r.deadDropped, r.lapsed, r.unreported = f.Int(), f.Int(), f.Int()
	return r, f.Err()
}
