package queue

import "context"

// recovered counts and logs what an ETag has confirmed without a delivery that Redis remembers:
// Redis has lost history, and the client knew better (see lua/lib/history.lua).
func (q *Queues) recovered(ctx context.Context, n Name, messages int64) {
	if messages == 0 {
		return
	}
	q.metrics.Recovered.Add(ctx, messages, n.attribute())
	q.log.WarnContext(ctx, "Redis has lost history; an ETag of its client confirmed what had come back",
		"channel", n.Channel, "queue", n.Kind, "messages", messages)
}
