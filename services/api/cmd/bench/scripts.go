package main

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// scripts is the floor: what the service does in Redis, without HTTP.
type scripts struct{ queues *queue.Queues }

var caller = queue.Caller{Limits: queue.Limits{MaxMessages: 100_000, MaxBytes: 64 << 20, Retention: 336 * time.Hour, DedupWindow: 10 * time.Minute}}

func (s scripts) push(ctx context.Context, channel, id, text string) error {
	m := message(id, text)
	digest := m.Digest()
	batch := queue.Batch{Entries: []queue.Entry{{Digest: digest[:], Payload: m.AppendCanonical(nil)}}, Last: id}
	_, err := s.queues.Push(ctx, queue.Name{Channel: channel, Kind: queue.Mailbox}, caller, batch)
	return err
}

func (s scripts) poll(ctx context.Context, channel string, got func()) error {
	var etag *qst.ETag
	for {
		d, err := s.queues.Pull(ctx, queue.Name{Channel: channel, Kind: queue.Mailbox}, caller, queue.Request{Processed: queue.UpTo(etag), Max: 100, Wait: 10 * time.Minute})
		if err != nil {
			return err
		}
		if len(d.Payloads) > 0 {
			got()
		}
		etag = d.ETag
	}
}

func startScripts(ctx context.Context, m *machine) (c *contender, err error) {
	c = &contender{name: "scripts", server: process{name: "bench", pid: os.Getpid()}}
	if c.redis, err = m.redis(ctx); err != nil {
		return c, err
	}
	// As the service does it: a pool for pushes and pulls, and a connection a partition for wakes.
	const partitions = 64
	client := func(n int, timeout time.Duration) *redis.Client {
		return redis.NewClient(&redis.Options{Addr: c.redis.address, PoolSize: n, MinIdleConns: n, ReadTimeout: timeout, Protocol: 2, MaxRetries: -1})
	}
	commands, waiting := client(16, 3*time.Second), client(partitions, queue.WakeBlock+3*time.Second)
	layout, logger := storage.NewLayout("qst", partitions, false), slog.New(slog.DiscardHandler)
	runner := storage.NewRunner(commands, storage.RunnerOptions{Timeout: 3 * time.Second})
	s := scripts{queue.New(runner, commands, waiting, queue.Options{
		Layout: layout, PullMaxBytes: 1 << 20, MaxDigests: 1_000_000, MaxPolls: 20_000, Timeout: 3 * time.Second,
		Metrics: telemetry.Discard(), Logger: logger,
	})}
	guard := storage.Guard{Client: commands, Layout: layout, Timeout: 3 * time.Second, Logger: logger}
	if err := guard.Prepare(ctx, s.queues.Scripts()...); err != nil {
		return c, err
	}
	ctx, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { s.queues.Run(ctx) })
	m.close = append(m.close, func() {
		stop()
		running.Wait()
		runner.Close()
		_, _ = commands.Close(), waiting.Close() // nothing is in flight
	})
	c.push, c.subscribe = s.push, s.poll
	c.publish = c.push
	return c, nil
}
