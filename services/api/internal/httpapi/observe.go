package httpapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/fair"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// event is what there is to tell of one request, when it is complete: one log
// line, a few measurements, a span. Nothing of a message's content, and no
// address of a message, is in it; the channel is, and may be a phone's number.
type event struct {
	start     time.Time
	admitted  bool       // its credentials were good
	pushRate  int64      // of the channel, messages a second; 0: any
	share     fair.Share // of the memory that requests may take
	counted   bool       // in the metrics: a request to a channel's URLs, whatever became of it
	route     string     // as in openapi.yaml
	channel   string
	endpoint  access.Endpoint
	queue     queue.Kind
	outcome   string // of a pull: messages, empty, superseded, handed_over
	pushed    qst.Result
	delivered int // messages in the answer
	again     int // of these, delivered before
	confirmed int
	in, out   int // bytes of bodies, decompressed
	held      time.Duration
	slowed    time.Duration // waiting for its channel's rate
	err       error
	reason    string     // of err
	leftOut   int64      // lines that were left out before this one
	span      trace.Span // nil: it is not traced
	parked    bool       // it is answered elsewhere: see park
}

const eventKey = "event"

// eventOf returns the event of a request.
func eventOf(c echo.Context) *event {
	if e, ok := c.Get(eventKey).(*event); ok {
		return e
	}
	return new(event) // a request that is not observed
}

// instrument tells of each request when it is complete.
func (a *API) instrument(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		e := &event{start: time.Now()}
		c.Set(eventKey, e)
		if a.phase.Load() == draining {
			c.Response().Header().Set("Connection", "close")
		}
		if r := c.Request(); a.opts.Tracing && !probe(c) {
			var ctx context.Context
			ctx, e.span = a.opts.Tracer.Start(telemetry.Extract(r.Context(), r.Header), spanName(r),
				trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(e.start))
			c.SetRequest(r.WithContext(ctx))
		}
		if e.err = next(c); e.parked {
			return nil
		}
		a.complete(c, e)
		if c.Response().Status == statusClientClosed {
			// Nothing was written. Of a client that only stopped sending (shutdown of one
			// direction) net/http would make a 200 of that.
			panic(http.ErrAbortHandler)
		}
		return nil
	}
}

// complete answers a request that has failed, and tells of it.
func (a *API) complete(c echo.Context, e *event) {
	if e.err != nil {
		if e.counted {
			e.err = a.orStarting(c.Request().Context(), e.err)
		}
		e.reason = explain(e.err).reason
		c.Error(e.err) // writes the answer: see fail
	}
	r, status := c.Request(), c.Response().Status
	service := time.Since(e.start) - e.held - e.slowed
	if e.span != nil {
		e.end(e.span, r, status)
	}
	if e.counted {
		a.measure(r.Context(), countedMethod(r), status, e, service)
	}
	if level := a.level(c, e); a.log.Enabled(r.Context(), level) {
		a.log.LogAttrs(context.WithoutCancel(r.Context()), level, "request", e.attrs(c, service)...)
	}
}

// probe tells whether a request asks only how this replica is, as Kubernetes and
// Prometheus do every few seconds.
func probe(c echo.Context) bool {
	switch c.Path() {
	case "/healthz", "/readyz", "/metrics":
		return true
	}
	return false
}

// method is a request's, or _OTHER for one that HTTP doesn't know: a client can
// make up as many as it likes (OpenTelemetry semantic conventions: HTTP).
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return r.Method
	}
	return otherMethod
}

// spanName is what a request's span is called before its route is known.
func spanName(r *http.Request) string {
	if m := method(r); m != otherMethod {
		return m
	}
	return "HTTP"
}

// countedMethod is POST for a push, GET for a pull, and one word for the rest.
func countedMethod(r *http.Request) string {
	if r.Method == http.MethodPost || r.Method == http.MethodGet {
		return r.Method
	}
	return otherMethod
}

const otherMethod = "_OTHER"

