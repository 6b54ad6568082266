// Package telemetry sets up what the service tells of itself: traces and metrics
// through OpenTelemetry, logs through slog.
//
// Traces, and metrics by OTLP, are off until the standard OTEL_ variables name an
// exporter or an endpoint. Metrics for Prometheus are always there, on the
// internal listener; both come from the same instruments, [Metrics].
package telemetry
