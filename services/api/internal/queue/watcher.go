package queue

import (
	"context"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

const (
	// watchEvery is how often it is looked which channels are not well.
	watchEvery = time.Minute
	// watchPage bounds how many channels are read at a time, and watchMost how many of a kind in a
	// partition: beyond that it is the service that is not well, and other figures say so.
	watchPage = 200
	watchMost = 5000
)

// watcher looks which channels are not well, and says so when that changes. Every replica has one; the
// first that comes by when it is time looks at a partition for all. It reads what pushes and
// pulls leave behind, and costs them nothing.
type watcher struct {
	queues *Queues
	rdb    redis.UniversalClient
	now    func() time.Time
}

// run watches until ctx ends.
func (w *watcher) run(ctx context.Context) {
	for {
		sleep(ctx, watchEvery/8+rand.N(watchEvery/8)) //nolint:gosec // spread, no secret
		away := 0                                     // partitions in a row
		for p := range w.queues.opts.Layout.Partitions() {
			if ctx.Err() != nil {
				return
			}
			if err := w.step(ctx, p); err != nil {
				w.queues.log.WarnContext(ctx, "looking for channels that are not well", "partition", p, "error", err)
				if away++; away == sweepAway {
					break // Redis is away, all of it: next time
				}
				continue
			}
			away = 0
		}
	}
}

// step looks at a partition, if it is time and no other replica does.
func (w *watcher) step(ctx context.Context, partition int) error {
	p := w.queues.opts.Layout.Partitions()[partition]
	reply, err := w.queues.runner.Run(ctx, w.queues.scripts.turn, p.Watched(), w.queues.replica, (watchEvery * 9 / 10).Milliseconds())
	if err != nil {
		return err
	}
	f := reply.Fields()
	if mine := f.Int(); f.Err() != nil || mine == 0 {
		return f.Err()
	}
	return w.look(ctx, p)
}

// look finds out which channels of a partition are not well, and tells what has changed.
func (w *watcher) look(ctx context.Context, p storage.Partition) error {
	now := w.now()
	channels, silent, err := w.candidates(ctx, p, now)
	if err != nil {
		return err
	}
	args := []any{p.Start}
	for page := range slices.Chunk(channels, watchPage) {
		all, err := w.signs(ctx, page, now)
		if err != nil {
			return err
		}
		for i, channel := range page {
			found := diagnose(now, w.queues.opts.UnwellAfter, all[i])
			_, stopped := found[Stopped401]
			if since, ok := silent[channel]; ok && !stopped && !anyWaiting(all[i]) {
				found[Quiet] = since
			}
			for _, c := range Conditions() {
				if since, ok := found[c]; ok {
					args = append(args, channel, string(c), since.UnixMilli())
				}
			}
		}
	}
	reply, err := w.queues.runner.Run(ctx, w.queues.scripts.unwell, p.Unwell(), args...)
	if err != nil {
		return err
	}
	f := reply.Fields()
	began, ended := f.Texts(), f.Texts()
	if err := f.Err(); err != nil {
		return err
	}
	w.tell(ctx, append(changes(began, false), changes(ended, true)...))
	return nil
}

// Change is something that is wrong with a channel now, or is not any more.
type Change struct {
	Channel string
	Unwell
	Over bool
}

// changes reads a list of the script's.
func changes(list []string, over bool) (all []Change) {
	for entry := range slices.Chunk(list, 3) {
		all = append(all, Change{Channel: entry[0], Unwell: Unwell{Condition: Condition(entry[1]), Since: at(entry[2])}, Over: over})
	}
	return all
}

// noticeBatch bounds the messages that tell of changes at a time.
const noticeBatch = 200

// tell logs what has changed, and has the operators' channel told.
func (w *watcher) tell(ctx context.Context, all []Change) {
	for _, c := range all {
		log := w.queues.log.With("channel", c.Channel, "state", c.Condition, "since", c.Since.Format(time.RFC3339))
		if c.Over {
			log.InfoContext(ctx, "a channel is well again")
		} else {
			log.WarnContext(ctx, "a channel is not well")
		}
	}
	if w.queues.opts.UnwellNotice == nil {
		return
	}
	for some := range slices.Chunk(all, noticeBatch) {
		n, caller, batch, err := w.queues.opts.UnwellNotice(ctx, some)
		if err == nil {
			_, err = w.queues.Push(ctx, n, caller, batch)
		}
		if err != nil { // the log has it, and the list of those that are not well
			w.queues.log.WarnContext(ctx, "the operators' channel is not told which channels are not well", "channel", n.Channel, "error", err)
		}
	}
}

func anyWaiting(queues map[Kind]signs) bool {
	for _, s := range queues {
		if s.waiting {
			return true
		}
	}
	return false
}

// candidates returns the channels of a partition that may not be well: whose queues hold something
// old, where something odd was seen, and those that are silent for so long that it is quiet, with
// since when.
func (w *watcher) candidates(ctx context.Context, p storage.Partition, now time.Time) (channels []string, silent map[string]time.Time, err error) {
	ctx, end := context.WithTimeout(ctx, w.queues.opts.Timeout)
	defer end()
	before := strconv.FormatInt(now.Add(-w.queues.opts.UnwellAfter).UnixMilli(), 10)
	pipe := w.rdb.Pipeline()
	old := pipe.ZRangeByScore(ctx, p.Oldest(), &redis.ZRangeBy{Min: "-inf", Max: before, Count: watchMost})
	odd := pipe.ZRevRange(ctx, p.Hints(), 0, watchMost-1) // the latest ones
	unseen := pipe.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: p.LastSeen(), Start: before, Stop: "-inf", ByScore: true, Rev: true, Count: watchMost})
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, nil, storage.Unavailable(err)
	}
	for _, name := range old.Val() {
		channel, _ := storage.SplitName(name)
		channels = append(channels, channel)
	}
	channels = append(channels, odd.Val()...)
	silent = make(map[string]time.Time)
	for page := range slices.Chunk(unseen.Val(), watchPage) {
		pipe := w.rdb.Pipeline()
		gaps, hours := make([]*redis.StringSliceCmd, len(page)), make([]*redis.SliceCmd, len(page))
		for i, z := range page {
			name, _ := z.Member.(string)
			gaps[i] = pipe.LRange(ctx, p.Gaps(name), 0, -1)
			hours[i] = pipe.HMGet(ctx, p.Hours(name), hoursAround(time.UnixMilli(int64(z.Score)))...)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			return nil, nil, storage.Unavailable(err)
		}
		for i, z := range page {
			name, _ := z.Member.(string)
			seen := time.UnixMilli(int64(z.Score))
			if limit := quietAfter(durations(gaps[i].Val()), durations(texts(hours[i].Val())), w.queues.opts.UnwellAfter); limit > 0 && now.Sub(seen) > limit {
				silent[name] = seen
				channels = append(channels, name)
			}
		}
	}
	slices.Sort(channels)
	return slices.Compact(channels), silent, nil
}

