package httpapi

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/park"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// parkedPull is what is kept of a pull whose connection is parked. When its poll is over, a
// request is made of it again, for the code that answers any other pull. There may be 100 000 of
// them: what can be found out anew is not kept.
type parkedPull struct {
	api  *API
	echo *echo.Echo
	conn *park.Conn
	poll *queue.Poll

	start         time.Time
	span          trace.Span // nil: it is not traced
	path          string     // for the span
	authorization string
	format        qst.Format
	tagged, last  bool // it brought an ETag; its client wants the connection to be closed
}

// park parks the connection of a pull that waits, if it can be: then parked is true, and the
// handler has nothing more to do. After an error the connection is closed.
func (a *API) park(c echo.Context, q pullQuery, poll *queue.Poll) (parked bool, err error) {
	r := c.Request()
	if a.opts.Lot == nil || !park.Fits(r) {
		return false, nil
	}
	ev := eventOf(c)
	p := &parkedPull{
		api: a, echo: c.Echo(), poll: poll, start: ev.start, span: ev.span,
		authorization: r.Header.Get("Authorization"), format: q.format, tagged: q.tagged, last: r.Close,
	}
	ctx := context.Background() // the request's would keep the request
	if p.span != nil {
		ctx = trace.ContextWithSpan(ctx, p.span)
		p.path = strings.Clone(r.URL.Path)
	}
	p.conn, err = a.opts.Lot.Park(c.Response(), poll.Leave)
	switch {
	case errors.Is(err, http.ErrNotSupported):
		return false, nil
	case err != nil:
		poll.Leave() // as if its client had gone
		_, _ = poll.Wait(ctx)
		return false, err
	}
	ev.parked = true
	poll.Park(ctx, p.answer)
	return true, nil
}

// answer answers the pull when its poll is over.
func (p *parkedPull) answer(ctx context.Context, d queue.Delivery, err error) {
	a, n, call := p.api, p.poll.Of(), p.poll.Caller()
	r := (&http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: p.path}, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: http.NoBody, RemoteAddr: net.JoinHostPort(call.Address, "0"), Close: p.last,
	}).WithContext(ctx)
	if p.authorization != "" {
		r.Header.Set("Authorization", p.authorization)
	}
	ev := &event{
		counted: true, admitted: true, channel: n.Channel, queue: n.Kind, start: p.start, span: p.span,
		share: a.places.bytes.Share(n.Channel),
	}
	defer func() { ev.share.GiveBack() }() // when the answer is written
	w := p.conn.Respond(p.last)
	defer w.Finish()
	guard(w.Header())
	if a.phase.Load() == draining {
		w.Header().Set("Connection", "close")
	}
	c := p.echo.AcquireContext()
	defer p.echo.ReleaseContext(c)
	c.Reset(r, w)
	for _, e := range endpoints {
		if e.pull == n.Kind {
			ev.endpoint, ev.route = e.name, e.route
		}
	}
	c.Set(eventKey, ev)
	ev.err = a.recovers(func(c echo.Context) error {
		return a.answerPull(c, n, call, pullQuery{format: p.format, tagged: p.tagged}, d, err)
	})(c)
	a.complete(c, ev)
}
