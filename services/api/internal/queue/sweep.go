package queue

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// sweepEvery is how often a replica drops what is over its age from queues that
	// nobody touches; pushes and pulls do it for theirs.
	sweepEvery = time.Minute
	// sweepBatch bounds how many queues one read names.
	sweepBatch = 100
)

// sweep drops what is over its age, until ctx ends. Every replica does: it is
// one cheap read a partition when there is nothing to drop, and needs no leader.
func (s *Store) sweep(ctx context.Context) {
	for {
		sleep(ctx, sweepEvery/2+rand.N(sweepEvery)) //nolint:gosec // spread, no secret
		for p := range s.layout.Partitions() {
			if ctx.Err() != nil {
				return
			}
			if err := s.sweepPartition(ctx, p); err != nil {
				s.log.WarnContext(ctx, "dropping messages over their age", "partition", p, "error", err)
				break // Redis is away, most likely: next time
			}
		}
	}
}

func (s *Store) sweepPartition(ctx context.Context, partition int) error {
	for ctx.Err() == nil {
		due, err := s.rdb.ZRangeByScore(ctx, s.layout.ofPartition(partition).due, &redis.ZRangeBy{
			Min: "-inf", Max: strconv.FormatInt(time.Now().UnixMilli()-1, 10), Count: sweepBatch,
		}).Result()
		if err != nil {
			return err
		}
		dropped := 0
		for _, member := range due {
			channel, kind, _ := strings.Cut(member, ":")
			expired, err := s.expire(ctx, Name{Channel: channel, Kind: Kind(kind)}, "")
			if err != nil {
				return err
			}
			dropped += expired
		}
		// Clocks differ: what is due by this replica's may not be by Redis's yet.
		if len(due) < sweepBatch || dropped == 0 {
			return nil
		}
	}
	return nil
}

// expire drops what is over its age from a queue. retention is in milliseconds,
// or "" for what held last.
func (s *Store) expire(ctx context.Context, n Name, retention string) (int, error) {
	r, err := s.onQueue(ctx, s.scripts.expire, n, s.layout.queue(n), retention, nil)
	if err != nil {
		return 0, err
	}
	expired := r.int(0)
	s.dropped(ctx, n, expired, 0)
	return expired, nil
}
