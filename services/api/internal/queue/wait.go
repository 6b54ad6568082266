package queue

import (
	"context"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

const (
	// supersededPause delays the answer to a superseded poll. Two clients that both
	// poll one queue supersede each other in turn; this keeps them from doing it as
	// fast as the network lets them. A client whose earlier connection died, the
	// usual case, doesn't notice.
	supersededPause = 250 * time.Millisecond
	// recheckAtOnce is how many polls look again at a time when all must: enough
	// to be through with 20 000 in seconds, few enough to leave room for pushes.
	recheckAtOnce = 16
)

// wait holds a poll that is its queue's waiter until there is something to answer with,
// or a reason to answer without. Before an empty answer the poll looks once more: so a
// wake that was lost on the way delays a message, and never hides it.
func (q *Queues) wait(ctx context.Context, n Name, k storage.Queue, c Caller, r Request, p *poll) (Delivery, error) {
	timer := time.NewTimer(p.left())
	defer timer.Stop()
	look := func(wait time.Duration) (string, Delivery, error) {
		return q.lookAgain(ctx, n, k, c, r, p, wait)
	}
	for {
		select {
		case <-ctx.Done():
			q.leave(ctx, k, c, p)
			return Delivery{}, ctx.Err()
		case <-q.draining:
			_, d, err := look(0)
			if err != nil {
				q.log.DebugContext(ctx, "a poll was answered without a last look, as the replica drains", "error", err)
			}
			return d, nil //nolint:nilerr // its client comes back at once, to another replica
		case <-timer.C:
			_, d, err := look(0)
			return d, err
		case <-p.ready:
		}
		news := p.takeNews()
		if ctx.Err() != nil { // its client has gone: the messages are for the next poll
			if news.handed != nil {
				q.giveBack(ctx, k, c.Life, p.name, news.handed.ids)
			}
			q.leave(ctx, k, c, p)
			return Delivery{}, ctx.Err()
		}
		var outcome string
		var d Delivery
		var err error
		switch {
		case news.handed != nil:
			return q.handed(ctx, n, news.handed)
		case news.superseded:
			q.activity.superseded(k)
			q.pause(ctx, supersededPause)
			return Delivery{Superseded: true}, ctx.Err()
		case news.rebalance:
			_, d, err = look(0)
			d.HandedOver = true
			return d, err
		case news.wake:
			outcome, d, err = look(max(time.Millisecond, p.left()))
		case news.recheck:
			select {
			case q.recheck <- struct{}{}:
				outcome, d, err = look(max(time.Millisecond, p.left()))
				<-q.recheck
			case <-timer.C:
				_, d, err = look(0)
				return d, err
			case <-ctx.Done():
				continue
			case <-q.draining:
				continue
			}
		default:
			continue
		}
		if err != nil || outcome != waiting {
			d.Superseded = outcome == superseded
			return d, err
		}
	}
}

// handed makes an answer of what was handed over.
func (q *Queues) handed(ctx context.Context, n Name, h *handoff) (d Delivery, err error) {
	err = q.deliver(ctx, n, &d, h.epoch, h.ids, h.payloads, []string{h.trace}, func(ms int64) float64 {
		if !h.pushed.IsZero() {
			return time.Since(h.pushed).Seconds()
		}
		return seconds(time.Now().UnixMilli() - ms)
	})
	return d, err
}

// handOff gives a poll of this replica what the script of a push has delivered to it. If the
// poll has ended meanwhile, the delivery is given back.
func (q *Queues) handOff(ctx context.Context, k storage.Queue, life, name string, h *handoff) {
	if !q.waiters.notify(name, func(n *news) { n.handed = h }) {
		q.giveBack(ctx, k, life, name, h.ids)
	}
}

// end ends a poll. What was handed to it at the last moment is given back.
func (q *Queues) end(ctx context.Context, k storage.Queue, c Caller, p *poll) {
	if h := q.waiters.end(p); h != nil {
		q.giveBack(ctx, k, c.Life, p.name, h.ids)
	}
}

// leave takes back a waiter whose client has gone. If it can't, the waiter expires with the
// poll's wait; what a push hands to it until then is given back.
func (q *Queues) leave(ctx context.Context, k storage.Queue, c Caller, p *poll) {
	if _, err := q.runner.Run(ctx, q.scripts.leave, k.Stream, append(q.argv(k, c, 1), p.name)...); err != nil {
		q.log.DebugContext(ctx, "a waiter stays until it expires", "key", k.Meta(), "error", err)
	}
}

// pause waits a while, or until the client has gone or the replica drains.
func (q *Queues) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-q.draining:
	}
}
