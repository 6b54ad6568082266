package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// What the workers of webhooks do to queues. A worker has a lease of a queue, with a fencing
// token; see the package webhook.

// ErrFenced is returned to a worker whose lease is not the queue's any more: nothing was done.
var ErrFenced = errors.New("another worker has the queue, or it has no webhook any more")

// fenced turns Redis's word for it into ErrFenced.
func fenced(err error) error {
	if err != nil && redis.HasErrorPrefix(err, "FENCED") {
		return ErrFenced
	}
	return err
}

// FirstID is the id of the first message of a delivery, where it stands in its queue; "": there is none.
func (d Delivery) FirstID() string {
	if len(d.ids) == 0 {
		return ""
	}
	return d.ids[0]
}

// DeadLetter takes the first message of the queue, which was delivered, out of the queue and to the dead
// letters, with the status and the text that its receiver refused it with. It returns ErrFenced,
// or ErrNotFound if another message is the first one.
func (q *Queues) DeadLetter(ctx context.Context, n Name, c Caller, fence, id string, status int, text string) error {
	const own = 5
	k := q.key(n)
	args := append(q.argv(k, q.service(), own), id, status, text, q.deadBounds(c.Limits), fence)
	reply, err := q.runner.Run(ctx, q.scripts.deadLetter, k.Stream, args...)
	if err != nil {
		return fenced(err)
	}
	f := reply.Fields()
	done, dropped := f.Int(), f.Int()
	if err := f.Err(); err != nil {
		return err
	}
	q.deadDropped(ctx, n, dropped)
	if done == 0 {
		return fmt.Errorf("message %s: %w", id, ErrNotFound)
	}
	q.metrics.DeadLettered.Add(ctx, 1, n.attribute())
	q.log.WarnContext(ctx, "a message became a dead letter that its receiver refuses", "channel", n.Channel, "queue", n.Kind, "id", id, "status", status)
	return nil
}

// Beat notes in a hash that this process lives, with a figure of its own, and returns the figures
// of all that live: those heard within beatTTL.
func (q *Queues) Beat(ctx context.Context, key string, figure int) (map[string]int, error) {
	reply, err := q.runner.Run(ctx, q.scripts.replicas, key, q.replica, figure, beatTTL.Milliseconds())
	if err != nil {
		return nil, err
	}
	figures := make(map[string]int, len(reply)/2)
	f := reply.Fields()
	for f.More() {
		name := f.Text()
		figures[name] = int(f.Int())
	}
	return figures, f.Err()
}

// BeatTTL is how long a process counts as alive after its last beat.
const BeatTTL = beatTTL

// Name is what this process calls itself in Redis: another one at every start.
func (q *Queues) Name() string { return q.replica }

// Holding is what a queue holds, without taking anything out.
type Holding struct {
	Messages int64
	Tail     int64 // bytes ever pushed: it grows with each push
}

// Holds returns what a queue holds.
func (o *Operator) Holds(ctx context.Context, n Name) (Holding, error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	values, err := o.rdb.HMGet(ctx, o.queues.key(n).Meta(), "messages", "tail").Result()
	if err != nil {
		return Holding{}, storage.Unavailable(err)
	}
	text := func(i int) string { s, _ := values[i].(string); return s }
	return Holding{Messages: number(text(0)), Tail: number(text(1))}, nil
}
