package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// retry says how to try again; see WithRetry.
type retry struct{ first, most, giveUp time.Duration }

// pause returns how long to wait after the failed-th failure in a row (counted from
// 0): anything up to first·2^failed, so that clients that failed together don't
// come back together. The time that the failed try itself took counts: after a
// poll that hung for a minute there is nothing to wait for.
func (r retry) pause(failed int, took, retryAfter time.Duration) time.Duration {
	most := r.most
	if failed < 30 && r.first<<failed > 0 {
		most = min(most, r.first<<failed)
	}
	return max(rand.N(most+1)-took, min(retryAfter, r.most), 0) //nolint:gosec // spread, no secret
}

// withRetry calls f until it succeeds, or fails for good (with anything but an
// UnavailableError), or has failed for giveUp (0: for ever), or ctx ends.
func (c *Client) withRetry(ctx context.Context, request string, giveUp time.Duration, f func() error) error {
	log := c.log.With("request", request, "url", c.URL())
	start := time.Now()
	for failed := 0; ; {
		began := time.Now()
		err := f()
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) {
			if failed > 0 && err == nil {
				log.InfoContext(ctx, "answered again", "failures", failed, "after", time.Since(start))
			}
			return err
		}
		pause := c.retry.pause(failed, time.Since(began), unavailable.RetryAfter)
		failed++
		if giveUp > 0 && time.Since(start)+pause > giveUp {
			return fmt.Errorf("gave up after %d tries: %w", failed, err)
		}
		log.WarnContext(ctx, "trying again", "failures", failed, "pause", pause, "error", err)
		if ctxErr := sleep(ctx, pause); ctxErr != nil {
			return fmt.Errorf("%w after %d tries: %w", ctxErr, failed, err)
		}
	}
}

// sleep waits for d or the end of ctx, whose error it returns.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// retryAfter reads Retry-After: seconds, or a date, which is measured from the
// answer's own Date; this machine's clock may be wrong. What makes no sense is 0.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}