// refusal are the attributes of a request that was refused.
func refusal(method, reason string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("method", method), attribute.String("reason", reason))
}

// level decides whether a request is logged. What went wrong always is; what went
// well is sampled, and so are probes, which say nothing new.
func (a *API) level(c echo.Context, e *event) slog.Level {
	switch status := c.Response().Status; {
	case status == statusClientClosed, strings.HasSuffix(c.Path(), "z"): // a probe's own handler says what is wrong
		return slog.LevelDebug
	case status >= http.StatusBadRequest:
		channel := ""
		if e.admitted {
			channel = e.channel
		}
		var ok bool
		if e.leftOut, ok = a.lines.next(channel); !ok {
			return slog.LevelDebug
		}
		if status >= http.StatusInternalServerError {
			return slog.LevelWarn
		}
		return slog.LevelInfo
	case e.channel != "" && a.seen.Add(1)%uint64(a.opts.LogSample) == 0:
		return slog.LevelInfo
	default:
		return slog.LevelDebug
	}
}

func (e *event) attrs(c echo.Context, service time.Duration) []slog.Attr {
	r, status := c.Request(), c.Response().Status
	attrs := []slog.Attr{
		slog.String("method", method(r)), slog.Int("status", status), slog.Float64("service_ms", ms(service)),
	}
	if sc := trace.SpanContextFromContext(r.Context()); sc.IsValid() {
		attrs = append(attrs, slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	if e.leftOut > 0 {
		attrs = append(attrs, leftOutAttr(e.leftOut))
	}
	if e.channel == "" {
		return append(attrs, slog.String("path", short(r.URL.Path)), e.reasonAttr())
	}
	attrs = append(attrs,
		slog.String("route", e.route), slog.String("channel", e.channel), slog.String("endpoint", string(e.endpoint)), slog.String("queue", string(e.queue)))
	if e.err != nil {
		return append(attrs, e.reasonAttr(), slog.Int("bytes_in", e.in))
	}
	if r.Method == http.MethodPost {
		return append(attrs, slog.Int("accepted", e.pushed.Accepted), slog.Int("duplicates", e.pushed.Duplicates), slog.Int("bytes_in", e.in))
	}
	return append(attrs, slog.String("outcome", e.outcome), slog.Int("delivered", e.delivered), slog.Int("redelivered", e.again),
		slog.Int("confirmed", e.confirmed), slog.Int("bytes_out", e.out), slog.Float64("held_ms", ms(e.held)))
}

// short cuts a path that is longer than any of ours.
func short(path string) string {
	const most = 256
	if len(path) <= most {
		return path
	}
	return strings.ToValidUTF8(path[:most], "") + "…"
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// reasonAttr says why a request was not answered 200. The text of an error that
// speaks of the request is for its client alone: it may quote a message.
func (e *event) reasonAttr() slog.Attr {
	switch {
	case e.err == nil:
		return slog.Attr{}
	case e.reason == reasonInternal || errors.Is(e.err, storage.ErrUnavailable):
		return slog.Group("", slog.String("reason", e.reason), slog.String("error", e.err.Error()))
	default:
		return slog.String("reason", e.reason)
	}
}

// requests are the attributes of request durations, made once.
var requests = func() map[[2]string]metric.MeasurementOption {
	all := make(map[[2]string]metric.MeasurementOption)
	for _, method := range []string{http.MethodPost, http.MethodGet, otherMethod} {
		for _, outcome := range []string{"ok", "refused", "client_gone"} {
			all[[2]string{method, outcome}] = metric.WithAttributeSet(attribute.NewSet(
				attribute.String("method", method), attribute.String("outcome", outcome)))
		}
	}
	return all
}()

// measure counts a request for a channel.
func (a *API) measure(ctx context.Context, method string, status int, e *event, service time.Duration) {
	m := a.opts.Metrics
	ctx = context.WithoutCancel(ctx)
	outcome := "ok"
	switch {
	case status == statusClientClosed:
		outcome = "client_gone"
	case e.err != nil:
		outcome = "refused"
		m.Refused.Add(ctx, 1, refusal(method, e.reason))
	}
	m.Request.Record(ctx, service.Seconds(), requests[[2]string{method, outcome}])
	if e.in > 0 {
		m.BytesIn.Add(ctx, int64(e.in), e.queue.Attribute())
	}
	if e.out > 0 {
		m.BytesOut.Add(ctx, int64(e.out), e.queue.Attribute())
	}
	if e.held > 0 {
		if e.err == nil {
			outcome = e.outcome
		}
		m.Held.Record(ctx, e.held.Seconds(), metric.WithAttributes(attribute.String("outcome", outcome)))
	}
}

// end completes a request's span (OpenTelemetry semantic conventions: HTTP server).
func (e *event) end(span trace.Span, r *http.Request, status int) {
	if span.IsRecording() {
		span.SetAttributes(semconv.HTTPRequestMethodKey.String(method(r)), semconv.URLScheme("http"), semconv.URLPath(short(r.URL.Path)), semconv.HTTPResponseStatusCode(status))
		if e.route != "" {
			span.SetName(spanName(r) + " " + e.route)
			span.SetAttributes(semconv.HTTPRoute(e.route))
		}
		if e.held > 0 {
			span.SetAttributes(attribute.Float64("qst.poll.held", e.held.Seconds()))
		}
		if status >= http.StatusInternalServerError {
			failed(span, e.err)
		}
	}
	span.End()
}

// failed says in a span what went wrong: the reason, not the error's text, which
// may quote a message.
func failed(span trace.Span, err error) {
	if !span.IsRecording() {
		return
	}
	reason := explain(err).reason
	span.SetStatus(codes.Error, reason)
	span.SetAttributes(semconv.ErrorTypeKey.String(reason))
}

// messaging are the attributes of a messaging span (OpenTelemetry semantic
// conventions: messaging).
func messaging(n queue.Name, operation attribute.KeyValue, messages int) trace.SpanStartEventOption {
	return trace.WithAttributes(
		semconv.MessagingSystemKey.String("qst"), operation, semconv.MessagingOperationName(operation.Value.AsString()),
		semconv.MessagingDestinationName(n.Channel), attribute.String("qst.queue", string(n.Kind)),
		semconv.MessagingBatchMessageCount(messages),
	)
}

// traceSend begins the span of a push; its context is kept with the messages.
func (a *API) traceSend(ctx context.Context, n queue.Name, messages int) (context.Context, trace.Span) {
	return a.opts.Tracer.Start(ctx, "send "+string(n.Kind), //nolint:spancheck // whoever called this ends it
		trace.WithSpanKind(trace.SpanKindProducer),
		messaging(n, semconv.MessagingOperationTypeSend, messages))
}

// tracePull tells of a pull's delivery and confirmation, each linked to the
// pushes that brought the messages. Both are told afterwards: the time that the
// poll was held is not theirs.
func (a *API) tracePull(ctx context.Context, n queue.Name, d queue.Delivery, start time.Time) {
	server := trace.SpanFromContext(ctx)
	if !server.IsRecording() {
		return
	}
	woken := start.Add(d.Held)
	if d.Held > 0 {
		server.AddEvent("qst.poll.released", trace.WithTimestamp(woken), trace.WithAttributes(attribute.Float64("qst.poll.held", d.Held.Seconds())))
	}
	if d.Confirmed > 0 {
		_, span := a.opts.Tracer.Start(ctx, "settle "+string(n.Kind), trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(start),
			messaging(n, semconv.MessagingOperationTypeSettle, d.Confirmed), trace.WithLinks(telemetry.Links(d.ConfirmedTraces)...))
		span.End()
	}
	if len(d.Payloads) > 0 {
		_, span := a.opts.Tracer.Start(ctx, "receive "+string(n.Kind), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(woken),
			messaging(n, semconv.MessagingOperationTypeReceive, len(d.Payloads)), trace.WithLinks(telemetry.Links(d.Traces)...))
		span.End()
	}
}
