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
	"strconv"
	"strings"
	"sync"
)

// FileStore is a [Store] in a file, which outlives the program and, as far as the file
// system keeps what was synced, the machine. Save costs one or two fsyncs, so a
// loop on a slow disk is faster with [Client.PullBatches].
//
// One loop uses a file at a time, in whatever program: the others get [ErrInUse]. It
// is the operating system that keeps count of that, so a program that dies leaves
// nothing locked.
//
// The file is text: a line with the queue's URL and the ETag, then a line for each
// handled message. A new ETag writes a new file and renames it over the old one; a
// further message is appended. A line that a crash cut short is as if it had not
// been written.
type FileStore struct {
	path string

	mu       sync.Mutex
	lock     *os.File   // nil: not held
	last     Checkpoint // what is in the file
	complete bool       // the file ends with a whole line, written by this FileStore
}

// NewFileStore returns a store in the file at path, which need not exist yet; its
// directory has to, and must be writable. Two files beside it are used too, path with
// ".new" and path with ".lock" at its end. The last one stays; it says who holds
// the lock, and is of no importance otherwise.
func NewFileStore(path string) *FileStore { return &FileStore{path: path} }

var (
	// ErrFile is what [FileStore.Load] returns, wrapped, for a file that is none of its own.
	ErrFile = errors.New("not a place in a queue as package client writes it, or a damaged one")

	// ErrInUse is what [FileStore.Load] and [FileStore.Save] return, wrapped, while another
	// loop uses the file.
	ErrInUse = errors.New("is in use")
)

// errLocked is openLocked's word for it.
var errLocked = errors.New("locked")

// What the file's first line starts with: the number is that of the format. The line of
// format 3 says what the handled messages are, a part of the batch after the ETag's or
// the ETag's whole batch; format 2 does not, so they may be either.
const (
	headerFormat2  = "qst-place 2 "
	headerPart     = "qst-place 3 part "
	headerComplete = "qst-place 3 complete "
)

// parseHeader reads the first line.
func parseHeader(line string) (p Checkpoint, ok bool) {
	for _, header := range []string{headerPart, headerComplete, headerFormat2} {
		if rest, found := strings.CutPrefix(line, header); found {
			p.Complete = header == headerComplete
			p.URL, p.ETag, ok = strings.Cut(rest, " ")
			return p, ok
		}
	}
	return p, false
}

// acquire takes the lock.
func (f *FileStore) acquire() error {
	path := f.path + ".lock"
	lock, err := openLocked(path)
	if errors.Is(err, errLocked) {
		return fmt.Errorf("%s %w by %s", f.path, ErrInUse, holder(path))
	}
	if err != nil {
		return err
	}
	f.lock = lock
	// Only for the error above: that it can't be written (the disk is full) will
	// show where it matters.
	host, _ := os.Hostname()
	_ = lock.Truncate(0)
	_, _ = fmt.Fprintf(lock, "process %d on %s\n", os.Getpid(), host)
	return nil
}

// holder says who holds the lock, as far as that is known.
func holder(path string) string {
	content, _ := os.ReadFile(path) //nolint:gosec // beside the caller's own file
	line, _, ok := strings.Cut(string(content), "\n")
	if !ok || !strings.HasPrefix(line, "process ") {
		return "another program"
	}
	return strings.Trim(strconv.QuoteToGraphic(line), `"`)
}

// Release gives up the lock.
func (f *FileStore) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.complete = false // who knows what happens to it now
	if f.lock != nil {
		closeLocked(f.lock)
		f.lock = nil
	}
}

// Load takes the lock and reads the file. If there is none, the place is the queue's
// beginning.
func (f *FileStore) Load(context.Context) (Checkpoint, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock != nil {
		return Checkpoint{}, fmt.Errorf("%s %w by another loop of this program", f.path, ErrInUse)
	}
	if err := f.acquire(); err != nil {
		return Checkpoint{}, err
	}
	f.last, f.complete = Checkpoint{}, false
	content, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return Checkpoint{}, nil
	}
	if err != nil {
		return Checkpoint{}, err
	}
	end := bytes.LastIndexByte(content, '\n')
	lines := strings.Split(string(content[:max(end, 0)]), "\n")
	p, ok := parseHeader(lines[0])
	if !ok {
		return Checkpoint{}, fmt.Errorf("%s: %w", f.path, ErrFile)
	}
	for i, line := range lines[1:] {
		var d Digest
		if n, err := hex.Decode(d[:], []byte(line)); err != nil || n != len(d) || len(line) != 2*len(d) {
			return Checkpoint{}, fmt.Errorf("%s: line %d: %w", f.path, i+2, ErrFile)
		}
		p.Handled = append(p.Handled, d)
	}
	return p, nil
}

// Save writes the file and returns when it is on disk. It takes the lock if Load has
// not.
func (f *FileStore) Save(_ context.Context, p Checkpoint) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lock == nil {
		if err := f.acquire(); err != nil {
			return err
		}
	}
	n := len(f.last.Handled)
	further := f.complete && len(p.Handled) >= n && f.last.equal(Checkpoint{URL: p.URL, ETag: p.ETag, Handled: p.Handled[:n], Complete: p.Complete})
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
	f.last = clone(p)
	f.complete = true
	return nil
}

func (f *FileStore) append(handled []Digest) error {
	// Without O_CREATE: if the file is gone, then the lines before are too.
	return writeSynced(f.path, os.O_WRONLY|os.O_APPEND, appendDigests(nil, handled))
}

func (f *FileStore) replace(p Checkpoint) error {
	header := headerPart
	if p.Complete {
		header = headerComplete
	}
	content := fmt.Appendf(nil, "%s%s %s\n", header, p.URL, strings.ReplaceAll(p.ETag, "\n", ""))
	content = appendDigests(content, p.Handled)
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
