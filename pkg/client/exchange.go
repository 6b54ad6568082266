package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

const (
	// pushTimeout is the longest that a push may take. The service gives a body 30s
	// to arrive and its answer 30s to leave; in between it takes up to 13s.
	pushTimeout = 75 * time.Second

	// pollMargin is what a poll may take beyond its wait: to connect, and for the
	// answer to come through, to which the service gives 30s.
	pollMargin = 40 * time.Second

	// maxAnswer is the most bytes of an answer: the largest that a service can be
	// configured for (QST_PULL_MAX_BYTES).
	maxAnswer = 256 << 20

	// maxErrorBody is the most that is read of an answer that is an error.
	maxErrorBody = 64 << 10
)

// answer is a 200 that arrived whole, as far as HTTP can tell: a proxy that speaks
// HTTP/1.0 can cut it unnoticed. The decoders notice.
type answer struct {
	header http.Header
	body   []byte
}

// exchange makes one request. Its errors are RejectedError, EndpointError, UnavailableError
// and, if ctx has ended, ctx's.
//
// net/http itself repeats a request that a closing connection did not take; that
// is within what the protocol allows for both methods.
func (c *Client) exchange(ctx context.Context, op operation, query url.Values, header http.Header, body []byte, timeout time.Duration) (answer, error) {
	limited, cancel := context.WithTimeoutCause(ctx, timeout, errTimeout)
	defer cancel()
	a, err := c.roundTrip(limited, op.method, query, header, body)
	if ctx.Err() != nil && err != nil {
		return answer{}, fmt.Errorf("%s %s: %w", op.method, c.URL(), ctx.Err())
	}
	var unavailable *UnavailableError
	if errors.As(err, &unavailable) && limited.Err() != nil {
		unavailable.Err = fmt.Errorf("%w: %v", errTimeout, timeout)
	}
	return a, err
}

func (c *Client) roundTrip(ctx context.Context, method string, query url.Values, header http.Header, body []byte) (answer, error) {
	u := *c.url
	if len(query) > 0 {
		if u.RawQuery != "" {
			u.RawQuery += "&"
		}
		u.RawQuery += query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return answer{}, err // unreachable: the URL and the method are good
	}
	r.Header = header
	r.Header.Set("User-Agent", "qst-go")
	// A proxy that compresses an answer weakens its ETag and drops its length. Saying
	// this also keeps a Transport from asking for gzip by itself.
	r.Header.Set("Accept-Encoding", "identity")
	otel.GetTextMapPropagator().Inject(ctx, propagation.HeaderCarrier(r.Header))
	if c.hasCredentials {
		r.SetBasicAuth(c.user, c.password)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, &UnavailableError{Err: err}
	}
	defer func() { _ = resp.Body.Close() }()

	if resp.StatusCode != http.StatusOK {
		// As much as arrives will do: the status is what counts.
		body, _ = io.ReadAll(io.LimitReader(resp.Body, maxErrorBody))
		return answer{}, statusError(resp, body)
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return answer{}, &UnavailableError{Status: resp.StatusCode, Err: fmt.Errorf("%w: something on the way has encoded it (%s), unasked", errStrange, coding)}
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, &UnavailableError{Err: fmt.Errorf("%w: %w", errCut, err)}
	}
	if len(body) > maxAnswer {
		return answer{}, &UnavailableError{Err: fmt.Errorf("%w: it is larger than %d bytes", errStrange, maxAnswer)}
	}
	return answer{header: resp.Header, body: body}, nil
}
