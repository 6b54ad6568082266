package app_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Where CONTRIBUTING.md says that a change goes, there are such files, and in them what it
// names.
func TestContributingNamesWhatThereIs(t *testing.T) {
	t.Parallel()
	text := string(readFile(t, repository+"/CONTRIBUTING.md"))
	_, table, ok := strings.Cut(text, "\n## Where a change goes\n")
	table, _, ok2 := strings.Cut(table, "\n## ")
	if !ok || !ok2 {
		t.Fatal("CONTRIBUTING.md has lost its table")
	}
	span, name := regexp.MustCompile("`([^`]+)`"), regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*(\.[A-Z][A-Za-z0-9]*)?$`)
	rows := map[string]bool{}
	for row := range strings.Lines(table) {
		cells := strings.Split(row, " | ")
		if len(cells) != 2 || !strings.Contains(row, "`") {
			continue
		}
		rows[strings.TrimPrefix(cells[0], "| ")] = true
		var names []string
		var said strings.Builder // all that stands in the row's files
		for _, m := range span.FindAllStringSubmatch(cells[1], -1) {
			found := inRepository(t, m[1])
			for _, path := range found {
				said.WriteString(contents(t, path))
			}
			switch {
			case len(found) > 0, strings.Contains(m[1], " "): // a command
			case name.MatchString(m[1]):
				names = append(names, m[1])
			case strings.Contains(m[1], "/") || strings.HasSuffix(m[1], ".go"):
				t.Errorf("%s: there is no %s", cells[0], m[1])
			}
		}
		for _, n := range names {
			if at := strings.LastIndex(n, "."); !regexp.MustCompile(`\b` + n[at+1:] + `\b`).MatchString(said.String()) {
				t.Errorf("%s: no file of the row has %s", cells[0], n)
			}
		}
	}
	for _, want := range []string{"a channel's setting", "a credential's field", "a pull parameter", "a charset", "a `qst` flag", "a configuration variable", "a metric", "a value of the chart"} {
		if !rows[want] {
			t.Errorf("no row for %s in %v", want, rows)
		}
	}
}

// inRepository returns what a row of the table means by a path.
func inRepository(t *testing.T, path string) (found []string) {
	t.Helper()
	for _, from := range []string{"", "services/api/internal", "services/api/internal/httpapi", "deploy/helm/qst"} {
		l, err := filepath.Glob(filepath.Join(repository, from, path))
		if err != nil {
			continue // no path
		}
		found = append(found, l...)
	}
	return found
}

// contents returns what stands in a file, or in all the files of a folder.
func contents(t *testing.T, path string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}
