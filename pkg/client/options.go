package client

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Option changes what [New] makes.
type Option func(*Client) error

var errOption = errors.New("client: option out of range")

// WithHTTPClient has requests made by h: its Transport (TLS, proxies, tracing) and
// its Jar are used, its Timeout and CheckRedirect are not. Requests have time-outs
// that fit them, and a redirect is a [*EndpointError]. h itself is not changed.
//
// A Transport should not have a ResponseHeaderTimeout below what [WithWait] says
// and some seconds.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) error { c.http = h; return nil }
}

// WithBasicAuth sends these credentials with every request. Over http:// they can be
// read by everyone on the way.
func WithBasicAuth(user, password string) Option {
	return func(c *Client) error {
		c.user, c.password, c.hasCredentials = user, password, true
		return nil
	}
}

// WithFormat has messages written as XML on the way. JSON, the default, is
// smaller and carries every message exactly; XML can't express all of them (see
// package qst).
func WithFormat(f qst.Format) Option {
	return func(c *Client) error { c.format = f; return nil }
}

// WithGzip compresses what is pushed.
func WithGzip() Option {
	return func(c *Client) error { c.gzip = true; return nil }
}

// WithLogger has retries and what they overcame logged, at level Warn and Info. The
// default is silence.
func WithLogger(l *slog.Logger) Option {
	return func(c *Client) error { c.log = l; return nil }
}

// WithRetry sets how often what may pass is tried again. Between two tries is a
// random pause, at first up to first, then up to twice as long each time, up to
// most; a Retry-After makes it longer, but also at most most. The defaults are
// 200ms and 30s.
//
// A push that has failed for giveUp ends; so does a pull that does not wait. The
// default, 5 minutes, leaves a push that was stored unheard within the service's
// deduplication window (10 minutes, unless configured otherwise), in which alone
// it is safe to try again. 0 is for ever, or until the context ends.
func WithRetry(first, most, giveUp time.Duration) Option {
	return func(c *Client) error {
		if first <= 0 || most < first || giveUp < 0 {
			return fmt.Errorf("%w: retry after %v to %v for %v", errOption, first, most, giveUp)
		}
		c.retry = retry{first: first, most: most, giveUp: giveUp}
		return nil
	}
}

// WithBatchLimits bounds the batches that are pushed, for a service that is configured
// for others than the default: 1000 messages, 1 MiB before compression. A message
// that is larger by itself is sent alone.
func WithBatchLimits(messages, bytes int) Option {
	return func(c *Client) error {
		if messages < 1 || bytes < 1 {
			return fmt.Errorf("%w: batches of %d messages and %d bytes", errOption, messages, bytes)
		}
		c.maxMessages, c.maxBytes = messages, bytes
		return nil
	}
}

// WithWait sets how long a poll waits for a message before it is answered empty and
// the next one is made. The default is 50s, under the 60s after which many proxies
// cut; where one cuts earlier (`qst doctor` finds out), set less. The service may
// answer earlier by its own limit.
func WithWait(d time.Duration) Option {
	return func(c *Client) error {
		if d <= 0 {
			return fmt.Errorf("%w: wait %v", errOption, d)
		}
		c.wait = d
		return nil
	}
}
