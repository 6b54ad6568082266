package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// scope names this service's spans and instruments among others'.
const scope = "github.com/queuestatetransfer/qst/services/api"

// Providers are where spans and measurements go.
type Providers struct {
	Tracer  trace.Tracer
	Meter   metric.Meter
	Scrape  http.Handler // answers Prometheus
	Tracing bool         // spans go somewhere

	shutdown []func(context.Context) error
}

// Setup makes the providers, as the OTEL_ variables say. The caller calls
// Shutdown.
func Setup(ctx context.Context, build Build) (_ *Providers, err error) {
	p := &Providers{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Shutdown(ctx))
		}
	}()
	res, err := resource.New(ctx,
		resource.WithAttributes(semconv.ServiceName("qst-api"), semconv.ServiceVersion(build.Version)),
		resource.WithHost(), resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // last: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win
	)
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("telemetry: %w", err)
	}

	p.Tracer = tracenoop.NewTracerProvider().Tracer(scope)
	if p.Tracing = exporting("TRACES"); p.Tracing {
		exporter, err := autoexport.NewSpanExporter(ctx)
		if err != nil {
			return nil, fmt.Errorf("telemetry: exporter of traces: %w", err)
		}
		sampler, err := sampler()
		if err != nil {
			return nil, fmt.Errorf("telemetry: %w", err)
		}
		tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(res), sdktrace.WithSampler(sampler))
		p.shutdown = append(p.shutdown, tracers.Shutdown)
		p.Tracer = tracers.Tracer(scope)
	}

	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	scrape, err := otelprometheus.New(otelprometheus.WithRegisterer(registry), otelprometheus.WithoutScopeInfo(), otelprometheus.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("telemetry: metrics for Prometheus: %w", err)
	}
	options := []sdkmetric.Option{sdkmetric.WithReader(scrape), sdkmetric.WithResource(res)}
	if exporting("METRICS") {
		reader, err := autoexport.NewMetricReader(ctx)
		if err != nil {
			return nil, fmt.Errorf("telemetry: exporter of metrics: %w", err)
		}
		options = append(options, sdkmetric.WithReader(reader))
	}
	meters := sdkmetric.NewMeterProvider(options...)
	p.shutdown = append(p.shutdown, meters.Shutdown)
	p.Meter = meters.Meter(scope)
	// In OpenMetrics' form for those who ask for it: the other one has no exemplars.
	p.Scrape = promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
	return p, nil
}

// Shutdown sends what has not been sent yet, as far as ctx lets it.
func (p *Providers) Shutdown(ctx context.Context) error {
	var errs []error
	for _, f := range p.shutdown {
		errs = append(errs, f(ctx))
	}
	return errors.Join(errs...)
}

// exporting tells whether the OTEL_ variables ask for a signal's export. By the
// specification OTLP is the default; here nothing is sent anywhere unless a
// variable names an exporter or an endpoint. (OpenTelemetry, "Environment Variable
// Specification".) Prometheus is always there and needs no exporter.
func exporting(signal string) bool {
	if os.Getenv("OTEL_SDK_DISABLED") == "true" {
		return false
	}
	switch os.Getenv("OTEL_" + signal + "_EXPORTER") {
	case "none", "prometheus":
		return false
	case "":
		return os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") != ""
	default:
		return true
	}
}
