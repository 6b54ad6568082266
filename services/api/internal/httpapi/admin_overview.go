package httpapi

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// topQueueView is a queue among the first of an order.
type topQueueView struct {
	Channel string `json:"channel"`
	queueView
}

// topQueues answers GET /admin/v1/queues/top.
func (a *API) topQueues(c echo.Context) error {
	limit, err := limitParam(c, maxTop)
	if err != nil {
		return err
	}
	by := queue.ByAge
	if v := c.QueryParam("by"); v != "" {
		by = queue.Order(v)
	}
	if !slices.Contains(queue.Orders(), by) {
		return badParameter("by", string(by), `"age", "depth" or "dead"`)
	}
	top, err := a.opts.Operator.Top(c.Request().Context(), by, limit)
	if err != nil {
		return err
	}
	views, now := make([]topQueueView, len(top)), time.Now()
	for i, q := range top {
		views[i] = topQueueView{Channel: q.Channel, queueView: viewQueue(q.Kind, q.Stats, now)}
	}
	return a.answer(c, http.StatusOK, map[string][]topQueueView{"queues": views})
}

// maxTop bounds how many of an order are listed: each partition is asked for so many.
const maxTop = 100

// silenceView is since when a channel is silent.
type silenceView struct {
	Channel  string    `json:"channel"`
	LastSeen time.Time `json:"last_seen"`
	Silent   float64   `json:"silent_seconds"`
}

// listSilent answers GET /admin/v1/silent.
func (a *API) listSilent(c echo.Context) error {
	limit, err := limitParam(c, maxTop)
	if err != nil {
		return err
	}
	silent, err := a.opts.Operator.Silent(c.Request().Context(), limit)
	if err != nil {
		return err
	}
	views, now := make([]silenceView, len(silent)), time.Now()
	for i, s := range silent {
		views[i] = silenceView{Channel: s.Channel, LastSeen: s.LastSeen, Silent: max(0, now.Sub(s.LastSeen).Seconds())}
	}
	return a.answer(c, http.StatusOK, map[string][]silenceView{"channels": views})
}

// overview is how the service is, as a whole.
type overview struct {
	Version  string          `json:"version"`
	Status   string          `json:"status"`           // as /readyz says it
	Detail   string          `json:"detail,omitempty"` // what is wrong
	Messages int64           `json:"messages"`         // in all queues
	Bytes    int64           `json:"bytes"`            // of these
	Dead     int64           `json:"dead"`             // dead letters in all queues
	Oldest   float64         `json:"oldest_age_seconds"`
	Channels int64           `json:"channels"`
	Active   []activeView    `json:"active"`
	Replicas []replicaView   `json:"replicas"`
	Redis    []redisView     `json:"redis"`
	Auth     string          `json:"auth"`     // channels, or none: everyone may do everything
	Defaults access.Settings `json:"defaults"` // what holds where a channel has nothing else
}

type activeView struct {
	Within   float64 `json:"within_seconds"`
	Channels int64   `json:"channels"`
}

type replicaView struct {
	Replica string `json:"replica"` // it gave itself this name at its start
	Polls   int64  `json:"polls"`
}

type redisView struct {
	Address string `json:"address"`
	Used    int64  `json:"used_bytes"`
	Max     int64  `json:"max_bytes"` // 0: no limit
}

// overview answers GET /admin/v1/overview.
func (a *API) overview(c echo.Context) error {
	ctx := c.Request().Context()
	totals, err := a.opts.Operator.Totals(ctx, 0)
	if err != nil {
		return err
	}
	polls, err := a.opts.Operator.Replicas(ctx)
	if err != nil {
		return err
	}
	nodes, err := a.opts.Guard.Memory(ctx)
	if err != nil {
		return err
	}
	l := a.opts.QueueLimits
	retention, window, states := access.Duration(l.Retention), access.Duration(l.DedupWindow), false
	v := overview{
		Version: a.opts.Build.Version, Messages: totals.Messages, Bytes: totals.Bytes, Dead: totals.Dead,
		Oldest: totals.OldestAge.Seconds(), Channels: totals.Channels,
		Active: []activeView{}, Replicas: []replicaView{}, Redis: []redisView{}, Auth: "channels",
		Defaults: access.Settings{
			QueueMaxMessages: &l.MaxMessages, QueueMaxBytes: &l.MaxBytes, Retention: &retention, DedupWindow: &window,
			MaxDeliveries: &l.MaxDeliveries, ReportStates: &states, PushRate: &a.opts.PushRate,
		},
	}
	h := a.readiness(ctx)
	v.Status, v.Detail = h.Status, h.Detail
	if a.opts.Gate == nil {
		v.Auth = "none"
	}
	for _, active := range totals.Active {
		v.Active = append(v.Active, activeView{Within: active.Within.Seconds(), Channels: active.Channels})
	}
	for _, replica := range slices.Sorted(maps.Keys(polls)) {
		v.Replicas = append(v.Replicas, replicaView{Replica: replica, Polls: polls[replica]})
	}
	for _, n := range nodes {
		v.Redis = append(v.Redis, redisView{Address: n.Address, Used: n.Used, Max: n.Max})
	}
	slices.SortFunc(v.Redis, func(a, b redisView) int { return strings.Compare(a.Address, b.Address) })
	return a.answer(c, http.StatusOK, v)
}

// listedChannel is a channel in a list that was asked for with its details.
type listedChannel struct {
	channelView
	Queues []queueView  `json:"queues"`
	Unwell []unwellView `json:"unwell"`
}

// detailed returns channels with how their parties and queues are.
func (a *API) detailed(c echo.Context, channels []access.Channel) ([]listedChannel, error) {
	kinds := queue.Kinds()
	names := make([]queue.Name, 0, len(channels)*len(kinds))
	for _, ch := range channels {
		for _, kind := range kinds {
			names = append(names, queue.Name{Channel: ch.Name, Kind: kind})
		}
	}
	stats, err := a.opts.Operator.StatsOf(c.Request().Context(), names)
	if err != nil {
		return nil, err
	}
	wrong, err := a.unwell(c.Request().Context(), channels...)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	views := make([]listedChannel, len(channels))
	for i, ch := range channels {
		own := stats[i*len(kinds) : (i+1)*len(kinds)]
		views[i] = listedChannel{channelView: viewChannel(ch, own, now), Unwell: wrong[i]}
		for j, kind := range kinds {
			views[i].Queues = append(views[i].Queues, viewQueue(kind, own[j], now))
		}
	}
	return views, nil
}

// viewChannel shows a channel with the life signs of its parties; stats are those of its queues,
// in the order of queue.Kinds.
func viewChannel(ch access.Channel, stats []queue.Stats, now time.Time) channelView {
	byKind := make(map[queue.Kind]queue.Stats)
	for i, kind := range queue.Kinds() {
		byKind[kind] = stats[i]
	}
	v := channelView{Channel: ch, Parties: make(map[access.Endpoint]partyView)}
	for _, e := range endpoints {
		v.Parties[e.name] = party(byKind[e.push], byKind[e.pull], now)
	}
	return v
}

// boolParam returns a parameter that is true or false; without one it is not.
func boolParam(c echo.Context, name string, not bool) (bool, error) {
	switch v := c.QueryParam(name); v {
	case "":
		return not, nil
	case "true", "false":
		return v == "true", nil
	default:
		return false, badParameter(name, v, fmt.Sprintf("%q or %q", "true", "false"))
	}
}
