package smsgate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// checkTimeout bounds a check, and a registration.
const checkTimeout = 20 * time.Second

// hook is a webhook as /webhooks has it.
type hook struct {
	ID     string `json:"id"`
	Device string `json:"deviceId,omitempty"`
	URL    string `json:"url"`
	Event  string `json:"event"`
}

func (g *Gateway) callback() string {
	return strings.TrimSuffix(g.settings.Callback, "/") + pathWebhook
}

// Register has SMSGate call the bridge. What was registered before is replaced.
func (g *Gateway) Register() error {
	if g.settings.Callback == "" {
		return fmt.Errorf("%w: [smsgate] callback: which URL are webhooks to call?", gateway.ErrSettings)
	}
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	sum := sha256.Sum256([]byte(g.callback() + " " + g.settings.Device))
	for _, e := range events {
		// The ID is the same each time, and another one for each bridge; the API takes 36 characters.
		h := hook{ID: "qst-" + hex.EncodeToString(sum[:5]) + "-" + strings.TrimPrefix(e.name, "sms:"), Device: g.settings.Device, URL: g.callback(), Event: e.name}
		if _, err := g.api.call(ctx, http.MethodPost, []string{"webhooks"}, nil, h, nil); err != nil {
			return fmt.Errorf("the webhook %s: %w", e.name, err)
		}
	}
	return nil
}

// Check says what is wrong with SMSGate. That nothing of it keeps the bridge from starting is on
// purpose: a phone may be away.
func (g *Gateway) Check() []gateway.Finding {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	hooks, found := g.checkAPI(ctx)
	if !found[0].OK {
		return found
	}
	return append(found, g.checkWebhooks(hooks), g.checkInbox(ctx), g.checkDevices(ctx))
}

// checkAPI asks for the webhooks, which takes credentials and changes nothing.
func (g *Gateway) checkAPI(ctx context.Context) ([]hook, []gateway.Finding) {
	var hooks []hook
	header, err := g.api.call(ctx, http.MethodGet, []string{"webhooks"}, nil, nil, &hooks)
	f := gateway.Finding{Check: "smsgate", OK: err == nil, Note: true, Found: g.settings.URL + " answers"}
	if err != nil {
		f.Found = err.Error()
		switch statusOf(err) {
		case 0:
			f.Advice = "is the app or the server running, and is url that of its API? The phone's screen shows its address; a server's ends in /3rdparty/v1"
		case http.StatusUnauthorized:
			f.Advice = "user and password have to be those that the app shows for this server: the local server has others than the cloud; a token may have expired"
		case http.StatusForbidden:
			f.Advice = "the token needs the scopes " + strings.Join(scopes[:], ", ")
		default:
			f.Advice = "url has to be that of SMSGate's API: http://PHONE:8080, https://api.sms-gate.app/3rdparty/v1, or https://SERVER/api/3rdparty/v1"
		}
	}
	found := []gateway.Finding{f}
	at, errDate := http.ParseTime(header.Get("Date"))
	if err != nil || errDate != nil {
		return hooks, found
	}
	clock := gateway.Finding{Check: "clock", OK: true, Note: true, Found: "agrees with SMSGate's"}
	if off := time.Since(at); off.Abs() > g.settings.MaxAge.Duration/2 {
		clock.OK, clock.Found = false, fmt.Sprintf("SMSGate's differs by %v", off.Round(time.Second))
		clock.Advice = "have the phone and this machine set their clocks by the network: webhooks whose time differs by more than max-age are refused"
	}
	return hooks, append(found, clock)
}

// checkWebhooks looks which of the bridge's webhooks SMSGate has.
func (g *Gateway) checkWebhooks(hooks []hook) gateway.Finding {
	f := gateway.Finding{Check: "webhooks", Note: true}
	if g.settings.Callback == "" {
		f.Found = "none: SMSGate is asked every " + g.settings.Poll.String() + ", and for messages every " + g.settings.InboxEvery.String()
		f.Advice = "set callback and signing-key, if the phone can reach the bridge by https: messages arrive at once then"
		return f
	}
	var missing []string
	for _, e := range events {
		has := false
		for _, h := range hooks {
			has = has || h.Event == e.name && h.URL == g.callback()
		}
		if !has {
			missing = append(missing, e.name)
		}
	}
	if len(missing) > 0 {
		f.Found = "SMSGate does not call " + g.callback() + " for " + strings.Join(missing, ", ")
		f.Advice = "register them with --check --register"
		return f
	}
	f.OK, f.Found = true, "SMSGate calls "+g.callback()
	return f
}

// checkInbox looks if there is an inbox.
func (g *Gateway) checkInbox(ctx context.Context) gateway.Finding {
	f := gateway.Finding{Check: "inbox", Note: true}
	var page []incoming
	_, err := g.api.call(ctx, http.MethodGet, []string{"inbox"}, map[string][]string{"limit": {"1"}, "type": {"SMS"}}, nil, &page)
	if err != nil {
		f.Found = err.Error()
		f.Advice = "messages whose webhooks get lost can't be found: use the phone's local server with an app of 1.59 or newer, or a server that keeps the inbox; a token needs the scope inbox:list"
		return f
	}
	f.OK, f.Found = true, "can be looked at"
	return f
}

// checkDevices looks if texts could go through phones at random.
func (g *Gateway) checkDevices(ctx context.Context) gateway.Finding {
	f := gateway.Finding{Check: "devices", Note: true}
	var devices []struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		LastSeen string `json:"lastSeen"`
	}
	_, err := g.api.call(ctx, http.MethodGet, []string{"devices"}, nil, nil, &devices)
	var names []string
	has := false
	for _, d := range devices {
		has = has || d.ID == g.settings.Device
		names = append(names, fmt.Sprintf("%s (%s, last seen %s)", d.ID, d.Name, d.LastSeen))
	}
	f.Found = strings.Join(names, ", ")
	switch {
	case err != nil:
		f.Found, f.Advice = err.Error(), "the list of phones can't be read; a token needs the scope devices:list"
	case len(devices) == 0:
		f.Found, f.Advice = "the account has no phone", "log the app in"
	case g.settings.Device != "" && !has:
		f.Advice = "device = " + g.settings.Device + " is none of them"
	case g.settings.Device == "" && len(devices) > 1:
		f.Advice = "set device: SMSGate takes any of them for a text, and another one for the same text when it comes again"
	default:
		f.OK = true
	}
	return f
}
