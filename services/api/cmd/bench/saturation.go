package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	saturating = 64 // connections that push without a pause
	// saturationTurn is how long they do so in a turn.
	saturationTurn = 1500 * time.Millisecond
	// textsEach is how many texts a connection has: its requests are made before.
	textsEach = 16
)

// saturation pushes single messages over 64 connections, each to a channel of its
// own, each as soon as the one before is answered.
func (b *bench) saturation(ctx context.Context) error {
	all := b.overHTTP()
	turns, err := b.rotate(ctx, all, b.saturate)
	if err != nil {
		return err
	}
	b.compare(fmt.Sprintf("Saturation: a single-message push, over %d connections", saturating), all, turns)
	return b.stored(ctx, all)
}

func (b *bench) saturate(ctx context.Context, c *contender) (turn, error) {
	// The wires are closed when the first of them fails, and when all are done.
	g, pushing := errgroup.WithContext(ctx)
	wires, err := dialWires(pushing, c.public, saturating)
	if err != nil {
		return turn{}, err
	}
	pushes := make([][][]byte, len(wires))
	for i := range pushes {
		for j := range textsEach {
			pushes[i] = append(pushes[i], c.requests.push(fmt.Sprintf("push-%d", i), marked(b.text(i*textsEach+j))))
		}
	}
	return measured(ctx, c, func() (int, []time.Duration, error) {
		took := make([][]time.Duration, len(wires))
		end := time.Now().Add(saturationTurn)
		for i, w := range wires {
			g.Go(func() error {
				for n := 0; time.Now().Before(end); n++ {
					push := pushes[i][n%textsEach]
					renumber(push, int(b.ids.Add(1)))
					start := time.Now()
					if err := w.exchange(push); err != nil {
						return err
					}
					took[i] = append(took[i], time.Since(start))
				}
				return nil
			})
		}
		err := g.Wait()
		all := slices.Concat(took...)
		return len(all), all, err
	})
}

// dialWires connects n times. All are closed when ctx ends.
func dialWires(ctx context.Context, address string, n int) ([]*wire, error) {
	wires := make([]*wire, n)
	for i := range wires {
		w, err := dialWire(ctx, address)
		if err != nil {
			return nil, err
		}
		wires[i] = w
	}
	return wires, nil
}
