package client_test

import (
	"os/exec"
	"strings"
	"testing"
)

// Each dependency of the client is one of every program that uses it.
func TestDependencies(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"github.com/queuestatetransfer/qst/pkg/client",
		"github.com/queuestatetransfer/qst/pkg/qst",
		"golang.org/x/text/", // package qst reads XML in all charsets
		// OpenTelemetry's API, for traces: without an SDK, which is the program's to
		// choose, it does nothing.
		"go.opentelemetry.io/otel",
		"go.opentelemetry.io/otel/attribute", "go.opentelemetry.io/otel/attribute/",
		"go.opentelemetry.io/otel/baggage",
		"go.opentelemetry.io/otel/codes",
		"go.opentelemetry.io/otel/internal/",
		"go.opentelemetry.io/otel/log", "go.opentelemetry.io/otel/log/embedded",
		"go.opentelemetry.io/otel/metric", "go.opentelemetry.io/otel/metric/embedded",
		"go.opentelemetry.io/otel/propagation", "go.opentelemetry.io/otel/propagation/internal/",
		"go.opentelemetry.io/otel/semconv/",
		"go.opentelemetry.io/otel/trace", "go.opentelemetry.io/otel/trace/",
		// What the API itself depends on: its log of its own errors, hashes of attributes,
		// and the hook for instrumentation from outside of the process.
		"github.com/go-logr/logr", "github.com/go-logr/logr/funcr", "github.com/go-logr/stdr",
		"github.com/cespare/xxhash/v2",
		"go.opentelemetry.io/auto/sdk", "go.opentelemetry.io/auto/sdk/internal/",
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for path := range strings.FieldsSeq(string(out)) {
		ok := false
		for _, a := range allowed {
			ok = ok || path == a || strings.HasSuffix(a, "/") && strings.HasPrefix(path, a)
		}
		if !ok {
			t.Errorf("package client depends on %s", path)
		}
	}
}
