package queue

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// beatEvery is how often a replica says how many polls it holds, and looks at
	// what the others say.
	beatEvery = 2 * time.Second
	// beatTTL is how long one that says nothing still counts: some beats may be late.
	beatTTL = 10 * time.Second
	// rebalanceFor is how long polls are handed over after a replica joined. It is
	// bounded because it may be in vain: a load balancer that sends a client to
	// where it was before would have all of them come and go for ever.
	rebalanceFor = time.Minute
)

// rebalancer moves polls to replicas that join.
//
// Polls stick to the replica they came to: a client's connection stays open, and a
// load balancer that spreads connections never moves it. So a replica that joins
// would get none of the polls that are there. Therefore each replica tells the
// others, through Redis, how many it holds; when one joins, those that hold more
// than their share answer some of theirs, empty, and close the connections. Their
// clients come back at once, through the load balancer.
type rebalancer struct {
	queues *Queues
	rdb    redis.UniversalClient
	known  map[string]bool // the other replicas
	joined time.Time       // when the last of them did
}

// run takes part until ctx ends or the replica drains.
func (r *rebalancer) run(ctx context.Context) {
	q := r.queues
	for ; ctx.Err() == nil && !q.drained.Load(); q.pause(ctx, beatEvery) {
		if err := r.step(ctx); err != nil {
			q.log.DebugContext(ctx, "the other replicas are not known now; no poll is handed over", "error", err)
		}
	}
	// Best effort: otherwise it counts for some seconds more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.opts.Timeout)
	defer cancel()
	_ = r.rdb.HDel(ctx, q.opts.Layout.Replicas(), q.replica).Err()
}

// step says how many polls this replica holds, and hands some over if one has joined.
func (r *rebalancer) step(ctx context.Context) error {
	q := r.queues
	polls, err := r.beat(ctx)
	if err != nil {
		return err
	}
	first := len(r.known) == 0
	total, news := 0, false
	for replica, held := range polls {
		total += held
		news = news || !r.known[replica]
		r.known[replica] = true
	}
	for replica := range r.known {
		if _, live := polls[replica]; !live {
			delete(r.known, replica)
		}
	}
	if news && !first {
		r.joined = time.Now()
	}
	if r.joined.IsZero() || time.Since(r.joined) > rebalanceFor {
		return nil
	}
	held := q.Polls()
	n := excess(held, total, len(polls), q.opts.RebalancePercent)
	if n == 0 {
		return nil
	}
	q.waiters.rebalance(n)
	q.metrics.HandedOver.Add(ctx, int64(n))
	q.log.InfoContext(ctx, "polls are handed over to replicas that joined",
		"polls", n, "held", held, "replicas", len(polls), "held_by_all", total)
	return nil
}

// beat says how many polls this replica holds, and returns what all that live say.
func (r *rebalancer) beat(ctx context.Context) (map[string]int, error) {
	return r.queues.Beat(ctx, r.queues.opts.Layout.Replicas(), r.queues.Polls())
}

// excess returns how many of the polls it holds a replica is to hand over now: what
// is above its equal share of the total, but no more than so many percent of what
// it holds. It is 0 while that is within a tenth of the share, or twice its root:
// load balancers that choose by chance are no more exact.
func excess(held, total, replicas, percent int) int {
	share := (total + replicas - 1) / replicas
	over := held - share
	if over <= 0 || over*10 <= share || over*over <= 4*share {
		return 0
	}
	return min(over, (held*percent+99)/100)
}
