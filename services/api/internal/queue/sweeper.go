package queue

import (
	"context"
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
)

// sweeper drops what is over its age from queues that nobody touches. Every replica has
// one: it is one cheap read per partition when there is nothing to drop, and needs no leader.
type sweeper struct {
	queues *Queues
	rdb    redis.UniversalClient
}

// run sweeps until ctx ends.
func (s *sweeper) run(ctx context.Context) {
	for {
		sleep(ctx, sweepEvery/2+rand.N(sweepEvery)) //nolint:gosec // spread, no secret
		for p := range s.queues.opts.Layout.Partitions() {
			if ctx.Err() != nil {
				return
			}
			if err := s.step(ctx, p); err != nil {
				s.queues.log.WarnContext(ctx, "dropping messages over their age", "partition", p, "error", err)
				break // Redis is away, most likely: next time
			}
		}
	}
}

// step sweeps one partition.
func (s *sweeper) step(ctx context.Context, partition int) error {
	due := s.queues.opts.Layout.Partitions()[partition].Due()
	for ctx.Err() == nil {
		names, err := s.names(ctx, due)
		if err != nil {
			return storage.Unavailable(err)
		}
		dropped := int64(0)
		for _, name := range names {
			channel, kind := storage.SplitName(name)
			expired, err := s.queues.expire(ctx, Name{Channel: channel, Kind: Kind(kind)})
			if err != nil {
				return err
			}
			dropped += expired
		}
		// Clocks differ: what is due by this replica's may not be by Redis's yet.
		if len(names) < sweepBatch || dropped == 0 {
			return nil
		}
	}
	return nil
}

func (s *sweeper) names(ctx context.Context, due string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.queues.opts.Timeout)
	defer cancel()
	return s.rdb.ZRangeByScore(ctx, due, &redis.ZRangeBy{
		Min: "-inf", Max: strconv.FormatInt(time.Now().UnixMilli()-1, 10), Count: sweepBatch,
	}).Result()
}

// expire drops what is over its age from a queue, by the retention that its channel has now.
func (q *Queues) expire(ctx context.Context, n Name) (int64, error) {
	k := q.key(n)
	for all, more := int64(0), true; ; {
		reply, err := q.runner.Run(ctx, q.scripts.expire, k.Stream, q.argv(k, q.service(), 0)...)
		if err != nil {
			return all, err
		}
		f := reply.Fields()
		dropped, lapsed, unreported := f.Int(), f.Int(), f.Int()
		more = f.Int() == 1
		if err := f.Err(); err != nil {
			return all, err
		}
		all += dropped + lapsed
		q.dropped(ctx, n, dropped, 0)
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
