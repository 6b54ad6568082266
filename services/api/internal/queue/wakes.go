package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

const (
	// WakeBlock bounds a blocked read: go-redis does not end one when its context
	// ends, so this is how long Run may take to return. The client for it needs a
	// read time-out somewhat above.
	WakeBlock = 2 * time.Second
	// wakeTTL is how long a wake stream outlives the replica that reads it: until then, what is
	// pushed for a poll of that replica is handed to nobody. It is well above the time between
	// two reads; a replica whose stream expires all the same makes a new one.
	wakeTTL = time.Minute
	// wakeBatch bounds what one read brings.
	wakeBatch = 100
	// wakeKept is how many entries that have been read may stay until they are
	// trimmed: a wake is one command for the reader, not two.
	wakeKept = 100

	retryFirst, retryMost = 50 * time.Millisecond, 2 * time.Second
)

// consumerGroup is the name of the consumer group on every stream.
const consumerGroup = "qst"

// wakeReader reads one wake stream of this replica.
type wakeReader struct {
	queues    *Queues
	rdb       redis.UniversalClient
	partition int // whose polls it is about; -1: all
	key       string
	up        atomic.Bool // the last read went well: no wake can have been missed since

	// Its own goroutine's.
	last     string    // id of the last entry read
	kept     int       // entries read and not trimmed yet
	extended time.Time // when the stream last got its wakeTTL
}

func newWakeReader(q *Queues, rdb redis.UniversalClient, partition int) *wakeReader {
	r := &wakeReader{queues: q, rdb: rdb, partition: partition, key: q.opts.Layout.Partitions()[partition].Wake(q.replica)}
	if !q.opts.Cluster {
		r.partition = -1
	}
	return r
}

// run reads until ctx ends. Whenever a wake may have been missed, every poll that the
// stream is for looks again.
func (r *wakeReader) run(ctx context.Context) {
	retry := retryFirst
	ready := false
	for ctx.Err() == nil {
		var err error
		if !ready {
			if err = r.prepare(ctx); err == nil {
				ready, retry = true, retryFirst
				r.up.Store(true)
				r.queues.waiters.recheck(r.partition)
				continue
			}
		} else if err = r.read(ctx); err == nil {
			continue
		}
		ready = false
		if r.up.CompareAndSwap(true, false) && ctx.Err() == nil {
			r.queues.metrics.LostTouch.Add(ctx, 1)
			r.queues.log.WarnContext(ctx, "lost touch with Redis; polls will look again when it is back",
				"partition", r.partition, "error", err)
		}
		// Spread: all readers of all replicas come back at the same time.
		sleep(ctx, retry/2+rand.N(retry/2)) //nolint:gosec // no secret
		retry = min(2*retry, retryMost)
	}
	// Best effort: nobody will read it again. Otherwise it expires.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.queues.opts.Timeout)
	defer cancel()
	_ = r.rdb.Unlink(ctx, r.key).Err()
}

// prepare makes the wake stream and its group, if they are not there.
func (r *wakeReader) prepare(ctx context.Context) error {
	if _, err := r.queues.runner.Run(ctx, r.queues.scripts.wakes, r.key, wakeTTL.Milliseconds()); err != nil {
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
func (r *wakeReader) read(ctx context.Context) error {
	read := storage.NoRetry{Cmd: redis.NewCmd(ctx, "xreadgroup", "group", consumerGroup, consumerGroup, "count", wakeBatch,
		"block", WakeBlock.Milliseconds(), "noack", "streams", r.key, ">")}
	read.SetFirstKeyPos(10) //nolint:mnd // where r.key stands
	if r.kept >= wakeKept || time.Since(r.extended) > wakeTTL/10 {
		if err := r.tidy(ctx); err != nil {
			return err
		}
	}
	_ = r.rdb.Process(ctx, read) // the error is the command's, too
	reply, err := read.Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.key, err)
	}
	entries, err := entriesOf(reply)
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.key, err)
	}
	for f := entries.Fields(); f.More(); r.kept++ {
		e := f.List().Fields()
		r.last = e.Text()
		fields := e.Texts()
		if err := e.Err(); err != nil {
			return fmt.Errorf("reading %s: %w", r.key, err)
		}
		if err := r.pass(ctx, fields); err != nil {
			return err
		}
	}
	return nil
}

// entriesOf returns the entries of the one stream that an XREADGROUP has read: of a list of
// pairs (RESP2), or of a map (RESP3).
func entriesOf(reply any) (storage.Reply, error) {
	switch streams := reply.(type) {
	case []any:
		f := storage.Reply(streams).Fields()
		stream := f.List().Fields()
		_ = stream.Text() // its name
		entries := stream.List()
		return entries, errors.Join(f.Err(), stream.Err())
	case map[any]any:
		for _, entries := range streams {
			if list, ok := entries.([]any); ok {
				return list, nil
			}
		}
	}
	return nil, fmt.Errorf("a reply of type %T that XREADGROUP does not give", reply)
}

// tidy trims what was read, all but the last entry, and has the stream live on.
func (r *wakeReader) tidy(ctx context.Context) error {
	pipe := r.rdb.Pipeline()
	if r.kept > 0 {
		pipe.XTrimMinID(ctx, r.key, r.last)
	}
	pipe.PExpire(ctx, r.key, wakeTTL)
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("trimming %s: %w", r.key, err)
	}
	r.kept, r.extended = 0, time.Now()
	return nil
}

// pass passes an entry on to its poll; lua/lib/waiter.lua writes it.
func (r *wakeReader) pass(ctx context.Context, fields []string) error {
	w := r.queues.waiters
	const named = 4 // poll, its name, what, what that is
	if len(fields) < named || fields[0] != "poll" || fields[2] != "what" {
		return fmt.Errorf("%s: an entry that nobody writes: %.100q", r.key, fields)
	}
	poll, what, rest := fields[1], fields[3], fields[named:]
	switch what {
	case "wake":
		w.notify(poll, func(n *news) { n.wake = true })
	case "superseded":
		w.notify(poll, func(n *news) { n.superseded = true })
	case "handoff":
		const head = 6 // queue, epoch and trace
		if len(rest) <= head || len(rest)%2 > 0 {
			return fmt.Errorf("%s: a hand-off without messages", r.key)
		}
		h := &handoff{epoch: rest[3], trace: rest[5]}
		for i := head; i < len(rest); i += 2 {
			h.ids, h.payloads = append(h.ids, rest[i]), append(h.payloads, rest[i+1])
		}
		channel, kind := storage.SplitName(rest[1])
		r.queues.handOff(ctx, r.queues.opts.Layout.Queue(channel, kind), "", poll, h)
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
