package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// reportBatch bounds the reports that are made at a time.
const reportBatch = 500

// End is a message that ended in a queue of the service, unconfirmed.
type End struct {
	Message string // its id
	State   string
	Trace   string // W3C trace context of its push; "": none
}

// Reporting says what a channel's application hears of messages of its that end.
type Reporting struct {
	Caller Caller // to push the reports as
	Wanted bool   // the application asked for them
	// Batch makes reports.
	Batch func([]End) (Batch, error)
}

// reporter tells applications of their messages that are past their ends. What is to be told
// stands in Redis; whoever finds some there adds the queue. What can't be told now, as
// the application's queue is full, say, is told when the sweep comes by.
type reporter struct {
	queues *Queues
	rdb    redis.UniversalClient
	ready  chan struct{} // has a signal in it when waiting has more

	mu      sync.Mutex
	waiting map[Name]bool
}

// add has a queue looked at. It does not wait.
func (r *reporter) add(n Name) {
	r.mu.Lock()
	r.waiting[n] = true
	r.mu.Unlock()
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

func (r *reporter) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.ready:
		}
		r.mu.Lock()
		names := r.waiting
		r.waiting = make(map[Name]bool)
		r.mu.Unlock()
		for n := range names {
			if ctx.Err() != nil {
				return
			}
			if err := r.step(ctx, n); err != nil {
				// Of more than may wait (lua/lib/lapse.lua), the oldest are not reported.
				r.queues.log.WarnContext(ctx, "messages past their validity are reported later",
					"channel", n.Channel, "queue", n.Kind, "waiting", r.waits(ctx, n), "error", err)
			}
		}
	}
}

// waits returns how many messages of a queue are to be reported; 0 if Redis does not say.
func (r *reporter) waits(ctx context.Context, n Name) int64 {
	ctx, cancel := context.WithTimeout(ctx, r.queues.opts.Timeout)
	defer cancel()
	return r.rdb.XLen(ctx, r.queues.key(n).Unreported()).Val()
}

// step reports what is to be reported of a queue: fewer at a time where the application's queue has no room
// for more.
func (r *reporter) step(ctx context.Context, n Name) error {
	q := r.queues
	k := q.key(n)
	for most := reportBatch; ; {
		ids, ends, err := r.read(ctx, k, most)
		if err != nil {
			return err
		}
		if len(ends) > 0 && n.Kind == Outbound {
			err := r.report(ctx, n.Channel, ends)
			if errors.Is(err, ErrFull) && len(ends) > 1 {
				most = len(ends) / 2
				continue
			}
			if err != nil {
				return err
			}
		}
		args := q.argv(k, q.service(), len(ids))
		for _, id := range ids {
			args = append(args, id)
		}
		reply, err := q.runner.Run(ctx, q.scripts.reported, k.Stream, args...)
		if err != nil {
			return err
		}
		f := reply.Fields()
		if left := f.Int(); f.Err() != nil || left == 0 {
			return f.Err()
		}
	}
}

func (r *reporter) read(ctx context.Context, k storage.Queue, most int) (ids []string, ends []End, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.queues.opts.Timeout)
	defer cancel()
	entries, err := r.rdb.XRangeN(ctx, k.Unreported(), "-", "+", int64(most)).Result()
	if err != nil {
		return nil, nil, storage.Unavailable(err)
	}
	for _, e := range entries {
		ids = append(ids, e.ID)
		message, _ := e.Values["message"].(string)
		trace, _ := e.Values["trace"].(string)
		ends = append(ends, End{Message: message, State: StateExpired, Trace: trace})
	}
	return ids, ends, nil
}

// report tells a channel's application, if it asked for that, and keeps the states. To do so
// again says nothing new.
func (r *reporter) report(ctx context.Context, channel string, ends []End) error {
	q := r.queues
	if q.opts.Reporting == nil {
		return nil
	}
	reporting, err := q.opts.Reporting(ctx, channel)
	if err != nil {
		return fmt.Errorf("reporting the ends of messages: %w", err)
	}
	states := make([]State, len(ends))
	for i, e := range ends {
		states[i] = State{Message: e.Message, State: e.State, At: time.Now()}
	}
	if reporting.Wanted {
		batch, err := reporting.Batch(ends)
		if err != nil {
			return err
		}
		if _, err := q.Push(ctx, Name{Channel: channel, Kind: Inbound}, reporting.Caller, batch); err != nil {
			return err
		}
	}
	return NewOperator(q, r.rdb).AddStates(ctx, channel, states)
}
