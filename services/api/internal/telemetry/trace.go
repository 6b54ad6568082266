package telemetry

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The context travels as W3C says; baggage is not ours to keep.
var contexts propagation.TraceContext

// Extract returns ctx with the trace context of a request's header, if it has one.
func Extract(ctx context.Context, h http.Header) context.Context {
	return contexts.Extract(ctx, propagation.HeaderCarrier(h))
}

// Traceparent returns the trace context of the span in ctx as W3C writes it, or ""
// if nothing is recorded there: then there is nothing to link to.
func Traceparent(ctx context.Context) string {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	contexts.Inject(ctx, carrier)
	return carrier.Get("traceparent")
}

// Links returns links to the spans with these contexts, as Traceparent returned
// them.
func Links(traceparents []string) []trace.Link {
	links := make([]trace.Link, 0, len(traceparents))
	for _, t := range traceparents {
		ctx := contexts.Extract(context.Background(), propagation.MapCarrier{"traceparent": t})
		links = append(links, trace.LinkFromContext(ctx))
	}
	return links
}
