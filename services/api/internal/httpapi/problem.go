package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/webhook"
)

// problem is what goes wrong with a request, as RFC 9457 writes it. As an error
// its text is the detail.
type problem struct {
	status     int
	detail     string        // in terms of the request, never of the inside
	retryAfter time.Duration // 0: nothing is known
	reason     string        // for logs and metrics: of a short list
}

func (p problem) Error() string { return p.detail }

var (
	errStarting     = errors.New("the service is starting")
	errBodyTooLarge = errors.New("the body is too large")
	errBodyBroken   = errors.New("the body says it is gzip, but is not, or not whole")
	errBodyCut      = errors.New("the body did not arrive")
	errBusy         = errors.New("the channel has as much under way as it may")
)

// table maps errors to the statuses of the protocol ("Pushing: POST"): 4xx is
// what can never be taken, and clients discard it; 5xx is what may pass, and they
// try again. So nothing that may pass is a 4xx.
//
// With own, the error's own text is the detail: it speaks of the request.
var table = []struct {
	err        error
	reason     string
	status     int
	own        bool
	admin      bool // of the admin API alone
	detail     string
	retryAfter time.Duration
}{
	{err: qst.ErrUnsupportedType, reason: "unsupported_type", status: http.StatusUnsupportedMediaType, own: true},
	{err: qst.ErrTooLarge, reason: "too_large", status: http.StatusRequestEntityTooLarge, own: true},
	{err: errBodyTooLarge, reason: "too_large", status: http.StatusRequestEntityTooLarge, own: true},
	{err: qst.ErrMalformed, reason: "malformed", status: http.StatusBadRequest, own: true},
	{err: errBodyBroken, reason: "malformed", status: http.StatusBadRequest, detail: errBodyBroken.Error()},
	// Not 408 or 400: clients throw the batch away on those.
	{err: errBodyCut, reason: "body_cut", status: http.StatusServiceUnavailable, detail: "the body did not arrive whole, or not in time", retryAfter: time.Second},
	{err: queue.ErrFull, reason: "full", status: http.StatusServiceUnavailable, detail: "the queue has no room for this batch; nothing of it was stored", retryAfter: 10 * time.Second},
	{err: errBusy, reason: "busy", status: http.StatusServiceUnavailable, detail: "the channel has as many requests, or as large ones, under way as it may; nothing was done", retryAfter: time.Second},
	{err: storage.ErrUnavailable, reason: "unavailable", status: http.StatusServiceUnavailable, detail: "the storage can't be reached", retryAfter: 2 * time.Second},
	{err: storage.ErrUnsuitable, reason: "unavailable", status: http.StatusServiceUnavailable, detail: "the storage can't be used as it is", retryAfter: 10 * time.Second},
	{err: access.ErrMissing, reason: "no_credentials", status: http.StatusUnauthorized, detail: "the credentials are missing or wrong, or there is no such channel"},
	{err: access.ErrUnknown, reason: "wrong_credentials", status: http.StatusUnauthorized, detail: "the credentials are missing or wrong, or there is no such channel"},
	{err: queue.ErrUnknownChannel, reason: "wrong_credentials", status: http.StatusUnauthorized, detail: "the credentials are missing or wrong, or there is no such channel"},
	{err: access.ErrForbidden, reason: "forbidden", status: http.StatusForbidden, detail: "these credentials are good, but not for this"},
	{err: access.ErrPushed, reason: "forbidden", status: http.StatusForbidden, own: true},
	{err: access.ErrTooManyBad, reason: "too_many_wrong_credentials", status: http.StatusServiceUnavailable, detail: "too many wrong credentials are being tried", retryAfter: 10 * time.Second},
	// Of the admin API.
	{err: access.ErrInvalid, reason: "invalid", status: http.StatusBadRequest, own: true, admin: true},
	{err: access.ErrNotFound, reason: "not_found", status: http.StatusNotFound, own: true, admin: true},
	{err: webhook.ErrNoWorker, reason: "no_worker", status: http.StatusServiceUnavailable, own: true, admin: true, retryAfter: 10 * time.Second},
	{err: queue.ErrNotFound, reason: "not_found", status: http.StatusNotFound, own: true, admin: true},
	{err: access.ErrExists, reason: "conflict", status: http.StatusConflict, own: true, admin: true},
	{err: access.ErrTooMany, reason: "conflict", status: http.StatusConflict, own: true, admin: true},
	{err: access.ErrStale, reason: "stale", status: http.StatusPreconditionFailed, own: true, admin: true},
	{err: queue.ErrStale, reason: "stale", status: http.StatusPreconditionFailed, own: true, admin: true},

	{err: errStarting, reason: "starting", status: http.StatusServiceUnavailable, own: true, retryAfter: 2 * time.Second},
}

