package smsgate

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// inbox looks for messages that the phone received, and whose webhooks got lost.
type inbox struct {
	gateway *Gateway
	bridge  *gateway.Bridge
	outage  outage

	missing bool      // SMSGate has none
	from    time.Time // where the next look begins; zero: with the window
}

// incoming is a message as GET /inbox has it. What the API calls a preview is all of an SMS.
type incoming struct {
	Sender    string `json:"sender"`
	Recipient string `json:"recipient"`
	SIM       int    `json:"simNumber"`
	Text      string `json:"contentPreview"`
	CreatedAt string `json:"createdAt"`
	Encrypted bool   `json:"isEncrypted"`
}

const (
	// overlap is how far a look goes back behind the one before: a message has the time at which the
	// network had it. One that was under way for longer is found when the bridge starts next.
	overlap = time.Hour
	// pageSize is the most of a page of the inbox.
	pageSize = 500
)

// look takes what is in the inbox and was not taken. Its errors are those of the state directory.
func (i *inbox) look(ctx context.Context) error {
	if i.missing {
		return nil
	}
	began := time.Now()
	oldest := i.gateway.record.since(began)
	from := i.from
	if from.Before(oldest) {
		from = oldest
	}
	found := 0
	for offset := 0; ; offset += pageSize {
		query := url.Values{
			"type": {"SMS"}, "from": {from.UTC().Format(time.RFC3339)},
			"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)},
		}
		if i.gateway.settings.Device != "" {
			query.Set("deviceId", i.gateway.settings.Device)
		}
		var page []incoming
		_, err := i.gateway.api.call(ctx, http.MethodGet, []string{"inbox"}, query, nil, &page)
		if status := statusOf(err); status == http.StatusNotFound || status == http.StatusNotImplemented {
			i.missing = true
			i.gateway.log.WarnContext(ctx, "SMSGate has no inbox to look at: a message whose webhook gets lost is not found", "error", err)
			return nil
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the end
		}
		if i.outage.note(err); err != nil {
			return nil //nolint:nilerr // which was noted
		}
		for _, m := range page {
			if m.Encrypted || moment(m.CreatedAt).Before(oldest) {
				continue // only the webhook has its text; or the second in which the bridge first started
			}
			fresh, err := i.gateway.receive(i.bridge, received{from: m.Sender, to: m.Recipient, at: m.CreatedAt, text: m.Text, sim: m.SIM})
			if err != nil {
				return err
			}
			if fresh {
				found++
			}
		}
		if len(page) < pageSize {
			break
		}
	}
	if found > 0 && i.gateway.settings.Callback != "" {
		i.gateway.log.WarnContext(ctx, "messages without a webhook were in the inbox", "count", found)
	}
	i.from = began.Add(-overlap)
	return i.gateway.record.forget(began)
}
