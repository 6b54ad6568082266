package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// bench gives the contenders their turns.
type bench struct {
	options
	texts      []string
	machine    *machine
	contenders []*contender
	out        io.Writer

	sent int          // messages so far: ids are new every time
	next atomic.Int64 // and in batches
	ids  atomic.Int64 // and over wires
}

// turn is what one contender did in one round.
type turn struct {
	messages           int
	perSecond          float64
	median, p99        time.Duration
	server, redis, all time.Duration // CPU time a message
	generator          time.Duration // the same of this program
	calls              float64       // commands that Redis executed, a message
	wire               float64       // bytes of HTTP a message; the service's only
}

// part is something that is measured, and can be chosen with -only.
type part struct {
	name, about string
	run         func(*bench, context.Context) error
	scripts     bool // takes the bare scripts as a contender
}

func parts() []part {
	return []part{
		{"quiet", "single pushes, 8 at a time; one message after the other into polls", (*bench).quiet, true},
		{"saturation", "single pushes over 64 connections without a pause", (*bench).saturation, false},
		{"wakes", "2 000/s, and 500/s, into 1 000 polls", (*bench).intoPolls, false},
		{"batch", "batches of 100, JSON and XML, beside a bare script that stores as many", (*bench).batches, false},
		{"calls", "what Redis executes for a message", (*bench).commands, false},
		{"channels", "whether a message costs more where there are more channels (-channels)", (*bench).population, false},
		{"memory", "what a held poll takes", (*bench).memory, true},
		{"neighbour", "what the client of one channel notices of another's that does its worst", (*bench).neighbour, false},
		{"guesses", "how fast wrong credentials are answered, and what the time of an answer tells", (*bench).guess, false},
		{"costs", "what each thing costs the service, for docs/capacity.md", (*bench).capacity, false},
	}
}

func (b *bench) run(ctx context.Context) error {
	fmt.Fprintf(b.out, "%d CPUs, %s; %d rounds, after one that warms up\n\n", runtime.NumCPU(), runtime.Version(), b.rounds)
	for _, p := range parts() {
		if !b.only.has(p.name) {
			continue
		}
		if err := p.run(b, ctx); err != nil {
			if ctx.Err() != nil {
				err = context.Cause(ctx)
			}
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// stored sees that whoever was pushed to keeps it where it says: in its Redis.
func (b *bench) stored(ctx context.Context, all []*contender) error {
	for _, c := range all {
		n, err := c.redis.client.DBSize(ctx).Result()
		if err != nil {
			return err
		}
		if n < channels {
			return fmt.Errorf("%s has %d keys in its Redis: where are the messages?", c.name, n)
		}
	}
	return nil
}

// rotate gives each contender its turn in each round, every round beginning with
// another one. The first round warms up, and does not count.
func (b *bench) rotate(ctx context.Context, all []*contender, job func(context.Context, *contender) (turn, error)) ([][]turn, error) {
	turns := make([][]turn, len(all))
	for round := range b.rounds + 1 {
		for i := range all {
			n := (i + round) % len(all)
			t, err := job(ctx, all[n])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", all[n].name, err)
			}
			if round > 0 {
				turns[n] = append(turns[n], t)
			}
		}
	}
	return turns, nil
}

// usage is what was used up to a moment.
type usage struct {
	server, redis, generator time.Duration // CPU time
	calls                    int64         // of Redis
	bytes                    int64         // of HTTP
}

func (c *contender) usage(ctx context.Context) (u usage, err error) {
	if u.calls, err = c.redis.calls(ctx); err != nil {
		return u, err
	}
	if u.redis, err = c.redis.cpu(ctx); err != nil {
		return u, err
	}
	if u.server, err = c.server.cpu(); err != nil {
		return u, err
	}
	u.generator, err = ownCPU()
	u.bytes = c.http.bytes()
	return u, err
}

// measured measures work, which says how many messages it moved, and how long
// those took whose time counts.
func measured(ctx context.Context, c *contender, work func() (int, []time.Duration, error)) (turn, error) {
	before, err := c.usage(ctx)
	if err != nil {
		return turn{}, err
	}
	start := time.Now()
	n, took, err := work()
	elapsed := time.Since(start)
	if err != nil {
		return turn{}, err
	}
	if n == 0 {
		return turn{}, fmt.Errorf("no message in %s", elapsed)
	}
	after, err := c.usage(ctx)
	each := func(after, before time.Duration) time.Duration { return (after - before) / time.Duration(n) }
	t := turn{
		messages: n, perSecond: float64(n) / elapsed.Seconds(),
		server: each(after.server, before.server), redis: each(after.redis, before.redis), generator: each(after.generator, before.generator),
		calls: float64(after.calls-before.calls) / float64(n), wire: float64(after.bytes-before.bytes) / float64(n),
	}
	t.all = t.server + t.redis
	slices.Sort(took)
	t.median, t.p99 = quantile(took, 0.5), quantile(took, 0.99)
	return t, err
}

func (b *bench) id(i int) string   { return "bench-" + strconv.Itoa(i) }
func (b *bench) text(i int) string { return b.texts[i%len(b.texts)] }

func median[T int64 | float64 | time.Duration](values []T) T {
	l := slices.Sorted(slices.Values(values))
	if n := len(l); n > 0 && n%2 == 0 {
		return (l[n/2-1] + l[n/2]) / 2
	}
	return quantile(l, 0.5)
}

// quantile of what is sorted; 0 of nothing.
func quantile[T int64 | float64 | time.Duration](sorted []T, q float64) T {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)-1, int(float64(len(sorted))*q))]
}
