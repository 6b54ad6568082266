package app_test

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// bashisms are what bash takes in what is said to be sh, and other shells don't. (`sh -n`
// alone finds few of them where sh is bash.)
var bashisms = []string{"<(", ">(", "[[", "${@:", "<<<", "$'", "function ", "&>", "|&", "+=", "read -a", "declare "}

// A block that is said to be sh is understood by every sh.
func TestShellBlocksArePosix(t *testing.T) {
	t.Parallel()
	found := 0
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{"bin", ".git", "node_modules"}, d.Name()):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		source := readFile(t, path)
		for _, b := range blocks(source) {
			if b.language != "sh" {
				continue
			}
			found++
			at := strings.TrimPrefix(path, repository+"/")
			for _, word := range bashisms {
				if strings.Contains(b.text, word) {
					t.Errorf("%s: %q is bash's in\n%s", at, word, b.text)
				}
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-n")
			cmd.Stdin = strings.NewReader(b.text)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s in\n%s", at, err, out, b.text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 5 {
		t.Errorf("found only %d blocks", found)
	}
}
