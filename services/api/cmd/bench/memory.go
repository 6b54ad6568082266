package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
)

// memory holds polls and looks what they take.
func (b *bench) memory(ctx context.Context) error {
	fmt.Fprintf(b.out, "Memory of a poll that is held, of %d, in KiB (server; its Redis)\n\n", b.polls)
	for _, c := range b.contenders {
		before, redisBefore, err := b.residentOf(c)
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(ctx)
		_, wait, err := b.subscribe(ctx, c, b.polls, func(i int) string { return "held-" + strconv.Itoa(i) }, func(int) {})
		var during, redisDuring int64
		if err == nil {
			during, redisDuring, err = b.residentOf(c)
		}
		stop()
		wait()
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		each := func(after, before int64) float64 { return float64(after-before) / float64(b.polls) / 1024 }
		fmt.Fprintf(b.out, "  %-8s %6.1f %6.1f\n", c.name, each(during, before), each(redisDuring, redisBefore))
	}
	fmt.Fprintln(b.out)
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
