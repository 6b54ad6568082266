package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
)

// visits is how many channels are visited in a turn, each for one message.
const visits = 10_000

// counts is a flag: numbers of channels.
type counts []int

func (c *counts) String() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(*c), " ", ","), "[]")
}

func (c *counts) Set(value string) error {
	*c = nil
	for text := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < saturating || n > 10_000_000 {
			return fmt.Errorf("%q is not a number of channels from %d to 10000000", text, saturating)
		}
		*c = append(*c, n)
	}
	return nil
}

// population looks whether a message costs more where there are more channels: it is
// pushed, pulled and confirmed in one of so many, each with a service and a Redis of
// their own.
func (b *bench) population(ctx context.Context) error {
	all := make([]*contender, len(b.channels))
	for i, n := range b.channels {
		c, err := startService(ctx, b.machine, strconv.Itoa(n), b.api)
		if err != nil {
			return err
		}
		start := time.Now()
		if _, err := b.visit(ctx, c, n, 0, n); err != nil {
			return fmt.Errorf("making %d channels: %w", n, err)
		}
		fmt.Fprintf(b.out, "%d channels were made in %s\n", n, time.Since(start).Round(time.Second/10))
		all[i] = c
	}
	round := 0
	turns, err := b.rotate(ctx, all, func(ctx context.Context, c *contender) (turn, error) {
		n, err := strconv.Atoi(c.name)
		if err != nil {
			return turn{}, err
		}
		round++
		return b.visit(ctx, c, n, n+round*visits, visits)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\nA message pushed, pulled and confirmed, over %d connections, by the number of channels: CPU µs\n\n", saturating)
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "channels\tserver\tRedis\tserver/first\tRedis/first\tRedis calls\t")
	server, its := func(t turn) float64 { return micros(t.server) }, func(t turn) float64 { return micros(t.redis) }
	for i, own := range turns {
		fmt.Fprintf(w, "%s\t%.1f\t%.1f\t%.2f\t%.2f\t%.1f\t\n", all[i].name, median(of(own, server)), median(of(own, its)),
			ratio(own, turns[0], server), ratio(own, turns[0], its), median(of(own, func(t turn) float64 { return t.calls })))
	}
	_ = w.Flush() // to a terminal, or a buffer
	fmt.Fprintln(b.out)
	return nil
}

// visit moves messages through channels, of so many that there are. A wire has every
// 64th of them, so that no two have one at a time, and goes through its own by a
// stride: through all of them, and far from one to the next.
func (b *bench) visit(ctx context.Context, c *contender, channels, first, n int) (turn, error) {
	const stride = 7_368_787 // a prime, larger than what a wire has
	g, inside := errgroup.WithContext(ctx)
	wires, err := dialWires(inside, c.public, saturating)
	if err != nil {
		return turn{}, err
	}
	return measured(ctx, c, func() (int, []time.Duration, error) {
		for i, w := range wires {
			g.Go(func() error {
				own := (channels - i + len(wires) - 1) / len(wires)
				for k := i; k < n; k += len(wires) {
					channel := i + len(wires)*((first+k)/len(wires)*stride%own)
					if err := b.visitOne(w, "all-"+strconv.Itoa(channel)); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return n, nil, g.Wait()
	})
}

func (b *bench) visitOne(w *wire, channel string) error {
	id := int(b.ids.Add(1))
	push := post("/v2/channels/"+channel, marked(b.text(id)))
	renumber(push, id)
	if err := w.exchange(push); err != nil {
		return err
	}
	get := fmt.Appendf(nil, "GET /v2/channels/%s?format=json HTTP/1.1\r\nHost: bench\r\n", channel)
	if err := w.exchange(append(get, "\r\n"...)); err != nil {
		return err
	}
	if !bytes.Contains(w.body, []byte(markedID(id))) {
		return fmt.Errorf("%s: %s was pushed, and this came: %s", channel, markedID(id), w.body)
	}
	if err := w.exchange(fmt.Appendf(get, "If-None-Match: %s\r\n\r\n", w.etag)); err != nil {
		return err
	}
	if string(w.body) != "[]" {
		return fmt.Errorf("%s: all was confirmed, and this came: %s", channel, w.body)
	}
	return nil
}
