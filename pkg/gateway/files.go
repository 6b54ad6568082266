package gateway

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Files are the files in folders through which a gateway and its bridge talk.
type Files struct {
	log  *slog.Logger
	left map[string]bool // none of the bridge's, or files that can't be read
}

// NewFiles returns files of which none is left alone.
func NewFiles(log *slog.Logger) Files { return Files{log: log, left: make(map[string]bool)} }

// Leave has a file left alone from now on.
func (f Files) Leave(path string) { f.left[path] = true }

// Each calls do with each file in a folder, in the order of their names, but for hidden files and
// those that are left alone. It ends with the first error.
func (f Files) Each(dir string, do func(path string, info fs.FileInfo) error) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, file := range files {
		path := filepath.Join(dir, file.Name())
		if strings.HasPrefix(file.Name(), ".") || file.IsDir() || f.left[path] {
			continue
		}
		info, err := file.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := do(path, info); err != nil {
			return err
		}
	}
	return nil
}

// Put puts a text's file into a folder. If the text may have been put there before, its file is looked for
// first: in the folders waiting, where those are that the gateway has not sent, and then in those where it
// leaves those that it has done with. It returns [ErrBusy] while most files wait.
func (f Files) Put(t Text, name string, content []byte, most int, waiting []string, done ...string) error {
	if t.Again {
		for _, dir := range slices.Concat(waiting, done) {
			_, err := os.Stat(filepath.Join(dir, name))
			if err == nil {
				return nil
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	n := 0
	for _, dir := range waiting {
		files, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		n += len(files)
	}
	if n >= most {
		return ErrBusy
	}
	return WriteFile(filepath.Join(waiting[0], name), content)
}

// Watch calls look now and then until ctx ends or look fails. While the spool is full (see [ErrFull]) it
// goes on.
func (f Files) Watch(ctx context.Context, every time.Duration, look func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		switch err := look(); {
		case errors.Is(err, ErrFull):
			f.log.WarnContext(ctx, "received messages stay with the gateway", "error", err)
		case err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Report has the bridge report what became of a text (see [Bridge.Report]), and then deletes the
// file that says so. A file about a text that the bridge does not know is left alone.
func (f Files) Report(b *Bridge, path, key string, e Event) error {
	err := b.Report(key, e)
	if errors.Is(err, ErrNotKnown) {
		f.log.Warn("a text that this bridge does not know: its file is left alone", "file", path)
		f.Leave(path)
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}
