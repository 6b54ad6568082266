package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Target is a server to test.
type Target struct {
	// URL is where the server is, such as https://qst.example.org. Channels are below it
	// at /v2/channels/; a server that has them elsewhere says so by a URL that ends in
	// {channel}, such as https://qst.example.org/queues/{channel}.
	URL string

	// Second is the URL of another replica of the same service, "" if there is none. Each
	// case then speaks with both.
	Second string

	// User and Password are credentials for all channels. With an empty User requests
	// have none.
	User, Password string

	// Grant makes a channel and says how its parties log in, if each channel has
	// credentials of its own. nil: User and Password hold, and channels need no making.
	Grant func(ctx context.Context, c Channel) (Logins, error)

	// Limits are those of the server, as far as they are known.
	Limits ServerLimits

	// Patience is the longest that a case waits for an answer. Zero: 30 seconds. It is no
	// measure of a server: an answer that is slower than that counts as none.
	Patience time.Duration

	// Client makes the requests. nil: one that is made for the case. It must not follow
	// redirects, nor decompress.
	Client *http.Client
}

// Channel is a channel that a case needs.
type Channel struct {
	Name string
	// User is the name that all parties have to log in with.
	User string
	// Reports: what a version 1 phone reports of messages is put into the channel's inbound
	// queue.
	Reports bool
}

// Logins are the passwords of a channel's parties; see [Channel.User].
type Logins struct{ Gateway, Application, Mailbox string }

// ServerLimits are bounds that a server is configured for. Zero: not known.
type ServerLimits struct {
	PushBytes     int // of a request's body, decompressed
	PushMessages  int // of a pushed batch
	MessageBytes  int // of one message
	PullBytes     int // of an answer
	QueueMessages int
	LongPoll      time.Duration // the longest wait
}

const defaultPatience = 30 * time.Second

func (t Target) withDefaults() Target {
	if t.Patience <= 0 {
		t.Patience = defaultPatience
	}
	if t.Client == nil {
		t.Client = NewClient()
	}
	t.URL = strings.TrimSuffix(t.URL, "/")
	t.Second = strings.TrimSuffix(t.Second, "/")
	if t.Second == "" {
		t.Second = t.URL
	}
	return t
}

// NewClient returns a client for [Target.Client]. Its owner closes its idle connections.
func NewClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			MaxIdleConnsPerHost: 64,
			IdleConnTimeout:     10 * time.Second,
			DisableCompression:  true, // what is compressed unasked is seen as it is
		},
		// A redirected POST would become a GET, which takes messages.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const channelsPath = "/v2/channels/"

// at returns the URL of a path at a server: of a channel's path where that server has its
// channels.
func at(server, path string) string {
	if prefix, ok := strings.CutSuffix(server, "{channel}"); ok {
		if rest, ok := strings.CutPrefix(path, channelsPath); ok {
			return prefix + rest
		}
		scheme, rest, _ := strings.Cut(prefix, "://")
		host, _, _ := strings.Cut(rest, "/")
		return scheme + "://" + host + path
	}
	return server + path
}

// random is a text that nobody else has, of letters and digits.
func random() string { return strings.ToLower(rand.Text()[:20]) }

// CheckURL reports what is wrong with a server's URL.
func CheckURL(u string) error {
	rest, ok := strings.CutPrefix(u, "http://")
	if !ok {
		rest, ok = strings.CutPrefix(u, "https://")
	}
	switch {
	case !ok, rest == "", strings.HasPrefix(rest, "/"):
		return errors.New("the URL does not start with http:// or https:// and a host") // without it: it may have a password
	case strings.ContainsAny(rest, "?#@"):
		return errors.New("the URL has more than a host and a path")
	case strings.Contains(rest, channelsPath) && !strings.HasSuffix(rest, "{channel}"):
		return fmt.Errorf("%q is the URL of a channel: give the server's, the cases make up channels of their own", u)
	}
	return nil
}
