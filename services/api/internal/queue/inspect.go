package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// What operators ask of queues. None of it takes a message from its clients but
// Purge, DropDead and Delete.

// Kinds lists the queues that a channel can have.
func Kinds() []Kind { return []Kind{Inbound, Outbound, Mailbox} }

// Errors of the operators' methods.
var (
	ErrNotFound = errors.New("there is no such thing")               // queue, message or channel
	ErrStale    = errors.New("it is not as it was seen; look again") // a count or a revision
)

// Stats is how a queue is. Times are zero for what has never been.
type Stats struct {
	Messages   int64 // in the queue, delivered or not
	Bytes      int64 // of their canonical form
	Delivered  int64 // of the messages: delivered and not confirmed
	Deliveries int64 // of the first one: how often it went out
	Dead       int64 // set aside
	Oldest     time.Time
	Waiting    bool // a poll waits now

	Pushed, Pulled, Confirmed time.Time
	PushedFrom, PushedAgent   string // by whom it was last pushed into: address, user agent
	PulledFrom, PulledAgent   string // and from
}

// Stats returns how queues of a channel are, in the order of kinds. A queue that
// was never used is as empty as any.
func (s *Store) Stats(ctx context.Context, channel string, kinds ...Kind) ([]Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	type replies struct {
		meta           *redis.MapStringStringCmd
		messages, dead *redis.IntCmd
		waiting        *redis.IntCmd
		first          *redis.XMessageSliceCmd
		pending        *redis.XPendingCmd
		firstPending   *redis.XPendingExtCmd
	}
	pipe := s.rdb.Pipeline()
	asked := make([]replies, len(kinds))
	for i, kind := range kinds {
		k := s.layout.queue(Name{Channel: channel, Kind: kind})
		asked[i] = replies{
			meta: pipe.HGetAll(ctx, k.meta), messages: pipe.XLen(ctx, k.stream), dead: pipe.XLen(ctx, k.dead),
			waiting: pipe.Exists(ctx, k.waiter), first: pipe.XRangeN(ctx, k.stream, "-", "+", 1),
			pending:      pipe.XPending(ctx, k.stream, consumerGroup),
			firstPending: pipe.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: k.stream, Group: consumerGroup, Start: "-", End: "+", Count: 1}),
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	stats := make([]Stats, len(kinds))
	for i, r := range asked {
		for _, err := range []error{r.meta.Err(), r.messages.Err(), r.dead.Err(), r.waiting.Err(), r.first.Err()} {
			if err != nil {
				return nil, unavailable(err)
			}
		}
		meta := r.meta.Val()
		st := Stats{
			Messages: r.messages.Val(), Dead: r.dead.Val(), Waiting: r.waiting.Val() > 0,
			Bytes:  number(meta["tail"]) - number(meta["head"]),
			Pushed: at(meta["pushed"]), Pulled: at(meta["pulled"]), Confirmed: at(meta["confirmed"]),
			PushedFrom: meta["pushed_from"], PushedAgent: meta["pushed_agent"],
			PulledFrom: meta["pulled_from"], PulledAgent: meta["pulled_agent"],
		}
		// A queue that was never pushed into has no group to ask: an error, and zeros.
		if p, err := r.pending.Result(); err == nil {
			st.Delivered = p.Count
		}
		if p, err := r.firstPending.Result(); err == nil && len(p) > 0 {
			st.Deliveries = p[0].RetryCount
		}
		if first := r.first.Val(); len(first) > 0 {
			st.Oldest = idTime(first[0].ID)
		}
		stats[i] = st
	}
	return stats, nil
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 64) // 0 where there is none
	return n
}

func at(ms string) time.Time {
	if ms == "" {
		return time.Time{}
	}
	return time.UnixMilli(number(ms)).UTC()
}

func idTime(id string) time.Time {
	parsed, err := qst.ParseStreamID(id)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMilli(int64(parsed.Ms)).UTC() //nolint:gosec // a time, far from overflow
}

// Entry is a message as it stands in a queue or among its dead.
type Entry struct {
	ID         string // where it stands
	Stored     time.Time
	Deliveries int64  // of a dead message
	Canonical  []byte // the message, JSON
}

// Peek returns messages of a queue, from the first one after an id ("": from its
// beginning), without taking or delivering any.
func (s *Store) Peek(ctx context.Context, n Name, after string, limit int64) ([]Entry, error) {
	return s.entries(ctx, s.layout.queue(n).stream, after, limit, func(values map[string]any) (e Entry) {
		for _, json := range values { // one field
			e.Canonical = []byte(fmt.Sprint(json))
		}
		return e
	})
}

