package queue

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

const (
	// sweepEvery is how often a replica drops what is over its age from queues that
	// nobody touches; pulls do it for theirs, and pushes where a queue is full.
	sweepEvery = time.Minute
	// sweepBatch bounds how many queues one read names.
	sweepBatch = 100
	// sweepAway is how many partitions in a row may fail before a round is given up: a Cluster has
	// others elsewhere.
	sweepAway = 8
)

// sweeper drops what is over its age from queues that nobody touches. Every replica has
// one: it is two cheap reads per partition when there is nothing to drop, and needs no leader.
type sweeper struct {
	queues *Queues
	rdb    redis.UniversalClient
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	for {
		sleep(ctx, sweepEvery/2+rand.N(sweepEvery)) //nolint:gosec // spread, no secret
		away := 0                                   // partitions in a row
		for p := range s.queues.opts.Layout.Partitions() {
			if ctx.Err() != nil {
				return
			}
			err := s.step(ctx, p)
			if err == nil {
				away = 0
				continue
			}
			s.queues.log.WarnContext(ctx, "dropping messages over their age", "partition", p, "error", err)
			if away++; away == sweepAway {
				break // Redis is away, all of it: next time
			}
		}
	}
}

// step sweeps one partition.
func (s *sweeper) step(ctx context.Context, partition int) error {
	p := s.queues.opts.Layout.Partitions()[partition]
	err := s.drop(ctx, p.Due(), 0)
	if age := s.queues.opts.DeadLetters.Retention; age > 0 {
		err = errors.Join(err, s.drop(ctx, p.DeadOldest(), age))
	}
	return err
}

// drop drops what is over its age from the queues whose time in an index is so long ago.
func (s *sweeper) drop(ctx context.Context, index string, ago time.Duration) error {
	for first := ""; ctx.Err() == nil; {
		names, err := s.names(ctx, index, ago)
		if err != nil {
			return storage.Unavailable(err)
		}
		dropped := int64(0)
		var errs []error
		for _, name := range names {
			channel, kind := storage.SplitName(name)
			expired, err := s.queues.expire(ctx, Name{Channel: channel, Kind: Kind(kind)})
			if err != nil { // of one queue, it may be: the others are looked at
				errs = append(errs, err)
			}
			dropped += expired
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		// Clocks differ: what is due by this replica's may not be by Redis's yet. It is there again then.
		if len(names) < sweepBatch || dropped == 0 && names[0] == first {
			return nil
		}
		first = names[0]
	}
	return nil
}

func (s *sweeper) names(ctx context.Context, index string, ago time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.queues.opts.Timeout)
	defer cancel()
	return s.rdb.ZRangeByScore(ctx, index, &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(time.Now().Add(-ago).UnixMilli()-1, 10), Count: sweepBatch,
	}).Result()
}

// expire drops what is over its age from a queue, by the retention that its channel has now.
func (q *Queues) expire(ctx context.Context, n Name) (int64, error) {
	k := q.key(n)
	for all, more := int64(0), true; ; {
		reply, err := q.runner.Run(ctx, q.scripts.expire, k.Stream, append(q.argv(k, q.service(), 1), q.deadBounds(Limits{}))...)
		if err != nil {
			return all, err
		}
		f := reply.Fields()
		dropped, dead, lapsed, unreported := f.Int(), f.Int(), f.Int(), f.Int()
		more = f.Int() == 1
		if err := f.Err(); err != nil {
			return all, err
		}
		all += dropped + dead + lapsed
		q.dropped(ctx, n, dropped, 0)
		q.deadDropped(ctx, n, dead)
		q.lapsed(ctx, n, lapsed, unreported)
		if !more {
			return all, nil
		}
	}
}

// service is the caller for what the service does by itself: what holds on a channel is read
// from its record, if channels have records, whatever its life.
func (q *Queues) service() Caller {
	c := Caller{Limits: Limits{Retention: q.opts.Retention}}
	if q.opts.Records {
		c.Life = "*"
	}
	return c
}
