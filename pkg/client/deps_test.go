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
