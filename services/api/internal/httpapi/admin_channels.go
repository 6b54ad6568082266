package httpapi

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// channelView is a channel as the admin API shows it.
type channelView struct {
	access.Channel
	Parties map[access.Endpoint]partyView `json:"parties"`
}

// inFlightView is what a channel has under way on this replica.
type inFlightView struct {
	Requests int   `json:"requests"`
	Bytes    int64 `json:"bytes"`
}

// partyView is the life signs of a party: what its endpoint last did.
type partyView struct {
	Connected bool       `json:"connected"` // a poll waits, or it came within connectedFor
	Polling   bool       `json:"polling"`   // a poll waits now
	Pushed    *time.Time `json:"pushed,omitempty"`
	Pulled    *time.Time `json:"pulled,omitempty"`
	Confirmed *time.Time `json:"confirmed,omitempty"`
	Address   string     `json:"address,omitempty"`    // it last came from
	UserAgent string     `json:"user_agent,omitempty"` // it last called itself
	Number    string     `json:"number,omitempty"`     // a phone says it has (version 1's setaddress)
}

// connectedFor is how long after its last request a party counts as connected:
// twice what a client that polls each minute needs.
const connectedFor = 2 * time.Minute

// party tells how a party is from the queue that it pushes into and the one that
// it pulls from.
func party(pushes, pulls queue.Stats, now time.Time) partyView {
	v := partyView{
		Polling: pulls.Waiting, Pushed: someTime(pushes.Pushed), Pulled: someTime(pulls.Pulled), Confirmed: someTime(pulls.Confirmed),
		Address: pulls.PulledFrom, UserAgent: pulls.PulledAgent, Number: pulls.Address,
	}
	if pushes.Pushed.After(pulls.Pulled) {
		v.Address, v.UserAgent = pushes.PushedFrom, pushes.PushedAgent
	}
	v.Connected = v.Polling || now.Sub(pushes.Pushed) < connectedFor || now.Sub(pulls.Pulled) < connectedFor
	return v
}

func someTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// listChannels answers GET /admin/v1/channels.
func (a *API) listChannels(c echo.Context) error {
	limit, err := limitParam(c, access.MaxPage)
	if err != nil {
		return err
	}
	details, err := boolParam(c, "details", false)
	if err != nil {
		return err
	}
	state := c.QueryParam("state")
	among, err := a.notWell(c.Request().Context(), state)
	if err != nil {
		return err
	}
	page, err := a.opts.Channels.List(c.Request().Context(), access.Query{
		Prefix: c.QueryParam("prefix"), Label: c.QueryParam("label"), After: c.QueryParam("after"), Limit: limit, Among: among,
	})
	if err != nil {
		return err
	}
	list := struct {
		Channels any    `json:"channels"`
		Next     string `json:"next,omitempty"`
	}{Channels: page.Channels}
	if page.Channels == nil {
		list.Channels = []access.Channel{}
	}
	switch {
	case details:
		list.Channels, err = a.detailed(c, page.Channels)
	case state != "":
		list.Channels, err = a.withUnwell(c.Request().Context(), page.Channels)
	}
	if err != nil {
		return err
	}
	if page.Next != "" {
		u := *c.Request().URL
		q := u.Query()
		q.Set("after", page.Next)
		list.Next = u.Path + "?" + q.Encode()
	}
	return a.answer(c, http.StatusOK, list)
}

// newChannel is the body of POST /admin/v1/channels.
type newChannel struct {
	Name     string            `json:"name"`
	Note     string            `json:"note"`
	Labels   map[string]string `json:"labels"`
	Settings access.Settings   `json:"settings"`
}

// createChannel answers POST /admin/v1/channels.
func (a *API) createChannel(c echo.Context) error {
	var n newChannel
	if err := a.read(c, &n); err != nil {
		return err
	}
	ch, err := a.opts.Channels.Create(c.Request().Context(), access.Channel{Name: n.Name, Note: n.Note, Labels: n.Labels, Settings: n.Settings})
	if err != nil {
		return err
	}
	a.audit(c, "channel created", ch.Name)
	c.Response().Header().Set("Location", "/admin/v1/channels/"+url.PathEscape(ch.Name))
	c.Response().Header()["ETag"] = []string{revisionTag(ch.Revision)}
	return a.answer(c, http.StatusCreated, ch)
}

