package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	guesses   = 10_000
	guessTurn = 10 * time.Second
)

// guess measures how fast wrong credentials are answered, and how well what is there can be told by
// that from what is not.
func (b *bench) guess(ctx context.Context) error {
	c, err := startLocked(ctx, b.machine, b.api, b.contenders[0], guesses, "QST_TRUSTED_PROXIES=127.0.0.0/8")
	if err != nil {
		return err
	}
	if err := b.guessOne(ctx, c); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "Channels that are there told from those that are not, by the time of one 401 from each of %d; 50 %% is by chance\n\n", guesses)
	for _, given := range []bool{false, true} {
		there, not, err := b.tell(ctx, c, given)
		if err != nil {
			return err
		}
		what := "without credentials"
		if given {
			what = "with wrong ones, each from an address of its own"
		}
		fmt.Fprintf(b.out, "  %.1f %% right %s (p50 %.2f and %.2f ms)\n", 100*told(there, not), what,
			micros(quantile(there, .5))/1000, micros(quantile(not, .5))/1000)
	}
	fmt.Fprintln(b.out)
	return nil
}

// guessOne guesses at one channel from one address over 64 connections.
func (b *bench) guessOne(ctx context.Context, c *contender) error {
	g, inside := errgroup.WithContext(ctx)
	wires, err := dialWires(inside, c.public, saturating)
	if err != nil {
		return err
	}
	took := make([][]time.Duration, len(wires))
	tried := make([]int, len(wires))
	end := time.Now().Add(guessTurn)
	for i, w := range wires {
		g.Go(func() error {
			for n := 0; time.Now().Before(end); n++ {
				start := time.Now()
				if err := w.exchange(guessAt("locked-0", fmt.Sprintf("a-guess-of-sixteen-letters-%d-%d", i, n), "")); w.status != 401 && w.status != 503 {
					return fmt.Errorf("a guess: %w", err)
				}
				tried[i]++
				if w.status == 401 {
					took[i] = append(took[i], time.Since(start))
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	all, n := slices.Concat(took...), 0
	slices.Sort(all)
	for _, t := range tried {
		n += t
	}
	fmt.Fprintf(b.out, "Guesses at one channel, from one address, over %d connections, for %s: %d sent, %d compared (%.1f/s), the rest turned away; the fastest 401 came after %.0f ms, of one not compared none\n\n",
		saturating, guessTurn, n, len(all), float64(len(all))/guessTurn.Seconds(), micros(quantile(all, 0))/1000)
	return nil
}

// guessAt is a pull with a wrong credential, or with none.
func guessAt(channel, secret, address string) []byte {
	r := fmt.Appendf(nil, "GET /v2/channels/%s HTTP/1.1\r\nHost: bench\r\n", channel)
	if secret != "" {
		r = fmt.Appendf(r, "Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString([]byte("bench:"+secret)))
	}
	if address != "" {
		r = fmt.Appendf(r, "X-Forwarded-For: %s\r\n", address)
	}
	return append(r, "\r\n"...)
}

// tell asks once at each of so many channels, of which every second one is there, and returns, sorted,
// how long the answers took.
func (b *bench) tell(ctx context.Context, c *contender, given bool) (there, not []time.Duration, err error) {
	g, inside := errgroup.WithContext(ctx)
	connections := 1 // at a time: what one waits for others would hide what it waits for itself
	if given {
		connections = saturating // each takes 50 ms of waiting
	}
	wires, err := dialWires(inside, c.public, connections)
	if err != nil {
		return nil, nil, err
	}
	took := make([]time.Duration, guesses)
	for i, w := range wires {
		g.Go(func() error {
			for n := i; n < guesses; n += len(wires) {
				channel, secret, address := lockedChannel(n), "", ""
				if n/len(wires)%2 == 1 {
					channel = fmt.Sprintf("nobody-%d", n) // of the same length
				}
				if given {
					secret, address = "a-guess-of-sixteen-letters", fmt.Sprintf("10.%d.%d.1", n>>8, n&255)
				}
				request := guessAt(channel, secret, address)
				start := time.Now()
				if err := w.exchange(request); w.status != 401 {
					return fmt.Errorf("a guess: status %d: %w", w.status, err)
				}
				took[n] = time.Since(start)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for n, t := range took {
		if n/len(wires)%2 == 1 {
			not = append(not, t)
		} else {
			there = append(there, t)
		}
	}
	slices.Sort(there)
	slices.Sort(not)
	return there, not, nil
}

// told is how often the best single limit of time tells one sort from the other, both sorted: half of
// the time by chance.
func told(there, not []time.Duration) float64 {
	best, i, j := 0.0, 0, 0
	for i < len(there) && j < len(not) {
		if there[i] <= not[j] {
			i++
		} else {
			j++
		}
		apart := float64(i)/float64(len(there)) - float64(j)/float64(len(not))
		best = max(best, apart, -apart)
	}
	return .5 + best/2
}
