package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// ErrFull is what [Bridge.Receive] returns, wrapped, while more messages wait for the
// service than the bridge may keep. The gateway should keep the message, and offer it
// again.
var ErrFull = errors.New("the spool is full")

// spool keeps messages on disk until the service has stored them: one file for each,
// whose names sort in the order in which they came.
type spool struct {
	dir, refused string
	most         int

	mu      sync.Mutex
	names   map[string]string // from the digest of a waiting message's ID to its file
	last    int64             // the time in the newest name
	arrived chan struct{}     // has one element when something may be new
}

func openSpool(state string, most int) (*spool, error) {
	s := &spool{
		dir: filepath.Join(state, "spool"), refused: filepath.Join(state, "spool-refused"),
		most: most, names: map[string]string{}, arrived: make(chan struct{}, 1),
	}
	if err := errors.Join(os.MkdirAll(s.dir, 0o700), os.MkdirAll(s.refused, 0o700)); err != nil {
		return nil, err
	}
	files, err := s.waiting()
	for _, name := range files {
		var at int64
		if _, err := fmt.Sscanf(name, "%d-", &at); err == nil {
			s.last = max(s.last, at)
		}
		_, digest, _ := strings.Cut(strings.TrimSuffix(name, ".json"), "-")
		s.names[digest] = name
	}
	return s, err
}

// waiting returns the files' names in their order.
func (s *spool) waiting() ([]string, error) {
	files, err := os.ReadDir(s.dir)
	var names []string
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".json") && !strings.HasPrefix(f.Name(), ".") {
			names = append(names, f.Name())
		}
	}
	return names, err // ReadDir has sorted them
}

func (s *spool) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.names)
}

// put returns when the message is on disk, and false if it was there already: a message
// with this ID waits.
func (s *spool) put(m qst.Message) (bool, error) {
	sum := sha256.Sum256([]byte(m.ID))
	digest := hex.EncodeToString(sum[:16])
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.names[digest]; ok {
		return false, nil
	}
	if len(s.names) >= s.most {
		return false, fmt.Errorf("%w: %d messages wait for the service", ErrFull, len(s.names))
	}
	s.last = max(s.last+1, time.Now().UnixNano())
	name := fmt.Sprintf("%020d-%s.json", s.last, digest)
	if err := WriteFile(filepath.Join(s.dir, name), qst.AppendJSON(nil, []qst.Message{m})); err != nil {
		return false, err
	}
	s.names[digest] = name
	select {
	case s.arrived <- struct{}{}:
	default:
	}
	return true, nil
}

// maxBatch is how many messages are pushed in one go.
const maxBatch = 200

// push pushes what is there and what arrives, until ctx ends. A push that is under way gets
// until sending ends.
func (s *spool) push(ctx, sending context.Context, c *client.Client, m *metrics) error {
	for {
		names, err := s.waiting()
		if err != nil {
			return err
		}
		for batch := range slices.Chunk(names, maxBatch) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := s.pushFiles(sending, c, m, batch); err != nil {
				return err
			}
		}
		if len(names) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.arrived:
		}
	}
}

func (s *spool) pushFiles(ctx context.Context, c *client.Client, m *metrics, names []string) error {
	var msgs []qst.Message
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(s.dir, name)) //nolint:gosec // in the bridge's own directory
		if err != nil {
			return err
		}
		one, err := qst.Decode(qst.JSON, "", content, qst.NoLimits())
		if err != nil || len(one) != 1 {
			return fmt.Errorf("%s is none of the spool's files, or damaged: %w", filepath.Join(s.dir, name), err)
		}
		msgs = append(msgs, one[0])
	}
	for len(msgs) > 0 {
		result, err := c.Push(ctx, msgs...)
		stored := result.Accepted + result.Duplicates
		m.pushed.Add(int64(stored))
		if err := s.done(names[:stored], os.Remove); err != nil {
			return err
		}
		names, msgs = names[stored:], msgs[stored:]
		refused, ok := errors.AsType[*client.RejectedError](err)
		if ok && refused.Count == 1 && refused.Detail != "" { // the service's own words
			m.refused.Add(1)
			aside := func(path string) error { return os.Rename(path, filepath.Join(s.refused, filepath.Base(path))) }
			if err := s.done(names[:1], aside); err != nil {
				return err
			}
			names, msgs = names[1:], msgs[1:]
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// done has files leave the spool.
func (s *spool) done(names []string, leave func(path string) error) error {
	for _, name := range names {
		if err := leave(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_, digest, _ := strings.Cut(strings.TrimSuffix(name, ".json"), "-")
		s.mu.Lock()
		delete(s.names, digest)
		s.mu.Unlock()
	}
	return nil
}
