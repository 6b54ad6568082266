package httpapi

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

const (
	defaultMax      = 100  // messages in an answer
	maxPullMessages = 1000 // that a client can ask for
)

// pull answers a GET; see "Pulling" in the protocol.
func (a *API) pull(c echo.Context, n queue.Name, call queue.Caller) error {
	r := c.Request()
	q, err := parsePull(r, a.opts.LongPollMax)
	if err != nil {
		return err
	}
	d, poll, err := a.opts.Queues.Begin(r.Context(), n, call, q.request)
	if err != nil {
		if call, err = a.again(c, n.Channel, eventOf(c).endpoint, access.Pull, err); err == nil {
			d, poll, err = a.opts.Queues.Begin(r.Context(), n, call, q.request)
		}
	}
	if poll != nil {
		if parked, err := a.park(c, q, poll); parked || err != nil {
			return err
		}
		defer a.held.watch(c)()
		d, err = poll.Wait(c.Request().Context())
	}
	return a.answerPull(c, n, call, q, d, err)
}

// answerPull answers a pull whose poll, if it had to wait, is over.
func (a *API) answerPull(c echo.Context, n queue.Name, call queue.Caller, q pullQuery, d queue.Delivery, err error) error {
	r, ev := c.Request(), eventOf(c)
	if err != nil && d.Held > 0 { // perhaps there is another channel of the name by now: then it is for the next poll
		call, err = a.again(c, n.Channel, ev.endpoint, access.Pull, err)
	}
	ev.held, ev.delivered, ev.again, ev.confirmed = d.Held, len(d.Payloads), d.Redelivered, d.Confirmed
	if err == nil && d.Held > 0 && len(d.Payloads) > 0 {
		// The credential may have been revoked while the poll was held: then what was read is
		// for the next one.
		if _, _, err = a.admit(c, n.Channel, ev.endpoint, access.Pull); err != nil {
			a.opts.Queues.GiveBack(r.Context(), n, call, d, 0)
		}
	}
	if err != nil {
		return err
	}
	var body []byte
	if err = a.answerOf(c, n, call, d, q.format, func() (err error) {
		body, err = qst.AppendFromCanonical(nil, q.format, d.Payloads)
		return err
	}); errors.Is(err, errBusy) || errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		// Without what err says: it speaks of a request, which this is not (a 400 would be the
		// client's fault), and quotes the message.
		return fmt.Errorf("queue %s of channel %s holds what is not a message as the service writes them", n.Kind, n.Channel)
	}
	a.tracePull(r.Context(), n, d, ev.start)
	h := c.Response().Header()
	h.Set("Content-Type", q.format.MediaType())
	h.Set("Cache-Control", "no-store")
	if d.ETag != nil {
		// ETag is how the header has always been written; Go would write Etag.
		h["ETag"] = []string{d.ETag.String()}
	}
	if q.tagged {
		h["QST-Confirmed"] = []string{strconv.Itoa(d.Confirmed)}
	}
	if d.Redelivered > 0 {
		h["QST-Redelivered"] = []string{strconv.Itoa(d.Redelivered)}
	}
	if a.phase.Load() == draining || d.HandedOver {
		h.Set("Connection", "close") // also if the poll began before the drain
	}
	switch {
	case len(d.Payloads) > 0:
		ev.outcome = "messages"
	case d.Superseded:
		ev.outcome = "superseded"
	case d.HandedOver:
		ev.outcome = "handed_over"
	default:
		ev.outcome = "empty"
	}
	ev.out = len(body)
	ev.share.Set(int64(len(body))) // what it was made of is no longer needed
	a.send(c, http.StatusOK, body)
	return nil
}

// pullQuery is what a GET asks for.
type pullQuery struct {
	format  qst.Format
	request queue.Request
	tagged  bool // it brought an ETag, whatever that was
}

// parsePull reads a pull's parameters. An unknown one is ignored; a known one
// with a value it can't have is a problem that names it.
func parsePull(r *http.Request, longest time.Duration) (pullQuery, error) {
	params := parseQuery(r.URL.RawQuery)
	q := pullQuery{request: queue.Request{Max: defaultMax}}

	if v, ok := params["format"]; ok {
		switch v {
		case "xml":
			q.format = qst.XML
		case "json":
			q.format = qst.JSON
		default:
			return q, badParameter("format", v, "xml or json")
		}
	} else {
		q.format = accepted(r.Header.Values("Accept"))
	}
	if v, ok := params["max"]; ok {
		n, err := strconv.ParseUint(v, 10, 64)
		if !digits(v) {
			return q, badParameter("max", v, "a whole number")
		}
		q.request.Max = maxPullMessages
		if err == nil && n < maxPullMessages { // an error here: more than fits
			q.request.Max = int(n)
		}
	}
	// Spread, so that polls that began together don't come back together.
	wait := longest - rand.N(longest/10+1) //nolint:gosec // no secret
	if v, ok := params["wait"]; ok {
		whole, fraction, _ := strings.Cut(v, ".")
		seconds, err := strconv.ParseFloat(v, 64)
		if !digits(whole) || fraction != "" && !digits(fraction) || err != nil {
			return q, badParameter("wait", v, "a number of seconds")
		}
		if seconds < wait.Seconds() {
			wait = time.Duration(seconds * float64(time.Second))
		}
	}
	switch v, ok := params["long-polling"]; {
	case !ok || v == "false":
	case v == "true":
		q.request.Wait = wait
	default:
		return q, badParameter("long-polling", v, "true or false")
	}

	if q.request.Max == 0 {
		q.request.Wait = 0 // it only confirms: there is nothing to wait for
	}

	tags := r.Header.Values("If-None-Match")
	if v, ok := params["etag"]; ok {
		tags = []string{v}
	}
	for _, list := range tags {
		for tag := range strings.SplitSeq(list, ",") { // If-None-Match takes a list
			q.tagged = q.tagged || strings.TrimSpace(tag) != ""
			if etag, ok := qst.ParseETag(tag); ok {
				q.request.Processed = queue.UpTo(&etag)
			}
		}
	}
	return q, nil
}

func badParameter(name, value, allowed string) problem {
	return problem{status: http.StatusBadRequest, detail: fmt.Sprintf("parameter %s: %.64q is not %s", name, value, allowed)}
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// parseQuery reads the first value of each parameter. What can't be decoded is
// taken as it stands (net/url would drop it): an ETag that something on the way
// mangled is no error.
func parseQuery(raw string) map[string]string {
	params := make(map[string]string)
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name = unescape(name)
		if _, again := params[name]; !again {
			params[name] = unescape(value)
		}
	}
	return params
}

func unescape(s string) string {
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// accepted returns the format that Accept prefers of the two, or XML if it names
// neither (RFC 9110, 12.5.1). Of two that are as welcome, the first one.
func accepted(headers []string) qst.Format {
	best, bestQ := qst.XML, 0.0
	for _, header := range headers {
		for part := range strings.SplitSeq(header, ",") {
			mediaType, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			f, _, err := qst.ParseMediaType(mediaType)
			if err != nil {
				continue
			}
			quality := 1.0
			if v, ok := params["q"]; ok {
				if quality, err = strconv.ParseFloat(v, 64); err != nil {
					continue
				}
			}
			if quality > bestQ {
				best, bestQ = f, quality
			}
		}
	}
	return best
}