// getChannel answers GET /admin/v1/channels/{channel}.
func (a *API) getChannel(c echo.Context) error {
	name, err := channelParam(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	r, err := a.opts.Channels.Get(ctx, name)
	if err != nil {
		return err
	}
	stats, err := a.opts.Operator.Stats(ctx, name, queue.Kinds()...)
	if err != nil {
		return err
	}
	wrong, err := a.unwell(ctx, r.Channel)
	if err != nil {
		return err
	}
	c.Response().Header()["ETag"] = []string{revisionTag(r.Channel.Revision)}
	return a.answer(c, http.StatusOK, struct {
		channelView
		Unwell   []unwellView `json:"unwell"`
		InFlight inFlightView `json:"in_flight"`
	}{
		viewChannel(r.Channel, stats, time.Now()), wrong[0],
		inFlightView{Requests: a.places.requests.In(name), Bytes: a.places.bytes.UsedBy(name)},
	})
}

// channelPatch is the body of PATCH /admin/v1/channels/{channel}: what is there
// replaces what was; what is not stays.
type channelPatch struct {
	Note     *string            `json:"note"`
	Labels   *map[string]string `json:"labels"`
	Settings *access.Settings   `json:"settings"`
}

// changeChannel answers PATCH /admin/v1/channels/{channel}.
func (a *API) changeChannel(c echo.Context) error {
	name, err := channelParam(c)
	if err != nil {
		return err
	}
	var p channelPatch
	if err := a.read(c, &p); err != nil {
		return err
	}
	ctx := c.Request().Context()
	r, err := a.opts.Channels.Get(ctx, name)
	if err != nil {
		return err
	}
	ch := r.Channel
	if err := ifMatch(c, ch.Revision); err != nil {
		return err
	}
	if p.Note != nil {
		ch.Note = *p.Note
	}
	if p.Labels != nil {
		ch.Labels = *p.Labels
	}
	if p.Settings != nil {
		ch.Settings = *p.Settings
	}
	ch, err = a.opts.Channels.Change(ctx, ch)
	if err != nil {
		return err
	}
	a.audit(c, "channel changed", name, slog.Int64("revision", ch.Revision))
	// The change has been made. If this fails, a shorter retention is followed a little later, by
	// whoever touches the queues next.
	if err := a.opts.Operator.Retain(ctx, name); err != nil {
		a.log.WarnContext(ctx, "a changed retention is followed later", "channel", name, "error", err)
	}
	c.Response().Header()["ETag"] = []string{revisionTag(ch.Revision)}
	return a.answer(c, http.StatusOK, ch)
}

// deleteChannel answers DELETE /admin/v1/channels/{channel}.
func (a *API) deleteChannel(c echo.Context) error {
	name, err := channelParam(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	revision := ""
	r, err := a.opts.Channels.Get(ctx, name)
	switch {
	case err == nil:
		if err := ifMatch(c, r.Channel.Revision); err != nil {
			return err
		}
		revision = strconv.FormatInt(r.Channel.Revision, 10)
	case !errors.Is(err, access.ErrNotFound):
		return err
	}
	messages, err := a.opts.Operator.Delete(ctx, name, revision)
	if err != nil {
		return err
	}
	a.audit(c, "channel deleted", name, slog.Int64("messages", messages))
	return a.answer(c, http.StatusOK, map[string]int64{"messages": messages})
}

// listCredentials answers GET …/credentials.
func (a *API) listCredentials(c echo.Context) error {
	name, err := channelParam(c)
	if err != nil {
		return err
	}
	r, err := a.opts.Channels.Get(c.Request().Context(), name)
	if err != nil {
		return err
	}
	if r.Credentials == nil {
		r.Credentials = []access.Credential{}
	}
	return a.answer(c, http.StatusOK, map[string][]access.Credential{"credentials": r.Credentials})
}

// createCredential answers POST …/credentials.
func (a *API) createCredential(c echo.Context) error {
	name, err := channelParam(c)
	if err != nil {
		return err
	}
	var n access.NewCredential
	if err := a.read(c, &n); err != nil {
		return err
	}
	cred, secret, err := a.opts.Channels.AddCredential(c.Request().Context(), name, n)
	if err != nil {
		return err
	}
	a.audit(c, "credential created", name, slog.String("credential", cred.ID))
	c.Response().Header().Set("Location", "/admin/v1/channels/"+url.PathEscape(name)+"/credentials/"+url.PathEscape(cred.ID))
	return a.answer(c, http.StatusCreated, struct {
		access.Credential
		Secret string `json:"secret"`
	}{cred, secret})
}

// revokeCredential answers DELETE …/credentials/{id}.
func (a *API) revokeCredential(c echo.Context) error {
	name, err := channelParam(c)
	if err != nil {
		return err
	}
	id, err := pathParam(c, "id")
	if err != nil {
		return err
	}
	if err := a.opts.Channels.Revoke(c.Request().Context(), name, id); err != nil {
		return err
	}
	a.audit(c, "credential revoked", name, slog.String("credential", id))
	return c.NoContent(http.StatusNoContent)
}

// stateView is what a phone reported of a message.
type stateView struct {
	Message string    `json:"message"` // its id
	State   string    `json:"state"`
	Code    string    `json:"code,omitempty"` // the network's own word for it
	At      time.Time `json:"at"`
}

// listStates answers GET …/states: what the channel's phone reported, newest first.
func (a *API) listStates(c echo.Context) error {
	name, err := channelParam(c)
	if err != nil {
		return err
	}
	limit, err := limitParam(c, access.MaxPage)
	if err != nil {
		return err
	}
	states, err := a.opts.Operator.States(c.Request().Context(), name, int64(limit))
	if err != nil {
		return err
	}
	views := make([]stateView, len(states))
	for i, s := range states {
		views[i] = stateView{Message: s.Message, State: s.State, Code: s.Code, At: s.At}
	}
	return a.answer(c, http.StatusOK, map[string][]stateView{"states": views})
}

// audit logs what an operator did, and from where.
func (a *API) audit(c echo.Context, what, channel string, more ...slog.Attr) {
	attrs := append([]slog.Attr{
		slog.String("channel", channel), slog.String("address", c.RealIP()), slog.String("user_agent", userAgent(c.Request())),
	}, more...)
	a.log.LogAttrs(c.Request().Context(), slog.LevelInfo, what, attrs...) //nolint:sloglint // a constant of each caller's
}
