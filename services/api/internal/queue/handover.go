package queue

import (
	"context"
	"time"
)

// Polls stick to the replica they came to: a client's connection stays open, and a
// load balancer that spreads connections never moves it. So a replica that joins
// would get none of the polls that are there. Therefore each replica tells the
// others, through Redis, how many it holds; when one joins, those that hold more
// than their share answer some of theirs, empty, and close the connections. Their
// clients come back at once, through the load balancer.

const (
	// beatEvery is how often a replica says how many polls it holds, and looks at
	// what the others say.
	beatEvery = 2 * time.Second
	// beatTTL is how long one that says nothing still counts: some beats may be late.
	beatTTL = 10 * time.Second
	// handOverFor is how long polls are handed over after a replica joined. It is
	// bounded because it may be in vain: a load balancer that sends a client to
	// where it was before would have all of them come and go for ever.
	handOverFor = time.Minute
)

// handOver takes part in the handing over of polls, until ctx ends or the replica
// drains.
func (s *Store) handOver(ctx context.Context) {
	known := make(map[string]bool)
	var joined time.Time // when the last of the others did
	for ; ctx.Err() == nil && !s.drained.Load(); s.pause(ctx, beatEvery) {
		polls, err := s.beat(ctx)
		if err != nil {
			s.log.DebugContext(ctx, "the other replicas are not known now; no poll is handed over", "error", err)
			continue
		}
		first := len(known) == 0
		total, news := 0, false
		for replica, held := range polls {
			total += held
			news = news || !known[replica]
			known[replica] = true
		}
		for replica := range known {
			if _, live := polls[replica]; !live {
				delete(known, replica)
			}
		}
		if news && !first {
			joined = time.Now()
		}
		if joined.IsZero() || time.Since(joined) > handOverFor {
			continue
		}
		held := s.Polls()
		n := excess(held, total, len(polls), s.opts.HandoverPercent)
		if n == 0 {
			continue
		}
		s.polls.handOver(n)
		s.metrics.HandedOver.Add(ctx, int64(n))
		s.log.InfoContext(ctx, "polls are handed over to replicas that joined",
			"polls", n, "held", held, "replicas", len(polls), "held_by_all", total)
	}
	// Best effort: otherwise it counts for some seconds more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Timeout)
	defer cancel()
	_ = s.rdb.HDel(ctx, s.layout.replicas(), s.replica).Err()
}

// beat says how many polls this replica holds, and returns what all that live say.
func (s *Store) beat(ctx context.Context) (map[string]int, error) {
	r, err := s.run(ctx, s.scripts.replicas, []string{s.layout.replicas()},
		[]any{s.replica, s.Polls(), beatTTL.Milliseconds()}, 0)
	if err != nil {
		return nil, unavailable(err)
	}
	polls := make(map[string]int, len(r)/2)
	for f := fields(r); len(f) >= 2; f = f[2:] {
		polls[f.string(0)] = f.int(1)
	}
	return polls, nil
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
