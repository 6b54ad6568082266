package queue

import (
	"context"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// supersededPause delays the answer to a superseded poll. Two clients that both poll one queue
// supersede each other in turn; this keeps them from doing it as fast as the network lets them.
// A client whose earlier connection died, the usual case, doesn't notice.
const supersededPause = time.Second

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
func (q *Queues) end(ctx context.Context, p *Poll) {
	if h := q.waiters.end(p); h != nil {
		q.giveBack(ctx, p.queue, p.caller.Life, p.name, h.ids)
	}
}

// leave takes back a waiter whose client has gone. If it can't, the waiter expires with the
// poll's wait; what a push hands to it until then is given back.
func (q *Queues) leave(ctx context.Context, p *Poll) {
	if _, err := q.runner.Run(ctx, q.scripts.leave, p.queue.Stream, append(q.argv(p.queue, p.caller, 1), p.name)...); err != nil {
		q.log.DebugContext(ctx, "a waiter stays until it expires", "key", p.queue.Meta(), "error", err)
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
