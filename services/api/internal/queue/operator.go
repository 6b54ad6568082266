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
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// Errors of what operators ask.
var (
	// ErrNotFound is returned for a channel or a message that is not there.
	ErrNotFound = errors.New("not found")
	// ErrStale is returned when a count or a revision is not the one that the operator saw.
	ErrStale = errors.New("it is not as it was seen; look again")
)

// Operator is what operators ask of queues. None of it takes a message from its clients
// but Purge, DeleteDeadLetter, Delete, and Retain of a shorter time.
type Operator struct {
	queues *Queues
	rdb    redis.UniversalClient
}

// NewOperator returns what operators ask of queues.
func NewOperator(queues *Queues, rdb redis.UniversalClient) *Operator {
	return &Operator{queues: queues, rdb: rdb}
}

// Stats is how a queue is. Times are zero for what has never been; those of the activity may be
// some seconds late.
type Stats struct {
	Messages   int64 // in the queue, delivered or not
	Bytes      int64 // of their canonical form
	Delivered  int64 // of the messages: delivered and not confirmed
	Deliveries int64 // of the first one: how often it went out
	Dead       int64 // dead letters
	DeadBytes  int64 // that they take
	Digests    int64 // of messages that are known for the same
	Oldest     time.Time
	Waiting    bool // a poll waits now

	Pushed, Pulled, Confirmed time.Time
	PushedFrom, PushedAgent   string // by whom it was last pushed into: address, user agent
	PulledFrom, PulledAgent   string // and from
	Address                   string // that the phone says it has (version 1)
}

// Stats returns how queues of a channel are, in the order of kinds. A queue that
// was never used is as empty as any.
func (o *Operator) Stats(ctx context.Context, channel string, kinds ...Kind) ([]Stats, error) {
	names := make([]Name, len(kinds))
	for i, kind := range kinds {
		names[i] = Name{Channel: channel, Kind: kind}
	}
	return o.StatsOf(ctx, names)
}

// statsAtOnce bounds how many queues are looked at in one round trip.
const statsAtOnce = 500

// StatsOf returns how queues of any channels are, in the order of names.
func (o *Operator) StatsOf(ctx context.Context, names []Name) ([]Stats, error) {
	o.queues.activity.writeNow(ctx)
	stats := make([]Stats, 0, len(names))
	for some := range slices.Chunk(names, statsAtOnce) {
		s, err := o.stats(ctx, some)
		if err != nil {
			return nil, err
		}
		stats = append(stats, s...)
	}
	return stats, nil
}

