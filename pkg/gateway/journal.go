package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// entry is what the journal knows of a text.
type entry struct {
	Key    string    `json:"key"`
	ID     string    `json:"id"`             // of the message
	To     string    `json:"to,omitempty"`   // its number
	Status Status    `json:"status"`         //
	Done   bool      `json:"done,omitempty"` // the gateway will say no more
	Begun  time.Time `json:"begun"`          // when it was written down first
	At     time.Time `json:"at"`             // when it got this status
	Ref    string    `json:"ref,omitempty"`  // the gateway's name for it, where it gives one
}

// journal keeps what was handed to the gateway. It is a file of lines, each of
// which is an entry; the last one for a key counts. A line that a crash cut short is as
// if it had not been written.
type journal struct {
	path string

	mu      sync.Mutex
	file    *os.File
	entries map[string]entry
	refs    map[string]string // from an entry's To and Ref to its key
	lines   int               // in the file
}

// compactAt is how many lines more than entries make the file worth rewriting.
const compactAt = 20_000

func openJournal(path string) (*journal, error) {
	j := &journal{path: path, entries: map[string]entry{}, refs: map[string]string{}}
	content, err := os.ReadFile(path) //nolint:gosec // in the bridge's own directory
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for n := 1; ; n++ {
		line, rest, whole := bytes.Cut(content, []byte("\n"))
		if !whole {
			break
		}
		content = rest
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.Key == "" {
			return nil, fmt.Errorf("%s: line %d is none of a journal", path, n)
		}
		j.keep(e)
	}
	return j, j.rewrite()
}

func (j *journal) keep(e entry) {
	j.entries[e.Key] = e
	if e.Ref != "" {
		j.refs[refOf(e.To, e.Ref)] = e.Key
	}
}

// refOf is a gateway's name for a text, with its number: many gateways count from 0 to 255.
func refOf(to, ref string) string { return strings.TrimPrefix(to, "+") + " " + ref }

// rewrite writes the file anew, with one line for each entry.
func (j *journal) rewrite() error {
	var content bytes.Buffer
	for _, e := range j.entries {
		content.Write(e.line())
	}
	if err := WriteFile(j.path, content.Bytes()); err != nil {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if j.file != nil {
		_ = j.file.Close() // all of it was synced
	}
	j.file, j.lines = file, len(j.entries)
	return nil
}

func (e entry) line() []byte {
	line, _ := json.Marshal(e) //nolint:errchkjson // strings and times of this century: can't fail
	return append(line, '\n')
}

// put writes an entry and returns when it is on disk.
func (j *journal) put(e entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	// What a write left that failed in its middle would be joined to this line.
	if _, err := j.file.Write(e.line()); err != nil {
		return errors.Join(err, j.rewrite())
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.keep(e)
	if j.lines++; j.lines > compactAt+2*len(j.entries) {
		return j.rewrite()
	}
	return nil
}

func (j *journal) get(key string) (entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[key]
	return e, ok
}

// byRef returns the text that went to a number and that the gateway calls ref.
func (j *journal) byRef(to, ref string) (entry, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.entries[j.refs[refOf(to, ref)]]
	return e, ok
}

// open counts the texts whose last report has not come, and returns those that were begun
// before a time.
func (j *journal) open(before time.Time) (count int, old []entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.entries {
		if e.Done {
			continue
		}
		count++
		if e.Begun.Before(before) {
			old = append(old, e)
		}
	}
	return count, old
}

// forget drops texts whose last report came before a time.
func (j *journal) forget(before time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for key, e := range j.entries {
		if !e.Done || !e.At.Before(before) {
			continue
		}
		delete(j.entries, key)
		if ref := refOf(e.To, e.Ref); j.refs[ref] == key {
			delete(j.refs, ref)
		}
	}
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}

// WriteFile puts a file in its place whole, or not at all, and returns when it is on
// disk. What a crash left of it starts with a dot.
func WriteFile(path string, content []byte) error {
	dir, name := filepath.Split(path)
	tmp := filepath.Join(dir, ".new-"+name)
	file, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o660) //nolint:gosec // the umask decides: a gateway has to read what it is given
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Clean(dir))
}
