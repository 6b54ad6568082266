package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// What the service costs, for docs/capacity.md: CPU time of the replica and of Redis
// for each thing that clients do, and Redis's memory for each thing that it keeps.

const (
	batchSize = 100 // messages in a push, or in a pull
	// renewalWait is how long a poll that gets nothing is held: short, so that there
	// are many in a turn. What a poll costs doesn't depend on it.
	renewalWait = 20 * time.Millisecond
	kept        = 20_000 // messages, or channels, whose memory is measured
)

// cost is one thing that clients do.
type cost struct {
	title string
	per   string
	run   func(context.Context, *contender) (turn, error)
}

func (b *bench) costs(locked *contender) []cost {
	return []cost{
		{"push of one message", "message", b.push},
		{fmt.Sprintf("push of %d", batchSize), "message", func(ctx context.Context, c *contender) (turn, error) {
			return b.each(ctx, c, b.pushes/batchSize, batchSize, func(ctx context.Context, i int) error {
				return c.http.post(ctx, "batch-"+strconv.Itoa(i%channels), b.batch(batchSize, true))
			})
		}},
		{fmt.Sprintf("pull of %d, confirming as many", batchSize), "message", b.drain},
		{"into a poll that waits", "message", b.wake},
		{"poll that gets nothing", "poll", b.renew},
		{"the same, with a credential that has to be looked up", "poll", func(ctx context.Context, _ *contender) (turn, error) {
			return b.renew(ctx, locked)
		}},
	}
}

// renew polls channels in which there is nothing, each of them once.
func (b *bench) renew(ctx context.Context, c *contender) (turn, error) {
	query := fmt.Sprintf("?long-polling=true&wait=%.3f", renewalWait.Seconds())
	return b.each(ctx, c, b.pushes, 1, func(ctx context.Context, i int) error {
		_, _, err := c.http.pull(ctx, lockedChannel(i), query)
		return err
	})
}

// capacity prints what the service costs.
func (b *bench) capacity(ctx context.Context) error {
	c := b.contenders[0]
	locked, err := startLocked(ctx, b.machine, b.api, c, b.pushes)
	if err != nil {
		return err
	}
	costs := b.costs(locked)
	turns := make([][]turn, len(costs))
	for round := range b.rounds + 1 {
		for i := range costs {
			n := (i + round) % len(costs)
			t, err := costs[n].run(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", costs[n].title, err)
			}
			if round > 0 {
				turns[n] = append(turns[n], t)
			}
		}
	}
	fmt.Fprintf(b.out, "What the service costs\n\n")
	w := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\teach\tCPU µs: replica\tRedis\tbytes of HTTP\t")
	for i, c := range costs {
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%.0f\t\n", c.title, c.per,
			mean(of(turns[i], func(t turn) float64 { return micros(t.server) })), mean(of(turns[i], func(t turn) float64 { return micros(t.redis) })),
			mean(of(turns[i], func(t turn) float64 { return t.wire })))
	}
	_ = w.Flush() // to a terminal, or a buffer
	fmt.Fprintln(b.out)
	return b.keeping(ctx)
}

