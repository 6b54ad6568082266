package client_test

import (
	"os"
	"os/exec"
	"path/filepath"
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

// What the command line depends on is in the module's go.mod, and does not get into that of a
// program which imports the client, nor into its go.sum: docs/adr/0016.
func TestImportersGetNoCommandLine(t *testing.T) {
	t.Parallel()
	module, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	own, err := os.ReadFile(filepath.Join(module, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module example.org/importer\n\ngo 1.26.0\n\nrequire github.com/queuestatetransfer/qst/pkg v0.0.0\n\nreplace github.com/queuestatetransfer/qst/pkg => " + module + "\n",
		"main.go": "package main\n\nimport \"github.com/queuestatetransfer/qst/pkg/client\"\n\nfunc main() { panic(client.ErrURL) }\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// All that it needs is here already, for the test itself was built.
	build := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", os.DevNull, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "golang.org/x/text ") {
			t.Errorf("%s names nothing that the client needs:\n%s", name, text)
		}
		for _, theirs := range []string{"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/BurntSushi/toml", "github.com/rivo/uniseg", "golang.org/x/term"} {
			if !strings.Contains(string(own), theirs+" ") {
				t.Errorf("the command line does not need %s any more", theirs)
			}
			if strings.Contains(string(text), theirs+" ") {
				t.Errorf("%s of a program that imports the client has %s", name, theirs)
			}
		}
	}
}