// Dead returns messages that were set aside, like Peek.
func (s *Store) Dead(ctx context.Context, n Name, after string, limit int64) ([]Entry, error) {
	return s.entries(ctx, s.layout.queue(n).dead, after, limit, func(values map[string]any) Entry {
		return Entry{Canonical: []byte(fmt.Sprint(values["message"])), Deliveries: number(fmt.Sprint(values["deliveries"]))}
	})
}

func (s *Store) entries(ctx context.Context, key, after string, limit int64, read func(map[string]any) Entry) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	from := "-"
	if after != "" {
		from = "(" + after
	}
	messages, err := s.rdb.XRangeN(ctx, key, from, "+", limit).Result()
	if err != nil {
		return nil, unavailable(err)
	}
	entries := make([]Entry, len(messages))
	for i, m := range messages {
		entries[i] = read(m.Values)
		entries[i].ID, entries[i].Stored = m.ID, idTime(m.ID)
	}
	return entries, nil
}

// Purge takes every message out of a queue, if it holds as many as expected. It
// returns ErrStale, and how many it holds, if not. Dead messages stay.
func (s *Store) Purge(ctx context.Context, n Name, expected int64) (held int, err error) {
	k := s.layout.queue(n)
	reply, err := s.run(ctx, s.scripts.purge, []string{k.stream, k.meta, k.oldest, k.due}, []any{n.String(), expected}, 0)
	if err != nil {
		return 0, unavailable(err)
	}
	f := fields(reply)
	if f.int(0) == 0 {
		return f.int(1), ErrStale
	}
	return f.int(1), nil
}

// Requeue puts a dead message back into its queue, as its newest, also if that is
// full. It returns ErrNotFound.
func (s *Store) Requeue(ctx context.Context, n Name, limits Limits, id string) error {
	k := s.layout.queue(n)
	reply, err := s.run(ctx, s.scripts.requeue,
		[]string{k.stream, k.meta, k.waiter, k.dead, k.oldest, k.due},
		[]any{id, limits.Retention.Milliseconds(), n.String(), k.wakes}, 0)
	if err != nil {
		return unavailable(err)
	}
	if fields(reply).int(0) == 0 {
		return fmt.Errorf("dead message %s: %w", id, ErrNotFound)
	}
	return nil
}

// DropDead drops a dead message for good. It returns ErrNotFound.
func (s *Store) DropDead(ctx context.Context, n Name, id string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	dropped, err := s.rdb.XDel(ctx, s.layout.queue(n).dead, id).Result()
	if err != nil {
		return unavailable(err)
	}
	if dropped == 0 {
		return fmt.Errorf("dead message %s: %w", id, ErrNotFound)
	}
	return nil
}

// Delete deletes a channel with all its queues hold, if its record has this
// revision ("": it may have none), and returns how many messages that were. What
// was seen in the deduplication window is forgotten. It returns ErrNotFound or
// ErrStale.
func (s *Store) Delete(ctx context.Context, channel, revision string, limits Limits) (messages int, err error) {
	var streams, rest []string
	args := []any{revision, channel}
	var k queueKeys
	for _, kind := range Kinds() {
		n := Name{Channel: channel, Kind: kind}
		k = s.layout.queue(n)
		streams = append(streams, k.stream)
		rest = append(rest, k.meta, k.waiter, k.dead)
		if limits.DedupWindow > 0 {
			window := time.Now().UnixNano() / int64(limits.DedupWindow)
			rest = append(rest, k.seen(window), k.seen(window-1))
		}
		args = append(args, n.String())
	}
	keys := append([]string{k.record, k.channels, k.oldest, k.due}, streams...)
	reply, err := s.run(ctx, s.scripts.del, append(keys, rest...), args, 0)
	if err != nil {
		return 0, unavailable(err)
	}
	f := fields(reply)
	switch f.int(0) {
	case 0:
		return 0, fmt.Errorf("channel %s: %w", channel, ErrStale)
	case -1:
		return 0, fmt.Errorf("channel %s: %w", channel, ErrNotFound)
	}
	return f.int(1), nil
}

// Retain makes a channel's queues follow a retention that has changed.
func (s *Store) Retain(ctx context.Context, channel string, retention time.Duration) error {
	for _, kind := range Kinds() {
		if _, err := s.expire(ctx, Name{Channel: channel, Kind: kind}, strconv.FormatInt(retention.Milliseconds(), 10)); err != nil {
			return err
		}
	}
	return nil
}
