package httpapi

import (
	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// limitValidity gives an entry the end of its message, the i-th of the batch, counted from 0.
func limitValidity(e *queue.Entry, m *qst.Message, i int) error {
	until, ttl, err := m.Validity()
	if err != nil {
		return inMessage(err, i)
	}
	e.Until, e.TTL = until, ttl
	return nil
}
