package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// DeadLetters bound the dead letters of each queue: beyond them the oldest are dropped. 0: no bound.
type DeadLetters struct {
	MaxMessages, MaxBytes int64
	Retention             time.Duration
}

// buries tells a pull how often a message may be delivered, and what bounds dead letters.
func (q *Queues) buries(l Limits) string {
	if l.MaxDeliveries == 0 {
		return "0 0 0 0"
	}
	return strconv.Itoa(l.MaxDeliveries) + " " + q.deadBounds(l)
}

// deadBounds writes the bounds of a queue's dead letters as lua/lib/dead.lua reads them: no more,
// and no larger, than the queue's messages may be.
func (q *Queues) deadBounds(l Limits) string {
	d := q.opts.DeadLetters
	return fmt.Sprintf("%d %d %d", lower(d.MaxMessages, l.MaxMessages), lower(d.MaxBytes, l.MaxBytes), d.Retention.Milliseconds())
}

// lower returns the lower one of two bounds, of which 0 is none.
func lower(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// deadDropped counts and logs dead letters that were dropped.
func (q *Queues) deadDropped(ctx context.Context, n Name, dropped int64) {
	if dropped > 0 {
		q.metrics.DeadDropped.Add(ctx, dropped, n.attribute())
		q.log.WarnContext(ctx, "dead letters were dropped, as they were too many, too large or too old",
			"channel", n.Channel, "queue", n.Kind, "messages", dropped)
	}
}

// deadBytes is what dead letters take, by the first and the last of them: see lua/lib/dead.lua.
func deadBytes(first, last []redis.XMessage) int64 {
	if len(first) == 0 || len(last) == 0 {
		return 0
	}
	place := func(m redis.XMessage) int64 { return number(fmt.Sprint(m.Values["at"])) }
	return place(last[0]) + int64(len(fmt.Sprint(last[0].Values["message"]))) - place(first[0])
}
