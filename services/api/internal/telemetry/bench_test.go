package telemetry_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/httpapi"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// nowhere is where the spans of the benchmark go.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                             { return nil }

// BenchmarkTracing compares a request with tracing off, on without being sampled,
// and sampled. "handler" is a push of nothing: the way through the service alone,
// without Redis; "push" is of one message and "pull" of a queue that is empty, with
// a real one.
//
// Beside the time it reports the processor time of this process (cpu-ns/op): on a
// machine that others use, too, that is the figure to compare.
func BenchmarkTracing(b *testing.B) {
	s := redistest.Start(b)
	client := s.Client()
	log := slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelInfo})) //nolint:sloglint // its work is part of what is measured
	metrics := telemetry.Discard()
	runner := storage.NewRunner(client, storage.RunnerOptions{Timeout: 10 * time.Second})
	b.Cleanup(runner.Close)
	queues := queue.New(runner, client, client, queue.Options{
		Layout: storage.NewLayout("qst", 4, false), PullMaxBytes: 1 << 20, MaxDigests: 1_000_000, Timeout: 10 * time.Second, Metrics: metrics, Logger: log,
	})
	for _, request := range []struct{ name, method, body string }{{"handler", "POST", `[]`}, {"push", "POST", `[{"body":"hello"}]`}, {"pull", "GET", ""}} {
		for _, mode := range []string{"off", "unsampled", "sampled"} {
			b.Run(request.name+"/"+mode, func(b *testing.B) {
				var tracer trace.Tracer = noop.Tracer{}
				flag := "00"
				if mode != "off" {
					provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(nowhere{}), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.NeverSample())))
					b.Cleanup(func() { _ = provider.Shutdown(context.WithoutCancel(b.Context())) })
					tracer = provider.Tracer("bench")
				}
				if mode == "sampled" {
					flag = "01"
				}
				api := httpapi.New(httpapi.Options{
					Bounds:      httpapi.Bounds{Requests: 1000, Bytes: 1 << 30, ChannelBytes: 1 << 30},
					Queues:      queues,
					QueueLimits: queue.Limits{MaxMessages: 1 << 40, MaxBytes: 1 << 40}, Limits: qst.Limits{MaxMessages: 10, MaxMessageBytes: 1 << 10},
					PushMaxBytes: 1 << 20, RequestTimeout: time.Minute, LongPollMax: time.Minute,
					Tracer: tracer, Tracing: mode != "off", Metrics: metrics, Scrape: http.NotFoundHandler(), LogSample: 100, Logger: log,
				})
				api.Serve()
				handler := api.Public()
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					r := httptest.NewRequestWithContext(b.Context(), request.method, "/v2/channels/"+request.name+mode, strings.NewReader(request.body))
					r.Header.Set("Content-Type", "application/json")
					r.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-"+flag)
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					if w.Code != http.StatusOK {
						b.Fatal(w.Code, w.Body)
					}
				}
				b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// processorTime is what this process has used so far, in nanoseconds.
func processorTime(b *testing.B) int64 {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
