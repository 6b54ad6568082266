package webhook

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// waitFor is how long a delivery waits for messages before it looks whether it missed any.
const waitFor = 2 * time.Minute

// condition is how a delivery is, for the worker's figures.
type condition int32

const (
	notHeld condition = iota // another worker has the queue still
	well
	failingNow
	stoppedNow
)

// delivery brings the messages of one queue to its URL. Its goroutine is the only one that sends:
// so there is one request at a time, and order is kept.
type delivery struct {
	w         *Worker
	name      queue.Name
	key       storage.Queue
	worker    context.Context // ends when the worker is to end
	ctx       context.Context // ends when the worker is to give the queue up
	cancel    context.CancelFunc
	done      chan struct{}
	wakes     atomic.Bool // it is of the mode wake
	condition atomic.Int32

	noting    sync.Mutex // held while the state is noted: in the order that it came to be
	mu        sync.Mutex
	reload    bool           // what an operator said is to be read anew
	interrupt func()         // ends what the delivery waits for; nil: it does not wait
	holding   *lease         // nil: none
	dirty     map[string]any // fields of the state that are to be noted

	// What follows is of its own goroutine.
	held   bool // the lease may be this worker's: it has to be given back
	lease  lease
	hook   access.StoredWebhook
	caller queue.Caller
	record access.Record
	host   string
	format qst.Format
	state  State
	window int       // messages of the next batch that was not sent before
	repeat int       // messages of the batch that was sent and is not confirmed; 0: there is none
	etag   *qst.ETag // of what was taken and is not known to be confirmed

	nudged   chan struct{} // the queue holds messages (mode wake)
	woken    int           // how often the application was woken for the same messages
	wakeNext time.Time     // when it is woken for them again
}

// lease is what a delivery shows with each note: that it has the queue, and what it read of the
// channel's record.
type lease struct {
	fence, life string
	revision    int64
}

func newDelivery(ctx context.Context, w *Worker, n queue.Name, k storage.Queue) *delivery {
	d := &delivery{w: w, name: n, key: k, worker: ctx, done: make(chan struct{}), nudged: make(chan struct{}, 1)}
	d.ctx, d.cancel = context.WithCancel(ctx)
	return d
}

// poke has the delivery read anew what operators said, now.
func (d *delivery) poke() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reload = true
	if d.interrupt != nil {
		d.interrupt()
	}
}

// nudge says that the queue holds messages.
func (d *delivery) nudge() {
	select {
	case d.nudged <- struct{}{}:
	default: // it has not looked yet
	}
}

func (d *delivery) ended() bool {
	select {
	case <-d.done:
		return true
	default:
		return false
	}
}

// interruptible returns a context that a poke ends, for whatever is a wait.
func (d *delivery) interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(d.ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reload {
		cancel()
	}
	d.interrupt = cancel
	return ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.interrupt = nil
		cancel()
	}
}

// pause waits, until a poke at the latest.
func (d *delivery) pause(wait time.Duration) {
	ctx, done := d.interruptible()
	defer done()
	sleep(ctx, wait)
}

// run has the lease and delivers, until the queue is another worker's or has no webhook. Requests
// are bound to the context that it is given. A lease that this worker may have is given back
// before run returns: the others take none from a worker that lives.
func (d *delivery) run(requests context.Context) {
	defer close(d.done)
	defer d.cancel()
	defer d.lose()
	defer d.giveBack()
	for d.ctx.Err() == nil {
		err := d.take()
		if err == nil {
			err = d.hold(requests)
		}
		if errors.Is(err, queue.ErrFenced) {
			d.held = false
		}
		if d.ctx.Err() == nil {
			d.lose()
		}
		switch {
		case errors.Is(err, queue.ErrNotFound), errors.Is(err, access.ErrNotFound):
			return // an operator took the webhook away
		case err != nil && d.ctx.Err() == nil:
			d.w.log.DebugContext(d.ctx, "a queue is not taken up yet", "channel", d.name.Channel, "queue", d.name.Kind, "error", err)
			d.pause(jitter(2 * time.Second))
		}
	}
}

// take takes the lease, if it is free or its worker is gone, and reads what there is to know.
func (d *delivery) take() error {
	select {
	case d.w.loads <- struct{}{}:
		defer func() { <-d.w.loads }()
	case <-d.ctx.Done():
		return d.ctx.Err()
	}
	d.etag, d.window, d.repeat = nil, 0, 0
	holder, err := d.claim(d.ctx, "")
	if errors.Is(err, errHeld) && holder != "" && !d.w.pulse.lives(holder) {
		_, err = d.claim(d.ctx, holder)
	}
	if err != nil {
		return err
	}
	if err := d.load(); err != nil {
		return err
	}
	// A batch that another worker sent comes again as it was.
	d.repeat = d.state.Size
	d.window = d.hook.MaxMessages
	if d.repeat > 0 {
		d.window = min(d.window, d.repeat)
	}
	return nil
}

