package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// maxAnswerHeader bounds the head of an answer.
	maxAnswerHeader = 32 << 10
	// evidence is how much of an answer's text is kept, where an operator is to see it.
	evidence = 1024
	// idleConnections is how long a connection to a host stays for the next batch.
	idleConnections = 90 * time.Second
	// An HTTP/2 connection that brings nothing for sendPingAfter is asked whether it lives, and closed if
	// there is no answer within pingTimeout. Otherwise it would be used after it has died.
	sendPingAfter, pingTimeout = 20 * time.Second, 10 * time.Second
)

// ClientOptions are the settings of a [Client].
type ClientOptions struct {
	AllowHTTP     bool           // plain http: URLs are good, too
	AllowNetworks []netip.Prefix // that are reached though they are not public
	PerHost       int            // connections to a host that are kept
	UserAgent     string
}

// Client sends batches. Its methods may be called concurrently.
type Client struct {
	opts ClientOptions
	http *http.Client
}

// NewClient returns a client. It follows no redirect and uses no proxy: each would be a way to an
// address that is refused.
func NewClient(opts ClientOptions) *Client {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second, Control: control(opts.AllowNetworks)}
	return &Client{opts: opts, http: &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			ForceAttemptHTTP2:      true,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: sendPingAfter, PingTimeout: pingTimeout},
			DisableCompression:     true, // an answer is as large as it is
			MaxIdleConnsPerHost:    opts.PerHost,
			IdleConnTimeout:        idleConnections,
			MaxResponseHeaderBytes: maxAnswerHeader,
		},
	}}
}

// Close ends the connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// errTooLong is why the rest of an answer's body was not read.
var errTooLong = errors.New("the answer is too long")

// ErrURL is returned for a push_url that is not good.
var ErrURL = errors.New("push_url is not good")

// Target is where batches go, and how.
type Target struct {
	URL            string
	User, Password string   // "": no credentials
	Keys           [][]byte // that sign: one, or two while one is rotated
	Timeout        time.Duration
}

// request is one try.
type request struct {
	id          string // webhook-id
	contentType string
	body        []byte
	header      map[string]string
	maxAnswer   int64 // bytes of the answer's body that are read
}

// reply is how a try ended.
type reply struct {
	status      int // 0: there was no answer
	contentType string
	body        []byte // as far as it came
	err         error  // why there was no answer, or the body is not whole
	retryAfter  time.Duration
	took        time.Duration
}

// check returns the host that a URL is to, as the dialer is asked for it.
func check(raw string, allowHTTP bool) (*url.URL, string, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("%w: it is no URL", ErrURL) // url's error would show it
	case u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP):
		return nil, "", fmt.Errorf("%w: it is not https (QST_WEBHOOK_ALLOW_HTTP)", ErrURL)
	case u.Hostname() == "" || u.User != nil || u.Opaque != "":
		return nil, "", fmt.Errorf("%w: it names no host, or has a user in it", ErrURL)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u, net.JoinHostPort(strings.ToLower(u.Hostname()), port), nil
}

// send makes one try, which ends within the target's time-out.
func (c *Client) send(ctx context.Context, t Target, r request) (a reply) {
	start := time.Now()
	defer func() { a.took = time.Since(start) }()
	u, _, err := check(t.URL, c.opts.AllowHTTP)
	if err != nil {
		return reply{err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, t.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(r.body))
	if err != nil {
		return reply{err: ErrURL}
	}
	h := req.Header
	for name, value := range r.header {
		h.Set(name, value)
	}
	h.Set("Content-Type", r.contentType)
	h.Set("User-Agent", c.opts.UserAgent)
	h.Set("webhook-id", r.id)
	h.Set("webhook-timestamp", strconv.FormatInt(start.Unix(), 10))
	h.Set("webhook-signature", signature(t.Keys, r.id, start, r.body))
	if t.User != "" || t.Password != "" {
		req.SetBasicAuth(t.User, t.Password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return reply{err: without(err)}
	}
	defer func() { _ = resp.Body.Close() }() // read as far as it may be
	a = reply{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), retryAfter: retryAfter(resp.Header, time.Now())}
	a.body, a.err = io.ReadAll(io.LimitReader(resp.Body, r.maxAnswer+1))
	if int64(len(a.body)) > r.maxAnswer {
		a.body, a.err = a.body[:r.maxAnswer], fmt.Errorf("%w: more than %d bytes", errTooLong, r.maxAnswer)
	}
	if a.err != nil {
		a.err = without(a.err)
	}
	return a
}

// without returns an error without the URL, which may have a secret in its query.
func without(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no whole answer in time: %w", context.DeadlineExceeded)
	}
	return err
}

// text is what an operator is to see of a reply.
func (a reply) text() string {
	var parts []string
	if a.status > 0 {
		parts = append(parts, fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)))
	}
	if a.status >= 300 && a.status < 400 {
		parts = append(parts, "redirects are not followed: push_url has to be where the messages go")
	}
	if a.err != nil {
		parts = append(parts, a.err.Error())
	}
	if body := readable(a.body); body != "" {
		parts = append(parts, body)
	}
	return cut(strings.Join(parts, ": "), evidence)
}

// readable makes one line of text of a body.
func readable(body []byte) string {
	if len(body) > 2*evidence {
		body = body[:2*evidence]
	}
	s := strings.ToValidUTF8(string(body), "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7F {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// cut returns the first bytes of a text, whole characters.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "")
}
