package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Client is a party's side of a channel. It is safe for concurrent use, and
// holds nothing that needs closing but its http.Client's idle connections.
type Client struct {
	url            *url.URL // without credentials
	user, password string
	hasCredentials bool

	http        *http.Client
	log         *slog.Logger
	format      qst.Format
	gzip        bool
	retry       retry
	maxMessages int // of a pushed batch
	maxBytes    int // of a pushed batch, before compression
	wait        time.Duration

	tracer     trace.Tracer
	attributes []attribute.KeyValue // of every span
}

// ErrURL is what [New] returns for a URL that can't be that of an endpoint.
var ErrURL = errors.New("not the URL of an endpoint")

// New returns a client of the endpoint at rawURL, such as
// https://qst.example.org/v2/channels/acme/gateway. It sends nothing yet.
//
// Credentials in the URL count as [WithBasicAuth] does. The error wraps [ErrURL]
// if the URL is not an absolute http or https URL, and does not hold the URL's
// password; or it says which option has a value it can't have.
func New(rawURL string, opts ...Option) (*Client, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		// The parser's error repeats the URL, maybe with a password.
		return nil, fmt.Errorf("%w: it can't be parsed", ErrURL)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		// Nothing of it either: "ann:secret@host" has a scheme, ann.
		return nil, fmt.Errorf("%w: it does not start with http:// or https:// and a host", ErrURL)
	}
	if cutUser(u) {
		return nil, fmt.Errorf("%w: it has an @ behind its host; a character of the user or the password that a URL can't have, such as / ? #, is written %%2F %%3F %%23", ErrURL)
	}
	c := &Client{
		url:         u,
		log:         slog.New(slog.DiscardHandler),
		format:      qst.JSON,
		retry:       retry{first: 200 * time.Millisecond, most: 30 * time.Second, giveUp: 5 * time.Minute},
		maxMessages: 1000,    // QST_PUSH_MAX_MESSAGES of a service nobody configured
		maxBytes:    1 << 20, // QST_PUSH_MAX_BYTES
		wait:        50 * time.Second,
		tracer:      newTracer(),
	}
	if u.User != nil {
		c.user, c.hasCredentials = u.User.Username(), true
		c.password, _ = u.User.Password()
		u.User = nil
	}
	u.Fragment, u.RawFragment = "", ""
	c.attributes = endpointAttributes(u)
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	if c.http == nil {
		c.http = &http.Client{Transport: newTransport()}
	}
	own := *c.http
	// A POST that is redirected becomes a GET, which here is a pull. Whoever moved
	// the endpoint has to tell us its URL.
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	own.Timeout = 0 // each request has its own: see pushTimeout and pollMargin
	c.http = &own
	return c, nil
}

// cutUser tells whether a URL looks like one whose user or password has one of "/?#" in it, unencoded:
// what is before that is taken for the host then, and would be shown. The name of a channel may have
// an @, in a path's later segments.
func cutUser(u *url.URL) bool {
	if strings.Contains(u.Fragment, "@") || strings.Contains(u.RawQuery, "@") {
		return true
	}
	before, _, ok := strings.Cut(u.Path, "/v2/channels/")
	if !ok {
		before, _, _ = strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	}
	return strings.Contains(before, "@")
}

// URL returns the endpoint's URL, without credentials.
func (c *Client) URL() string { return c.url.String() }

// newTransport returns net/http's default transport, made ready for connections
// that are quiet for a minute and die without a word.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented as one
	// One long poll and some pushes at a time.
	t.MaxIdleConnsPerHost = 8
	// Under the service's 2 minutes and above the pause between two polls: who
	// closes first must not be the one that does not know of the next request.
	t.IdleConnTimeout = time.Minute
	// HTTP/2 puts all requests on one connection, and without this would go on
	// using it after it has died (golang.org/issue/36026).
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: 20 * time.Second, PingTimeout: 10 * time.Second}
	return t
}
