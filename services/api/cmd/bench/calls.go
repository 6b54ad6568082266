package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sync/errgroup"
)

// commands counts what Redis executes for a message: commands, with those that
// scripts call.
func (b *bench) commands(ctx context.Context) error {
	fmt.Fprintf(b.out, "Redis calls a message, with those inside scripts\n\n")
	for _, c := range b.overHTTP() {
		err := b.count(ctx, c, "push", func() (turn, error) { return b.saturate(ctx, c) })
		if err == nil {
			err = b.countIntoPolls(ctx, c)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	fmt.Fprintln(b.out)
	return nil
}

func (b *bench) countIntoPolls(ctx context.Context, c *contender) error {
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop() // closes the polls
		_ = g.Wait()
	}()
	a, err := b.gather(ctx, g, c)
	if err != nil {
		return err
	}
	return b.count(ctx, c, "into a waiting poll", func() (turn, error) { return b.send(ctx, a, paces()[1]) })
}

// count has messages moved, once for what a new channel takes, and once to count.
func (b *bench) count(ctx context.Context, c *contender, title string, run func() (turn, error)) error {
	if _, err := run(); err != nil {
		return err
	}
	before, err := c.redis.commands(ctx)
	if err != nil {
		return err
	}
	t, err := run()
	if err != nil {
		return err
	}
	counts, err := c.redis.commands(ctx)
	if err != nil {
		return err
	}
	for name, n := range before {
		counts[name] -= n
	}
	byCount := func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) }
	fmt.Fprintf(b.out, "  %-8s %-20s %5.1f:", c.name, title, t.calls)
	for _, name := range slices.SortedFunc(maps.Keys(counts), byCount) {
		if each := float64(counts[name]) / float64(t.messages); each >= 0.05 {
			fmt.Fprintf(b.out, " %s %.1f", name, each)
		}
	}
	fmt.Fprintln(b.out)
	return nil
}
