package httpapi

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// NewBatch makes of messages what a queue takes. A message without an id gets one, one
// without a time the present one: messages is changed.
func NewBatch(messages []qst.Message, now time.Time) (queue.Batch, error) {
	b := queue.Batch{Entries: make([]queue.Entry, len(messages))}
	digests := make([][16]byte, len(messages))
	ends := make([]int, len(messages))
	var payloads []byte // of all messages: one allocation, or a few
	when := ""
	for i := range messages {
		m := &messages[i]
		if err := limitValidity(&b.Entries[i], m, i); err != nil {
			return queue.Batch{}, err
		}
		if m.ID != "" {
			// Before anything is added: what counts is what the sender gave.
			digests[i] = m.Digest()
			b.Entries[i].Digest = digests[i][:]
		} else {
			id, err := uuid.NewV7()
			if err != nil {
				return queue.Batch{}, fmt.Errorf("making an id: %w", err)
			}
			m.ID = id.String()
			m.Present &^= qst.FieldID
		}
		if !m.Has(qst.FieldWhen) {
			if when == "" {
				when = now.UTC().Format(time.RFC3339)
			}
			m.When = when
		}
		payloads = m.AppendCanonical(payloads)
		ends[i] = len(payloads)
	}
	start := 0
	for i, end := range ends {
		b.Entries[i].Payload = payloads[start:end:end]
		start = end
	}
	if n := len(messages); n > 0 {
		b.Last = messages[n-1].ID
	}
	return b, nil
}
