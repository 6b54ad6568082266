package app_test

import (
	"debug/buildinfo"
	"os"
	"regexp"
	"strings"
	"testing"
)

// go.mod says which modules only tests use, and the program has none of them: docs/adr/0016.
func TestModulesOfTests(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, dep := range info.Deps {
		has[dep.Path] = true
	}
	blocks := regexp.MustCompile(`(?ms)^require \(\n(.*?)^\)`).FindAllStringSubmatch(string(mod), -1)
	if len(blocks) != 3 {
		t.Fatalf("go.mod has %d blocks: want what programs use, what only tests use, and what these use", len(blocks))
	}
	path := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`)
	for i, used := range []bool{true, false} {
		lines := path.FindAllStringSubmatch(blocks[i][1], -1)
		if len(lines) == 0 {
			t.Errorf("block %d of go.mod names no module", i+1)
		}
		for _, line := range lines {
			if has[line[1]] != used {
				t.Errorf("%s: the program has it: %v; go.mod has it where that is %v", line[1], has[line[1]], used)
			}
		}
	}
	if !strings.Contains(string(mod), "// Only tests use these") {
		t.Error("go.mod does not say which modules only tests use")
	}
}