// explain turns an error into a problem.
func explain(err error) problem {
	var p problem
	if errors.As(err, &p) {
		if p.reason == "" {
			p.reason = reasonBadRequest
		}
		return p
	}
	for _, row := range table {
		if errors.Is(err, row.err) {
			p = problem{status: row.status, detail: row.detail, retryAfter: row.retryAfter, reason: row.reason}
			if row.own {
				p.detail = err.Error()
			}
			return p
		}
	}
	var h *echo.HTTPError // of Echo's router
	if errors.As(err, &h) && h.Code < http.StatusInternalServerError {
		detail := http.StatusText(h.Code)
		switch h.Code {
		case http.StatusNotFound:
			detail = "there is nothing at this URL; GET / says which URLs there are"
		case http.StatusMethodNotAllowed:
			detail = "this URL does not take this method; the header Allow says which it takes"
		}
		return problem{status: h.Code, detail: detail, reason: reasonBadRequest}
	}
	return problem{status: http.StatusInternalServerError, detail: "something went wrong inside; it has been logged", reason: reasonInternal}
}

// Reasons of what the table has not.
const (
	reasonInternal   = "internal"    // in no list: a defect
	reasonBadRequest = "bad_request" // an address, a parameter or a method
)

// reasons returns every reason that a push or a pull can be refused for.
func reasons() map[string]bool {
	all := map[string]bool{reasonInternal: true, reasonBadRequest: true, reasonPushRate: true, errOtherOrigin.reason: true}
	for _, row := range table {
		if !row.admin {
			all[row.reason] = true
		}
	}
	return all
}

// allowed are the methods of the protocol's URLs, for 405.
const allowed = "GET, POST"

// fail answers a request that ended in err. It is Echo's error handler.
func (a *API) fail(err error, c echo.Context) {
	w, r := c.Response(), c.Request()
	if w.Committed {
		return
	}
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		// The client has gone: there is nobody to answer, and it is no error of ours.
		// observe ends the connection.
		w.Status = statusClientClosed
		w.Committed = true
		return
	}
	p := explain(err)
	_ = discard(r) // for the client's sake: it is answered whatever becomes of it
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // it speaks of XML, to people, too
	_ = encoder.Encode(struct {  //nolint:errchkjson // can't fail: strings and a number, into memory
		Title  string `json:"title"`
		Status int    `json:"status"`
		Detail string `json:"detail"`
	}{http.StatusText(p.status), p.status, p.detail})
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	switch p.status {
	case http.StatusMethodNotAllowed:
		if strings.HasPrefix(r.URL.Path, channelsPath) {
			h.Set("Allow", allowed) // Echo would name all that its wildcard takes
		}
	case http.StatusUnauthorized:
		if h.Get("WWW-Authenticate") == "" {
			h.Set("WWW-Authenticate", `Basic realm="qst"`)
		}
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int(p.retryAfter.Seconds())))
	}
	a.send(c, p.status, body.Bytes())
}

// statusClientClosed stands in logs for a request whose client went away.
const statusClientClosed = 499

// send writes an answer, and gives up on a client that doesn't take it in time.
func (a *API) send(c echo.Context, status int, body []byte) {
	w := c.Response()
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(a.opts.RequestTimeout)) // only a test's recorder can't
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if c.Request().Method != http.MethodHead {
		_, _ = w.Write(body) // fails if the client has gone: it will ask again
	}
	_ = rc.Flush()                       // all of it within the deadline
	_ = rc.SetWriteDeadline(time.Time{}) // the connection's next request may be held for long
}
