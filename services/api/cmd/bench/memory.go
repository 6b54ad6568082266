package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

// settled is how long a server has to give back what it took to let the polls in.
const settled = 5 * time.Second

// memory holds polls and looks what they take: half of them, then all. What the second half adds is
// what 100 000 are reckoned from.
func (b *bench) memory(ctx context.Context) error {
	half := max(1, b.polls/2)
	fmt.Fprintf(b.out, "Memory of a poll that is held, in KiB: of %d; of %d; their Redis; 100 000 polls in MiB, reckoned; after them in MiB, and before\n\n", half, 2*half)
	for _, c := range b.contenders {
		if err := b.hold(ctx, c, half); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	fmt.Fprintln(b.out)
	return nil
}

// hold holds half of the polls, then all, and says what they take.
func (b *bench) hold(ctx context.Context, c *contender, half int) error {
	before, redisBefore, err := b.residentOf(c)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var server, itsRedis [2]int64
	var waits []func()
	for i := range server {
		_, wait, err := b.subscribe(ctx, c, half, func(n int) string { return fmt.Sprintf("held-%d-%d", i, n) }, func(int) {})
		if waits = append(waits, wait); err == nil {
			if err = pause(ctx, settled); err == nil {
				server[i], itsRedis[i], err = b.residentOf(c)
			}
		}
		if err != nil {
			stop()
			for _, wait := range waits {
				wait()
			}
			return err
		}
	}
	parent := ctx
	stop()
	for _, wait := range waits {
		wait()
	}
	if err := pause(context.WithoutCancel(parent), settled); err != nil {
		return err
	}
	after, _, err := b.residentOf(c)
	if err != nil {
		return err
	}
	each := func(of, from int64, n int) float64 { return float64(of-from) / float64(n) / 1024 }
	const many, mib = 100_000, 1 << 20
	more := each(server[1], server[0], half)
	fmt.Fprintf(b.out, "  %-8s %6.1f %6.1f %6.1f %8.0f %8.0f %6.0f\n", c.name, each(server[0], before, half), each(server[1], before, 2*half),
		each(itsRedis[1], redisBefore, 2*half), float64(server[1])/mib+more*1024*float64(many-2*half)/mib, float64(after)/mib, float64(before)/mib)
	return nil
}

// residentOf is what a contender's server, and its Redis, hold of the memory. Of
// this program it is what lives in its heap and stacks: its HTTP client for the
// others has left gaps that it fills.
func (b *bench) residentOf(c *contender) (server, itsRedis int64, err error) {
	if c.name == "scripts" {
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		server = int64(m.HeapAlloc + m.StackInuse)
	} else if server, err = c.server.memory(); err != nil {
		return 0, 0, err
	}
	itsRedis, err = c.redis.memory()
	return server, itsRedis, err
}
