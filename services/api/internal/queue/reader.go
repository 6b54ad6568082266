package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// WakeBlock bounds a blocked read: go-redis does not end one when its context
	// ends, so this is how long Run may take to return. The client for it needs a
	// read time-out somewhat above.
	WakeBlock = 2 * time.Second
	// wakeTTL is how long a wake stream outlives the replica that reads it; well
	// above the longest silence (Redis paused, failing over) of a replica that lives.
	wakeTTL = 10 * time.Minute
	// wakeBatch bounds what one read brings.
	wakeBatch = 1000
	// wakeKept is how many entries that have been read may stay until they are
	// trimmed: a wake is one command for the reader, not two.
	wakeKept = 100

	retryFirst, retryMost = 50 * time.Millisecond, 2 * time.Second
)

// consumerGroup is the name of the consumer group on every stream.
const consumerGroup = "qst"

// reader reads one partition's wake stream of this replica.
type reader struct {
	store     *Store
	partition int
	key       string
	up        atomic.Bool // the last read went well: no wake can have been missed since

	// Its own goroutine's.
	last     string    // id of the last entry read
	kept     int       // entries read and not trimmed yet
	extended time.Time // when the stream last got its wakeTTL
}

// run reads until ctx ends. Whenever a wake may have been missed, every poll of
// the partition looks again.
func (r *reader) run(ctx context.Context) {
	retry := retryFirst
	ready := false
	for ctx.Err() == nil {
		var err error
		if !ready {
			if err = r.prepare(ctx); err == nil {
				ready, retry = true, retryFirst
				r.up.Store(true)
				r.store.polls.lookAgain(r.partition)
				continue
			}
		} else if err = r.read(ctx); err == nil {
			continue
		}
		ready = false
		if r.up.CompareAndSwap(true, false) && ctx.Err() == nil {
			r.store.metrics.LostTouch.Add(ctx, 1)
			r.store.log.WarnContext(ctx, "lost touch with Redis; polls will look again when it is back",
				"partition", r.partition, "error", err)
		}
		// Spread: all readers of all replicas come back at the same time.
		sleep(ctx, retry/2+rand.N(retry/2)) //nolint:gosec // no secret
		retry = min(2*retry, retryMost)
	}
	// Best effort: nobody will read it again. Otherwise it expires.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.store.opts.Timeout)
	defer cancel()
	_ = r.store.waiting.Unlink(ctx, r.key).Err()
}

// prepare makes the wake stream and its group, if they are not there.
func (r *reader) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.store.opts.Timeout)
	defer cancel()
	err := r.store.waiting.XGroupCreateMkStream(ctx, r.key, consumerGroup, "0").Err()
	if err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return fmt.Errorf("making %s: %w", r.key, err)
	}
	if err := r.store.waiting.PExpire(ctx, r.key, wakeTTL).Err(); err != nil {
		return fmt.Errorf("making %s: %w", r.key, err)
	}
	r.kept, r.extended = 0, time.Now()
	return nil
}

// read blocks until the stream has more, and passes it on. Now and then it also
// trims what was read before, and has the stream live on.
//
// Entries are not acknowledged (NOACK): if an answer is lost with its
// connection, every poll looks again anyway.
func (r *reader) read(ctx context.Context) error {
	pipe := r.store.waiting.Pipeline()
	if r.kept >= wakeKept {
		pipe.XTrimMinID(ctx, r.key, r.last) // all but the last one: enough
		r.kept = 0
	}
	if time.Since(r.extended) > wakeTTL/10 {
		pipe.PExpire(ctx, r.key, wakeTTL)
		r.extended = time.Now()
	}
	read := pipe.XReadGroup(ctx, &redis.XReadGroupArgs{
		Group: consumerGroup, Consumer: consumerGroup, Streams: []string{r.key, ">"},
		Count: wakeBatch, Block: WakeBlock, NoAck: true,
	})
	_, _ = pipe.Exec(ctx) // what matters is the read's own error
	streams, err := read.Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.key, err)
	}
	for _, stream := range streams {
		for _, entry := range stream.Messages {
			r.last = entry.ID
			r.kept++
			for name, what := range entry.Values {
				if w, ok := what.(string); ok {
					r.store.polls.tell(name, w)
				}
			}
		}
	}
	return nil
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
