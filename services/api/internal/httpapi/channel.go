package httpapi

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// endpoint is one party's side of a channel: which queue it pushes into and
// which one it pulls from. See "URLs" in the protocol.
type endpoint struct{ push, pull queue.Kind }

// endpoints by their name in the URL; this is the whole routing logic.
var endpoints = map[string]endpoint{
	"gateway":     {push: queue.Inbound, pull: queue.Outbound},
	"application": {push: queue.Outbound, pull: queue.Inbound},
	"":            {push: queue.Mailbox, pull: queue.Mailbox},
}

const channelsPath = "/v2/channels/"

var channelName = regexp.MustCompile(`^[A-Za-z0-9+][A-Za-z0-9._~@+-]{0,127}$`)

// channel answers everything below /v2/channels/.
func (a *API) channel(c echo.Context) error {
	channel, e, err := parsePath(c.Request().URL)
	if err != nil {
		return err
	}
	if a.phase.Load() == starting {
		return errStarting
	}
	switch c.Request().Method {
	case http.MethodPost:
		return a.push(c, queue.Name{Channel: channel, Kind: e.push})
	case http.MethodGet:
		return a.pull(c, queue.Name{Channel: channel, Kind: e.pull})
	default:
		return echo.ErrMethodNotAllowed
	}
}

// parsePath takes a URL apart into channel and endpoint. It is the one place
// that decodes a path: Echo leaves some escapes, and an escaped slash must not
// become a separator.
func parsePath(u *url.URL) (channel string, e endpoint, err error) {
	rest := strings.TrimPrefix(u.EscapedPath(), channelsPath)
	rest = strings.TrimSuffix(rest, "/")
	escaped, name, _ := strings.Cut(rest, "/")
	channel, err = url.PathUnescape(escaped)
	if err != nil || !channelName.MatchString(channel) {
		return "", endpoint{}, problem{
			status: http.StatusBadRequest,
			detail: `channel: not 1 to 128 of "A-Z a-z 0-9 . _ ~ @ + -", starting with a letter, a digit or "+"`,
		}
	}
	if name, err = url.PathUnescape(name); err == nil {
		if e, ok := endpoints[name]; ok {
			return channel, e, nil
		}
	}
	return "", endpoint{}, problem{
		status: http.StatusNotFound,
		detail: `endpoint: a channel has "gateway" and "application", and itself`,
	}
}
