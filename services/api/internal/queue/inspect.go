package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
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
	Address                   string // that the phone says it has (version 1)
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
			PulledFrom: meta["pulled_from"], PulledAgent: meta["pulled_agent"], Address: meta["address"],
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
	return time.UnixMilli(int64(parsed.Ms)).UTC()
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
		for name, value := range values {
			if name != "trace" { // it is the one named for its place in the log
				e.Canonical = []byte(fmt.Sprint(value))
			}
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
	f, err := s.onQueue(ctx, s.scripts.purge, n, s.layout.queue(n), 0, nil, expected)
	if err != nil {
		return 0, err
	}
	if f.int(0) == 0 {
		return f.int(1), ErrStale
	}
	s.metrics.Purged.Add(ctx, int64(f.int(1)), n.attribute())
	return f.int(1), nil
}

// Requeue puts a dead message back into its queue, as its newest, also if that is
// full. It returns ErrNotFound.
func (s *Store) Requeue(ctx context.Context, n Name, limits Limits, id string) error {
	f, err := s.onQueue(ctx, s.scripts.requeue, n, s.layout.queue(n), limits.Retention.Milliseconds(), nil, id)
	if err != nil {
		return err
	}
	if f.int(0) == 0 {
		return fmt.Errorf("dead message %s: %w", id, ErrNotFound)
	}
	s.metrics.Requeued.Add(ctx, 1, n.attribute())
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
	var k queueKeys
	var streams, metas, rest []string
	args := []any{revision, channel}
	for _, kind := range Kinds() {
		n := Name{Channel: channel, Kind: kind}
		k = s.layout.queue(n)
		streams, metas, rest = append(streams, k.stream), append(metas, k.meta), append(rest, k.waiter, k.dead, k.states())
		if limits.DedupWindow > 0 {
			window := time.Now().UnixNano() / int64(limits.DedupWindow)
			rest = append(rest, k.seen(window), k.seen(window-1))
		}
		args = append(args, n.String())
	}
	keys := slices.Concat([]string{k.record, k.channels, k.heard, k.totals, k.oldest, k.due, k.depth}, streams, metas, rest)
	reply, err := s.run(ctx, s.scripts.del, keys, args, 0)
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

// Totals returns the figures over all queues, and the top deepest and oldest
// queues. It reads a few keys a partition, however many queues there are.
func (s *Store) Totals(ctx context.Context, top int) (t telemetry.Totals, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	type replies struct {
		totals          *redis.SliceCmd
		oldest, deepest *redis.ZSliceCmd
		heard           func(*telemetry.Totals)
	}
	for _, within := range heardWithin() {
		t.Heard = append(t.Heard, telemetry.Heard{Within: within})
	}
	pipe := s.rdb.Pipeline()
	asked := make([]replies, s.layout.Partitions())
	for p := range asked {
		k := s.layout.ofPartition(p)
		asked[p] = replies{
			totals: pipe.HMGet(ctx, k.totals, "messages", "bytes"),
			oldest: pipe.ZRangeWithScores(ctx, k.oldest, 0, int64(max(1, top)-1)),
			heard:  s.countHeard(ctx, pipe, p),
		}
		if top > 0 {
			asked[p].deepest = pipe.ZRevRangeWithScores(ctx, k.depth, 0, int64(top-1))
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return telemetry.Totals{}, unavailable(err)
	}
	var oldest, deepest []redis.Z
	for _, r := range asked {
		for i, sum := range []*int64{&t.Messages, &t.Bytes} {
			if v, ok := r.totals.Val()[i].(string); ok {
				*sum += number(v)
			}
		}
		r.heard(&t)
		oldest = append(oldest, r.oldest.Val()...)
		if top > 0 {
			deepest = append(deepest, r.deepest.Val()...)
		}
	}
	age := func(z redis.Z) time.Duration { return max(0, time.Since(time.UnixMilli(int64(z.Score)))) }
	slices.SortFunc(oldest, func(a, b redis.Z) int { return cmp.Compare(a.Score, b.Score) })
	slices.SortFunc(deepest, func(a, b redis.Z) int { return cmp.Compare(b.Score, a.Score) })
	if len(oldest) > 0 {
		t.OldestAge = age(oldest[0])
	}
	for _, z := range oldest[:min(top, len(oldest))] {
		channel, kind, _ := strings.Cut(fmt.Sprint(z.Member), ":")
		t.Top = append(t.Top, telemetry.TopQueue{Channel: channel, Queue: kind, OldestAge: age(z)})
	}
	for _, z := range deepest[:min(top, len(deepest))] {
		channel, kind, _ := strings.Cut(fmt.Sprint(z.Member), ":")
		t.Top = append(t.Top, telemetry.TopQueue{Channel: channel, Queue: kind, Messages: int64(z.Score)})
	}
	return t, nil
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
