package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// waiting is how many polls messages are sent to.
const waiting = 1000

// paces are the rates of messages into polls, and how long a turn of each is.
func paces() []pace { return []pace{{2000, 2 * time.Second}, {500, 3 * time.Second}} }

type pace struct {
	perSecond int
	turn      time.Duration
}

// intoPolls sends messages to polls that wait, at a pace that does not care how long
// they take. A poll comes back at once when it was answered, as a client does; the
// service's confirms the message so.
func (b *bench) intoPolls(ctx context.Context) (err error) {
	g, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	defer func() {
		stop() // closes the polls
		_ = g.Wait()
	}()
	all := b.overHTTP()
	audiences := map[*contender]*audience{}
	for _, c := range all {
		if audiences[c], err = b.gather(ctx, g, c); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for _, p := range paces() {
		turns, err := b.rotate(ctx, all, func(ctx context.Context, c *contender) (turn, error) {
			return b.send(ctx, audiences[c], p)
		})
		if err != nil {
			if ctx.Err() != nil { // a poll failed, or the time is over
				err = errors.Join(err, g.Wait())
			}
			return err
		}
		b.compare(fmt.Sprintf("Into waiting polls: %d/s, %d polls, from the push to the receipt", p.perSecond, waiting), all, turns)
	}
	return nil
}

// audience is the polls that a contender holds, of a channel each.
type audience struct {
	contender *contender
	pushes    [][]byte // of the channels
	now       atomic.Pointer[flight]
}

// flight is the messages that are on their way in a turn.
type flight struct {
	first   int // id
	sent    []atomic.Int64
	took    []atomic.Int64 // 0: not yet
	arrived atomic.Int64
	done    chan struct{}
}

// gather has the polls wait.
func (b *bench) gather(ctx context.Context, g *errgroup.Group, c *contender) (*audience, error) {
	a := &audience{contender: c}
	name := b.ids.Add(1) // of its own: nothing is left in the channels from before
	for i := range waiting {
		channel := fmt.Sprintf("waiting-%d-%d", name, i)
		a.pushes = append(a.pushes, c.requests.publish(channel, marked(b.text(i))))
		w, err := dialWire(ctx, c.public)
		if err != nil {
			return nil, err
		}
		g.Go(func() error {
			if err := a.listen(w, channel); ctx.Err() == nil {
				return fmt.Errorf("%s: the poll of %s: %w", c.name, channel, err)
			}
			return nil
		})
	}
	// That they wait shows nowhere that is common to all contenders.
	return a, pause(ctx, time.Second)
}

// listen polls until the wire is closed.
func (a *audience) listen(w *wire, channel string) error {
	var poll []byte
	if a.contender.requests.stream {
		return a.follow(w, a.contender.requests.poll(nil, channel, w))
	}
	for {
		poll = a.contender.requests.poll(poll[:0], channel, w)
		if err := w.exchange(poll); err != nil {
			return err
		}
		if err := eachID(w.body, a.received); err != nil {
			return err
		}
	}
}

// follow reads an answer whose messages are its chunks.
func (a *audience) follow(w *wire, poll []byte) error {
	if _, err := w.conn.Write(poll); err != nil {
		return err
	}
	if _, err := w.head(); err != nil {
		return err
	}
	for {
		chunk, err := w.chunk()
		if err != nil {
			return err
		}
		if err := eachID(chunk, a.received); err != nil {
			return err
		}
	}
}

func (a *audience) received(id int) {
	f := a.now.Load()
	if f == nil || id < f.first || id >= f.first+len(f.sent) {
		return // of a turn that was over: its message came twice
	}
	took := time.Now().UnixNano() - f.sent[id-f.first].Load()
	if f.took[id-f.first].CompareAndSwap(0, max(1, took)) && f.arrived.Add(1) == int64(len(f.sent)) {
		close(f.done)
	}
}

// send has a turn's messages pushed, and waits until all have arrived.
func (b *bench) send(ctx context.Context, a *audience, p pace) (turn, error) {
	n := int(p.turn.Seconds() * float64(p.perSecond))
	f := &flight{first: int(b.ids.Add(int64(n))) - n, sent: make([]atomic.Int64, n), took: make([]atomic.Int64, n), done: make(chan struct{})}
	a.now.Store(f)
	g, pushing := errgroup.WithContext(ctx)
	wires, err := dialWires(pushing, a.contender.public, saturating)
	if err != nil {
		return turn{}, err
	}
	queue := make(chan int, n)
	for _, w := range wires {
		g.Go(func() error {
			var push []byte
			for i := range queue {
				push = append(push[:0], a.pushes[(f.first+i)%waiting]...)
				renumber(push, f.first+i)
				if err := w.exchange(push); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return measured(ctx, a.contender, func() (int, []time.Duration, error) {
		start := time.Now()
		for i := range n {
			sleepUntil(start.Add(time.Duration(i) * time.Second / time.Duration(p.perSecond)))
			f.sent[i].Store(time.Now().UnixNano()) // waiting for a free connection counts
			queue <- i
		}
		close(queue)
		late := time.NewTimer(lostAfter)
		defer late.Stop()
		select {
		case <-f.done:
		case <-late.C:
			return 0, nil, fmt.Errorf("of %d messages %d arrived", n, f.arrived.Load())
		case <-pushing.Done(): // before all have arrived: one failed
			return 0, nil, errors.Join(context.Cause(ctx), g.Wait())
		}
		if err := g.Wait(); err != nil {
			return 0, nil, err
		}
		took := make([]time.Duration, n)
		for i := range took {
			took[i] = time.Duration(f.took[i].Load())
		}
		return n, took, nil
	})
}

// sleepUntil sleeps as exactly as the kernel can. Go's timers are late by up to a
// millisecond, and would send the messages of one together.
func sleepUntil(t time.Time) {
	for d := time.Until(t); d > 0; d = time.Until(t) {
		left := syscall.NsecToTimespec(int64(d))
		_ = syscall.Nanosleep(&left, nil) // interrupted: sleeps again
	}
}

// pause waits for what shows nowhere.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
