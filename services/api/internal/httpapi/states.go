package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// inMessage says which message of a batch, counted from 0, an error of qst speaks of.
func inMessage(err error, i int) error {
	if e, ok := errors.AsType[*qst.Error](err); ok {
		e.Message = i + 1
	}
	return err
}

// stateMessages are the messages that tell an application of states of its messages, ids and
// states of at most 256 bytes. The id of each is made of what it says, so that the same is told
// once.
func stateMessages(states []queue.State) (queue.Batch, error) {
	messages := make([]qst.Message, len(states))
	for i, st := range states {
		st = st.Cut()
		messages[i] = qst.Message{
			ID: "qst-status-" + st.State + "-" + st.Message, Subject: st.State,
			Properties: []qst.Property{
				{Name: "qst-status", Values: []qst.Value{{Text: st.State}}},
				{Name: "qst-message", Values: []qst.Value{{Text: st.Message}}},
			},
		}
	}
	batch, err := NewBatch(messages, time.Now())
	batch.Last = "" // no client pushed it
	return batch, err
}

// Reporting says what a channel's application hears of messages of its that end in the
// service; see queue.Options.
func (a *API) Reporting(ctx context.Context, channel string) (queue.Reporting, error) {
	r := queue.Reporting{Caller: queue.Caller{Limits: a.opts.QueueLimits}, Batch: func(ends []queue.End) (queue.Batch, error) {
		states := make([]queue.State, len(ends))
		for i, e := range ends {
			states[i] = queue.State{Message: e.Message, State: e.State}
		}
		return stateMessages(states)
	}}
	if a.opts.Gate == nil {
		return r, nil
	}
	admission, err := a.opts.Gate.Settings(ctx, channel)
	if err != nil {
		return queue.Reporting{}, err
	}
	r.Caller.Life, r.Caller.Limits = admission.Life, admission.Settings.Limits(a.opts.QueueLimits)
	r.Wanted = admission.Settings.ReportStates != nil && *admission.Settings.ReportStates
	return r, nil
}
