package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

const (
	// relayGrace is what a push has to finish after a signal: one that is cut may
	// have been stored, and is then pushed again by the next call, which may be
	// later than the other server remembers.
	relayGrace = 10 * time.Second
)

type relayFlags struct {
	both, once bool
	state      string
}

func (a *app) relayCommand() *cobra.Command {
	var r relayFlags
	cmd := &cobra.Command{
		Use:   "relay FROM TO --state DIR [--both] [--once]",
		Short: "Move messages from one server to another",
		Long: `Pulls messages from FROM and pushes them to TO, until a signal ends it; with --both
also in the other direction. FROM and TO are profiles, or URLs.

A branch in which a phone is the gateway, and a centre in which the branch is one:

  qst relay --both --state /var/lib/qst-relay \
    https://branch/v2/channels/phone/application https://centre/v2/channels/branch/gateway

Messages keep their ids, order and properties. They are confirmed at one server when
the other one has stored them, and DIR records how far each direction has come. So a
relay can end at any time, and the next call continues. If it is not known whether a
batch was stored, the batch is pushed again, and the other server recognises it by its
ids, for as long as its QST_DEDUP_WINDOW (10 minutes). Set that window longer than the
longest time that the relay may be down or cut off.

A message that the other server will never take is written to DIR/…-refused.jsonl
and confirmed, and the relay goes on. Only a refusal in QST's own words counts; a
proxy that answers 400 or 413 by itself ends the relay instead.

Only one relay at a time can use a DIR; a second one ends, and says which process has it.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.relay(cmd.Context(), r, args[0], args[1]) },
	}
	f := cmd.Flags()
	f.StringVar(&r.state, "state", "", "`directory` that keeps how far the relay has come; made if it is not there")
	f.BoolVar(&r.both, "both", false, "move messages in both directions")
	f.BoolVar(&r.once, "once", false, "end when the queues are empty")
	cmd.ValidArgsFunction = a.completeProfiles
	return cmd
}

// direction is one of a relay's ways.
type direction struct {
	name     string // of its files
	from, to *client.Client
	once     bool
	dir      string

	moved, refused int
}

func (a *app) relay(ctx context.Context, r relayFlags, from, to string) error {
	if r.state == "" {
		return usagef("--state is missing: a relay has to know how far it came")
	}
	if !r.once && a.timeoutSet {
		return usagef("--timeout is for --once: a relay outlasts any outage")
	}
	var ends [2]*client.Client
	for i, arg := range []string{from, to} {
		s, err := a.named(arg)
		if err != nil {
			return err
		}
		giveUp := time.Duration(0) // a relay outlasts any outage
		if r.once {
			giveUp = a.timeout
		}
		if ends[i], err = a.connect(s, client.WithRetry(retryFirst, retryMost, giveUp)); err != nil {
			return fmt.Errorf("%s: %w", arg, err)
		}
		if r.both && isMailbox(ends[i].URL()) {
			return usagef("%s is a channel's one queue: with --both what is pushed there would come back at once", ends[i].URL())
		}
	}
	if err := os.MkdirAll(r.state, 0o700); err != nil {
		return err
	}
	directions := []*direction{{name: "forward", from: ends[0], to: ends[1], once: r.once, dir: r.state}}
	if r.both {
		directions = append(directions, &direction{name: "backward", from: ends[1], to: ends[0], once: r.once, dir: r.state})
	}
	errs := a.runAll(ctx, directions)
	for _, d := range directions {
		a.log.InfoContext(ctx, "relayed", "direction", d.name, "moved", d.moved, "refused", d.refused)
	}
	return errs
}

// runAll runs the directions until all have ended. One that fails ends the others.
func (a *app) runAll(ctx context.Context, directions []*direction) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(directions))
	var ways sync.WaitGroup
	for i, d := range directions {
		ways.Go(func() {
			err := a.run(running, d)
			if err == nil || errors.Is(err, context.Canceled) && running.Err() != nil {
				return // done, or told to end
			}
			errs[i] = fmt.Errorf("%s: %w", d.name, err)
			cancel()
		})
	}
	ways.Wait()
	return errors.Join(errs...)
}

// run moves messages in one direction until ctx ends, or the queue is empty.
func (a *app) run(ctx context.Context, d *direction) error {
	pushing, cancel := outlive(ctx, relayGrace)
	defer cancel()
	opts := client.PullOptions{Store: client.NewFileStore(filepath.Join(d.dir, d.name)), Max: 1000, UntilEmpty: d.once}
	for msgs, err := range d.from.PullBatches(ctx, opts) {
		if err != nil {
			return fmt.Errorf("from %s: %w", d.from.URL(), err)
		}
		if err := d.push(pushing, msgs); err != nil {
			return fmt.Errorf("to %s: %w", d.to.URL(), err)
		}
		a.log.InfoContext(ctx, "moved", "direction", d.name, "messages", len(msgs))
	}
	return nil
}

// push pushes all of msgs, save for those that the other server will never take.
func (d *direction) push(ctx context.Context, msgs []qst.Message) error {
	for len(msgs) > 0 {
		result, err := d.to.Push(ctx, msgs...)
		d.moved += result.Accepted + result.Duplicates
		var refused *client.RejectedError
		if !errors.As(err, &refused) || refused.Count != 1 || refused.Detail == "" {
			return err
		}
		if err := d.setAside(msgs[refused.Index], refused); err != nil {
			return fmt.Errorf("setting a message aside: %w", err)
		}
		d.refused++
		msgs = msgs[refused.Index+1:]
	}
	return nil
}

// setAside writes down a message that was refused, and why. A message may be there
// twice: it comes again if the relay ends before its batch is confirmed.
func (d *direction) setAside(m qst.Message, why error) error {
	array := qst.AppendJSON(nil, []qst.Message{m})
	line, err := json.Marshal(struct {
		Refused string          `json:"refused"`
		Message json.RawMessage `json:"message"`
	}{why.Error(), array[1 : len(array)-1]})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(d.dir, d.name+"-refused.jsonl"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Sync(), f.Close())
}

// isMailbox reports whether a URL is that of a channel's one queue, which gives what
// it is given.
func isMailbox(rawURL string) bool {
	u, err := url.Parse(rawURL)
	if err != nil {
		return false
	}
	_, rest, ok := strings.Cut(u.Path, "/v2/channels/")
	return ok && !strings.Contains(strings.TrimSuffix(rest, "/"), "/")
}

// outlive returns a context that ends d after parent does.
func outlive(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	var timer *time.Timer
	var mu sync.Mutex
	stop := context.AfterFunc(parent, func() {
		mu.Lock()
		defer mu.Unlock()
		timer = time.AfterFunc(d, cancel)
	})
	return ctx, func() {
		stop()
		mu.Lock()
		defer mu.Unlock()
		if timer != nil {
			timer.Stop()
		}
		cancel()
	}
}
