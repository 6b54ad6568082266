package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// PollRequest is what one poll asks for.
type PollRequest struct {
	// ETag of an earlier batch: the messages up to its last one were handled, and are
	// gone when this is answered. "": none were.
	ETag string

	// Max is the most messages to get, 1 to 1000; 0 is 100.
	Max int

	// Wait is how long the service may hold the answer until there is a message; it
	// may hold it for less. 0: it answers at once.
	Wait time.Duration
}

// Batch is the answer to a poll.
type Batch struct {
	Messages []qst.Message // may be none

	// ETag stands for the last of the messages; "" if there are none. It is as the
	// service wrote it, quotes included.
	ETag string
}

// Poll makes one request for messages, and does not try again. It is what
// [Client.Pull] is made of; use it for a look at what is there (without an ETag
// nothing is confirmed, and the messages come again) or for a loop of your own.
//
// Errors: [*StopError]; [*RefusedError] for a parameter that the service does not
// take; [*UnavailableError], also for an answer that did not arrive whole;
// [ErrETag]; ctx.Err(), wrapped.
func (c *Client) Poll(ctx context.Context, req PollRequest) (Batch, error) {
	return c.poll(ctx, receive, req)
}

func (c *Client) poll(ctx context.Context, op operation, req PollRequest) (b Batch, err error) {
	spanned, span := c.startSpan(ctx, op)
	defer func() { endSpan(ctx, span, len(b.Messages), err) }()
	query := url.Values{"format": {c.format.String()}}
	if req.ETag != "" {
		// Not as If-None-Match: proxies answer that themselves, with a 304.
		query.Set("etag", req.ETag)
	}
	if req.Max != 0 {
		query.Set("max", strconv.Itoa(req.Max))
	}
	if req.Wait > 0 {
		query.Set("long-polling", "true")
		query.Set("wait", strconv.FormatFloat(req.Wait.Seconds(), 'f', -1, 64))
	}
	header := http.Header{"Accept": {c.format.MediaType()}, "Cache-Control": {"no-store"}}
	a, err := c.exchange(spanned, op, query, header, nil, req.Wait+pollMargin)
	if err != nil {
		return Batch{}, err
	}
	format, charset, err := qst.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return Batch{}, &UnavailableError{Status: http.StatusOK, Err: fmt.Errorf("%w: %w", errStrange, err)}
	}
	// The service has let it in; what an answer may be is bounded by maxAnswer.
	msgs, err := qst.Decode(format, charset, a.body, qst.NoLimits())
	if err != nil {
		return Batch{}, &UnavailableError{Status: http.StatusOK, Err: fmt.Errorf("%w: %w", errCut, err)}
	}
	b = Batch{Messages: msgs}
	if len(msgs) > 0 {
		if b.ETag = a.header.Get("ETag"); b.ETag == "" {
			return Batch{}, fmt.Errorf("%w: an answer with %d messages has none", ErrETag, len(msgs))
		}
	}
	return b, nil
}
