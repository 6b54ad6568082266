package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

const (
	batchers      = 8   // connections, with a channel each
	batchesEach   = 100 // that each of them pushes in a turn
	batchMessages = batchers * batchesEach * batchSize
)

// dialect is a format over HTTP, and its empty answer.
type dialect struct {
	format                   qst.Format
	name, contentType, empty string
}

func dialects() []dialect {
	return []dialect{
		{qst.JSON, "json", "application/json", "[]"},
		{qst.XML, "xml", "text/xml", "<messages/>"},
	}
}

// batchRow is one way to move batches, and its turns.
type batchRow struct {
	name       string
	run        func(ctx context.Context) (push, pull turn, err error)
	push, pull []turn
}

// batches moves batches of 100, as JSON and as XML, beside the least that they could
// cost Redis: one script that adds the same payloads to a stream.
func (b *bench) batches(ctx context.Context) error {
	floor, err := b.machine.redis(ctx)
	if err != nil {
		return err
	}
	var rows []*batchRow
	for _, c := range b.overHTTP() {
		if !c.service {
			continue
		}
		for _, d := range dialects() {
			rows = append(rows, &batchRow{name: c.name + ", " + d.name, run: func(ctx context.Context) (push, pull turn, err error) {
				return b.batchTurn(ctx, c, d)
			}})
		}
	}
	rows = append(rows, &batchRow{name: "bare Lua", run: func(ctx context.Context) (push, pull turn, err error) {
		push, err = b.floorTurn(ctx, floor)
		return push, turn{}, err
	}})
	for round := range b.rounds + 1 {
		for i := range rows {
			r := rows[(i+round)%len(rows)]
			push, pull, err := r.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			if round > 0 {
				r.push, r.pull = append(r.push, push), append(r.pull, pull)
			}
		}
	}
	b.batchTable(rows)
	return nil
}

func (b *bench) batchTable(rows []*batchRow) {
	fmt.Fprintf(b.out, "Batches of %d, over %d connections: CPU µs a message\n\n", batchSize, batchers)
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tpush: messages/s\tserver\tRedis\tfloor's Redis/its\trate/json's\tpull+confirm: messages/s\tserver\tRedis\trate/json's\t")
	floor, json := rows[len(rows)-1], rows[0]
	perSecond := func(t turn) float64 { return t.perSecond }
	server, its := func(t turn) float64 { return micros(t.server) }, func(t turn) float64 { return micros(t.redis) }
	for _, r := range rows {
		if r == floor {
			fmt.Fprintf(w, "%s\t%.0f\t–\t%.1f\t%.2f\t–\t–\t–\t–\t–\t\n", r.name, median(of(r.push, perSecond)), median(of(r.push, its)), ratio(r.push, r.push, its))
			continue
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.1f\t%.2f\t%.2f\t%.0f\t%.1f\t%.1f\t%.2f\t\n", r.name,
			median(of(r.push, perSecond)), mean(of(r.push, server)), median(of(r.push, its)), ratio(floor.push, r.push, its), ratio(r.push, json.push, perSecond),
			median(of(r.pull, perSecond)), mean(of(r.pull, server)), median(of(r.pull, its)), ratio(r.pull, json.pull, perSecond))
	}
	_ = w.Flush() // to a terminal, or a buffer
	fmt.Fprintln(b.out)
}

// batchTurn pushes batches and then pulls them, each pull confirming the one before.
func (b *bench) batchTurn(ctx context.Context, c *contender, d dialect) (pushed, pulled turn, err error) {
	requests := make([][][]byte, batchers)
	for i := range requests {
		for range batchesEach {
			requests[i] = append(requests[i], request("POST", batchPath(d, i), d.contentType, qst.Append(nil, d.format, b.messages(batchSize))))
		}
	}
	pushed, err = b.onWires(ctx, c, func(w *wire, i int) error {
		for _, r := range requests[i] {
			if err := w.exchange(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return pushed, pulled, err
	}
	pulled, err = b.onWires(ctx, c, func(w *wire, i int) error {
		for n := 0; ; n++ {
			r := fmt.Appendf(nil, "GET %s?format=%s&max=%d HTTP/1.1\r\nHost: bench\r\n", batchPath(d, i), d.name, batchSize)
			if len(w.etag) > 0 {
				r = fmt.Appendf(r, "If-None-Match: %s\r\n", w.etag)
			}
			if err := w.exchange(append(r, "\r\n"...)); err != nil {
				return err
			}
			if string(w.body) == d.empty {
				if n != batchesEach {
					return fmt.Errorf("%d batches were pushed, %d came", batchesEach, n)
				}
				return nil
			}
		}
	})
	return pushed, pulled, err
}

func batchPath(d dialect, i int) string { return fmt.Sprintf("/v2/channels/batches-%s-%d", d.name, i) }

// onWires does something on each of some connections.
func (b *bench) onWires(ctx context.Context, c *contender, do func(w *wire, i int) error) (turn, error) {
	g, inside := errgroup.WithContext(ctx)
	wires, err := dialWires(inside, c.public, batchers)
	if err != nil {
		return turn{}, err
	}
	return measured(ctx, c, func() (int, []time.Duration, error) {
		for i, w := range wires {
			g.Go(func() error { return do(w, i) })
		}
		return batchMessages, nil, g.Wait()
	})
}

// floorTurn adds as many messages, in what is stored of them, with nothing around.
func (b *bench) floorTurn(ctx context.Context, r redisServer) (turn, error) {
	script := redis.NewScript(`for i = 1, #ARGV do redis.call('XADD', KEYS[1], '*', 'm', ARGV[i]) end return #ARGV`)
	if err := script.Load(ctx, r.client).Err(); err != nil {
		return turn{}, err
	}
	batches := make([][][]any, batchers)
	for i := range batches {
		for range batchesEach {
			var batch []any
			for _, m := range b.messages(batchSize) {
				m.When = "2026-01-02T15:04:05Z" // the service adds it
				batch = append(batch, m.AppendCanonical(nil))
			}
			batches[i] = append(batches[i], batch)
		}
	}
	floor := &contender{redis: r}
	t, err := measured(ctx, floor, func() (int, []time.Duration, error) {
		g, ctx := errgroup.WithContext(ctx)
		for i := range batches {
			g.Go(func() error {
				for _, batch := range batches[i] {
					if err := script.EvalSha(ctx, r.client, []string{fmt.Sprintf("floor-%d", i)}, batch...).Err(); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return batchMessages, nil, g.Wait()
	})
	if err == nil { // the service's are gone too, once they are confirmed
		err = r.client.FlushDB(ctx).Err()
	}
	return t, err
}
