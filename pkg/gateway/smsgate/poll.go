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
	texts := &texts{gateway: g, bridge: b, due: map[string]due{}, outage: outage{log: g.log}}
	inbox := &inbox{gateway: g, bridge: b, outage: outage{log: g.log}}
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
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end
		}
		t.outage.note(err != nil && statusOf(err) != http.StatusNotFound, "what became of texts can't be asked for", err)
		switch {
		case statusOf(err) == http.StatusNotFound:
			t.gateway.log.WarnContext(ctx, "SMSGate does not know a text that it has taken", "key", key)
		case err != nil:
			return nil // the others as little
		default:
			if e, ok := s.event(*t.gateway.settings.Delivery); ok {
				if err := t.bridge.Report(key, e); err != nil && !errors.Is(err, gateway.ErrNotKnown) {
					return err
				}
			}
		}
		t.due[key] = dueAfter(d, now)
	}
	return nil
}

func dueAfter(d due, now time.Time) due {
	return due{at: now.Add(d.pause), pause: min(d.pause*3/2, longestPause)}
}

// outage logs when something begins not to work, and when it works again.
type outage struct {
	log *slog.Logger
	on  bool
}

func (o *outage) note(on bool, what string, err error) {
	if on != o.on {
		if on {
			o.log.Warn(what, "error", err)
		} else {
			o.log.Info("SMSGate answers again")
		}
	}
	o.on = on
}
