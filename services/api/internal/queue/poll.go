package queue

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// Poll is a pull that waits: its queue was empty, and what its client had processed has been
// dealt with. Either [Poll.Wait] or [Poll.Park] is called on it, once.
//
// A poll that waits is its queue's waiter in Redis and an entry in [waiters]; no goroutine is
// its own. What happens to it is noted as news, and a goroutine that begins then takes one
// step: it answers the poll, or has it wait on.
type Poll struct {
	queues  *Queues
	name    string // within its replica
	of      Name
	queue   storage.Queue
	caller  Caller
	request Request // each look says it again: Redis may have lost what the first one confirmed
	start   time.Time
	looked  time.Duration // how long its last look into the queue took
	since   string        // when it first became a waiter, by Redis's clock; "": not yet

	// Of its first look, for the answer.
	etag            *qst.ETag
	confirmed       int
	confirmedTraces []string

	mu     sync.Mutex
	state  pollState
	news   news
	gone   bool                                   // its client has gone
	ctx    context.Context                        //nolint:containedctx // of the request that waits here
	answer func(context.Context, Delivery, error) // nil: it does not wait yet
	cancel context.CancelFunc                     // of the step that is under way
	timer  *time.Timer                            // ends the wait
	queued time.Time                              // when it came into the line

	next   *Poll // behind it in the line; line.mu guards it, and listed
	listed bool  // it is in the line's list
}

// pollState says what a poll does.
type pollState uint8

const (
	waits  pollState = iota
	inLine           // it has news, and its step has yet to begin
	steps            // its step is under way
	ended            // nothing can happen to it any more
)

// news is what a poll was told since its last step.
type news struct {
	handed     *handoff // messages to answer with
	wake       bool     // there is something to read
	recheck    bool     // a wake may have been missed
	superseded bool     // a later poll took its place
	rebalance  bool     // another replica is to hold it
	drain      bool     // the replica drains
	over       bool     // its time is over
	gone       bool     // its client has gone
}

// urgent tells whether the news are of this poll alone. The rest may come for all polls at once.
func (n news) urgent() bool { return n.handed != nil || n.wake || n.superseded }

// handoff is messages that the script of a push has delivered to a poll.
type handoff struct {
	epoch         string
	ids, payloads []string
	trace         string    // W3C trace context of the push; "": none
	pushed        time.Time // when the push began, if it was on this replica
}

// Park has the poll wait. answer is called, once, when it is over, in a goroutine that begins
// then. It may take its time; its context is one of ctx, which ends when the client has gone, as
// [Poll.Leave] tells.
func (p *Poll) Park(ctx context.Context, answer func(context.Context, Delivery, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ctx, p.answer = ctx, answer
	p.timer = time.AfterFunc(p.left(), func() { p.notify(func(n *news) { n.over = true }) })
	p.news.drain = p.news.drain || p.queues.drained.Load()
	p.news.gone = p.gone
	p.wakeUp()
}

// Wait waits in the caller's goroutine, until ctx ends at the latest.
func (p *Poll) Wait(ctx context.Context) (d Delivery, err error) {
	done := make(chan struct{})
	p.Park(context.WithoutCancel(ctx), func(_ context.Context, delivery Delivery, failed error) {
		d, err = delivery, failed
		close(done)
	})
	defer context.AfterFunc(ctx, p.Leave)()
	<-done
	return d, err
}

// Leave tells that the poll's client has gone. It does not block.
func (p *Poll) Leave() {
	p.mu.Lock()
	p.gone = true
	if p.cancel != nil {
		p.cancel()
	}
	p.mu.Unlock()
	p.notify(func(n *news) { n.gone = true })
}

// notify has a poll hear of something. It returns false if the poll has ended.
func (p *Poll) notify(change func(*news)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state == ended {
		return false
	}
	change(&p.news)
	p.wakeUp()
	return true
}

// wakeUp has the poll's step begin, if it waits and has news. p.mu is held.
func (p *Poll) wakeUp() {
	switch {
	case p.answer == nil || p.news == news{} || p.state == steps:
	case p.news.urgent():
		p.state = steps
		p.queues.opts.Workers.Go(func() { p.step(nil) })
	case p.state == waits:
		p.state = inLine
		p.queues.line.enter(p)
	}
}

// begin tells whether the step of a poll whose turn has come is still to begin.
func (p *Poll) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != inLine {
		return false
	}
	p.state = steps
	return true
}