func (o *Operator) stats(ctx context.Context, names []Name) ([]Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	type replies struct {
		meta, activity *redis.MapStringStringCmd
		messages, dead *redis.IntCmd
		first          *redis.XMessageSliceCmd
		pending        *redis.XPendingCmd
		firstPending   *redis.XPendingExtCmd
		deadEnds       [2]*redis.XMessageSliceCmd
		seen           [2]*redis.IntCmd
	}
	pipe := o.rdb.Pipeline()
	asked := make([]replies, len(names))
	for i, n := range names {
		k := o.queues.key(n)
		asked[i] = replies{
			meta: pipe.HGetAll(ctx, k.Meta()), activity: pipe.HGetAll(ctx, k.Activity()),
			messages: pipe.XLen(ctx, k.Stream), dead: pipe.XLen(ctx, k.Dead()), first: pipe.XRangeN(ctx, k.Stream, "-", "+", 1),
			pending:      pipe.XPending(ctx, k.Stream, consumerGroup),
			firstPending: pipe.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: k.Stream, Group: consumerGroup, Start: "-", End: "+", Count: 1}),
			deadEnds:     [2]*redis.XMessageSliceCmd{pipe.XRangeN(ctx, k.Dead(), "-", "+", 1), pipe.XRevRangeN(ctx, k.Dead(), "+", "-", 1)},
			seen:         [2]*redis.IntCmd{pipe.HLen(ctx, k.Seen()), pipe.HLen(ctx, k.SeenBefore())},
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	stats := make([]Stats, len(names))
	for i, r := range asked {
		for _, err := range []error{r.meta.Err(), r.activity.Err(), r.messages.Err(), r.dead.Err(), r.first.Err(), r.deadEnds[0].Err(), r.deadEnds[1].Err(), r.seen[0].Err(), r.seen[1].Err()} {
			if err != nil {
				return nil, storage.Unavailable(err)
			}
		}
		meta, activity := r.meta.Val(), r.activity.Val()
		st := Stats{
			Messages: r.messages.Val(), Dead: r.dead.Val(), Waiting: waitsNow(meta["waiter"]),
			Bytes:  number(meta["tail"]) - number(meta["head"]),
			Pushed: at(activity["pushed"]), Pulled: at(activity["pulled"]), Confirmed: at(activity["confirmed"]),
			PushedFrom: activity["pushed_from"], PushedAgent: activity["pushed_agent"],
			PulledFrom: activity["pulled_from"], PulledAgent: activity["pulled_agent"], Address: activity["address"],
		}
		st.DeadBytes = deadBytes(r.deadEnds[0].Val(), r.deadEnds[1].Val())
		st.Digests = r.seen[0].Val() + r.seen[1].Val()
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

// waitsNow tells whether a waiter, as lua/lib/waiter.lua writes it, is there and not over.
func waitsNow(waiter string) bool { return waitsAt(waiter, time.Now()) }

func waitsAt(waiter string, now time.Time) bool {
	const until = 3
	fields := strings.Fields(waiter)
	return len(fields) > until && number(fields[until]) > now.UnixMilli()
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

// Message is a message as it stands in a queue or among its dead letters.
type Message struct {
	ID         string // where it stands
	Stored     time.Time
	Deliveries int64 // of a dead letter
	// Of a dead letter: the last answers that it was in and that were not confirmed, and whose
	// client pulled last when it became one.
	Attempts           []Attempt
	Address, UserAgent string
	Status             int64  // that the receiver of a webhook refused a dead letter with; 0: none
	Answer             string // and what that said
	Payload            []byte // canonical form
}

// Attempt is an answer that was not confirmed.
type Attempt struct {
	At       time.Time // when the client asked again
	Messages int
}

// attempts reads the trail that lua/lib/poison.lua leaves.
func attempts(trail string) (l []Attempt) {
	for entry := range strings.SplitSeq(trail, ",") {
		if ms, n, ok := strings.Cut(entry, ":"); ok && len(ms) == len("1795420000000") { // the first one may be cut
			l = append(l, Attempt{At: at(ms), Messages: int(number(n))})
		}
	}
	return l
}

// Peek returns messages of a queue, from the first one after an id ("": from its
// beginning), without taking or delivering any.
func (o *Operator) Peek(ctx context.Context, n Name, after string, limit int64) ([]Message, error) {
	return o.messages(ctx, o.queues.key(n).Stream, after, limit, func(values map[string]any) (m Message) {
		for name, value := range values {
			if name != "trace" { // it is the one named for its place in the log
				m.Payload = []byte(fmt.Sprint(value))
			}
		}
		return m
	})
}

// Dead returns dead letters, like Peek.
func (o *Operator) Dead(ctx context.Context, n Name, after string, limit int64) ([]Message, error) {
	return o.messages(ctx, o.queues.key(n).Dead(), after, limit, func(values map[string]any) Message {
		m := Message{Payload: []byte(fmt.Sprint(values["message"])), Deliveries: number(fmt.Sprint(values["deliveries"]))}
		trail, _ := values["trail"].(string)
		m.Attempts = attempts(trail)
		m.Address, _ = values["from"].(string)
		m.UserAgent, _ = values["agent"].(string)
		m.Answer, _ = values["answer"].(string)
		m.Status = number(fmt.Sprint(values["status"]))
		return m
	})
}

func (o *Operator) messages(ctx context.Context, key, after string, limit int64, read func(map[string]any) Message) ([]Message, error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	from := "-"
	if after != "" {
		from = "(" + after
	}
	entries, err := o.rdb.XRangeN(ctx, key, from, "+", limit).Result()
	if err != nil {
		return nil, storage.Unavailable(err)
	}
	messages := make([]Message, len(entries))
	for i, e := range entries {
		messages[i] = read(e.Values)
		messages[i].ID, messages[i].Stored = e.ID, idTime(e.ID)
	}
	return messages, nil
}

// Purge takes every message out of a queue, if it holds as many as expected, and forgets
// what was taken before, and the dead letters. It returns ErrStale, and how many it holds, if not.
func (o *Operator) Purge(ctx context.Context, n Name, expected int64) (held int64, err error) {
	q := o.queues
	k := q.key(n)
	reply, err := q.runner.Run(ctx, q.scripts.purge, k.Stream, append(q.argv(k, q.service(), 1), expected)...)
	if err != nil {
		return 0, err
	}
	f := reply.Fields()
	done := f.Int()
	held = f.Int()
	if err := f.Err(); err != nil {
		return 0, err
	}
	if done == 0 {
		return held, ErrStale
	}
	q.metrics.Purged.Add(ctx, held, n.attribute())
	return held, nil
}

// Requeue puts a dead letter back into its queue, as its newest message, also if that is
// full. It returns ErrNotFound.
func (o *Operator) Requeue(ctx context.Context, n Name, id string) error {
	q := o.queues
	k := q.key(n)
	reply, err := q.runner.RunDurable(ctx, q.scripts.requeue, k.Stream, append(q.argv(k, q.service(), 1), id)...)
	if err != nil {
		return err
	}
	f := reply.Fields()
	if done := f.Int(); f.Err() == nil && done == 0 {
		return fmt.Errorf("dead message %s: %w", id, ErrNotFound)
	}
	if err := f.Err(); err != nil {
		return err
	}
	q.metrics.Requeued.Add(ctx, 1, n.attribute())
	return nil
}

// DeleteDeadLetter drops a dead letter for good. It returns ErrNotFound.
func (o *Operator) DeleteDeadLetter(ctx context.Context, n Name, id string) error {
	q := o.queues
	k := q.key(n)
	reply, err := q.runner.Run(ctx, q.scripts.deleteDead, k.Stream, append(q.argv(k, q.service(), 1), id)...)
	if err != nil {
		return err
	}
	f := reply.Fields()
	if dropped := f.Int(); f.Err() == nil && dropped == 0 {
		return fmt.Errorf("dead message %s: %w", id, ErrNotFound)
	}
	return f.Err()
}

// Delete deletes a channel with all its queues hold, if its record has this
// revision ("": it may have none), and returns how many messages that were. What
// was taken before is forgotten. It returns ErrNotFound or ErrStale.
func (o *Operator) Delete(ctx context.Context, channel, revision string) (messages int64, err error) {
	q := o.queues
	p := q.opts.Layout.Partition(channel)
	args := []any{p.Start, channel, revision, p.Wakes}
	for _, kind := range Kinds() {
		args = append(args, string(kind))
	}
	reply, err := q.runner.Run(ctx, q.scripts.del, q.opts.Layout.Record(channel), args...)
	if err != nil {
		return 0, err
	}
	f := reply.Fields()
	done := f.Int()
	messages = f.Int()
	switch err := f.Err(); {
	case err != nil:
		return 0, err
	case done == 0:
		return 0, fmt.Errorf("channel %s: %w", channel, ErrStale)
	case done < 0:
		return 0, fmt.Errorf("channel %s: %w", channel, ErrNotFound)
	}
	return messages, nil
}

// Retain has a channel's queues follow a retention that has changed.
func (o *Operator) Retain(ctx context.Context, channel string) error {
	for _, kind := range Kinds() {
		if _, err := o.queues.expire(ctx, Name{Channel: channel, Kind: kind}); err != nil {
			return err
		}
	}
	return nil
}

// activeWithin are the times that [Operator.Totals] counts the channels active within.
func activeWithin() []time.Duration {
	return []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour}
}

// Totals returns the figures over all queues, and the top deepest and oldest
// queues. It reads a few keys per partition, however many queues there are.
func (o *Operator) Totals(ctx context.Context, top int) (t telemetry.Totals, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	for _, within := range activeWithin() {
		t.Active = append(t.Active, telemetry.Active{Within: within})
	}
	for _, condition := range Conditions() {
		t.Unwell = append(t.Unwell, telemetry.Unwell{State: string(condition)})
	}
	partitions := o.queues.opts.Layout.Partitions()
	totals, channels, active := make([]*redis.SliceCmd, len(partitions)), make([]*redis.IntCmd, len(partitions)), make([][]*redis.IntCmd, len(partitions))
	webhooks, unwell := make([]*redis.IntCmd, len(partitions)), make([]*redis.MapStringStringCmd, len(partitions))
	pipe := o.rdb.Pipeline()
	for i, p := range partitions {
		totals[i], channels[i] = pipe.HMGet(ctx, p.Totals(), "messages", "bytes", "dead"), pipe.ZCard(ctx, p.Channels())
		webhooks[i], unwell[i] = pipe.ZCard(ctx, p.Webhooks()), pipe.HGetAll(ctx, p.UnwellCounts())
		for _, within := range activeWithin() {
			since := strconv.FormatInt(time.Now().Add(-within).UnixMilli(), 10)
			active[i] = append(active[i], pipe.ZCount(ctx, p.LastSeen(), since, "+inf"))
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return telemetry.Totals{}, storage.Unavailable(err)
	}
	for i := range partitions {
		for j, sum := range []*int64{&t.Messages, &t.Bytes, &t.Dead} {
			if v, ok := totals[i].Val()[j].(string); ok {
				*sum += number(v)
			}
		}
		t.Channels += channels[i].Val()
		t.Webhooks += webhooks[i].Val()
		for j := range t.Unwell {
			t.Unwell[j].Channels += number(unwell[i].Val()[t.Unwell[j].State])
		}
		for j, c := range active[i] {
			t.Active[j].Channels += c.Val()
		}
	}
	oldest, err := o.Oldest(ctx, max(1, top))
	if err != nil {
		return telemetry.Totals{}, err
	}
	if len(oldest) > 0 {
		t.OldestAge = oldest[0].age()
	}
	if top == 0 {
		return t, nil
	}
	deepest, err := o.Deepest(ctx, top)
	if err != nil {
		return telemetry.Totals{}, err
	}
	for _, q := range oldest {
		t.Top = append(t.Top, telemetry.TopQueue{Channel: q.Channel, Queue: string(q.Kind), OldestAge: q.age()})
	}
	for _, q := range deepest {
		t.Top = append(t.Top, telemetry.TopQueue{Channel: q.Channel, Queue: string(q.Kind), Messages: q.Messages})
	}
	return t, nil
}

// Held is a queue that holds messages.
type Held struct {
	Name
	Messages int64
	Oldest   time.Time // when its first message was pushed
}

func (h Held) age() time.Duration { return max(0, time.Since(h.Oldest)) }

// rounds bounds how often Oldest corrects its index for one answer.
const rounds = 8

// Oldest returns the queues whose first messages wait longest, at most n. The index has a queue
// at the time of its first message, or earlier: whoever finds it too early corrects it.
func (o *Operator) Oldest(ctx context.Context, n int) ([]Held, error) {
	partitions := o.queues.opts.Layout.Partitions()
	var held []Held
	for range rounds {
		pipe := o.rdb.Pipeline()
		asked := make([]*redis.ZSliceCmd, len(partitions))
		for i, p := range partitions {
			asked[i] = pipe.ZRangeWithScores(ctx, p.Oldest(), 0, int64(n-1))
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, storage.Unavailable(err)
		}
		var scored []redis.Z
		for _, a := range asked {
			scored = append(scored, a.Val()...)
		}
		slices.SortFunc(scored, func(a, b redis.Z) int { return cmp.Compare(a.Score, b.Score) })
		scored = scored[:min(n, len(scored))]
		var err error
		if held, err = o.look(ctx, scored); err != nil {
			return nil, err
		}
		pipe = o.rdb.Pipeline()
		wrong := 0
		for i, h := range held {
			if first := h.Oldest.UnixMilli(); h.Messages > 0 && float64(first) > scored[i].Score {
				wrong++
				// Only if the queue is still there, and never to an earlier time.
				pipe.ZAddArgs(ctx, o.queues.opts.Layout.Partition(h.Channel).Oldest(), redis.ZAddArgs{
					XX: true, GT: true, Members: []redis.Z{{Score: float64(first), Member: scored[i].Member}},
				})
			}
		}
		if wrong == 0 {
			break
		}
		if _, err := pipe.Exec(ctx); err != nil { // a full Redis, say: what was read holds all the same
			o.queues.log.DebugContext(ctx, "the index of the oldest messages is not corrected", "error", err)
			break
		}
	}
	held = slices.DeleteFunc(held, func(h Held) bool { return h.Messages == 0 })
	slices.SortFunc(held, func(a, b Held) int { return a.Oldest.Compare(b.Oldest) })
	return held, nil
}

// Deepest returns the queues that hold most messages, at most n. The index has the deep ones, by
// their depth rounded down to a power of two; where it has too few, others are looked at that
// hold messages, the oldest first.
func (o *Operator) Deepest(ctx context.Context, n int) ([]Held, error) {
	partitions := o.queues.opts.Layout.Partitions()
	pipe := o.rdb.Pipeline()
	deep := make([]*redis.ZSliceCmd, len(partitions))
	for i, p := range partitions {
		// Twice as many: of those with the same power of two, any may be the deepest.
		deep[i] = pipe.ZRevRangeWithScores(ctx, p.Depth(), 0, int64(2*n-1))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	var scored []redis.Z
	for _, d := range deep {
		scored = append(scored, d.Val()...)
	}
	held, err := o.look(ctx, scored)
	if err != nil {
		return nil, err
	}
	if len(held) < n {
		others, err := o.Oldest(ctx, n)
		if err != nil {
			return nil, err
		}
		for _, h := range others {
			if !slices.ContainsFunc(held, func(have Held) bool { return have.Name == h.Name }) {
				held = append(held, h)
			}
		}
	}
	held = slices.DeleteFunc(held, func(h Held) bool { return h.Messages == 0 })
	slices.SortStableFunc(held, func(a, b Held) int { return cmp.Compare(b.Messages, a.Messages) })
	return held[:min(n, len(held))], nil
}

// look returns what queues of an index hold, in the index's order.
func (o *Operator) look(ctx context.Context, scored []redis.Z) ([]Held, error) {
	if len(scored) == 0 {
		return nil, nil
	}
	held := make([]Held, len(scored))
	lengths, firsts := make([]*redis.IntCmd, len(scored)), make([]*redis.XMessageSliceCmd, len(scored))
	pipe := o.rdb.Pipeline()
	for i, z := range scored {
		channel, kind := storage.SplitName(fmt.Sprint(z.Member))
		held[i].Name = Name{Channel: channel, Kind: Kind(kind)}
		k := o.queues.key(held[i].Name)
		lengths[i], firsts[i] = pipe.XLen(ctx, k.Stream), pipe.XRangeN(ctx, k.Stream, "-", "+", 1)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	for i := range held {
		if first := firsts[i].Val(); len(first) > 0 {
			held[i].Messages, held[i].Oldest = lengths[i].Val(), idTime(first[0].ID)
		}
	}
	return held, nil
}
