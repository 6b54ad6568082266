package queue

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// lookPage bounds how many messages are read at a time to find one by the id that its sender gave.
const lookPage = 200

// Find returns one message of a queue, by where it stands or else by the id that its sender gave it: of
// several with the same one, the first. Its Deliveries are those until now. It returns ErrNotFound.
func (o *Operator) Find(ctx context.Context, n Name, id string) (Message, error) {
	k := o.queues.key(n)
	if _, err := qst.ParseStreamID(id); err == nil {
		found, err := o.Peek(ctx, n, before(id), 1)
		if err != nil {
			return Message{}, err
		}
		if len(found) > 0 && found[0].ID == id {
			return o.delivered(ctx, k, found[0])
		}
	}
	after := ""
	for {
		page, err := o.Peek(ctx, n, after, lookPage)
		if err != nil {
			return Message{}, err
		}
		for _, m := range page {
			if qst.CanonicalID(string(m.Payload)) == id {
				return o.delivered(ctx, k, m)
			}
		}
		if len(page) < lookPage {
			return Message{}, fmt.Errorf("message %.64q: %w", id, ErrNotFound)
		}
		after = page[len(page)-1].ID
	}
}

// before returns the stream id before one; "" before the first.
func before(id string) string {
	ms, seq, _ := strings.Cut(id, "-")
	if n := number(seq); n > 0 {
		return ms + "-" + strconv.FormatInt(n-1, 10)
	}
	if n := number(ms); n > 0 {
		return strconv.FormatInt(n-1, 10) + "-18446744073709551615"
	}
	return ""
}

func (o *Operator) delivered(ctx context.Context, k storage.Queue, m Message) (Message, error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	p, err := o.rdb.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: k.Stream, Group: consumerGroup, Start: m.ID, End: m.ID, Count: 1}).Result()
	if err != nil {
		return Message{}, storage.Unavailable(err)
	}
	if len(p) > 0 {
		m.Deliveries = p[0].RetryCount
	}
	return m, nil
}

// Cancel takes one message out of a queue, by where it stands, if it was delivered as often as the
// operator saw ("*": however often). It returns ErrNotFound or ErrStale.
func (o *Operator) Cancel(ctx context.Context, n Name, id, deliveries string) error {
	q := o.queues
	k := q.key(n)
	reply, err := q.runner.Run(ctx, q.scripts.cancel, k.Stream, append(q.argv(k, q.service(), 2), id, deliveries)...)
	if err != nil {
		return err
	}
	f := reply.Fields()
	switch done := f.Int(); {
	case f.Err() != nil:
		return f.Err()
	case done < 0:
		return fmt.Errorf("message %s: %w", id, ErrNotFound)
	case done == 0:
		return fmt.Errorf("message %s: %w", id, ErrStale)
	}
	q.metrics.Purged.Add(ctx, 1, n.attribute())
	return nil
}