// texts returns those of some values that are there.
func texts(values []any) (list []string) {
	for _, v := range values {
		if s, ok := v.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// durations reads a list of ms.
func durations(list []string) []time.Duration {
	d := make([]time.Duration, len(list))
	for i, ms := range list {
		d[i] = time.Duration(number(ms)) * time.Millisecond
	}
	return d
}

// signs reads how the queues of channels are.
func (w *watcher) signs(ctx context.Context, channels []string, now time.Time) ([]map[Kind]signs, error) {
	ctx, end := context.WithTimeout(ctx, w.queues.opts.Timeout)
	defer end()
	type replies struct {
		meta, activity *redis.SliceCmd
		first          *redis.XPendingExtCmd
	}
	kinds := Kinds()
	asked := make([]replies, 0, len(channels)*len(kinds))
	pipe := w.rdb.Pipeline()
	for _, channel := range channels {
		for _, kind := range kinds {
			k := w.queues.key(Name{Channel: channel, Kind: kind})
			asked = append(asked, replies{
				meta:     pipe.HMGet(ctx, k.Meta(), "messages", "pending", "first", "waiter"),
				activity: pipe.HMGet(ctx, k.Activity(), "pushed", "pulled", "confirmed", "refused", "superseded"),
				first:    pipe.XPendingExt(ctx, &redis.XPendingExtArgs{Stream: k.Stream, Group: consumerGroup, Start: "-", End: "+", Count: 1}),
			})
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	all := make([]map[Kind]signs, len(channels))
	for i, r := range asked {
		meta, err := r.meta.Result()
		if err != nil {
			return nil, storage.Unavailable(err)
		}
		activity, err := r.activity.Result()
		if err != nil {
			return nil, storage.Unavailable(err)
		}
		text := func(v any) string { s, _ := v.(string); return s }
		s := signs{
			messages: number(text(meta[0])), pending: number(text(meta[1])), oldest: at(text(meta[2])), waiting: waitsAt(text(meta[3]), now),
			pushed: at(text(activity[0])), pulled: at(text(activity[1])), confirmed: at(text(activity[2])),
			refused: at(text(activity[3])), superseded: at(text(activity[4])),
		}
		// A queue that was never pushed into has no group to ask: an error, and 0.
		if p, err := r.first.Result(); err == nil && len(p) > 0 {
			s.deliveries = p[0].RetryCount
		}
		channel, kind := i/len(kinds), kinds[i%len(kinds)]
		if all[channel] == nil {
			all[channel] = make(map[Kind]signs, len(kinds))
		}
		all[channel][kind] = s
	}
	return all, nil
}

// Unwell is what is wrong with a channel.
type Unwell struct {
	Condition Condition
	Since     time.Time
}

// NotWell returns the names of channels that are not well, in order, as the last look found it: those
// that are not in this way; "": in any.
func (o *Operator) NotWell(ctx context.Context, way Condition) ([]string, error) {
	ctx, end := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer end()
	pipe := o.rdb.Pipeline()
	partitions := o.queues.opts.Layout.Partitions()
	asked := make([]*redis.StringSliceCmd, len(partitions))
	for i, p := range partitions {
		asked[i] = pipe.ZRange(ctx, p.Unwell(), 0, -1)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	var names []string
	for _, a := range asked {
		for _, member := range a.Val() {
			if channel, condition, _ := strings.Cut(member, " "); way == "" || way == Condition(condition) {
				names = append(names, channel)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// UnwellOf returns what is wrong with each of some channels, as the last look found it.
func (o *Operator) UnwellOf(ctx context.Context, channels ...string) ([][]Unwell, error) {
	ctx, end := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer end()
	pipe := o.rdb.Pipeline()
	asked := make([]*redis.FloatSliceCmd, len(channels))
	for i, channel := range channels {
		members := make([]string, len(Conditions()))
		for j, c := range Conditions() {
			members[j] = channel + " " + string(c)
		}
		asked[i] = pipe.ZMScore(ctx, o.queues.opts.Layout.Partition(channel).Unwell(), members...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	all := make([][]Unwell, len(channels))
	for i := range channels {
		for j, ms := range asked[i].Val() {
			if ms > 0 { // 0: it is not there
				all[i] = append(all[i], Unwell{Condition: Conditions()[j], Since: time.UnixMilli(int64(ms)).UTC()})
			}
		}
	}
	return all, nil
}

// Refused notes that a client of a queue was not let in: one that pulls from it, or that pushes as
// the party that does.
func (q *Queues) Refused(n Name) {
	if q.opts.UnwellAfter > 0 {
		q.activity.refused(q.key(n))
	}
}
