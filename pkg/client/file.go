package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// File is a [Store] in a file, which outlives the program and, as far as the file
// system keeps what was synced, the machine. Save costs one or two fsyncs, so a
// loop on a slow disk is faster with [Client.PullBatches].
//
// The file is text: a line with the ETag, then a line for each handled message.
// A new ETag writes a new file and renames it over the old one; a further message
// is appended. A line that a crash cut short is as if it had not been written.
type File struct {
	path string

	mu       sync.Mutex
	last     Place // what is in the file
	complete bool  // the file ends with a whole line, written by this File
}

// NewFile returns a store in the file at path, which need not exist yet; its
// directory has to. The file beside it, path with ".new" at its end, is used too.
//
// Nothing keeps two programs from using the same file: don't let them.
func NewFile(path string) *File { return &File{path: path} }

// ErrFile is what [File.Load] returns, wrapped, for a file that is none of its own.
var ErrFile = errors.New("not a file of package client")

// fileHeader starts the file's first line; the number is for a later format.
const fileHeader = "qst-place 1 "

// Load reads the file. If there is none, the place is the queue's beginning.
func (f *File) Load(context.Context) (Place, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last, f.complete = Place{}, false
	content, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Place{}, nil
	}
	if err != nil {
		return Place{}, err
	}
	end := bytes.LastIndexByte(content, '\n')
	lines := strings.Split(string(content[:max(end, 0)]), "\n")
	etag, ok := strings.CutPrefix(lines[0], fileHeader)
	if !ok {
		return Place{}, fmt.Errorf("%s: %w", f.path, ErrFile)
	}
	p := Place{ETag: etag}
	for i, line := range lines[1:] {
		var d Digest
		if n, err := hex.Decode(d[:], []byte(line)); err != nil || n != len(d) || len(line) != 2*len(d) {
			return Place{}, fmt.Errorf("%s: line %d: %w", f.path, i+2, ErrFile)
		}
		p.Handled = append(p.Handled, d)
	}
	return p, nil
}

// Save writes the file and returns when it is on disk.
func (f *File) Save(_ context.Context, p Place) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.last.Handled)
	further := f.complete && p.ETag == f.last.ETag && len(p.Handled) >= n && slices.Equal(p.Handled[:n], f.last.Handled)
	f.complete = false // until this has gone well
	var err error
	if further {
		err = f.append(p.Handled[n:])
	} else {
		err = f.replace(p)
	}
	if err != nil {
		return err
	}
	f.last = Place{ETag: p.ETag, Handled: slices.Clone(p.Handled)}
	f.complete = true
	return nil
}

func (f *File) append(handled []Digest) error {
	// Without O_CREATE: if the file is gone, then the lines before are too.
	return writeSynced(f.path, os.O_WRONLY|os.O_APPEND, appendDigests(nil, handled))
}

func (f *File) replace(p Place) error {
	content := append([]byte(fileHeader), strings.ReplaceAll(p.ETag, "\n", "")...)
	content = appendDigests(append(content, '\n'), p.Handled)
	tmp := f.path + ".new"
	if err := writeSynced(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, content); err != nil {
		return err
	}
	if err := os.Rename(tmp, f.path); err != nil {
		return err
	}
	if runtime.GOOS == "windows" {
		return nil // directories can't be synced there, and need not be
	}
	dir, err := os.Open(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(path string, flag int, content []byte) error {
	file, err := os.OpenFile(path, flag, 0o600) //nolint:gosec // the caller's own file
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func appendDigests(dst []byte, digests []Digest) []byte {
	for i := range digests {
		dst = hex.AppendEncode(dst, digests[i][:])
		dst = append(dst, '\n')
	}
	return dst
}
