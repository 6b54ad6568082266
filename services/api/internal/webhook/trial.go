package webhook

import (
	"context"
	"encoding/json"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// Trial is how a try went that an operator asked for: an empty batch, signed and sent like any.
type Trial struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Status int       `json:"status"` // 0: there was no answer
	Answer string    `json:"answer"`
	Took   float64   `json:"took_seconds"`
}

// tryOut makes the try that an operator asked for, if that was not made yet.
func (d *delivery) tryOut(requests context.Context) error {
	if d.state.test == "" {
		return nil
	}
	var last Trial
	_ = json.Unmarshal([]byte(d.state.tested), &last) // none yet: ""
	if d.state.test == last.ID {
		return nil
	}
	if !d.w.pulse.holds(time.Now()) {
		return errLapsed
	}
	t := Trial{ID: d.state.test, At: time.Now().UTC()}
	a := d.send(requests, "test-"+t.ID, "test", qst.Append(nil, d.format, nil), queue.Delivery{})
	t.Status, t.Answer, t.Took = a.status, a.text(), a.took.Seconds()
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	d.state.tested = string(text)
	return d.note(d.ctx, fieldTested, text)
}
