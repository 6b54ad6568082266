package queue

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/workers"
)

var interleavingSeeds = flag.Uint64("interleaving-seeds", 3, "seeds of the interleaving test")

// Two replicas under a clock that only moves when all wait: pushes and polls of several channels meet
// hand-offs, wakes, polls that take each other's place, clients that leave, replicas that hand over,
// look again and drain, commands and answers that are lost. Each seed is another order of events, and
// takes no time where a real Redis would be waited for.
//
// Every message that was answered 200 comes to its channel's one client once, in order. An empty answer
// is true. When all is over, no poll is left anywhere, and no goroutine: the bubble would say so.
func TestInterleavings(t *testing.T) {
	t.Parallel()
	for seed := range *interleavingSeeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			m := miniredis.NewMiniRedis() // it listens: that is outside of the bubble
			if err := m.Start(); err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			synctest.Test(t, func(t *testing.T) { interleave(t, m, seed) })
		})
	}
}

const (
	interleavedFor      = 24 * time.Second // of the bubble's clock
	interleavedChannels = 6
)

// interleaving is one run.
type interleaving struct {
	t        *testing.T
	wire     *wire
	replicas [2]*limited
	pool     *workers.Pool
	drained  atomic.Bool // the first replica
	over     atomic.Bool // nothing new happens
}

func interleave(t *testing.T, m *miniredis.Miniredis, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 0))                                                                                         //nolint:gosec // no secret
	v := &interleaving{t: t, wire: &wire{redis: m.Server(), rand: rand.New(rand.NewPCG(seed, 1)), slow: 20 * time.Millisecond}} //nolint:gosec // no secret
	if seed%3 > 0 {
		v.wire.lose = 0.01 * float64(seed%3)
	}
	if seed%2 == 1 {
		v.pool = workers.New(2)
	}
	ctx, stop := context.WithCancel(context.Background())
	var readers, clients, operator sync.WaitGroup
	var ends []func()
	for i := range v.replicas {
		var end func()
		v.replicas[i], end = v.replica()
		ends = append(ends, end)
		readers.Go(func() { v.replicas[i].readers[0].run(ctx) })
	}
	for c := range interleavedChannels {
		channel := &interleaved{interleaving: v, name: Name{Channel: "c" + whole(c), Kind: Inbound}, quiet: c%3 == 0}
		pushes, polls := rand.New(rand.NewPCG(seed, uint64(100+c))), rand.New(rand.NewPCG(seed, uint64(200+c))) //nolint:gosec // no secret
		clients.Go(func() { channel.push(pushes) })
		clients.Go(func() { channel.poll(polls) })
	}
	operator.Go(func() {
		for !v.over.Load() {
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			w := v.any(r).waiters
			switch r.IntN(3) {
			case 0:
				w.rebalance(1 + r.IntN(interleavedChannels))
			case 1:
				w.recheck(-1)
			default:
			}
		}
	})
	time.Sleep(interleavedFor / 2)
	if seed%4 > 0 {
		v.drained.Store(true)
		v.replicas[0].Drain()
	}
	time.Sleep(interleavedFor / 2)
	if n := v.replicas[0].Polls(); v.drained.Load() && n != 0 {
		t.Errorf("%d polls are held by a replica that drains", n)
	}
	v.over.Store(true)
	v.wire.heal()
	operator.Wait()
	clients.Wait()
	for i, s := range v.replicas {
		s.Close()
		for name, n := range map[string]int{"held": s.Polls(), "of queues": len(s.waiters.byQueue), "that wait": len(s.waiters.waiter)} {
			if n != 0 {
				t.Errorf("replica %d: %d polls %s are left", i, n, name)
			}
		}
		s.line.mu.Lock() // the last step may have left the line after its poll was over
		if s.line.free != interleavedSteps || s.line.first != nil {
			t.Errorf("replica %d: %d places in line are free, and %v is there", i, s.line.free, s.line.first)
		}
		s.line.mu.Unlock()
	}
	stop()
	readers.Wait()
	for i, s := range v.replicas {
		s.looks.Wait()
		ends[i]()
	}
	if v.pool != nil {
		v.pool.Close()
	}
}

