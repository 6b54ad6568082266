package smsgate

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// outgoing is a text as POST /messages takes it.
type outgoing struct {
	ID           string   `json:"id"`
	Device       string   `json:"deviceId,omitempty"`
	PhoneNumbers []string `json:"phoneNumbers"`
	Text         struct {
		Text string `json:"text"`
	} `json:"textMessage"`
	SIM                int    `json:"simNumber,omitempty"`
	Priority           int    `json:"priority,omitempty"`
	ValidUntil         string `json:"validUntil,omitempty"`
	WithDeliveryReport bool   `json:"withDeliveryReport"`
}

// keeps is for how long SMSGate knows the ID of a text at least: a day is the least that its
// setting for that can be.
const keeps = 24 * time.Hour

// Send hands a text to SMSGate.
func (g *Gateway) Send(ctx context.Context, t gateway.Text) error {
	if t.Again {
		switch _, err := g.state(ctx, t.Key); {
		case err == nil:
			return nil
		case statusOf(err) != http.StatusNotFound:
			return fmt.Errorf("whether SMSGate has it: %w", err)
		}
	} else if b := g.bridge.Load(); b == nil || b.Unsent() >= g.settings.OutgoingMax {
		return gateway.ErrBusy
	}
	m := outgoing{
		ID: t.Key, Device: g.settings.Device, PhoneNumbers: []string{t.To},
		SIM: g.settings.SIM, Priority: g.settings.Priority, WithDeliveryReport: *g.settings.Delivery,
	}
	m.Text.Text = t.Body
	if !t.ValidUntil.IsZero() {
		m.ValidUntil = t.ValidUntil.UTC().Format(time.RFC3339)
	}
	query := url.Values{}
	if g.settings.SkipPhoneValidation {
		query.Set("skipPhoneValidation", "true")
	}
	var taken state
	_, err := g.api.call(ctx, http.MethodPost, []string{"messages"}, query, m, &taken)
	if statusOf(err) == http.StatusConflict { // it has the ID
		return nil
	}
	if err == nil && taken.ID != t.Key {
		err = fmt.Errorf("%s answers as if it had taken %q: is it SMSGate's API?", g.settings.URL, taken.ID)
	}
	if err != nil {
		return verdict(err)
	}
	if t.Again && time.Since(t.Begun) > keeps {
		return gateway.ErrDouble
	}
	return nil
}

// verdict says what an error of POST /messages means for the text.
func verdict(err error) error {
	switch status := statusOf(err); {
	case status == http.StatusBadRequest && strings.Contains(strings.ToLower(err.Error()), "device"):
		// No phone, or another one than device says: not about this text.
		return fmt.Errorf("%w: %w", gateway.ErrNotHanded, err)
	case status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge, status == http.StatusUnprocessableEntity:
		return &gateway.RejectedError{Code: "smsgate-" + strconv.Itoa(status), Reason: err.Error()}
	case status >= 300 && status < 500:
		// Credentials, the URL, a limit: not about this text.
		return fmt.Errorf("%w: %w", gateway.ErrNotHanded, err)
	default:
		return err
	}
}
