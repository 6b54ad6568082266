package telemetry_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

const (
	sampledContext   = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	unsampledContext = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
)

func extract(traceparent string) context.Context {
	return telemetry.Extract(context.Background(), http.Header{"Traceparent": {traceparent}})
}

// What is kept with messages is the context of a span that is sampled, and comes
// back as it was.
func TestTraceparent(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		sampledContext: sampledContext, unsampledContext: "", "": "", "nonsense": "",
		strings.Replace(sampledContext, "0af7651916cd43dd8448eb211c80319c", strings.Repeat("0", 32), 1): "",
	} {
		if got := telemetry.Traceparent(extract(given)); got != want {
			t.Errorf("of %q: %q, want %q", given, got, want)
		}
	}
	links := telemetry.Links([]string{sampledContext})
	if len(links) != 1 || links[0].SpanContext.TraceID() != trace.SpanContextFromContext(extract(sampledContext)).TraceID() ||
		links[0].SpanContext.SpanID().String() != "b7ad6b7169203331" || !links[0].SpanContext.IsSampled() {
		t.Errorf("links: %v", links)
	}
	if got := telemetry.Links(nil); len(got) != 0 {
		t.Errorf("links: %v", got)
	}
}

// A span of ours that is not sampled leaves no context either, whatever its parent.
func TestTraceparentOfOurOwnDecision(t *testing.T) {
	t.Parallel()
	never := sdktrace.NewTracerProvider(sdktrace.WithSampler(sdktrace.NeverSample()))
	t.Cleanup(func() { _ = never.Shutdown(context.Background()) })
	ctx, span := never.Tracer("test").Start(extract(sampledContext), "x")
	defer span.End()
	if got := telemetry.Traceparent(ctx); got != "" {
		t.Errorf("%q", got)
	}
}

// Logs are JSON for machines, text for people.
func TestLogger(t *testing.T) {
	t.Parallel()
	var machine, people strings.Builder
	for w, text := range map[*strings.Builder]bool{&machine: false, &people: true} {
		log := telemetry.NewLogger(w, slog.LevelWarn, text)
		log.Info("not this")
		log.Warn("this", "channel", "c")
	}
	var e map[string]any
	if err := json.Unmarshal([]byte(machine.String()), &e); err != nil || e["msg"] != "this" || e["channel"] != "c" || e["level"] != "WARN" {
		t.Errorf("%v: %s", err, machine.String())
	}
	if !strings.Contains(people.String(), "level=WARN msg=this channel=c\n") || strings.Contains(people.String(), "not this") {
		t.Errorf("%s", people.String())
	}
}

// Nothing goes anywhere unless a variable asks for it.
func TestTracingIsAskedFor(t *testing.T) {
	const endpoint, traces = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	for _, c := range []struct {
		env  []string
		want bool
	}{
		{nil, false},
		{[]string{endpoint, "http://127.0.0.1:1"}, true},
		{[]string{traces, "http://127.0.0.1:1/v1/traces"}, true},
		{[]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:1/v1/metrics"}, false},
		{[]string{"OTEL_TRACES_EXPORTER", "console"}, true},
		{[]string{"OTEL_TRACES_EXPORTER", "none", endpoint, "http://127.0.0.1:1"}, false},
		{[]string{"OTEL_SDK_DISABLED", "true", endpoint, "http://127.0.0.1:1"}, false},
		{[]string{"OTEL_TRACES_SAMPLER", "always_on"}, false},
	} {
		t.Run(strings.Join(c.env, " "), func(t *testing.T) {
			t.Setenv("OTEL_METRICS_EXPORTER", "none")
			for pair := range slices.Chunk(c.env, 2) {
				t.Setenv(pair[0], pair[1])
			}
			p, err := telemetry.Setup(t.Context(), telemetry.Build{Version: "test"})
			if err != nil {
				t.Fatal(err)
			}
			if p.Tracing != c.want {
				t.Errorf("tracing: %v, want %v", p.Tracing, c.want)
			}
			_, span := p.Tracer.Start(t.Context(), "x")
			if span.IsRecording() != c.want {
				t.Errorf("recording: %v, want %v", span.IsRecording(), c.want)
			}
			// Without an end to the span there is nothing to send, and nobody to fail.
			if err := p.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("wrong", func(t *testing.T) {
		t.Setenv("OTEL_TRACES_EXPORTER", "no-such-exporter")
		if _, err := telemetry.Setup(t.Context(), telemetry.Build{}); err == nil {
			t.Error("an exporter that there isn't is accepted")
		}
	})
}
