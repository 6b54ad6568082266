package smsgate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// record has the IDs of the messages that were taken. It is a file of lines: first the time of the
// first start, before which nothing of the inbox is taken; then a time and an ID each. It is not
// synced: what a machine's failure takes away of it comes twice, with the same ID.
type record struct {
	path string

	mu     sync.Mutex
	file   *os.File // nil: not open
	began  time.Time
	window time.Duration
	taken  map[string]time.Time
	broken bool // a write failed in its middle, perhaps
	tidied time.Time
}

func newRecord(state string) *record {
	return &record{path: filepath.Join(state, "received"), taken: map[string]time.Time{}}
}

// errClosed is returned while the bridge starts or ends.
var errClosed = errors.New("the bridge is not ready")

// open reads the file.
func (r *record) open(window time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	content, err := os.ReadFile(r.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	now := time.Now()
	r.window, r.began = window, now
	first, rest, _ := bytes.Cut(content, []byte("\n"))
	if at, err := strconv.ParseInt(string(first), 10, 64); err == nil {
		r.began = time.UnixMilli(at)
	} else if len(content) > 0 {
		return fmt.Errorf("%s: line 1 is no time: it is none of the bridge's, or damaged", r.path)
	}
	for line := range bytes.Lines(rest) {
		at, id, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
		if ms, err := strconv.ParseInt(string(at), 10, 64); ok && err == nil {
			r.taken[string(id)] = time.UnixMilli(ms)
		}
	}
	return r.rewrite(now)
}

// rewrite writes the file anew, without what is too old for the inbox to be looked at.
func (r *record) rewrite(now time.Time) error {
	var content bytes.Buffer
	_, _ = fmt.Fprintln(&content, r.began.UnixMilli())
	for id, at := range r.taken {
		if now.Sub(at) > r.window+spare {
			delete(r.taken, id)
			continue
		}
		_, _ = fmt.Fprintln(&content, at.UnixMilli(), id)
	}
	if err := gateway.WriteFile(r.path, content.Bytes()); err != nil {
		return err
	}
	file, err := os.OpenFile(r.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if r.file != nil {
		_ = r.file.Close()
	}
	r.file, r.broken, r.tidied = file, false, now
	return nil
}

// spare is how much longer than the inbox is looked back at an ID is kept: the network's clock
// may be ahead.
const spare = 24 * time.Hour

// since returns the time of the oldest message of the inbox to look at.
func (r *record) since(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if start := now.Add(-r.window); r.began.Before(start) {
		return start
	}
	return r.began
}

// once calls receive with a message that was not taken yet, and returns whether it did.
func (r *record) once(m qst.Message, receive func(qst.Message) error) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return false, errClosed
	}
	if _, ok := r.taken[m.ID]; ok {
		return false, nil
	}
	if r.broken {
		if err := r.rewrite(time.Now()); err != nil {
			return false, err
		}
	}
	if err := receive(m); err != nil {
		return false, err
	}
	now := time.Now()
	if _, err := fmt.Fprintln(r.file, now.UnixMilli(), m.ID); err != nil {
		r.broken = true
		return false, err
	}
	r.taken[m.ID] = now
	return true, nil
}

// forget drops what is too old, once a day.
func (r *record) forget(now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.tidied) < spare {
		return nil
	}
	return r.rewrite(now)
}

func (r *record) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}
