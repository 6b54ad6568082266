package smsgate

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// Run asks for what webhooks may not have told.
func (g *Gateway) Run(ctx context.Context, b *gateway.Bridge) error {
	if err := g.record.open(g.settings.InboxWindow.Duration); err != nil {
		return err
	}
	defer g.record.close()
	g.bridge.Store(b)
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var parts sync.WaitGroup
	watch := func(every time.Duration, look func(context.Context) error) {
		parts.Go(func() {
			tick := time.NewTicker(every)
			defer tick.Stop()
			for {
				switch err := look(running); {
				case errors.Is(err, gateway.ErrFull):
					g.log.WarnContext(running, "what SMSGate tells is left there", "error", err)
				case err != nil:
					cancel(err)
				}
				select {
				case <-running.Done():
					return
				case <-tick.C:
				}
			}
		})
	}
	texts := &texts{gateway: g, bridge: b, due: map[string]due{}, outage: outage{log: g.log, what: "what became of texts"}}
	inbox := &inbox{gateway: g, bridge: b, outage: outage{log: g.log, what: "the inbox"}}
	watch(g.settings.Poll.Duration, texts.look)
	watch(g.settings.InboxEvery.Duration, inbox.look)
	parts.Wait()
	return context.Cause(running)
}

// texts asks what became of texts.
type texts struct {
	gateway *Gateway
	bridge  *gateway.Bridge
	due     map[string]due // by the text's key
	outage  outage
}

// due is when a text is asked for next, and how long after that again.
type due struct {
	at    time.Time
	pause time.Duration
}

// longestPause is the longest time between two questions for a text that stays as it is: one that was
// sent and is not delivered, because the recipient's phone is off.
const longestPause = time.Hour

// look asks for the texts that are due. Its errors are those of the state directory.
func (t *texts) look(ctx context.Context) error {
	now, poll := time.Now(), t.gateway.settings.Poll.Duration
	due := make(map[string]due, len(t.due)) // without those that are done
	t.bridge.Open(func(key string) {
		d, known := t.due[key]
		if !known {
			d.at, d.pause = now, poll
			if t.gateway.settings.Callback != "" {
				d.at = now.Add(poll) // until then a webhook may tell
			}
		}
		due[key] = d
	})
	t.due = due
	for key, d := range t.due {
		if d.at.After(now) {
			continue
		}
		s, err := t.gateway.state(ctx, key)
		e, ok := s.event(*t.gateway.settings.Delivery)
		if statusOf(err) == http.StatusNotFound {
			e, ok, err = t.unknown(ctx, d)
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end
		}
		if t.outage.note(err); err != nil {
			return nil //nolint:nilerr // which was noted; the others can be asked for as little
		}
		if ok {
			if err := t.bridge.Report(key, e); err != nil && !errors.Is(err, gateway.ErrNotKnown) {
				return err
			}
		}
		t.due[key] = dueAfter(d, now)
	}
	return nil
}

// unknown is what to tell of a text that SMSGate has taken and does not know: that nothing will be heard
// of it, if that stays so and it is SMSGate who says so. The phone was reset, or its log deleted. A wrong URL
// would be answered with the same status.
func (t *texts) unknown(ctx context.Context, d due) (gateway.Event, bool, error) {
	if d.pause < 2*t.gateway.settings.Poll.Duration {
		return gateway.Event{}, false, nil
	}
	var hooks []hook
	_, err := t.gateway.api.call(ctx, http.MethodGet, []string{"webhooks"}, nil, nil, &hooks)
	return gateway.Event{Status: gateway.Unknown, Code: "not-known", Last: true}, err == nil, err
}

func dueAfter(d due, now time.Time) due {
	return due{at: now.Add(d.pause), pause: min(d.pause*3/2, longestPause)}
}

// outage logs when something begins not to work, and when it works again.
type outage struct {
	log  *slog.Logger
	what string
	on   bool
}

func (o *outage) note(err error) {
	switch on := err != nil; {
	case on && !o.on:
		o.log.Warn("SMSGate can't be asked", "what", o.what, "error", err)
	case !on && o.on:
		o.log.Info("SMSGate can be asked again", "what", o.what)
	}
	o.on = err != nil
}
