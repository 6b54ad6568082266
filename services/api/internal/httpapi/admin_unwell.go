package httpapi

import (
	"slices"
	"time"

	"github.com/labstack/echo/v4"

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
