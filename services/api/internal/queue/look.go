package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// look is what a poll's look into its queue brought.
type look struct {
	outcome  string
	delivery Delivery
	err      error
}

// lookAgain has a poll that was held look into its queue, with wait still to wait; with 0, this is
// its last look. It takes no longer than the poll's own time and one step in Redis: beyond that the
// poll returns storage.ErrUnavailable, as what the queue holds is not known, and what the look still brings
// is for the next poll.
func (q *Queues) lookAgain(ctx context.Context, p *Poll, wait time.Duration) (string, Delivery, error) {
	done := make(chan look) // nobody may wait at its other end any more
	limit := q.opts.Timeout
	if wait > 0 {
		limit += p.left()
	}
	over, end := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer end()
	// A poll of the same name: this one may have been answered when the look ends.
	twin := &Poll{name: p.name, since: p.since, queue: p.queue, caller: p.caller}
	q.looks.Go(func() {
		outcome, d, err := q.read(ctx, p.of, p.queue, p.caller, p.request, twin, wait)
		select {
		case done <- look{outcome: outcome, delivery: d, err: err}:
		case <-over.Done():
			q.missed(ctx, twin, outcome, d)
		}
	})
	select {
	case l := <-done:
		p.since, p.looked = twin.since, twin.looked
		return l.outcome, l.delivery, l.err
	case <-over.Done():
		return "", Delivery{}, fmt.Errorf("%w: it did not say in time what the queue holds", storage.ErrUnavailable)
	}
}

// missed undoes a look whose poll has been answered meanwhile.
func (q *Queues) missed(ctx context.Context, p *Poll, outcome string, d Delivery) {
	switch outcome {
	case reading:
		q.giveBack(ctx, p.queue, p.caller.Life, p.name, d.ids)
	case waiting:
		q.leave(ctx, p)
	}
}
