package client

import (
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
)

// operation is what a request is for, in the words of OpenTelemetry's semantic
// conventions for messaging. It is the span's name too: a channel's would have
// as many as there are channels.
type operation struct {
	kind   attribute.KeyValue
	method string
}

var (
	send    = operation{semconv.MessagingOperationTypeSend, "POST"}
	receive = operation{semconv.MessagingOperationTypeReceive, "GET"}
	settle  = operation{semconv.MessagingOperationTypeSettle, "GET"} // confirms, and takes nothing
)

func (o operation) name() string { return o.kind.Value.AsString() }

// newTracer returns the program's tracer, which does nothing until the program sets up one.
func newTracer() trace.Tracer {
	return otel.Tracer("github.com/queuestatetransfer/qst/pkg/client", trace.WithSchemaURL(semconv.SchemaURL))
}

// startSpan begins the span of one request.
func (c *Client) startSpan(ctx context.Context, op operation) (context.Context, trace.Span) {
	ctx, span := c.tracer.Start(ctx, op.name(), trace.WithSpanKind(trace.SpanKindClient))
	if span.IsRecording() {
		span.SetAttributes(semconv.MessagingSystemKey.String("qst"), op.kind, semconv.MessagingOperationName(op.name()),
			semconv.HTTPRequestMethodKey.String(op.method))
		span.SetAttributes(c.attributes...)
	}
	return ctx, span
}

// endSpan ends the span of a request that was about so many messages.
func endSpan(ctx context.Context, span trace.Span, messages int, err error) {
	defer span.End()
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(semconv.MessagingBatchMessageCount(messages))
	status := 200
	if err != nil {
		status = statusOf(err)
	}
	if status != 0 {
		span.SetAttributes(semconv.HTTPResponseStatusCode(status))
	}
	if err == nil || ctx.Err() != nil { // nobody wants the answer any longer
		return
	}
	kind := semconv.ErrorTypeOther
	switch {
	case status != 0 && status != 200:
		kind = semconv.ErrorTypeKey.String(strconv.Itoa(status))
	case errors.Is(err, errTimeout):
		kind = semconv.ErrorTypeKey.String("timeout")
	case errors.Is(err, errCut):
		kind = semconv.ErrorTypeKey.String("cut")
	case errors.Is(err, errStrange):
		kind = semconv.ErrorTypeKey.String("strange")
	}
	span.SetAttributes(kind)
	span.SetStatus(codes.Error, err.Error())
}

// statusOf returns the status that err came of; 0: none.
func statusOf(err error) int {
	var (
		refused     *RejectedError
		stop        *EndpointError
		unavailable *UnavailableError
	)
	switch {
	case errors.As(err, &refused):
		return refused.Status
	case errors.As(err, &stop):
		return stop.Status
	case errors.As(err, &unavailable):
		return unavailable.Status
	default:
		return 0
	}
}

// endpointAttributes are those of every span.
func endpointAttributes(u *url.URL) []attribute.KeyValue {
	all := []attribute.KeyValue{semconv.ServerAddress(u.Hostname())}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if n, err := strconv.Atoi(port); err == nil {
		all = append(all, semconv.ServerPort(n))
	}
	if _, rest, ok := strings.Cut(u.Path, "/v2/channels/"); ok { // whatever prefix a proxy adds
		channel, _, _ := strings.Cut(rest, "/")
		all = append(all, semconv.MessagingDestinationName(channel))
	}
	return all
}
