package conformance_test

import (
	"os/exec"
	"strings"
	"testing"
)

// The suite shares no code with what it tests, and brings nobody a dependency.
func TestDependencies(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(out)); got != "github.com/queuestatetransfer/qst/pkg/conformance" {
		t.Errorf("package conformance depends on more than the standard library:\n%s", got)
	}
}
