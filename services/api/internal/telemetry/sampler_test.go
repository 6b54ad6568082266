package telemetry

import (
	"context"
	"net/http"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Whatever a stranger's traceparent says, no more is sampled than without it.
func TestStrangersDoNotForceSampling(t *testing.T) {
	const sampled, not = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	for _, c := range []struct {
		name, arg, parent string
		want              bool
	}{
		{"", "", "", true},
		{"", "", sampled, true},
		{"", "", not, false},
		{"parentbased_always_on", "", sampled, true},
		{"parentbased_always_off", "", sampled, false},
		{"parentbased_traceidratio", "0", sampled, false},
		{"parentbased_traceidratio", "1", sampled, true},
		{"parentbased_traceidratio", "1", not, false},
		{"traceidratio", "0", sampled, false},
		{"always_off", "", sampled, false},
		{"always_on", "", not, true},
	} {
		t.Setenv("OTEL_TRACES_SAMPLER", c.name)
		t.Setenv("OTEL_TRACES_SAMPLER_ARG", c.arg)
		s, err := sampler()
		if err != nil {
			t.Fatal(err)
		}
		provider := sdktrace.NewTracerProvider(sdktrace.WithSampler(s))
		ctx := Extract(context.Background(), http.Header{"Traceparent": {c.parent}})
		_, span := provider.Tracer("").Start(ctx, "x")
		if span.SpanContext().IsSampled() != c.want {
			t.Errorf("%+v: %v", c, !c.want)
		}
		if c.parent != "" && span.SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" {
			t.Errorf("%+v: another trace", c)
		}
	}
	for _, c := range [][2]string{{"jaeger_remote", ""}, {"parentbased_traceidratio", "1.5"}, {"traceidratio", "x"}} {
		t.Setenv("OTEL_TRACES_SAMPLER", c[0])
		t.Setenv("OTEL_TRACES_SAMPLER_ARG", c[1])
		if _, err := sampler(); err == nil {
			t.Errorf("%q is taken", c)
		}
	}
}
