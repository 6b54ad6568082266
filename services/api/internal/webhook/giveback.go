package webhook

import (
	"context"
	"errors"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

const (
	// farewell is how long a worker that ends tries to give a lease back.
	farewell = 5 * time.Second
	// giveBackPause is how long it waits between two tries.
	giveBackPause = 500 * time.Millisecond
)

// giveBack gives the lease back that this worker may have. It tries for as long as the worker goes
// on, and for the farewell after that. What a worker that ends can't give back in time, the others
// take when it is not heard any more.
func (d *delivery) giveBack() {
	ctx := context.WithoutCancel(d.ctx)
	begun := time.Now()
	var ending time.Time // when the worker was found to end
	for d.held {
		err := d.handBack(ctx, time.Since(begun) < farewell)
		switch {
		case err == nil, errors.Is(err, errChanged), errors.Is(err, queue.ErrFenced), errors.Is(err, errHeld), errors.Is(err, queue.ErrNotFound):
			d.held = false
			return
		}
		if d.worker.Err() != nil {
			if ending.IsZero() {
				ending = time.Now()
			}
			if time.Since(ending) >= farewell {
				d.w.log.WarnContext(ctx, "a queue is not given back: it is another worker's when this one is not heard any more", "channel", d.name.Channel, "queue", d.name.Kind, "error", err)
				return
			}
		}
		d.w.log.DebugContext(ctx, "a queue can't be given back yet", "channel", d.name.Channel, "queue", d.name.Kind, "error", err)
		sleep(ctx, jitter(giveBackPause))
	}
}

// handBack confirms what was taken, if it has to, notes what is to be noted, and gives the lease
// back. A batch that it does not confirm comes again with the same id, from the next worker.
func (d *delivery) handBack(ctx context.Context, toConfirm bool) error {
	if d.lease.fence == "" { // the answer was lost that has the token: another one
		if _, err := d.claim(ctx, ""); err != nil {
			return err
		}
	}
	err := d.confirm(ctx)
	if errors.Is(err, queue.ErrUnknownChannel) { // the record has been changed: then anew
		if d.caller.Life = d.lifeNow(ctx); d.caller.Life != "" {
			err = d.confirm(ctx)
		}
	}
	if errors.Is(err, queue.ErrFenced) || err != nil && toConfirm {
		return err
	}
	return d.note(ctx, fieldWorker, "")
}

// lifeNow returns the life of the channel's record; "": it is not known.
func (d *delivery) lifeNow(ctx context.Context) string {
	record, err := d.w.opts.Channels.Get(ctx, d.name.Channel)
	if err != nil {
		return ""
	}
	return record.Life()
}
