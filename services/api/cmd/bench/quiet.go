package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

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

// quiet measures a machine that has little to do, with an ordinary HTTP client.
func (b *bench) quiet(ctx context.Context) error {
	turns, err := b.rotate(ctx, b.contenders, b.push)
	if err != nil {
		return err
	}
	b.table(fmt.Sprintf("A single-message push, %d at a time: rate", pushers), turns)
	if err := b.stored(ctx, b.contenders); err != nil {
		return err
	}
	if turns, err = b.rotate(ctx, b.contenders, b.wake); err != nil {
		return err
	}
	b.table("A message into a poll that waits: time from the push to the poll's answer", turns)
	return nil
}

// push pushes single messages, several at a time, to channels that nobody reads.
func (b *bench) push(ctx context.Context, c *contender) (turn, error) {
	first := b.sent
	b.sent += b.pushes
	return measured(ctx, c, func() (int, []time.Duration, error) {
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
		return b.pushes, took, g.Wait()
	})
}

// wake pushes one message after the other, each to a channel whose poll waits.
func (b *bench) wake(ctx context.Context, c *contender) (turn, error) {
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
	return measured(ctx, c, func() (int, []time.Duration, error) {
		pause := time.NewTicker(wakePause)
		defer pause.Stop()
		late := time.After(lostAfter + time.Duration(b.wakes)*wakePause)
		for i := range b.wakes {
			mu.Lock()
			pushed[i%channels] = time.Now()
			mu.Unlock()
			if err := c.publish(ctx, channel(i), b.id(first+i), b.text(i)); err != nil {
				return 0, nil, err
			}
			<-pause.C
		}
		for i := range b.wakes {
			select {
			case <-arrived:
			case err := <-waiting:
				return 0, nil, fmt.Errorf("a poll ended: %w", err)
			case <-late:
				return 0, nil, fmt.Errorf("of %d messages %d arrived", b.wakes, i)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return b.wakes, took, nil
	})
}

// subscribe has n polls wait, and returns when they do. The polls' errors come
// from failed; wait returns when all have ended, after ctx has.
func (b *bench) subscribe(ctx context.Context, c *contender, n int, channel func(int) string, got func(int)) (failed chan error, wait func(), err error) {
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
