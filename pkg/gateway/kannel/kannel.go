// Package kannel bridges Kannel's smsbox: its sendsms interface, its delivery reports
// (dlr-url) and its sms-service (get-url).
//
// Kannel answers for a text when its bearerbox has it, and not when an SMSC has. It has no
// name for a text that a client chooses, so it can't tell one that it is given a second
// time: after a crash between the hand-over and the journal a text may be sent
// twice. That is counted.
package kannel

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// Settings are the table [kannel] of the configuration.
type Settings struct {
	Sendsms      string           `toml:"sendsms"`       // URL; default http://127.0.0.1:13013/cgi-bin/sendsms
	User         string           `toml:"user"`          // of group = sendsms-user
	Password     string           `toml:"password"`      //
	PasswordFile string           `toml:"password-file"` // with the password in its first line
	From         string           `toml:"from"`          // the sender of texts that have none
	SMSC         string           `toml:"smsc"`          // the smsc-id to send through; "": Kannel's routing
	Callback     string           `toml:"callback"`      // this bridge's URL, as Kannel reaches it; required
	Token        string           `toml:"token"`         // what Kannel has to bring; required
	DLRMask      int              `toml:"dlr-mask"`      // default 27: delivered, failed, sent, rejected
	Timeout      gateway.Duration `toml:"timeout"`       // of a hand-over; default 30s
	Conf         string           `toml:"conf"`          // Kannel's configuration, for --check
}

// Gateway is Kannel.
type Gateway struct {
	settings Settings
	url      *url.URL
	http     *http.Client
	log      *slog.Logger
}

// New looks at the settings.
func New(s Settings, log *slog.Logger) (*Gateway, error) {
	if s.Sendsms == "" {
		s.Sendsms = "http://127.0.0.1:13013/cgi-bin/sendsms"
	}
	if s.DLRMask == 0 {
		s.DLRMask = dlrDelivered | dlrFailed | dlrSent | dlrRejected
	}
	s.Timeout = s.Timeout.Or(30 * time.Second)
	u, err := url.Parse(s.Sendsms)
	callback, errCallback := url.Parse(s.Callback)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("%w: [kannel] sendsms: not a URL, such as http://127.0.0.1:13013/cgi-bin/sendsms", gateway.ErrSettings)
	case errCallback != nil || callback.Host == "":
		return nil, fmt.Errorf("%w: [kannel] callback: not a URL, such as http://127.0.0.1:9465", gateway.ErrSettings)
	case len(s.Token) < 8 || strings.Trim(s.Token, alphanumeric) != "":
		return nil, fmt.Errorf("%w: [kannel] token: 8 letters and digits or more, that Kannel's URLs bring", gateway.ErrSettings)
	case s.DLRMask < 0 || s.Timeout.Duration < 0:
		return nil, fmt.Errorf("%w: [kannel] a negative number", gateway.ErrSettings)
	}
	if s.PasswordFile != "" {
		content, err := os.ReadFile(s.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("%w: [kannel] password-file: %w", gateway.ErrSettings, err)
		}
		s.Password, _, _ = strings.Cut(string(content), "\n")
		s.Password = strings.TrimSuffix(s.Password, "\r")
	}
	return &Gateway{settings: s, url: u, http: &http.Client{Timeout: s.Timeout.Duration}, log: log}, nil
}

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Send gives a text to smsbox.
func (g *Gateway) Send(ctx context.Context, t gateway.Text) error {
	from := t.From
	if from == "" {
		from = g.settings.From
	}
	q := url.Values{
		"username": {g.settings.User}, "password": {g.settings.Password},
		"from": {from}, "to": {t.To}, "text": {t.Body}, "charset": {"UTF-8"}, "coding": {"0"},
		"dlr-mask": {strconv.Itoa(g.settings.DLRMask)},
		// Kannel fills in what begins with %.
		"dlr-url": {strings.TrimSuffix(g.settings.Callback, "/") + pathDLR + "?token=" + g.settings.Token + "&key=" + t.Key + "&status=%d&at=%T&text=%A"},
	}
	if !gateway.IsGSM(t.Body) {
		q.Set("coding", "2")
	}
	if g.settings.SMSC != "" {
		q.Set("smsc", g.settings.SMSC)
	}
	if !t.ValidUntil.IsZero() {
		// Minutes from now; less than one is one.
		q.Set("validity", strconv.Itoa(max(1, int(time.Until(t.ValidUntil).Minutes()))))
	}
	u := *g.url
	u.RawQuery = q.Encode()
	status, body, err := g.get(ctx, u.String())
	if err != nil {
		return err
	}
	if err := verdict(status, body); err != nil {
		return err
	}
	if t.Again {
		return gateway.ErrDouble
	}
	return nil
}

// get makes a request. What was never connected was never handed over.
func (g *Gateway) get(ctx context.Context, u string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return 0, "", errors.New("the sendsms URL can't be used") // the error has the password
	}
	resp, err := g.http.Do(r)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err // without the URL, which has the password
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return 0, "", fmt.Errorf("%w: smsbox: %w", gateway.ErrNotHanded, err)
	}
	if err != nil {
		return 0, "", fmt.Errorf("smsbox: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return 0, "", fmt.Errorf("smsbox: %w", err)
	}
	return resp.StatusCode, strings.TrimSpace(string(answer)), nil
}

// verdict says what an answer of sendsms means. Its texts are in Kannel's gw/smsbox.c.
func verdict(status int, body string) error {
	switch {
	case status == http.StatusAccepted || status == http.StatusOK:
		return nil
	case status == http.StatusForbidden && strings.HasPrefix(body, "Not routable"):
		return &gateway.RejectedError{Code: "not-routable", Reason: body}
	case status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusServiceUnavailable:
		// Wrong credentials, a wrong URL, bearerbox full or away: not about this text.
		return fmt.Errorf("%w: smsbox answers %d %s", gateway.ErrNotHanded, status, body)
	case status >= 400 && status < 500:
		return &gateway.RejectedError{Code: "kannel-" + strconv.Itoa(status), Reason: body}
	default:
		return fmt.Errorf("smsbox answers %d %s", status, body)
	}
}

// Run waits: Kannel calls. See [Gateway.Handlers].
func (g *Gateway) Run(ctx context.Context, _ *gateway.Bridge) error {
	<-ctx.Done()
	return ctx.Err()
}

// allowed reports whether a request brings the token, and answers and counts it if not.
func (g *Gateway) allowed(b *gateway.Bridge, w http.ResponseWriter, r *http.Request) bool {
	ok := subtle.ConstantTimeCompare([]byte(r.URL.Query().Get("token")), []byte(g.settings.Token)) == 1
	if !ok {
		b.Refused()
		http.Error(w, "the token is wrong", http.StatusForbidden)
	}
	return ok
}
