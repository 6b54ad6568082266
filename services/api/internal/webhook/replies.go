package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// opposite is the queue of the other direction. A mailbox has none.
var opposite = map[queue.Kind]queue.Kind{queue.Inbound: queue.Outbound, queue.Outbound: queue.Inbound}

// reply pushes the batch that an answer brings into the queue of the other direction: all of it,
// or an error. A message without an id gets one that is made of the answered batch's: if the batch
// has to be sent again, the same replies are known for the same.
func (d *delivery) reply(ctx context.Context, id string, a reply) error {
	if a.err != nil {
		return a.err
	}
	if len(bytes.TrimSpace(a.body)) == 0 {
		return nil
	}
	format, charset, err := qst.JSON, "", error(nil)
	if a.contentType != "" {
		format, charset, err = qst.ParseMediaType(a.contentType)
	} else {
		format, err = qst.Sniff(a.body)
	}
	if err != nil {
		return err
	}
	messages, err := qst.Decode(format, charset, a.body, d.w.opts.Limits)
	if err != nil {
		return err
	}
	for i := range messages {
		if m := &messages[i]; m.ID == "" {
			m.ID = id + "-" + strconv.Itoa(i)
			m.Present |= qst.FieldID
		}
	}
	batch, err := d.w.opts.NewBatch(messages, time.Now())
	if err != nil {
		return err
	}
	to := queue.Name{Channel: d.name.Channel, Kind: opposite[d.name.Kind]}
	if _, err := d.w.opts.Queues.Push(ctx, to, d.caller, batch); err != nil {
		if errors.Is(err, queue.ErrFull) {
			return fmt.Errorf("the queue %s has no room for them", to.Kind)
		}
		return fmt.Errorf("they are not stored yet: %w", err)
	}
	if states := queue.StatesIn(messages); to.Kind == queue.Inbound && len(states) > 0 { // it is a gateway that replies
		if err := d.w.opts.Operator.AddStates(ctx, to.Channel, states); err != nil {
			return fmt.Errorf("what they report is not kept yet: %w", err)
		}
	}
	return nil
}
