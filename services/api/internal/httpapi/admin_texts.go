package httpapi

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// withoutText is what of a message is shown to who doesn't ask for its text.
type withoutText struct {
	ID   string `json:"id"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	When string `json:"when,omitempty"`
}

// viewEntries shows messages where they stand. Who looks at texts is logged: they are
// other people's. list is which of the queue's lists it is.
func (a *API) viewEntries(c echo.Context, n queue.Name, list string, entries []queue.Message) ([]entryView, error) {
	text, err := boolParam(c, "text", true)
	if err != nil {
		return nil, err
	}
	views := make([]entryView, len(entries))
	for i, e := range entries {
		views[i] = entryView{ID: e.ID, Stored: e.Stored, Bytes: len(e.Payload), Deliveries: e.Deliveries, Status: e.Status, Answer: e.Answer, Message: e.Payload, Address: e.Address, UserAgent: e.UserAgent}
		for _, t := range e.Attempts {
			views[i].Attempts = append(views[i].Attempts, attemptView(t))
		}
		if text {
			continue
		}
		views[i].Answer = "" // it may quote the text
		var m withoutText
		if err := json.Unmarshal(e.Payload, &m); err != nil {
			return nil, fmt.Errorf("message %s of %s: %w", e.ID, n, err)
		}
		if views[i].Message, err = json.Marshal(m); err != nil {
			return nil, err
		}
	}
	if text && len(views) > 0 {
		a.audit(c, "messages looked at", n.Channel, slog.String("queue", string(n.Kind)), slog.String("list", list),
			slog.String("first", views[0].ID), slog.Int("messages", len(views)))
	}
	return views, nil
}
