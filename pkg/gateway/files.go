package gateway

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
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
