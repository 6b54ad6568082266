package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// Order says which queues come first.
type Order string

// The orders of [Operator.Top].
const (
	ByAge   Order = "age"   // those whose first message waits longest
	ByDepth Order = "depth" // those that hold most messages
	ByDead  Order = "dead"  // those that have most dead letters
)

// Orders are all orders.
func Orders() []Order { return []Order{ByAge, ByDepth, ByDead} }

// TopQueue is a queue among the first of an order.
type TopQueue struct {
	Name
	Stats
}

// Top returns the queues that come first in an order, at most n. It reads what the partitions'
// indexes have, so it costs the same however many queues there are.
func (o *Operator) Top(ctx context.Context, order Order, n int) ([]TopQueue, error) {
	names, err := o.first(ctx, order, n)
	if err != nil {
		return nil, err
	}
	stats, err := o.StatsOf(ctx, names)
	if err != nil {
		return nil, err
	}
	top := make([]TopQueue, 0, len(names))
	for i, name := range names {
		st := stats[i]
		if order == ByDead && st.Dead > 0 || order != ByDead && st.Messages > 0 {
			top = append(top, TopQueue{Name: name, Stats: st})
		}
	}
	slices.SortStableFunc(top, func(a, b TopQueue) int {
		switch order {
		case ByDead:
			return cmp.Compare(b.Dead, a.Dead)
		case ByDepth:
			return cmp.Compare(b.Messages, a.Messages)
		case ByAge:
		}
		return a.Oldest.Compare(b.Oldest)
	})
	return top, nil
}

// first returns the names of the queues that an index has first.
func (o *Operator) first(ctx context.Context, order Order, n int) ([]Name, error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	var names []Name
	if order == ByDead {
		scored, err := o.most(ctx, n, storage.Partition.Dead, true)
		for _, z := range scored {
			channel, kind := storage.SplitName(fmt.Sprint(z.Member))
			names = append(names, Name{Channel: channel, Kind: Kind(kind)})
		}
		return names, err
	}
	list := o.Oldest
	if order == ByDepth {
		list = o.Deepest
	}
	held, err := list(ctx, n)
	for _, h := range held {
		names = append(names, h.Name)
	}
	return names, err
}

// most returns the members of the partitions' indexes with the highest scores, or the lowest,
// at most n, in order.
func (o *Operator) most(ctx context.Context, n int, index func(storage.Partition) string, highest bool) ([]redis.Z, error) {
	partitions := o.queues.opts.Layout.Partitions()
	asked := make([]*redis.ZSliceCmd, len(partitions))
	pipe := o.rdb.Pipeline()
	for i, p := range partitions {
		asked[i] = pipe.ZRangeArgsWithScores(ctx, redis.ZRangeArgs{Key: index(p), Start: 0, Stop: n - 1, Rev: highest})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	var scored []redis.Z
	for _, a := range asked {
		scored = append(scored, a.Val()...)
	}
	slices.SortFunc(scored, func(a, b redis.Z) int {
		byScore := cmp.Compare(a.Score, b.Score)
		if highest {
			byScore = -byScore
		}
		return cmp.Or(byScore, cmp.Compare(fmt.Sprint(a.Member), fmt.Sprint(b.Member)))
	})
	return scored[:min(n, len(scored))], nil
}

// Silence is since when no client was seen on a channel.
type Silence struct {
	Channel  string
	LastSeen time.Time // the last push or pull; some seconds late
}

// Silent returns the channels where no client was seen for longest, at most n. It knows those that
// were seen within the last 31 days.
func (o *Operator) Silent(ctx context.Context, n int) ([]Silence, error) {
	o.queues.activity.writeNow(ctx)
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	scored, err := o.most(ctx, n, storage.Partition.LastSeen, false)
	if err != nil {
		return nil, err
	}
	silent := make([]Silence, len(scored))
	for i, z := range scored {
		silent[i] = Silence{Channel: fmt.Sprint(z.Member), LastSeen: time.UnixMilli(int64(z.Score)).UTC()}
	}
	return silent, nil
}

// Replicas returns how many polls each replica of the service holds, by the name that it gave
// itself at its start. Those that hand no polls over (QST_REBALANCE_PERCENT) are not known.
func (o *Operator) Replicas(ctx context.Context) (map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	key := o.queues.opts.Layout.Replicas()
	pipe := o.rdb.Pipeline()
	clock, all := pipe.Time(ctx), pipe.HGetAll(ctx, key)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	replicas := make(map[string]int64, len(all.Val()))
	for replica, text := range all.Val() { // as lua/replicas.lua writes it
		var heard, polls int64
		if _, err := fmt.Sscan(text, &heard, &polls); err == nil && clock.Val().Sub(time.UnixMilli(heard)) < beatTTL {
			replicas[replica] = polls
		}
	}
	return replicas, nil
}
