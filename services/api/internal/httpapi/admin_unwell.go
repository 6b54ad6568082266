package httpapi

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

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

// unwellChannel is a channel that is not well.
type unwellChannel struct {
	access.Channel
	Parties map[access.Endpoint]partyView `json:"parties,omitempty"`
	Queues  []queueView                   `json:"queues,omitempty"`
	Unwell  []unwellView                  `json:"unwell"`
}

// unwell returns those of some channels that are not well, in the way that state names.
func (a *API) unwell(c echo.Context, channels []access.Channel, state string, details bool) ([]unwellChannel, error) {
	all, err := a.opts.Operator.Unwell(c.Request().Context())
	if err != nil {
		return nil, err
	}
	channels = slices.DeleteFunc(channels, func(ch access.Channel) bool {
		return !slices.ContainsFunc(all[ch.Name], func(u queue.Unwell) bool { return state == anyState || string(u.Condition) == state })
	})
	views := make([]unwellChannel, len(channels))
	for i, ch := range channels {
		views[i].Channel = ch
		for _, u := range all[ch.Name] {
			views[i].Unwell = append(views[i].Unwell, unwellView{State: u.Condition, Since: u.Since})
		}
	}
	if !details {
		return views, nil
	}
	detailed, err := a.detailed(c, channels)
	if err != nil {
		return nil, err
	}
	for i, d := range detailed {
		views[i].Parties, views[i].Queues = d.Parties, d.Queues
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
