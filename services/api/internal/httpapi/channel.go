package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// endpoint is one party's side of a channel: which queue it pushes into and
// which one it pulls from. See "URLs" in the protocol.
type endpoint struct {
	name       access.Endpoint
	route      string
	push, pull queue.Kind
}

// endpoints by their name in the URL; this is the whole routing logic.
var endpoints = map[string]endpoint{
	"gateway":     {name: access.Gateway, route: "/v2/channels/{channel}/gateway", push: queue.Inbound, pull: queue.Outbound},
	"application": {name: access.Application, route: "/v2/channels/{channel}/application", push: queue.Outbound, pull: queue.Inbound},
	"":            {name: access.Mailbox, route: "/v2/channels/{channel}", push: queue.Mailbox, pull: queue.Mailbox},
}

// pullOf returns the queue that a party pulls from.
func pullOf(e access.Endpoint) queue.Kind {
	for _, side := range endpoints {
		if side.name == e {
			return side.pull
		}
	}
	return queue.Mailbox
}

const channelsPath = "/v2/channels/"

// channel answers everything below /v2/channels/.
func (a *API) channel(c echo.Context) error {
	ev := eventOf(c)
	ev.counted = true
	channel, e, err := parsePath(c.Request().URL)
	if err != nil {
		return err
	}
	channel = strings.Clone(channel) // what waits keeps it, and not all of the request's line
	ev.channel, ev.endpoint, ev.route = channel, e.name, e.route
	if a.phase.Load() == starting {
		return errStarting
	}
	switch c.Request().Method {
	case http.MethodPost:
		ev.queue = e.push
		call, _, err := a.admit(c, channel, e.name, access.Push)
		if err != nil {
			return err
		}
		if err := a.begin(c, channel); err != nil {
			return err
		}
		defer a.end(c, channel)
		return a.push(c, queue.Name{Channel: channel, Kind: e.push}, call)
	case http.MethodGet:
		ev.queue = e.pull
		call, _, err := a.admit(c, channel, e.name, access.Pull)
		if err != nil {
			return err
		}
		if err := a.begin(c, channel); err != nil {
			return err
		}
		defer a.end(c, channel)
		return a.pull(c, queue.Name{Channel: channel, Kind: e.pull}, call)
	default:
		return echo.ErrMethodNotAllowed
	}
}

// admit lets a request in, and returns what the queue has to know of it, and what
// the channel's settings are.
func (a *API) admit(c echo.Context, channel string, e access.Endpoint, right access.Right) (queue.Caller, access.Settings, error) {
	r := c.Request()
	call := queue.Caller{Limits: a.opts.QueueLimits, Address: c.RealIP(), UserAgent: userAgent(r)}
	ev := eventOf(c)
	if a.opts.Gate == nil {
		ev.admitted, ev.pushRate = true, a.opts.PushRate
		return call, access.Settings{}, nil
	}
	user, secret, given := r.BasicAuth()
	admission, err := a.opts.Gate.Admit(r.Context(), access.Attempt{
		Channel: channel, Endpoint: e, Right: right, User: user, Secret: secret, Given: given, Address: call.Address,
	})
	if err != nil {
		if errors.Is(err, access.ErrUnknown) {
			a.opts.Queues.Refused(queue.Name{Channel: channel, Kind: pullOf(e)})
		}
		return queue.Caller{}, access.Settings{}, err
	}
	ev.admitted, ev.pushRate = true, admission.Settings.Rate(a.opts.PushRate)
	call.Life, call.Limits = admission.Life, admission.Settings.Limits(a.opts.QueueLimits)
	return call, admission.Settings, nil
}

// again lets a request in once more whose channel is not the one that it was let in to: the
// channel has been deleted, and perhaps made again. It returns the error if it is not let in.
func (a *API) again(c echo.Context, channel string, e access.Endpoint, right access.Right, err error) (queue.Caller, error) {
	if a.opts.Gate == nil || !errors.Is(err, queue.ErrUnknownChannel) {
		return queue.Caller{}, err
	}
	a.opts.Gate.Forget(channel)
	call, _, err := a.admit(c, channel, e, right)
	return call, err
}

// maxUserAgent bounds what is kept of a client's name for itself.
const maxUserAgent = 200

func userAgent(r *http.Request) string {
	agent := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, r.UserAgent())
	return agent[:min(len(agent), maxUserAgent)]
}

var errChannelName = problem{
	status: http.StatusBadRequest,
	detail: `a channel's name is 1 to 128 characters of "A-Z a-z 0-9 . _ ~ @ + -" and starts with a letter, a digit or "+"`,
}

// pathParam returns a parameter of a route, decoded: Echo leaves escapes where
// the path has any that change its meaning.
func pathParam(c echo.Context, name string) (string, error) {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value, nil // the router has seen the path decoded
	}
	plain, err := url.PathUnescape(value)
	if err != nil {
		return "", problem{status: http.StatusBadRequest, detail: name + ": it can't be decoded"}
	}
	return plain, nil
}

// parsePath takes a URL apart into channel and endpoint. It is the one place
// that decodes a path: Echo leaves some escapes, and an escaped slash must not
// become a separator.
func parsePath(u *url.URL) (channel string, e endpoint, err error) {
	rest := strings.TrimPrefix(u.EscapedPath(), channelsPath)
	rest = strings.TrimSuffix(rest, "/")
	escaped, name, more := strings.Cut(rest, "/")
	channel, err = url.PathUnescape(escaped)
	if err != nil || !access.ChannelName.MatchString(channel) {
		return "", endpoint{}, errChannelName
	}
	if name, err = url.PathUnescape(name); err == nil && more == (name != "") {
		if e, ok := endpoints[name]; ok {
			return channel, e, nil
		}
	}
	return "", endpoint{}, problem{
		status: http.StatusNotFound,
		detail: `a channel has the endpoints "gateway" and "application", and without one it is a mailbox`,
	}
}
