package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// wakeAgain is after how long an application is woken again that did not come for the messages;
// then after twice that, and so on, at most RetryMax.
const wakeAgain = time.Minute

// wakeUp has the application come for its messages: what is sent is how many there are. It is
// sent when the queue has got some since the last time, and now and then as long as it holds any.
func (d *delivery) wakeUp(requests context.Context) error {
	holds, err := d.w.opts.Operator.Holds(d.ctx, d.name)
	if err != nil {
		return err
	}
	if holds.Messages == 0 || holds.Tail != d.state.woken {
		d.woken, d.wakeNext = 0, time.Time{}
	}
	if holds.Messages == 0 || holds.Tail == d.state.woken && time.Now().Before(d.wakeNext) {
		d.awaitNudge()
		return nil
	}
	host := d.host
	ctx, done := d.interruptible()
	err = d.w.hosts.acquire(ctx, host)
	done()
	if err != nil {
		return d.ctx.Err()
	}
	to := unused
	var pause time.Duration
	defer func() { d.w.hosts.release(host, to, pause) }()

	id := fmt.Sprintf("wake-%x-%d-%d-%s", sha256.Sum256([]byte(d.key.Name)), holds.Tail, holds.Messages, d.hook.Format)
	checked := time.Now()
	if err := d.note(d.ctx, fieldBatch, id); err != nil {
		return err
	}
	if !d.w.pulse.holds(checked) {
		return errLapsed
	}
	a := d.send(requests, id, "wake", d.wakeBody(holds.Messages), queue.Delivery{})
	if requests.Err() != nil && !a.whole() {
		return requests.Err()
	}
	to, pause = a.outcome(), min(a.retryAfter, d.w.opts.RetryAfterMax)
	v := a.verdict()
	switch v {
	case taken:
		d.woken++
		d.wakeNext = time.Now().Add(jitter(backoffFrom(wakeAgain, d.woken, max(wakeAgain, d.w.opts.RetryMax))))
		d.state.woken = holds.Tail
		d.well(a)
		d.later(fieldWoken, holds.Tail)
		return nil
	case refused: // there is no smaller one, and nothing to set apart
		v = again
	}
	return d.ill(v, a)
}

// wakeBody is all that a wake tells.
func (d *delivery) wakeBody(messages int64) []byte {
	if d.format == qst.XML {
		return fmt.Appendf(nil, `<wake channel=%q queue=%q messages="%d"/>`, d.name.Channel, string(d.name.Kind), messages) // neither has a character to be escaped
	}
	body, _ := json.Marshal(struct { // strings and a number
		Channel  string     `json:"channel"`
		Queue    queue.Kind `json:"queue"`
		Messages int64      `json:"messages"`
	}{d.name.Channel, d.name.Kind, messages})
	return body
}

// awaitNudge waits until the worker finds messages in the queue, or a poke.
func (d *delivery) awaitNudge() {
	ctx, done := d.interruptible()
	defer done()
	timer := time.NewTimer(waitFor)
	defer timer.Stop()
	select {
	case <-d.nudged:
	case <-timer.C:
	case <-ctx.Done():
	}
}
