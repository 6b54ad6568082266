package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Confirm tells the service that all messages up to the ETag were handled, and takes
// none: no message counts as delivered by it. It does not try again. [Client.Pull]
// confirms by itself; this is for the end of a loop of your own.
//
// A service that does not know the parameter max=0 refuses it. It is told with max=1:
// then the next message counts as delivered, and comes again.
//
// The errors are those of [Client.Poll].
func (c *Client) Confirm(ctx context.Context, etag string) error {
	_, _, err := c.confirm(ctx, etag)
	return err
}

// confirm is Confirm. It reports whether the service said that the ETag is one of this
// queue, and whether the service can say that at all.
func (c *Client) confirm(ctx context.Context, etag string) (known, says bool, err error) {
	p, err := c.poll(ctx, settle, PollRequest{ETag: etag}, "0")
	if refused, ok := errors.AsType[*RejectedError](err); ok && refused.Status == http.StatusBadRequest {
		_, err = c.poll(ctx, settle, PollRequest{ETag: etag}, "1")
		return false, false, err
	}
	return p.known, true, err
}

// acknowledged reports whether the service knew the poll's ETag when it gave this answer. Where
// the answer does not tell, as after one that was lost, the service is asked, and
// settled says what it said.
func (p *puller) acknowledged(ctx context.Context, giveUp time.Duration, b polled) (bool, error) {
	switch {
	case sameETag(b.ETag, p.checkpoint.ETag): // the very batch
		p.settled = false
		return false, nil
	case b.confirmed > 0, p.settled:
		return true, nil
	case p.mute:
		return false, nil
	}
	err := p.c.withRetry(ctx, "confirm", giveUp, func() error {
		known, says, err := p.c.confirm(ctx, p.checkpoint.ETag)
		p.settled, p.mute = known, err == nil && !says
		return err
	})
	return false, err
}

// partly returns how many messages were handled of the batch after the ETag's.
func (p *puller) partly() int {
	if p.checkpoint.Complete {
		return 0
	}
	return len(p.checkpoint.Handled)
}

// passed is the place after an answer of which all messages were handled already. Their
// digests stay, for the service may not hear of its ETag.
func (p *puller) passed(d delivery) Checkpoint {
	return Checkpoint{URL: p.c.URL(), ETag: d.etag, Handled: p.checkpoint.Handled, Complete: len(d.known) == len(p.checkpoint.Handled)}
}

// leave tells the service of what was handled, where a loop does not come to its own end,
// and tries for giveUp. Nobody hears of an error but the log: the place is in the Store.
func (p *puller) leave(ctx context.Context, giveUp time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
	defer cancel()
	err := p.confirmPart(ctx, giveUp)
	if err == nil && !p.confirmed {
		err = p.c.withRetry(ctx, "confirm", giveUp, func() error { return p.c.Confirm(ctx, p.checkpoint.ETag) })
	}
	if err != nil {
		p.c.log.WarnContext(ctx, "what was handled is not confirmed yet", "url", p.c.URL(), "error", err)
	}
}

// confirmPart makes the messages that were handled of the batch in hand a batch of their
// own: it asks for as many again, which are those, and so gets an ETag for them.
func (p *puller) confirmPart(ctx context.Context, giveUp time.Duration) error {
	n := p.partly()
	if n == 0 {
		return nil
	}
	return p.c.withRetry(ctx, "poll", giveUp, func() error {
		b, err := p.c.Poll(ctx, PollRequest{ETag: p.checkpoint.ETag, Max: n})
		if err != nil {
			return err
		}
		if d := p.dropHandled(b); len(d.known) == n && len(d.fresh) == 0 {
			return p.save(ctx, p.passed(d))
		}
		return nil // somebody else has been at the queue, or the place is older than that
	})
}

// confirm tells the service of the last batch, if it does not know yet.
func (p *puller) confirm(ctx context.Context) error {
	if p.confirmed {
		return nil
	}
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), confirmTimeout)
		defer cancel()
	}
	err := p.c.withRetry(ctx, "confirm", p.c.retry.giveUp, func() error {
		return p.c.Confirm(ctx, p.checkpoint.ETag)
	})
	if err != nil {
		return fmt.Errorf("the last messages were handled, but not confirmed: %w", err)
	}
	return nil
}
