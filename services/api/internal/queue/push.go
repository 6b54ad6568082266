package queue

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Push puts a batch into a queue, in order: every message of it, or none. What
// the queue took before, within the deduplication window, is counted and not
// stored again; see "Sent again" in the protocol. When Push returns without an
// error the messages are stored, as durably as Redis is set up to be, and a poll
// that waits for them has been told.
//
// A message without an id gets one, one without a time the present one: batch is
// changed.
//
// It returns ErrFull, ErrUnavailable or ErrUnknownChannel.
func (s *Store) Push(ctx context.Context, n Name, c Call, batch []qst.Message) (qst.Result, error) {
	return s.push(ctx, n, c, batch, true)
}

// push is Push of what a client pushes, or else of the service's own messages.
func (s *Store) push(ctx context.Context, n Name, c Call, batch []qst.Message, client bool) (qst.Result, error) {
	if len(batch) == 0 {
		return qst.Result{}, nil
	}
	now := time.Now()
	k := s.layout.queue(n)

	var window, seenTTL int64
	if c.Limits.DedupWindow > 0 {
		window = now.UnixNano() / int64(c.Limits.DedupWindow)
		seenTTL = max(1, 2*c.Limits.DedupWindow.Milliseconds())
	}
	args := make([]any, 0, 10+2*len(batch))
	args = append(args, c.flag(), c.Address, c.UserAgent, n.Channel,
		c.Limits.MaxMessages, c.Limits.MaxBytes, seenTTL, newEpoch(), c.Trace, "")
	last := len(args) - 1
	for i := range batch {
		m := &batch[i]
		var digest []byte
		if m.ID != "" {
			// Before anything is added: what counts is what the sender gave.
			d := m.Digest()
			digest = d[:]
		}
		if err := complete(m, now); err != nil {
			return qst.Result{}, err
		}
		if client {
			args[last] = m.ID
		}
		args = append(args, digest, m.AppendCanonical(nil))
	}

	r, err := s.onQueue(ctx, s.scripts.push, n, k, c.Limits.Retention.Milliseconds(), []string{k.seen(window), k.seen(window - 1)}, args...)
	if err != nil {
		return qst.Result{}, err
	}
	s.dropped(ctx, n, r.int(3), 0)
	if r.int(0) == -1 {
		return qst.Result{}, ErrUnknownChannel
	}
	s.heard[k.partition].note(n.Channel)
	if r.int(0) == 0 {
		return qst.Result{}, ErrFull
	}
	result := qst.Result{Accepted: r.int(1), Duplicates: r.int(2)}
	s.metrics.Accepted.Add(ctx, int64(result.Accepted), n.attribute())
	s.metrics.Duplicate.Add(ctx, int64(result.Duplicates), n.attribute())
	return result, nil
}

// complete gives a message what its sender left out: an id and a time.
func complete(m *qst.Message, now time.Time) error {
	if m.ID == "" {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("making an id: %w", err)
		}
		m.ID = id.String()
		m.Present &^= qst.FieldID
	}
	if !m.Has(qst.FieldWhen) {
		m.When = now.UTC().Format(time.RFC3339)
	}
	return nil
}

// dropped counts and logs what a queue lost by its own rules: an operator must be
// able to find it.
func (s *Store) dropped(ctx context.Context, n Name, expired, setAside int) {
	if expired > 0 {
		s.metrics.Expired.Add(ctx, int64(expired), n.attribute())
		s.log.WarnContext(ctx, "messages older than the retention were dropped",
			"channel", n.Channel, "queue", n.Kind, "messages", expired)
	}
	if setAside > 0 {
		s.metrics.SetAside.Add(ctx, int64(setAside), n.attribute())
		s.log.WarnContext(ctx, "messages were set aside after too many deliveries",
			"channel", n.Channel, "queue", n.Kind, "messages", setAside)
	}
}

// fields reads a script's answer: positions are as the script's header says.
// What is not there, or of another type, reads as zero.
type fields []any

func (f fields) int(i int) int {
	if i >= len(f) {
		return 0
	}
	n, _ := f[i].(int64)
	return int(n)
}

func (f fields) string(i int) string {
	if i >= len(f) {
		return ""
	}
	switch v := f[i].(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	}
	return ""
}

func (f fields) slice(i int) fields {
	if i >= len(f) {
		return nil
	}
	l, _ := f[i].([]any)
	return l
}

func (f fields) strings() []string {
	l := make([]string, len(f))
	for i := range f {
		l[i] = f.string(i)
	}
	return l
}
