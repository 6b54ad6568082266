package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// push answers a POST; see "Pushing" in the protocol.
func (a *API) push(c echo.Context, n queue.Name, call queue.Caller) error {
	r, ev := c.Request(), eventOf(c)
	if err := a.beforeRead(r.Context(), ev, n.Channel); err != nil {
		return err
	}
	body, err := a.body(c)
	if err != nil {
		return err
	}
	ev.in = len(body)
	format, charset, err := contentType(r, body)
	if err != nil {
		return err
	}
	var messages []qst.Message
	if err := a.compute(r.Context(), n.Channel, len(body), func() (err error) {
		messages, err = qst.Decode(format, charset, body, a.opts.Limits)
		return err
	}); err != nil {
		return err
	}
	if err := checkText(messages); err != nil {
		return err
	}
	result, err := a.enqueue(c, n, call, messages)
	if err != nil {
		return err
	}
	ev.pushed = result
	h := c.Response().Header()
	h.Set("Content-Type", format.MediaType())
	h.Set("Cache-Control", "no-store")
	a.send(c, http.StatusOK, receipt(r.Header, h, format, result, messages))
	return nil
}

// enqueue puts what a client pushed into a queue.
func (a *API) enqueue(c echo.Context, n queue.Name, call queue.Caller, messages []qst.Message) (qst.Result, error) {
	ctx, ev := c.Request().Context(), eventOf(c)
	var batch queue.Batch
	if err := a.compute(ctx, n.Channel, ev.in, func() (err error) {
		batch, err = NewBatch(messages, time.Now())
		return err
	}); err != nil {
		return qst.Result{}, err
	}
	if err := a.waitForRate(ctx, ev, n.Channel, max(1, len(messages))); err != nil {
		return qst.Result{}, err
	}
	if a.opts.Tracing {
		var span trace.Span
		ctx, span = a.traceSend(ctx, n, len(messages))
		defer span.End()
		batch.Trace = telemetry.Traceparent(ctx)
	}
	result, err := a.opts.Queues.Push(ctx, n, call, batch)
	if err != nil {
		if call, err = a.again(c, n.Channel, ev.endpoint, access.Push, err); err == nil {
			result, err = a.opts.Queues.Push(ctx, n, call, batch)
		}
	}
	if err == nil {
		a.keepTrace(ctx, n, batch.Trace, messages)
		err = a.keepReports(ctx, n, messages)
	}
	if err != nil {
		failed(trace.SpanFromContext(ctx), err)
	}
	return result, err
}

// contentType tells a body's format and charset: what its header says, or
// without one what its first byte says.
func contentType(r *http.Request, body []byte) (f qst.Format, charset string, err error) {
	if header := r.Header.Get("Content-Type"); header != "" {
		if f, charset, err = qst.ParseMediaType(header); err != nil {
			err = sayContentType(err, header, body)
		}
		return f, charset, err
	}
	f, err = qst.Sniff(body)
	return f, "", err
}
