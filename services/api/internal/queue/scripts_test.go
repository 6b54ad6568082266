package queue

import (
	"strings"
	"testing"
)

// Each script's header documents what it takes, no file is longer than one can read, and Redis
// can compile what is put together.
func TestScripts(t *testing.T) {
	t.Parallel()
	open(t) // loads them
	for _, sc := range newScripts().all() {
		for _, word := range []string{"KEYS[1] -> ", "ARGV[1] -> ", "-- Returns {"} {
			if !strings.Contains(sc.Source(), word) {
				t.Errorf("no %q in\n%.300s…", word, sc.Source())
			}
		}
	}
	for _, dir := range []string{"lua", "lua/lib"} {
		files, err := lua.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			text, _ := lua.ReadFile(dir + "/" + f.Name())
			code := 0
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
					code++
				}
			}
			if !f.IsDir() && code > 80 {
				t.Errorf("%s/%s has %d lines of code", dir, f.Name(), code)
			}
		}
	}
}
