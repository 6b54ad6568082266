package queue

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// Which channels are silent? A push or a pull only notes its channel in memory;
// once a minute a replica writes down which ones it heard, all together. So a
// request pays for an entry in a map, and Redis for one command a partition.

const (
	// noteEvery is how often a replica writes down whom it heard.
	noteEvery = time.Minute
	// noteBatch bounds how many channels one command names.
	noteBatch = 1000
	// heardKept is how long it is known when a channel was heard last: somewhat
	// longer than the longest of heardWithin.
	heardKept = 25 * time.Hour
)

// heardWithin are the times that [Store.Totals] counts the channels heard within.
func heardWithin() []time.Duration {
	return []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour}
}

// heard are the channels of a partition that a client was heard on, since that was
// last written down.
type heard struct {
	mu       sync.Mutex
	channels map[string]struct{}
}

func (h *heard) note(channel string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.channels == nil {
		h.channels = make(map[string]struct{})
	}
	h.channels[channel] = struct{}{}
}

// take empties it.
func (h *heard) take() map[string]struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	channels := h.channels
	h.channels = nil
	return channels
}

// noteHeard writes down now and then which channels were heard, until ctx ends,
// and what is left then.
func (s *Store) noteHeard(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, noteEvery/2+rand.N(noteEvery)) //nolint:gosec // spread, no secret
		if err := s.writeHeard(context.WithoutCancel(ctx)); err != nil {
			s.log.WarnContext(ctx, "noting which channels were heard", "error", err)
		}
	}
}

// writeHeard writes down which channels were heard since the last time. What it
// can't write is lost: a channel that lives is heard again.
func (s *Store) writeHeard(ctx context.Context) error {
	now := time.Now()
	for p := range s.heard {
		names := slices.Collect(maps.Keys(s.heard[p].take()))
		for batch := range slices.Chunk(names, noteBatch) {
			if err := s.writeHeardIn(ctx, p, now, batch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) writeHeardIn(ctx context.Context, partition int, now time.Time, names []string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	members := make([]redis.Z, len(names))
	for i, name := range names {
		members[i] = redis.Z{Score: float64(now.UnixMilli()), Member: name}
	}
	k := s.layout.ofPartition(partition)
	pipe := s.rdb.Pipeline()
	pipe.ZAddArgs(ctx, k.heard, redis.ZAddArgs{GT: true, Members: members})
	pipe.ZRemRangeByScore(ctx, k.heard, "-inf", strconv.FormatInt(now.Add(-heardKept).UnixMilli(), 10))
	pipe.PExpire(ctx, k.heard, heardKept)
	// A channel that was deleted after it was noted must not be there for another day.
	// Asked afterwards: one that is deleted later still is taken out with its deletion.
	ask := []any{"zmscore", k.channels}
	for _, name := range names {
		ask = append(ask, name)
	}
	asked := pipe.Do(ctx, ask...)
	if _, err := pipe.Exec(ctx); err != nil {
		return unavailable(err)
	}
	scores, err := asked.Slice()
	if err != nil {
		return fmt.Errorf("asking which channels there are: %w", err)
	}
	var gone []any
	for i, score := range scores {
		if score == nil {
			gone = append(gone, names[i])
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := s.rdb.ZRem(ctx, k.heard, gone...).Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

// countHeard asks, through pipe, how many of a partition's channels there are and
// how many were heard. The reader is called after the pipe has run.
func (s *Store) countHeard(ctx context.Context, pipe redis.Pipeliner, partition int) (read func(*telemetry.Totals)) {
	k := s.layout.ofPartition(partition)
	channels := pipe.ZCard(ctx, k.channels)
	var counts []*redis.IntCmd
	for _, within := range heardWithin() {
		since := strconv.FormatInt(time.Now().Add(-within).UnixMilli(), 10)
		counts = append(counts, pipe.ZCount(ctx, k.heard, since, "+inf"))
	}
	return func(t *telemetry.Totals) {
		t.Channels += channels.Val()
		for i, c := range counts {
			t.Heard[i].Channels += c.Val()
		}
	}
}
