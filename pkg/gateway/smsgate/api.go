package smsgate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
)

// api makes requests to SMSGate's API.
type api struct {
	settings Settings
	base     *url.URL
	http     *http.Client

	mu      sync.Mutex
	token   string    // in exchange for user and password
	expires time.Time // when a new one is due
}

func newAPI(s Settings, base *url.URL) *api {
	return &api{settings: s, base: base, http: &http.Client{
		Timeout: s.Timeout.Duration,
		// What a redirect leads to would get the credentials, and a POST would become a GET.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// statusError is an answer that is no success.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("SMSGate answers %d %s", e.status, e.message)
}

// statusOf returns the status of an answer, 0 if there was none.
func statusOf(err error) int {
	if e, ok := errors.AsType[*statusError](err); ok {
		return e.status
	}
	return 0
}

// maxAnswer bounds an answer: 500 messages of the inbox, each as long as a text can be.
const maxAnswer = 16 << 20

// call makes a request with in as its body, and reads the answer into out; both may be nil.
func (a *api) call(ctx context.Context, method string, path []string, query url.Values, in, out any) (http.Header, error) {
	authorization, err := a.authorization(ctx)
	if err != nil {
		return nil, err
	}
	header, err := a.request(ctx, method, path, query, authorization, in, out)
	if statusOf(err) == http.StatusUnauthorized {
		a.forget()
	}
	return header, err
}

func (a *api) request(ctx context.Context, method string, path []string, query url.Values, authorize func(*http.Request), in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		content, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(content)
	}
	u := a.base.JoinPath(path...)
	u.RawQuery = query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	authorize(r)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "qst-gateway")
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.http.Do(r)
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return nil, fmt.Errorf("%w: %w", gateway.ErrNotHanded, err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return resp.Header, err
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return resp.Header, &statusError{resp.StatusCode, messageOf(answer)}
	case len(answer) > maxAnswer:
		return resp.Header, fmt.Errorf("%s has more than %d bytes", u, maxAnswer)
	case out == nil:
		return resp.Header, nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return resp.Header, fmt.Errorf("%s does not answer as SMSGate does: %w", u, err)
	}
	return resp.Header, nil
}

// messageOf returns what an error's body says.
func messageOf(body []byte) string {
	var e struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &e) == nil && e.Message != "" {
		body = []byte(e.Message)
	}
	return strings.ToValidUTF8(strings.TrimSpace(string(body[:min(len(body), 500)])), "\ufffd")
}

// scopes are what the bridge does with a token.
var scopes = [...]string{"messages:send", "messages:read", "inbox:list", "devices:list", "webhooks:list", "webhooks:write"}

const (
	tokenTime  = time.Hour   // for which a token is asked for
	tokenEarly = time.Minute // before its end a new one is asked for
)

// authorization returns what puts credentials into a request.
func (a *api) authorization(ctx context.Context) (func(*http.Request), error) {
	if a.settings.TokenFile != "" {
		content, err := os.ReadFile(a.settings.TokenFile) // each time: tokens expire, and are replaced
		if err != nil {
			return nil, fmt.Errorf("%w: token-file: %w", gateway.ErrNotHanded, err)
		}
		return bearer(firstLine(string(content))), nil
	}
	basic := func(r *http.Request) { r.SetBasicAuth(a.settings.User, a.settings.Password) }
	if !a.settings.JWT {
		return basic, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.token != "" && time.Now().Before(a.expires) {
		return bearer(a.token), nil
	}
	var got struct {
		Token   string    `json:"access_token"`
		Expires time.Time `json:"expires_at"`
	}
	ask := map[string]any{"ttl": int(tokenTime.Seconds()), "scopes": scopes}
	if _, err := a.request(ctx, http.MethodPost, []string{"auth", "token"}, nil, basic, ask, &got); err != nil {
		return nil, fmt.Errorf("%w: a token: %w", gateway.ErrNotHanded, err)
	}
	a.token, a.expires = got.Token, got.Expires.Add(-tokenEarly)
	return bearer(a.token), nil
}

func bearer(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// forget drops a token that was refused.
func (a *api) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.token = ""
}
