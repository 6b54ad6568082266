package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

const (
	pushers  = 8  // at the same time
	channels = 64 // that pushes spread over, and that wait in a turn of wakes
	// wakePause is between two messages of a turn of wakes: a channel's turn comes
	// every 64 of them, long after its poll is back.
	wakePause = 2 * time.Millisecond
	// lostAfter is how long a turn waits for its last message.
	lostAfter = 20 * time.Second
)

// bench gives the contenders their turns.
type bench struct {
	options
	texts      []string
	machine    *machine
	contenders []contender
	out        io.Writer

	sent int          // messages so far: ids are new every time
	next atomic.Int64 // and in batches
}

// turn is what one contender did in one round.
type turn struct {
	perSecond          float64 // messages
	median             time.Duration
	server, redis, all time.Duration // CPU time a message
	wire               float64       // bytes of HTTP a message; the service's only
}

func (b *bench) run(ctx context.Context) error {
	fmt.Fprintf(b.out, "%d CPUs, %s; %d rounds of %d pushes and %d wakes; %d polls\n\n",
		runtime.NumCPU(), runtime.Version(), b.rounds, b.pushes, b.wakes, b.polls)
	jobs := []struct {
		title string
		run   func(context.Context, contender) (turn, error)
	}{
		{fmt.Sprintf("A single-message push, %d at a time: rate", pushers), b.push},
		{"A message into a poll that waits: time from the push to the poll's answer", b.wake},
	}
	for i, job := range jobs {
		turns, err := b.rotate(ctx, job.run)
		if err == nil && i == 0 {
			err = b.stored(ctx)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", job.title, err)
		}
		b.table(job.title, turns)
	}
	if err := b.memory(ctx); err != nil {
		return err
	}
	return b.capacity(ctx)
}

// stored sees that whoever was pushed to keeps it where it says: in its Redis.
func (b *bench) stored(ctx context.Context) error {
	for _, c := range b.contenders {
		client := redis.NewClient(&redis.Options{Addr: c.address})
		n, err := client.DBSize(ctx).Result()
		_ = client.Close() // it was read from only
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
func (b *bench) rotate(ctx context.Context, job func(context.Context, contender) (turn, error)) ([][]turn, error) {
	turns := make([][]turn, len(b.contenders))
	for round := range b.rounds + 1 {
		for i := range b.contenders {
			n := (i + round) % len(b.contenders)
			t, err := job(ctx, b.contenders[n])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", b.contenders[n].name, err)
			}
			if round > 0 {
				turns[n] = append(turns[n], t)
			}
		}
	}
	return turns, nil
}

// measured runs work for n messages, and measures it.
func measured(c contender, n int, work func() ([]time.Duration, error)) (turn, error) {
	server, err := c.server.cpu()
	if err != nil {
		return turn{}, err
	}
	redisBefore, err := c.redis.cpu()
	if err != nil {
		return turn{}, err
	}
	bytes := c.http.bytes()
	start := time.Now()
	took, err := work()
	if err != nil {
		return turn{}, err
	}
	t := turn{perSecond: float64(n) / time.Since(start).Seconds(), median: median(took)}
	serverNow, err := c.server.cpu()
	if err != nil {
		return turn{}, err
	}
	redisNow, err := c.redis.cpu()
	t.server, t.redis = (serverNow-server)/time.Duration(n), (redisNow-redisBefore)/time.Duration(n)
	t.all = t.server + t.redis
	t.wire = float64(c.http.bytes()-bytes) / float64(n)
	return t, err
}

// push pushes single messages, several at a time, to channels that nobody reads.
func (b *bench) push(ctx context.Context, c contender) (turn, error) {
	first := b.sent
	b.sent += b.pushes
	return measured(c, b.pushes, func() ([]time.Duration, error) {
		took := make([]time.Duration, b.pushes)
		var next atomic.Int64
		g, ctx := errgroup.WithContext(ctx)
		for range pushers {
			g.Go(func() error {
				for i := int(next.Add(1)) - 1; i < b.pushes; i = int(next.Add(1)) - 1 {
					start := time.Now()
					if err := c.push(ctx, "push-"+strconv.Itoa(i%channels), b.id(first+i), b.text(i)); err != nil {
						return err
					}
					took[i] = time.Since(start)
				}
				return nil
			})
		}
		return took, g.Wait()
	})
}

// wake pushes one message after the other, each to a channel whose poll waits.
func (b *bench) wake(ctx context.Context, c contender) (turn, error) {
	first := b.sent
	b.sent += b.wakes
	arrived := make(chan struct{}, b.wakes)
	var mu sync.Mutex
	pushed := make([]time.Time, channels)
	var took []time.Duration
	// Channels that are new in each turn: nothing is left in them from before.
	channel := func(i int) string { return fmt.Sprintf("wake-%d-%d", first, i%channels) }
	ctx, stop := context.WithCancel(ctx)
	waiting, wait, err := b.subscribe(ctx, c, channels, channel, func(i int) {
		mu.Lock()
		took = append(took, time.Since(pushed[i]))
		mu.Unlock()
		arrived <- struct{}{}
	})
	defer wait()
	defer stop()
	if err != nil {
		return turn{}, err
	}
	return measured(c, b.wakes, func() ([]time.Duration, error) {
		pause := time.NewTicker(wakePause)
		defer pause.Stop()
		late := time.After(lostAfter + time.Duration(b.wakes)*wakePause)
		for i := range b.wakes {
			mu.Lock()
			pushed[i%channels] = time.Now()
			mu.Unlock()
			if err := c.publish(ctx, channel(i), b.id(first+i), b.text(i)); err != nil {
				return nil, err
			}
			<-pause.C
		}
		for i := range b.wakes {
			select {
			case <-arrived:
			case err := <-waiting:
				return nil, fmt.Errorf("a poll ended: %w", err)
			case <-late:
				return nil, fmt.Errorf("of %d messages %d arrived", b.wakes, i)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return took, nil
	})
}

// subscribe has n polls wait, and returns when they do. The polls' errors come
// from failed; wait returns when all have ended, after ctx has.
func (b *bench) subscribe(ctx context.Context, c contender, n int, channel func(int) string, got func(int)) (failed chan error, wait func(), err error) {
	failed = make(chan error, n)
	var polls sync.WaitGroup
	for i := range n {
		polls.Go(func() {
			if err := c.subscribe(ctx, channel(i), func() { got(i) }); ctx.Err() == nil {
				failed <- err
			}
		})
		if i%100 == 99 {
			<-time.After(20 * time.Millisecond) // not all connections at once
		}
	}
	// That they wait shows nowhere that is common to all contenders.
	select {
	case <-time.After(300*time.Millisecond + time.Duration(n)*time.Millisecond/2):
	case err = <-failed:
	}
	return failed, polls.Wait, err
}

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
	return nil
}

// residentOf is what a contender's server, and its Redis, hold of the memory. Of
// this program it is what lives in its heap and stacks: its HTTP client for the
// others has left gaps that it fills.
func (b *bench) residentOf(c contender) (server, itsRedis int64, err error) {
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

func (b *bench) id(i int) string   { return "bench-" + strconv.Itoa(i) }
func (b *bench) text(i int) string { return b.texts[i%len(b.texts)] }

func median[T int64 | float64 | time.Duration](values []T) T {
	if len(values) == 0 {
		return 0
	}
	l := slices.Sorted(slices.Values(values))
	return l[len(l)/2]
}
