// Package smsgate bridges SMSGate ("SMS Gateway for Android"): an app that makes a phone a
// gateway. It is reached by its API, on the phone itself or by way of a server, and calls back with
// webhooks.
//
// A text gets its key as its ID, which SMSGate takes once: a text that may have been handed over
// before is asked for first, and handed over again only if SMSGate does not have it.
//
// Webhooks get lost: when the phone can't reach the bridge for longer than it tries, or is
// switched off. So what became of texts is asked for as well, and what the phone received is
// looked up in its inbox. A message has the same ID on both ways, and a record in
// the state directory of those that were taken.
package smsgate

import (
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// Settings are the table [smsgate] of the configuration.
type Settings struct {
	URL                 string           `toml:"url"`                   // of the API, required
	User                string           `toml:"user"`                  // as the app shows it
	Password            string           `toml:"password"`              //
	PasswordFile        string           `toml:"password-file"`         // with the password in its first line
	JWT                 bool             `toml:"jwt"`                   // exchange user and password for tokens, and use those
	TokenFile           string           `toml:"token-file"`            // with a token in its first line, in place of user and password
	Device              string           `toml:"device"`                // the ID of the phone; "": any of the account's
	SIM                 int              `toml:"sim"`                   // 1 to 3; 0: as the app has it
	Priority            int              `toml:"priority"`              // -128 to 127; of 100 and more the app's limits don't hold
	SkipPhoneValidation bool             `toml:"skip-phone-validation"` // short codes, and whatever is no valid mobile number
	Delivery            *bool            `toml:"delivery"`              // ask for delivery reports; default true
	OutgoingMax         int              `toml:"outgoing-max"`          // texts that wait at SMSGate at once; default 50
	Poll                gateway.Duration `toml:"poll"`                  // after which a text is asked for first; default 30s
	InboxEvery          gateway.Duration `toml:"inbox-every"`           // how often the inbox is looked at; default 15m
	InboxWindow         gateway.Duration `toml:"inbox-window"`          // how far back that goes; default 168h
	Callback            string           `toml:"callback"`              // this bridge's URL, as the phone reaches it; "": no webhooks
	SigningKey          string           `toml:"signing-key"`           // of webhooks, as the app shows it
	SigningKeyFile      string           `toml:"signing-key-file"`      // with a key in each line: each phone has its own
	MaxAge              gateway.Duration `toml:"max-age"`               // of a webhook, by its timestamp; default 5m
	Timeout             gateway.Duration `toml:"timeout"`               // of a request to SMSGate; default 30s
	Number              string           `toml:"number"`                // the SIM's own, where the app does not tell it
}

// Gateway is SMSGate.
type Gateway struct {
	settings Settings
	api      *api
	keys     [][]byte // for webhooks
	log      *slog.Logger
	record   *record
	bridge   atomic.Pointer[gateway.Bridge] // once it runs
}

// New looks at the settings. state is the bridge's directory.
func New(s Settings, state string, log *slog.Logger) (*Gateway, error) {
	if s.OutgoingMax == 0 {
		s.OutgoingMax = 50
	}
	if s.Delivery == nil {
		s.Delivery = new(true)
	}
	s.Poll, s.MaxAge, s.Timeout = s.Poll.Or(30*time.Second), s.MaxAge.Or(5*time.Minute), s.Timeout.Or(30*time.Second)
	s.InboxEvery, s.InboxWindow = s.InboxEvery.Or(15*time.Minute), s.InboxWindow.Or(7*24*time.Hour)
	g := &Gateway{settings: s, log: log}
	base, err := check(s)
	if err != nil {
		return nil, err
	}
	for _, file := range []struct {
		name, path string
		value      *string
	}{{"password-file", s.PasswordFile, &s.Password}, {"signing-key-file", s.SigningKeyFile, &s.SigningKey}, {"token-file", s.TokenFile, new(string)}} {
		if file.path == "" {
			continue
		}
		content, err := os.ReadFile(file.path)
		if err != nil {
			return nil, fmt.Errorf("%w: [smsgate] %s: %w", gateway.ErrSettings, file.name, err)
		}
		*file.value = string(content)
	}
	s.Password = firstLine(s.Password)
	for line := range strings.Lines(s.SigningKey) {
		if key := strings.TrimRight(line, "\r\n"); key != "" {
			g.keys = append(g.keys, []byte(key))
		}
	}
	if s.Callback != "" && len(g.keys) == 0 {
		return nil, fmt.Errorf("%w: [smsgate] signing-key: webhooks are signed with it (the app: Settings, Webhooks, Signing Key)", gateway.ErrSettings)
	}
	g.settings, g.api, g.record = s, newAPI(s, base), newRecord(state)
	return g, nil
}

// check returns the API's URL, or what is wrong with the settings.
func check(s Settings) (*url.URL, error) {
	wrong := func(format string, args ...any) (*url.URL, error) {
		return nil, fmt.Errorf("%w: [smsgate] "+format, append([]any{gateway.ErrSettings}, args...)...)
	}
	base, err := url.Parse(s.URL)
	callback, errCallback := url.Parse(s.Callback)
	switch { // what is no URL is not repeated: a password may stand in it
	case err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || strings.Contains(base.Path+base.Fragment, "@"):
		return wrong("url: not the URL of SMSGate's API, such as http://192.168.1.20:8080 or https://api.sms-gate.app/3rdparty/v1")
	case base.User != nil:
		return wrong("url: name and password have settings of their own: user and password-file")
	case s.Callback != "" && (errCallback != nil || callback.Host == "" || callback.RawQuery != "" || callback.User != nil || strings.Contains(callback.Path+callback.Fragment, "@")):
		return wrong("callback: not a URL without query and password, such as https://bridge.example.org")
	case s.Callback != "" && callback.Scheme != "https" && callback.Hostname() != "127.0.0.1":
		return wrong("callback: the app calls https only, but for http://127.0.0.1")
	case s.TokenFile == "" && s.User == "":
		return wrong("user and password-file, or token-file: SMSGate asks for credentials")
	case s.TokenFile != "" && (s.User != "" || s.JWT):
		return wrong("token-file is used in place of user, password and jwt")
	case s.SIM < 0 || s.SIM > 3:
		return wrong("sim = %d: not 1 to 3", s.SIM)
	case s.Priority < -128 || s.Priority > 127:
		return wrong("priority = %d: not -128 to 127", s.Priority)
	case s.OutgoingMax < 1 || s.Poll.Duration < 0 || s.InboxEvery.Duration < 0 || s.InboxWindow.Duration < 0 || s.MaxAge.Duration < 0 || s.Timeout.Duration < 0:
		return wrong("a negative number")
	}
	return base, nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r")
}