// interleavedSteps are the places in line of a replica: few, so that there is a line.
const interleavedSteps = 1

// replica returns a replica whose wakes are yet to be read.
func (v *interleaving) replica() (*limited, func()) {
	c := redis.NewClient(&redis.Options{MaxRetries: -1, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	c.AddHook(v.wire)
	opts, limits := defaults()
	opts.Layout, opts.Timeout, opts.Workers = storage.NewLayout("qst", 1, false), 2*time.Second, v.pool
	runner := storage.NewRunner(c, storage.RunnerOptions{Timeout: opts.Timeout, Embedded: true})
	q := New(runner, c, c, opts)
	q.line.free = interleavedSteps
	return &limited{Queues: q, caller: Caller{Limits: limits}}, func() { runner.Close(); _ = c.Close() }
}

// any returns a replica that a client may come to.
func (v *interleaving) any(r *rand.Rand) *limited {
	if i := r.IntN(2); i > 0 || v.drained.Load() {
		return v.replicas[1]
	}
	return v.replicas[0]
}

// interleaved is one channel, with one client at each end.
type interleaved struct {
	*interleaving
	name  Name
	quiet bool // nothing is pushed: so its polls are held for long

	mu    sync.Mutex
	taken []time.Time // when each message was answered 200, in order; their ids count from 1
	ended bool        // no more are pushed
}

// push pushes messages, each until it is answered 200.
func (c *interleaved) push(r *rand.Rand) {
	for n := 0; !c.over.Load(); {
		time.Sleep(time.Duration(r.ExpFloat64() * float64(300*time.Millisecond)))
		if c.quiet {
			continue
		}
		var ids []string
		for range 1 + r.IntN(4) {
			n++
			ids = append(ids, whole(n))
		}
		for {
			if _, err := c.any(r).Push(context.Background(), c.name, batch(10, ids...)); err == nil {
				break
			}
		}
		c.mu.Lock()
		for range ids {
			c.taken = append(c.taken, time.Now())
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	c.ended = true
	c.mu.Unlock()
}

// slack is how long before an empty answer a message may have been answered 200 that is not in it: its
// poll's last look was under way.
const slack = 200 * time.Millisecond

// poll pulls until all is there that was pushed.
func (c *interleaved) poll(r *rand.Rand) {
	var etag *qst.ETag
	seen, empty := 0, 0
	for {
		c.mu.Lock()
		all := c.ended && seen == len(c.taken)
		c.mu.Unlock()
		if all {
			return
		}
		ctx, leave := context.WithCancel(context.Background())
		if r.IntN(4) == 0 {
			time.AfterFunc(time.Duration(r.IntN(2000))*time.Millisecond, leave)
		}
		wait := time.Duration(r.IntN(4)) * time.Duration(r.IntN(1000)) * time.Millisecond
		if c.quiet || r.IntN(8) == 0 {
			wait = time.Minute
		}
		s := c.any(r)
		d, err := s.Queues.Pull(ctx, c.name, s.caller, Request{Processed: UpTo(etag), Max: 1 + r.IntN(3), Wait: wait})
		gone := ctx.Err() != nil
		leave()
		if gone || err != nil {
			continue // nobody saw it
		}
		for _, p := range d.Payloads {
			if seen++; qst.CanonicalID(p) != whole(seen) {
				c.t.Errorf("%s: message %s was given where %d is due: %s", c.name.Channel, qst.CanonicalID(p), seen, strings.Join(d.ids, " "))
				return
			}
		}
		if len(d.Payloads) > 0 {
			etag, empty = d.ETag, 0
			continue
		}
		c.mu.Lock()
		untrue := !d.Superseded && !c.drained.Load() && seen < len(c.taken) && time.Since(c.taken[seen]) > slack
		c.mu.Unlock()
		if untrue {
			c.t.Errorf("%s: an empty answer, though message %d was taken before", c.name.Channel, seen+1)
		}
		if empty++; empty > 10_000 {
			c.t.Errorf("%s: message %d does not come", c.name.Channel, seen+1)
			return
		}
		time.Sleep(time.Millisecond)
	}
}
