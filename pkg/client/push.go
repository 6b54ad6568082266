package client

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Push stores messages in the queue, in their order. It sends them in batches
// (see [WithBatchLimits]), each of which is stored whole or not at all, one after
// the other.
//
// Push gives each message without an ID a UUID, in msgs itself: to push the
// same slice again is safe within the service's deduplication window.
//
// The result counts what was stored and what the service had already. Whatever the
// error, the first Accepted+Duplicates of the messages are in the queue. Of the next
// ones a batch may be there as well if the error is an UnavailableError or the
// context's: then nobody heard the answer. Pushing the rest again settles that.
//
// Errors:
//   - [*RejectedError]: the service will never take the message at Index; the ones
//     before it are stored, the ones after it have not been tried. A batch that is
//     refused is halved until it is known which message it is, and a batch that is
//     too large for something on the way until it fits. (One that gets no answer is
//     halved too, for a slow line may let that through.)
//   - [*EndpointError]: wrong credentials or the wrong URL.
//   - [*UnavailableError]: it did not work in the time that [WithRetry] sets.
//   - ctx.Err(), wrapped.
func (c *Client) Push(ctx context.Context, msgs ...qst.Message) (qst.Result, error) {
	identify(msgs)
	var total qst.Result
	most := c.maxMessages // that something on the way takes at once
	try := most           // less, where larger ones got no answer
	for first := 0; first < len(msgs); {
		var n int
		var result qst.Result
		err := c.withRetry(ctx, "push", c.retry.giveUp, func() (err error) {
			var body []byte
			n, body = c.batch(msgs[first:], try)
			result, err = c.pushBatch(ctx, body, n)
			if noAnswer(err) {
				try = max(n/2, 1)
			}
			return err
		})
		if refused, ok := errors.AsType[*RejectedError](err); ok {
			if n > 1 && refused.Status != http.StatusUnsupportedMediaType {
				most, try = n/2, n/2
				c.log.InfoContext(ctx, "a batch was refused; trying half of it", "messages", n, "error", err)
				continue
			}
			refused.Index, refused.Count = first, n
			if n == 1 {
				refused.ID = msgs[first].ID
			}
		}
		if err != nil {
			return total, fmt.Errorf("pushed %d of %d messages: %w", total.Accepted+total.Duplicates, len(msgs), err)
		}
		total.Accepted += result.Accepted
		total.Duplicates += result.Duplicates
		first += n
		try = min(2*try, most)
	}
	return total, nil
}

// noAnswer reports whether a request came to nothing: a slow or broken line may let a
// smaller one through.
func noAnswer(err error) bool {
	unavailable, ok := errors.AsType[*UnavailableError](err)
	return ok && (unavailable.Status == 0 || unavailable.Status == http.StatusRequestTimeout)
}

// batch returns how many of the first messages make a batch within the limits, at
// least one, and the batch.
func (c *Client) batch(msgs []qst.Message, most int) (n int, body []byte) {
	most = min(most, len(msgs))
	// What a message adds to a batch is what it adds to an empty one, and a comma.
	empty := len(qst.Append(nil, c.format, nil))
	size := empty
	for n < most {
		body = qst.Append(body[:0], c.format, msgs[n:n+1])
		size += len(body) - empty + 1
		if n > 0 && size > c.maxBytes {
			break
		}
		n++
	}
	return n, qst.Append(body[:0], c.format, msgs[:n])
}

// pushBatch pushes a batch of n messages, once.
func (c *Client) pushBatch(ctx context.Context, body []byte, n int) (result qst.Result, err error) {
	spanned, span := c.startSpan(ctx, send)
	defer func() { endSpan(ctx, span, n, err) }()
	header := http.Header{"Content-Type": {c.format.MediaType()}, "Accept": {c.format.MediaType()}}
	if c.gzip {
		header.Set("Content-Encoding", "gzip")
		body = compress(body)
	}
	a, err := c.exchange(spanned, send, nil, header, body, pushTimeout)
	if err != nil {
		return qst.Result{}, err
	}
	return c.result(a, n)
}

// result reads the answer to a batch of n messages. One that does not account for
// each of them is not the answer to this batch.
func (c *Client) result(a answer, n int) (qst.Result, error) {
	result, err := qst.DecodeResult(c.format, a.body)
	if err != nil {
		return qst.Result{}, &UnavailableError{Status: http.StatusOK, Err: fmt.Errorf("%w: %w", errStrange, err)}
	}
	if result.Accepted+result.Duplicates != n {
		return qst.Result{}, &UnavailableError{Status: http.StatusOK, Err: fmt.Errorf("%w: %d messages were sent, it speaks of %d", errStrange, n, result.Accepted+result.Duplicates)}
	}
	return result, nil
}

func compress(body []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(body) // a bytes.Buffer takes everything
	_ = w.Close()
	return b.Bytes()
}
