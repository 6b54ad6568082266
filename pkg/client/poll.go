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

	// Redelivered is how many of the messages, the first ones, the service gave out before.
	Redelivered int
}

// Poll makes one request for messages, and does not try again. It is what
// [Client.Pull] is made of; use it for a look at what is there (without an ETag
// nothing is confirmed, and the messages come again) or for a loop of your own.
//
// Errors: [*EndpointError]; [*RejectedError] for a parameter that the service does not
// take; [*UnavailableError], also for an answer that did not arrive whole;
// [ErrETag]; ctx.Err(), wrapped.
func (c *Client) Poll(ctx context.Context, req PollRequest) (Batch, error) {
	most := ""
	if req.Max != 0 {
		most = strconv.Itoa(req.Max)
	}
	p, err := c.poll(ctx, receive, req, most)
	return p.Batch, err
}

// polled is the answer to a poll, with what it says of the poll's own ETag.
type polled struct {
	Batch

	// confirmed is how many messages the poll confirmed; -1: the answer does not say.
	confirmed int
	// known: the answer holds no messages, and repeats the poll's ETag. So does the
	// service for an ETag of this queue.
	known bool
}

// poll makes one request. most is the parameter max; "": none.
func (c *Client) poll(ctx context.Context, op operation, req PollRequest, most string) (p polled, err error) {
	spanned, span := c.startSpan(ctx, op)
	defer func() { endSpan(ctx, span, len(p.Messages), err) }()
	query := url.Values{"format": {c.format.String()}}
	if req.ETag != "" {
		// Not as If-None-Match: proxies answer that themselves, with a 304.
		query.Set("etag", req.ETag)
	}
	if most != "" {
		query.Set("max", most)
	}
	if req.Wait > 0 {
		query.Set("long-polling", "true")
		query.Set("wait", strconv.FormatFloat(req.Wait.Seconds(), 'f', -1, 64))
	}
	header := http.Header{"Accept": {c.format.MediaType()}, "Cache-Control": {"no-store"}}
	a, err := c.exchange(spanned, op, query, header, nil, req.Wait+pollMargin)
	if err != nil {
		return polled{}, err
	}
	format, charset, err := qst.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil {
		return polled{}, &UnavailableError{Status: http.StatusOK, Err: fmt.Errorf("%w: %w", errStrange, err)}
	}
	// The service has let it in; what an answer may be is bounded by maxAnswer.
	msgs, err := qst.Decode(format, charset, a.body, qst.NoLimits())
	if err != nil {
		return polled{}, &UnavailableError{Status: http.StatusOK, Err: fmt.Errorf("%w: %w", errCut, err)}
	}
	p = polled{Batch: Batch{Messages: msgs}, confirmed: -1}
	if n, err := strconv.ParseUint(a.header.Get("QST-Confirmed"), 10, 31); err == nil {
		p.confirmed = int(n)
	}
	if n, err := strconv.ParseUint(a.header.Get("QST-Redelivered"), 10, 31); err == nil {
		p.Redelivered = min(int(n), len(msgs))
	}
	etag := a.header.Get("ETag")
	if len(msgs) == 0 {
		p.known = etag != "" && sameETag(etag, req.ETag)
		return p, nil
	}
	if etag == "" {
		return polled{}, fmt.Errorf("%w: an answer with %d messages has none", ErrETag, len(msgs))
	}
	p.ETag = etag
	return p, nil
}

// sameETag compares two ETags, of which a proxy may have changed the form of one.
func sameETag(a, b string) bool {
	if a == b {
		return true
	}
	x, xOK := qst.ParseETag(a)
	y, yOK := qst.ParseETag(b)
	return xOK && yOK && x == y
}