// claim takes the lease, also from a worker that is gone. It returns who has it and errHeld, if
// another worker has. After an error of another kind the lease may be taken: then its token is not
// known.
func (d *delivery) claim(ctx context.Context, gone string) (holder string, err error) {
	fence, holder, err := d.w.opts.States.claim(ctx, d.name, d.w.name, gone)
	d.lease = lease{fence: fence}
	d.held = !errors.Is(err, errHeld) && !errors.Is(err, queue.ErrNotFound)
	return holder, err
}

// load reads what operators said, and how the webhook is.
func (d *delivery) load() error {
	d.mu.Lock()
	d.reload = false
	d.mu.Unlock()
	opts := d.w.opts
	record, err := opts.Channels.Get(d.ctx, d.name.Channel)
	if err != nil {
		return err
	}
	hook, ok := record.Webhooks[d.name.Kind]
	if !ok {
		return queue.ErrNotFound
	}
	// What is not noted yet is part of how the webhook is: that it has stopped, for one.
	if err := d.note(d.ctx); err != nil && !errors.Is(err, errChanged) {
		return err
	}
	states, err := opts.States.States(d.ctx, d.name)
	if err != nil {
		return err
	}
	_, host, err := check(hook.PushURL, true) // the client refuses http: where it is not allowed
	if err != nil {
		return err
	}
	d.record, d.hook, d.state = record, hook, states[0]
	d.move(host)
	d.format = qst.JSON
	if hook.Format == access.FormatXML {
		d.format = qst.XML
	}
	d.caller = queue.Caller{Limits: record.Channel.Settings.Limits(opts.QueueLimits), Life: record.Life(), UserAgent: "webhook"}
	d.caller.Limits.MaxDeliveries = 0 // what may pass is never given up; what is refused becomes a dead letter
	d.lease.life, d.lease.revision = record.Life(), record.Channel.Revision
	d.wakes.Store(hook.Mode == access.WebhookWake)
	if d.window > hook.MaxMessages {
		d.window = hook.MaxMessages
	}
	d.mu.Lock()
	held := d.lease
	d.holding = &held
	d.mu.Unlock()
	d.appear()
	return nil
}

// move says that the delivery is to another host from now on; "": to none.
func (d *delivery) move(host string) {
	if host == d.host {
		return
	}
	if host != "" {
		d.w.hosts.join(host)
	}
	if d.host != "" {
		d.w.hosts.leave(d.host)
	}
	d.host = host
}

// appear shows the delivery's condition.
func (d *delivery) appear() {
	c := well
	switch {
	case !d.state.Stopped.IsZero():
		c = stoppedNow
	case d.state.Failures > 0:
		c = failingNow
	}
	d.condition.Store(int32(c))
}

// hold delivers for as long as it has the lease. It returns why it has not any more; nil: the
// worker gives the queue up.
func (d *delivery) hold(requests context.Context) error {
	failures := 0
	for d.ctx.Err() == nil {
		err := d.step(requests)
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, queue.ErrFenced), errors.Is(err, queue.ErrNotFound), errors.Is(err, access.ErrNotFound):
			return err
		case errors.Is(err, errChanged), errors.Is(err, queue.ErrUnknownChannel):
			d.mu.Lock()
			d.reload = true
			d.mu.Unlock()
		case d.ctx.Err() == nil: // Redis is away, most likely: what is known stays known
			failures++
			d.w.log.DebugContext(d.ctx, "a webhook waits for Redis", "channel", d.name.Channel, "queue", d.name.Kind, "error", err)
			sleep(d.ctx, jitter(backoff(min(failures, 3), 4*time.Second)))
		}
	}
	return nil
}

// step is one wait or one request.
func (d *delivery) step(requests context.Context) error {
	d.mu.Lock()
	reload := d.reload
	d.mu.Unlock()
	if reload {
		if err := d.load(); err != nil {
			return err
		}
		d.w.hosts.relent(d.host) // an operator has changed something, perhaps the host
	}
	if err := d.tryOut(requests); err != nil {
		return err
	}
	if !d.state.Stopped.IsZero() {
		if err := d.confirm(d.ctx); err != nil {
			return err
		}
		d.pause(waitFor)
		return nil
	}
	if wait := time.Until(d.state.NextTry); wait > 0 {
		d.pause(wait)
		return nil
	}
	if d.hook.Mode == access.WebhookWake {
		if err := d.confirm(d.ctx); err != nil { // it was of the other mode when that was taken
			return err
		}
		return d.wakeUp(requests)
	}
	return d.deliver(requests)
}

// confirm confirms what was taken, if it is not known to be confirmed.
func (d *delivery) confirm(ctx context.Context) error {
	if d.etag == nil {
		return nil
	}
	_, err := d.w.opts.Queues.Pull(ctx, d.name, d.caller, queue.Request{Processed: queue.UpTo(d.etag), Fence: d.lease.fence})
	if err == nil {
		d.etag = nil
	}
	return err
}

// lose says that there is no lease any more.
func (d *delivery) lose() {
	d.move("")
	d.mu.Lock()
	defer d.mu.Unlock()
	d.holding, d.dirty = nil, nil
	d.condition.Store(int32(notHeld))
}
