package smsgate

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// pathWebhook is what the phone calls.
const pathWebhook = "/smsgate/webhook"

// events are the webhooks that the bridge takes: those of a text, with its state, and those of
// received messages, with none.
var events = []struct{ name, state string }{
	{"sms:received", ""}, {"sms:data-received", ""},
	{"sms:sent", "Sent"}, {"sms:delivered", "Delivered"}, {"sms:failed", "Failed"}, {"sms:cancelled", "Cancelled"},
}

// Handlers answer the phone's webhooks. It calls again after anything but 2xx.
func (g *Gateway) Handlers(b *gateway.Bridge) map[string]http.Handler {
	if g.settings.Callback == "" {
		return nil
	}
	return map[string]http.Handler{"POST " + pathWebhook: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, reason string) {
			g.log.WarnContext(r.Context(), "a webhook is refused", "status", status, "reason", reason)
			http.Error(w, reason, status)
		}
		body, err := io.ReadAll(r.Body) // which the bridge bounds
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			refuse(http.StatusRequestEntityTooLarge, "the webhook is too long")
			return
		}
		if err != nil {
			refuse(http.StatusBadRequest, "the webhook ended early")
			return
		}
		if reason := g.distrust(body, r.Header, time.Now()); reason != "" {
			b.Refused()
			refuse(http.StatusForbidden, reason)
			return
		}
		var hook webhook
		if err := json.Unmarshal(body, &hook); err != nil {
			refuse(http.StatusBadRequest, "the webhook is not JSON as SMSGate has it: "+err.Error())
			return
		}
		if err := g.take(b, hook); err != nil {
			refuse(http.StatusServiceUnavailable, err.Error())
		}
	})}
}

// distrust says why a webhook is not the phone's, or is too old; "" if it is.
func (g *Gateway) distrust(body []byte, h http.Header, now time.Time) string {
	timestamp := h.Get("X-Timestamp")
	signature, err := hex.DecodeString(h.Get("X-Signature"))
	if err != nil || len(signature) == 0 || timestamp == "" {
		return "the webhook is not signed: X-Signature, X-Timestamp"
	}
	signed := false
	for _, key := range g.keys {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write(body)
		_, _ = io.WriteString(mac, timestamp)
		signed = hmac.Equal(mac.Sum(nil), signature) || signed
	}
	if !signed {
		return "the signature is wrong: [smsgate] signing-key has to be the app's"
	}
	at, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || now.Sub(time.Unix(at, 0)).Abs() > g.settings.MaxAge.Duration {
		return "the webhook's time is too far from this machine's: X-Timestamp " + timestamp
	}
	return ""
}

// webhook is what the phone calls with.
type webhook struct {
	Event   string `json:"event"`
	Payload struct {
		MessageID   string `json:"messageId"`
		Sender      string `json:"sender"`
		Recipient   string `json:"recipient"`
		PhoneNumber string `json:"phoneNumber"` // in place of both, of apps before 1.54
		SIM         int    `json:"simNumber"`
		Message     string `json:"message"`
		Data        string `json:"data"`
		Reason      string `json:"reason"`
		ReceivedAt  string `json:"receivedAt"`
		SentAt      string `json:"sentAt"`
		DeliveredAt string `json:"deliveredAt"`
		FailedAt    string `json:"failedAt"`
	} `json:"payload"`
}

// take returns when what a webhook tells is on disk.
func (g *Gateway) take(b *gateway.Bridge, hook webhook) error {
	p := hook.Payload
	for _, known := range events {
		if hook.Event != known.name {
			continue
		}
		if known.state == "" {
			_, err := g.receive(b, hook.received())
			return err
		}
		at := p.SentAt + p.DeliveredAt + p.FailedAt // it has one of them
		e, _ := event(known.state, moment(at), p.Reason, *g.settings.Delivery)
		err := b.Report(strings.ToLower(p.MessageID), e)
		if errors.Is(err, gateway.ErrNotKnown) {
			return nil // counted: somebody else's text
		}
		return err
	}
	return nil // system:ping and the like
}

func (hook webhook) received() received {
	p := hook.Payload
	r := received{from: p.Sender, to: p.Recipient, at: p.ReceivedAt, text: p.Message, data: p.Data, sim: p.SIM}
	if r.from == "" {
		r.from = p.PhoneNumber
	}
	return r
}

// receive takes a message, and returns when it is on disk; false if it was taken before.
func (g *Gateway) receive(b *gateway.Bridge, r received) (bool, error) {
	return g.record.once(r.message(g.settings.Number), b.Receive)
}
