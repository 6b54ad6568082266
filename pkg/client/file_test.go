package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/client"
)

// load reads what a File would find after a crash at this moment.
func load(t *testing.T, path string) client.Checkpoint {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	after := filepath.Join(t.TempDir(), "place")
	if err := os.WriteFile(after, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f := client.NewFileStore(after)
	defer f.Release()
	p, err := f.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFileKeepsWhatWasSaved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	f := client.NewFileStore(path)
	if p, err := f.Load(t.Context()); err != nil || !reflect.DeepEqual(p, client.Checkpoint{}) {
		t.Errorf("no file: %+v, %v", p, err)
	}
	for _, p := range []client.Checkpoint{
		{Handled: []client.Digest{{1}}},
		{Handled: []client.Digest{{1}, {2}}},         // appended
		{Handled: []client.Digest{{1}, {2}, {3: 4}}}, // appended
		{ETag: `"e-3"`, Handled: []client.Digest{{1}, {2}, {3: 4}}},
		{ETag: `"e-3"`, Handled: []client.Digest{{5}}}, // not what it was with one more
		{ETag: `"e-3"`},
		{ETag: `W/"e 4"`},
		{URL: endpoint, ETag: `"e 5"`, Handled: []client.Digest{{6}}},
		{URL: endpoint},
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
	f := client.NewFileStore(path)
	before := client.Checkpoint{ETag: `"e"`, Handled: []client.Digest{{1}}}
	after := client.Checkpoint{ETag: `"e"`, Handled: []client.Digest{{1}, {2}}}
	var sizes [2]int64
	for i, p := range []client.Checkpoint{before, after} {
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
	f.Release()
	g := client.NewFileStore(path)
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
	for _, content := range []string{"hello\n", "", "qst-place 3 u x\n", "qst-place 2\n", "qst-place 2 u\n", "qst-place 2 u \"e\"\nzz\n", "qst-place 2 u \"e\"\n0102\n"} {
		path := filepath.Join(t.TempDir(), "place")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if p, err := client.NewFileStore(path).Load(t.Context()); !errors.Is(err, client.ErrFile) {
			t.Errorf("%q: %+v, %v", content, p, err)
		}
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	if err := client.NewFileStore(filepath.Join(dir, "place")).Save(t.Context(), client.Checkpoint{ETag: "e"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestFileInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	holder, other := client.NewFileStore(path), client.NewFileStore(path)
	inUse := func(err error) {
		t.Helper()
		if !errors.Is(err, client.ErrInUse) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v", err)
		}
	}
	for range 2 {
		if _, err := holder.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := other.Load(t.Context())
		inUse(err)
		if want := fmt.Sprintf("by process %d on ", os.Getpid()); !strings.Contains(err.Error(), want) {
			t.Errorf("got %v", err)
		}
		inUse(other.Save(t.Context(), client.Checkpoint{ETag: "e"}))
		other.Release() // has nothing to release
		_, err = holder.Load(t.Context())
		inUse(err)
		holder.Release()
		if err := other.Save(t.Context(), client.Checkpoint{ETag: "e"}); err != nil {
			t.Fatal(err)
		}
		inUse(holder.Save(t.Context(), client.Checkpoint{}))
		other.Release()
	}
}

// A loop has its store to itself, for as long as it runs.
func TestPullsOfOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	c := newLocal(t, newFakeQueue(3))
	var got []string
	for msg, err := range c.Pull(t.Context(), client.PullOptions{Store: client.NewFileStore(path), UntilEmpty: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, msg.Body)
		if more, err := take(c, client.PullOptions{Store: client.NewFileStore(path)}, 0); len(more) > 0 || !errors.Is(err, client.ErrInUse) {
			t.Errorf("another loop got %v, %v", more, err)
		}
	}
	if !slices.Equal(got, bodies(0, 3)) {
		t.Errorf("got %v", got)
	}
}

// What was handled in one queue was not in another.
func TestPlaceOfAnotherQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	opts := func() client.PullOptions {
		return client.PullOptions{Store: client.NewFileStore(path), UntilEmpty: true}
	}
	here, err := client.New(endpoint, client.WithHTTPClient(&http.Client{Transport: local{newFakeQueue(3)}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := take(here, opts(), 3); err != nil {
		t.Fatal(err)
	}
	there, err := client.New(endpoint+"/", client.WithHTTPClient(&http.Client{Transport: local{newFakeQueue(3)}}))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := take(there, opts(), 0); len(got) > 0 || !errors.Is(err, client.ErrCheckpoint) || !strings.Contains(err.Error(), endpoint) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := take(here, opts(), 0); err != nil || !slices.Equal(got, bodies(2, 3)) {
		t.Errorf("got %v, %v", got, err)
	}
}

// That the place can't be kept shows before a message is handled.
func TestPullWithoutAWritableDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "place")
	got, err := take(newLocal(t, newFakeQueue(3)), client.PullOptions{Store: client.NewFileStore(path)}, 0)
	if len(got) > 0 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, %v", got, err)
	}
}

// A program that is being started has a copy of every open file, for a moment. It
// does not keep a lock that was given up.
func TestReleaseWhileProgramsStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "place")
	var starting sync.WaitGroup
	defer starting.Wait()
	done := make(chan struct{})
	defer close(done)
	for range 4 {
		starting.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					_ = exec.CommandContext(t.Context(), "true").Run()
				}
			}
		})
	}
	for range 3000 {
		f := client.NewFileStore(path)
		if _, err := f.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.Release()
	}
}
