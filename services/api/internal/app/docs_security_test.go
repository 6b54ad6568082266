package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each promise of SECURITY.md names tests that there are.
func TestPromisesAreHeld(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(repository, "SECURITY.md"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", repository, "grep", "-h", "-o", "^func Test[A-Za-z0-9_]*(", "--", "*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(text), -1)
	if len(names) == 0 {
		t.Fatal("SECURITY.md names no test")
	}
	for _, name := range names {
		if !strings.Contains(string(out), "func "+name[1]+"(") {
			t.Errorf("SECURITY.md: there is no %s", name[1])
		}
	}
	// A promise without a test is none.
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| can't ") && strings.Count(line, "|") == 3 && !strings.Contains(line, "`Test") {
			t.Errorf("SECURITY.md: nothing holds %q", line)
		}
	}
}
