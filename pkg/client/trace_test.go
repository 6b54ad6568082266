package client_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// spans is what the tests' program exports: all tests share it, each has its own traces.
var spans = sync.OnceValue(func() *tracetest.InMemoryExporter {
	exporter := tracetest.NewInMemoryExporter()
	otel.SetTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)))
	otel.SetTextMapPropagator(propagation.TraceContext{})
	return exporter
})

// startTrace begins a trace, and returns what ends it and gives its spans, without
// the first.
func startTrace(ctx context.Context) (_ context.Context, end func() []tracetest.SpanStub) {
	exporter := spans()
	ctx, root := otel.Tracer("test").Start(ctx, "root")
	return ctx, func() []tracetest.SpanStub {
		root.End()
		var found []tracetest.SpanStub
		for _, s := range exporter.GetSpans() {
			if s.SpanContext.TraceID() == root.SpanContext().TraceID() && s.Parent.IsValid() {
				found = append(found, s)
			}
		}
		return found
	}
}

func attributesOf(s *tracetest.SpanStub) map[attribute.Key]string {
	m := map[attribute.Key]string{}
	for _, a := range s.Attributes {
		m[a.Key] = a.Value.String()
	}
	return m
}

// Every request is a span, and carries it.
func TestRequestsAreSpans(t *testing.T) {
	var carried []trace.SpanContext
	carrying := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(r.Header))
			carried = append(carried, trace.SpanContextFromContext(ctx))
			h.ServeHTTP(w, r)
		})
	}
	ctx, end := startTrace(t.Context())
	refuse := []int{503, 200, 401}
	s := &takeAll{refuse: func([]qst.Message, []byte) int { status := refuse[0]; refuse = refuse[1:]; return status }}
	pusher := newLocal(t, carrying(s), client.WithRetry(time.Millisecond, time.Millisecond, 0))
	if _, err := pusher.Push(ctx, numbered(3)...); err != nil {
		t.Fatal(err)
	}
	var stop *client.EndpointError
	if _, err := pusher.Push(ctx, numbered(1)...); !errors.As(err, &stop) {
		t.Fatal(err)
	}
	puller := newLocal(t, carrying(newFakeQueue(2)))
	for _, err := range puller.Pull(ctx, client.PullOptions{Limit: 2}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	dead, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := puller.Poll(dead, client.PollRequest{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}

	got := end()
	for i, want := range []struct {
		name, messages, status, errorType string
	}{
		{"send", "3", "503", "503"},
		{"send", "3", "200", ""},
		{"send", "1", "401", "401"},
		{"receive", "2", "200", ""},
		{"settle", "0", "200", ""},
		{"receive", "0", "", ""},
	} {
		if i >= len(got) {
			t.Fatalf("%d spans", len(got))
		}
		span := got[i]
		attributes := map[attribute.Key]string{
			"messaging.system": "qst", "messaging.operation.type": want.name, "messaging.operation.name": want.name,
			"messaging.destination.name": "acme", "messaging.batch.message_count": want.messages,
			"server.address": "qst.test", "server.port": "80",
			"http.request.method": map[bool]string{true: "POST", false: "GET"}[want.name == "send"],
		}
		if want.status != "" {
			attributes["http.response.status_code"] = want.status
		}
		if want.errorType != "" {
			attributes["error.type"] = want.errorType
		}
		if have := attributesOf(&span); span.Name != want.name || span.SpanKind != trace.SpanKindClient || !maps.Equal(have, attributes) ||
			(span.Status.Code == codes.Error) != (want.errorType != "") {
			t.Errorf("span %d: %s %v %v %v, want %v", i, span.Name, span.SpanKind, span.Status, have, attributes)
		}
		if i < len(carried) && carried[i].SpanID() != span.SpanContext.SpanID() {
			t.Errorf("request %d carries %v, not its span", i, carried[i])
		}
	}
	if len(got) != 6 {
		t.Errorf("%d spans", len(got))
	}
}

// The service's spans hang from the client's.
func TestTracesGoOnInTheService(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var exported [][]byte
	arrived := make(chan struct{}, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		exported = append(exported, body)
		mu.Unlock()
		select {
		case arrived <- struct{}{}:
		default:
		}
	}))
	t.Cleanup(collector.Close)
	s := service.Start(t, "embedded", "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none", "OTEL_BSP_SCHEDULE_DELAY=20", "OTEL_TRACES_SAMPLER=parentbased_always_on")
	c, err := client.New(s.URL("traced"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := startTrace(t.Context())
	if _, err := c.Push(ctx, qst.Message{Body: "x"}); err != nil {
		t.Fatal(err)
	}
	for _, err := range c.Pull(ctx, client.PullOptions{Limit: 1}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	ours := end()
	if len(ours) != 3 {
		t.Fatalf("%d spans", len(ours))
	}
	waiting, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, span := range ours {
		trace, id := span.SpanContext.TraceID(), span.SpanContext.SpanID()
		for {
			mu.Lock()
			found := slices.ContainsFunc(exported, func(b []byte) bool {
				// OTLP has both as they are, whatever else protobuf does.
				return bytes.Contains(b, trace[:]) && bytes.Contains(b, id[:])
			})
			mu.Unlock()
			if found {
				break
			}
			select {
			case <-arrived:
			case <-waiting.Done():
				t.Fatalf("the service exported no child of %s %v", span.Name, id)
			}
		}
	}
}
