package telemetry

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// sampler is what OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG ask for (OpenTelemetry,
// "Environment Variable Specification"), with one difference: in a parentbased sampler, a client
// that samples is asked for no more than the rest. Anybody may send a traceparent, before it is
// known who it is; its flag can spare a span, and never make one that the ratio would not.
func sampler() (sdktrace.Sampler, error) {
	name := os.Getenv("OTEL_TRACES_SAMPLER")
	if name == "" {
		name = "parentbased_always_on"
	}
	name, based := strings.CutPrefix(name, "parentbased_")
	var root sdktrace.Sampler
	switch name {
	case "always_on":
		root = sdktrace.AlwaysSample()
	case "always_off":
		root = sdktrace.NeverSample()
	case "traceidratio":
		ratio := 1.0
		if arg := os.Getenv("OTEL_TRACES_SAMPLER_ARG"); arg != "" {
			var err error
			if ratio, err = strconv.ParseFloat(arg, 64); err != nil || ratio < 0 || ratio > 1 {
				return nil, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG=%.64q: must be 0 to 1", arg)
			}
		}
		root = sdktrace.TraceIDRatioBased(ratio)
	default:
		return nil, fmt.Errorf("OTEL_TRACES_SAMPLER=%.64q: must be always_on, always_off, traceidratio, or one of these with parentbased_ before it", os.Getenv("OTEL_TRACES_SAMPLER"))
	}
	if !based {
		return root, nil
	}
	return sdktrace.ParentBased(root, sdktrace.WithRemoteParentSampled(root)), nil
}
