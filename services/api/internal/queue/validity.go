package queue

import (
	"context"
	"strconv"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// ttl returns how long a message of a queue is valid that says nothing of it; 0: for ever.
func (l Limits) ttl(kind Kind) time.Duration {
	switch kind {
	case Inbound:
		return l.InboundTTL
	case Outbound:
		return l.OutboundTTL
	}
	return 0
}

// validity writes when entries stop being valid, as lua/lib/validity.lua reads it: "<i>:<end>"
// for an instant, "<i>:+<ttl>" for a time from now on, both in ms.
func validity(entries []Entry, usual time.Duration) string {
	var text []byte
	for i, e := range entries {
		ttl := e.TTL
		if ttl == 0 {
			ttl = usual
		}
		if e.Until.IsZero() && ttl == 0 {
			continue
		}
		if len(text) > 0 {
			text = append(text, ' ')
		}
		text = strconv.AppendInt(text, int64(i), 10)
		text = append(text, ':')
		if e.Until.IsZero() {
			text = append(text, '+')
			text = strconv.AppendInt(text, max(1, ttl.Milliseconds()), 10)
		} else {
			text = strconv.AppendInt(text, max(0, e.Until.UnixMilli()), 10)
		}
	}
	return string(text)
}

// runPull runs a pull's script, as often as it takes until nothing past its end is in the way.
func (q *Queues) runPull(ctx context.Context, n Name, k storage.Queue, script storage.Script, args []any) (pullReply, error) {
	var all pullReply
	for {
		reply, err := q.runner.Run(ctx, script, k.Stream, args...)
		if err != nil {
			return pullReply{}, fenced(err)
		}
		r, err := parsePull(reply)
		if err != nil {
			return pullReply{}, err
		}
		q.lapsed(ctx, n, r.lapsed, r.unreported)
		r.good = max(r.good, all.good)
		r.expired += all.expired
		r.recovered += all.recovered
		r.dead += all.dead
		r.deadDropped += all.deadDropped
		r.confirmed, r.traces = append(all.confirmed, r.confirmed...), append(all.traces, r.traces...)
		if all = r; r.outcome != lapsing {
			return all, nil
		}
	}
}

// lapsed counts what was dropped as past its end, and has it reported.
func (q *Queues) lapsed(ctx context.Context, n Name, messages, unreported int64) {
	if messages > 0 {
		q.metrics.Lapsed.Add(ctx, messages, n.attribute())
		q.log.InfoContext(ctx, "messages past their validity were dropped",
			"channel", n.Channel, "queue", n.Kind, "messages", messages)
	}
	if unreported > 0 {
		q.reporter.add(n)
	}
}
