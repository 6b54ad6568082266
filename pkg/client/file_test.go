package client_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/client"
)

func load(t *testing.T, path string) client.Place {
	t.Helper()
	p, err := client.NewFile(path).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFileKeepsWhatWasSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	if p := load(t, path); !reflect.DeepEqual(p, client.Place{}) {
		t.Errorf("no file: %+v", p)
	}
	f := client.NewFile(path)
	for _, p := range []client.Place{
		{Handled: []client.Digest{{1}}},
		{Handled: []client.Digest{{1}, {2}}},         // appended
		{Handled: []client.Digest{{1}, {2}, {3: 4}}}, // appended
		{ETag: `"e-3"`, Handled: []client.Digest{{1}, {2}, {3: 4}}},
		{ETag: `"e-3"`, Handled: []client.Digest{{5}}}, // not what it was with one more
		{ETag: `"e-3"`},
		{ETag: `W/"e 4"`},
	} {
		if err := f.Save(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		if got := load(t, path); !reflect.DeepEqual(got, p) {
			t.Errorf("saved %+v, loaded %+v", p, got)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A crash while a line is appended leaves the file cut anywhere in that line.
func TestFileCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	f := client.NewFile(path)
	before := client.Place{ETag: `"e"`, Handled: []client.Digest{{1}}}
	after := client.Place{ETag: `"e"`, Handled: []client.Digest{{1}, {2}}}
	var sizes [2]int64
	for i, p := range []client.Place{before, after} {
		if err := f.Save(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		sizes[i] = info.Size()
	}
	for size := sizes[1]; size >= sizes[0]; size-- {
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		want := before
		if size == sizes[1] {
			want = after
		}
		if got := load(t, path); !reflect.DeepEqual(got, want) {
			t.Errorf("%d of %d bytes: %+v", size, sizes[1], got)
		}
	}
	// What is appended must not continue the broken line.
	if err := os.Truncate(path, sizes[1]-5); err != nil {
		t.Fatal(err)
	}
	g := client.NewFile(path)
	if _, err := g.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := g.Save(t.Context(), after); err != nil {
		t.Fatal(err)
	}
	if got := load(t, path); !reflect.DeepEqual(got, after) {
		t.Errorf("after a repair: %+v", got)
	}
}

func TestFileOfSomebodyElse(t *testing.T) {
	for _, content := range []string{"hello\n", "", "qst-place 2 x\n", "qst-place 1 \"e\"\nzz\n", "qst-place 1 \"e\"\n0102\n"} {
		path := filepath.Join(t.TempDir(), "place")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := client.NewFile(path).Load(t.Context()); !errors.Is(err, client.ErrFile) {
			t.Errorf("%q: %+v, %v", content, p, err)
		}
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	if err := client.NewFile(filepath.Join(dir, "place")).Save(t.Context(), client.Place{ETag: "e"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
