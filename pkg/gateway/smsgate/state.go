package smsgate

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// state is what GET /messages/{id} answers.
type state struct {
	ID         string            `json:"id"`
	State      string            `json:"state"`
	States     map[string]string `json:"states"` // when it got which
	Recipients []struct {
		Error string `json:"error"`
	} `json:"recipients"`
}

// state asks for a text.
func (g *Gateway) state(ctx context.Context, key string) (state, error) {
	var s state
	_, err := g.api.call(ctx, http.MethodGet, []string{"messages", key}, nil, nil, &s)
	if err == nil && s.ID != key {
		err = fmt.Errorf("%s answers with %q for the text %q: is it SMSGate's API?", g.settings.URL, s.ID, key)
	}
	return s, err
}

// event returns what a text's state tells the application, false if that is nothing yet.
func (s state) event(delivery bool) (gateway.Event, bool) {
	reason := ""
	for _, r := range s.Recipients {
		if reason == "" {
			reason = r.Error
		}
	}
	return event(s.State, moment(s.States[s.State]), reason, delivery)
}

// reasonExpired is the reason of a text whose validity ended at SMSGate.
const reasonExpired = "TTL expired"

// event makes an event of a state. The other states are those of a text on its way: Pending,
// Processed, Cancelling.
func event(state string, at time.Time, reason string, delivery bool) (gateway.Event, bool) {
	e := gateway.Event{At: at}
	switch state {
	case "Sent":
		e.Status, e.Last = gateway.Sent, !delivery
	case "Delivered":
		e.Status, e.Last = gateway.Delivered, true
	case "Failed":
		e.Status, e.Code, e.Last = gateway.Failed, strings.ToValidUTF8(reason, "\ufffd"), true
		if reason == reasonExpired {
			e.Status = gateway.Expired
		}
	case "Cancelled":
		e.Status, e.Code, e.Last = gateway.Failed, "cancelled", true
	default:
		return e, false
	}
	return e, true
}

// moment reads a time, and returns none if it can't.
func moment(s string) time.Time {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return at
}
