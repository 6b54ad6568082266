package httpapi

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// anyState is asked for where it does not matter what is wrong with a channel.
const anyState = "any"

// unwellView is what is wrong with a channel.
type unwellView struct {
	State queue.Condition `json:"state"`
	Since time.Time       `json:"since"`
}

// notWell returns the names of the channels that are not well in a way; nil for "": all channels.
func (a *API) notWell(ctx context.Context, state string) ([]string, error) {
	switch {
	case state == "":
		return nil, nil
	case state == anyState:
		state = ""
	case !slices.Contains(queue.Conditions(), queue.Condition(state)):
		names := []string{anyState}
		for _, c := range queue.Conditions() {
			names = append(names, string(c))
		}
		return nil, badParameter("state", state, "one of "+strings.Join(names, ", "))
	}
	names, err := a.opts.Operator.NotWell(ctx, queue.Condition(state))
	if names == nil {
		names = []string{}
	}
	return names, err
}

// unwellChannel is a channel in a list of those that are not well.
type unwellChannel struct {
	access.Channel
	Unwell []unwellView `json:"unwell"`
}

// withUnwell returns channels with what is wrong with them.
func (a *API) withUnwell(ctx context.Context, channels []access.Channel) ([]unwellChannel, error) {
	wrong, err := a.unwell(ctx, channels...)
	if err != nil {
		return nil, err
	}
	views := make([]unwellChannel, len(channels))
	for i, ch := range channels {
		views[i] = unwellChannel{ch, wrong[i]}
	}
	return views, nil
}

// unwell returns what is wrong with each of some channels.
func (a *API) unwell(ctx context.Context, channels ...access.Channel) ([][]unwellView, error) {
	names := make([]string, len(channels))
	for i, ch := range channels {
		names[i] = ch.Name
	}
	all, err := a.opts.Operator.UnwellOf(ctx, names...)
	if err != nil {
		return nil, err
	}
	views := make([][]unwellView, len(channels))
	for i, of := range all {
		views[i] = []unwellView{}
		for _, u := range of {
			views[i] = append(views[i], unwellView{State: u.Condition, Since: u.Since})
		}
	}
	return views, nil
}

// UnwellNotice makes the messages that tell an operators' channel which channels are not well, or are
// again; see queue.Options. The application of that channel gets them.
func (a *API) UnwellNotice(to string) func(context.Context, []queue.Change) (queue.Name, queue.Caller, queue.Batch, error) {
	n := queue.Name{Channel: to, Kind: queue.Inbound}
	return func(ctx context.Context, changes []queue.Change) (queue.Name, queue.Caller, queue.Batch, error) {
		var messages []qst.Message
		for _, c := range changes {
			if c.Channel == to { // nobody would read it there
				continue
			}
			subject, state, since := "not well", string(c.Condition), c.Since.UTC().Format(time.RFC3339)
			if c.Over {
				subject = "well again"
			}
			property := func(name, value string) qst.Property {
				return qst.Property{Name: name, Values: []qst.Value{{Text: value}}}
			}
			messages = append(messages, qst.Message{
				ID:      "qst-unwell-" + strconv.FormatInt(c.Since.UnixMilli(), 10) + "-" + strconv.FormatBool(c.Over) + "-" + state + "-" + c.Channel,
				Subject: subject, Body: c.Channel + ": " + state + " since " + since,
				Properties: []qst.Property{property("qst-channel", c.Channel), property("qst-state", state), property("qst-since", since)},
			})
		}
		if len(messages) == 0 {
			return n, queue.Caller{}, queue.Batch{}, nil
		}
		batch, err := NewBatch(messages, time.Now())
		if err != nil {
			return n, queue.Caller{}, queue.Batch{}, err
		}
		batch.Last = "" // no client pushed it
		r, err := a.Reporting(ctx, to)
		return n, r.Caller, batch, err
	}
}