// each does something n times, several at a time, for so many messages each.
func (b *bench) each(ctx context.Context, c *contender, n, messages int, do func(ctx context.Context, i int) error) (turn, error) {
	return measured(ctx, c, func() (int, []time.Duration, error) {
		var next atomic.Int64
		g, ctx := errgroup.WithContext(ctx)
		for range channels {
			g.Go(func() error {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					if err := do(ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
		}
		return n * messages, nil, g.Wait()
	})
}

// drain pulls what an application that was away has to catch up with.
func (b *bench) drain(ctx context.Context, c *contender) (turn, error) {
	const channel, format = "drain", "?format=json&max=" // one after the other, as one application does
	for range b.pushes / batchSize {
		if err := c.http.post(ctx, channel, b.batch(batchSize, true)); err != nil {
			return turn{}, err
		}
	}
	return measured(ctx, c, func() (int, []time.Duration, error) {
		etag := ""
		for {
			h, text, err := c.http.pull(ctx, channel, format+strconv.Itoa(batchSize)+"&etag="+url.QueryEscape(etag))
			if err != nil || text == "[]" {
				return b.pushes, nil, err
			}
			etag = h.Get("ETag")
		}
	})
}

// keeping measures what Redis keeps in its memory.
func (b *bench) keeping(ctx context.Context) error {
	c := b.contenders[0]
	canonical := 0
	for _, text := range b.texts {
		m := message("batch-1000000", text)
		m.When = time.Now().UTC().Format(time.RFC3339)
		canonical += len(m.AppendCanonical(nil))
	}
	fmt.Fprintf(b.out, "Redis's memory, bytes each, of %d; a message has %d in its canonical form\n\n", kept, canonical/len(b.texts))
	for _, k := range []struct {
		title string
		make  func(ctx context.Context, i int) error // makes batchSize of them
	}{
		{"message that waits, without an id of its sender's", func(ctx context.Context, i int) error {
			return c.http.post(ctx, "kept-"+strconv.Itoa(i%channels), b.batch(batchSize, false))
		}},
		{"message that waits, and is known if sent again", func(ctx context.Context, i int) error {
			return c.http.post(ctx, "known-"+strconv.Itoa(i%channels), b.batch(batchSize, true))
		}},
		{"channel whose one queue is empty", func(ctx context.Context, i int) error {
			for j := range batchSize {
				channel := fmt.Sprintf("empty-%d-%d", i, j)
				if err := c.http.post(ctx, channel, b.batch(1, false)); err != nil {
					return err
				}
				h, _, err := c.http.pull(ctx, channel, "?format=json")
				if err != nil {
					return err
				}
				if _, _, err = c.http.pull(ctx, channel, "?format=json&etag="+url.QueryEscape(h.Get("ETag"))); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		before, err := usedMemory(ctx, c.redis.client)
		if err != nil {
			return err
		}
		if _, err := b.each(ctx, c, kept/batchSize, batchSize, k.make); err != nil {
			return fmt.Errorf("%s: %w", k.title, err)
		}
		after, err := usedMemory(ctx, c.redis.client)
		if err != nil {
			return err
		}
		fmt.Fprintf(b.out, "  %-50s %5d\n", k.title, (after-before)/kept)
	}
	fmt.Fprintln(b.out)
	return nil
}

// usedMemory is what Redis's data and its bookkeeping of it take.
func usedMemory(ctx context.Context, client *redis.Client) (int64, error) {
	info, err := client.InfoMap(ctx, "memory").Result()
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(info["Memory"]["used_memory"], 10, 64)
}

// batch makes n messages that were not there before, as JSON.
func (b *bench) batch(n int, ids bool) string {
	messages := b.messages(n)
	if !ids {
		for i := range messages {
			messages[i].ID = ""
		}
	}
	return string(qst.AppendJSON(nil, messages))
}

func (b *bench) messages(n int) []qst.Message {
	first := b.next.Add(int64(n)) - int64(n)
	messages := make([]qst.Message, n)
	for i := range messages {
		messages[i] = message("batch-"+strconv.FormatInt(first+int64(i), 10), b.text(int(first)+i))
	}
	return messages
}

func (c client) post(ctx context.Context, channel, batch string) error {
	_, _, err := c.get(ctx, http.MethodPost, "/v2/channels/"+channel, batch, http.Header{"Content-Type": {"application/json"}})
	return err
}

func (c client) pull(ctx context.Context, channel, query string) (http.Header, string, error) {
	var header http.Header
	if c.locked {
		header = http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(channel+":"+lockedSecret))}}
	}
	return c.get(ctx, http.MethodGet, "/v2/channels/"+channel+query, "", header)
}