// step deals with the news, and answers the poll or has it wait on. It leaves the line before
// it answers.
func (p *Poll) step(line *line) {
	late := line != nil && time.Since(p.queued) > storage.ConnectionWait
	ctx, cancel := context.WithCancel(p.ctx)
	defer cancel()
	for {
		p.mu.Lock()
		heard := p.news
		if p.news = (news{}); p.gone {
			cancel()
		}
		p.cancel = cancel
		if heard == (news{}) {
			p.state, p.cancel = waits, nil
			p.mu.Unlock()
			line.leave()
			return
		}
		p.mu.Unlock()
		d, err, over := p.queues.heard(ctx, p, heard, late)
		if !over {
			continue
		}
		p.timer.Stop()
		if ctx.Err() != nil && err == nil && len(d.ids) > 0 {
			// Its client has gone while it looked: the messages are for the next poll.
			p.queues.giveBack(ctx, p.queue, p.caller.Life, p.name, d.ids)
			d, err = Delivery{}, ctx.Err()
		}
		d, err = p.queues.finish(ctx, p, d, err)
		line.leave()
		p.answer(ctx, d, err)
		p.queues.waiters.open.Done()
		return
	}
}

// heard does what a poll's news ask for. over is false if there is nothing to answer with yet.
//
// late: the poll has waited in line for so long that Redis can't keep up. It is not asked then.
func (q *Queues) heard(ctx context.Context, p *Poll, n news, late bool) (d Delivery, err error, over bool) { //nolint:revive,staticcheck // over says whether there is any of the others
	look := func(wait time.Duration) (string, Delivery, error) {
		if late && wait == 0 {
			return "", Delivery{}, fmt.Errorf("%w: too many polls are to be answered", storage.ErrUnavailable)
		}
		return q.lookAgain(ctx, p, wait)
	}
	var outcome string
	switch {
	case ctx.Err() != nil: // its client has gone: the messages are for the next poll
		if n.handed != nil {
			q.giveBack(ctx, p.queue, p.caller.Life, p.name, n.handed.ids)
		}
		if !late {
			q.leave(ctx, p)
		}
		return Delivery{}, ctx.Err(), true
	case n.handed != nil:
		d, err = q.handed(ctx, p.of, n.handed)
		return d, err, true
	case n.superseded:
		q.activity.superseded(p.queue)
		q.pause(ctx, supersededPause)
		return Delivery{Superseded: true}, ctx.Err(), true
	case n.drain:
		if _, d, err = look(0); err != nil {
			q.log.DebugContext(ctx, "a poll was answered without a last look, as the replica drains", "error", err)
		}
		return d, nil, true // its client comes back at once, to another replica
	case n.rebalance:
		_, d, err = look(0)
		d.HandedOver = true
		return d, err, true
	case n.over || p.left() == 0:
		// Once more, so that a wake that was lost on the way delays a message, and never hides it.
		_, d, err = look(0)
		return d, err, true
	default:
		outcome, d, err = look(max(time.Millisecond, p.left()))
	}
	d.Superseded = outcome == superseded
	return d, err, err != nil || outcome != waiting
}

// finish ends a poll, and completes its answer with what its first look has found.
func (q *Queues) finish(ctx context.Context, p *Poll, d Delivery, err error) (Delivery, error) {
	d.Held = p.held()
	q.end(ctx, p)
	if err != nil {
		return Delivery{Held: d.Held}, err
	}
	d.poll = p.name
	if p.confirmed >= d.Confirmed { // else those that were lost, or those before were none
		d.Confirmed, d.ConfirmedTraces = p.confirmed, p.confirmedTraces
	}
	if len(d.Payloads) > 0 {
		q.metrics.Wake.Record(ctx, d.waited)
	}
	if d.ETag == nil {
		d.ETag = p.etag
	}
	return d, nil
}

// Of returns the queue that the poll is of.
func (p *Poll) Of() Name { return p.of }

// Caller returns who polls.
func (p *Poll) Caller() Caller { return p.caller }

// left is how much of its wait is left; 0: none.
func (p *Poll) left() time.Duration { return max(0, p.request.Wait-time.Since(p.start)) }

// held is how long it has waited, without the time its last look took.
func (p *Poll) held() time.Duration { return max(1, time.Since(p.start)-p.looked) }
