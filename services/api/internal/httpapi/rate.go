package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// ratedChannels bounds the channels whose rate is known: those that push at the time. One
// that is forgotten starts anew.
const ratedChannels = 100_000

// rates bound how many messages a second each channel pushes on this replica.
type rates struct {
	burst    int // at least: a batch of so many is never too large for the rate
	channels *lru.Cache[string, *rate.Limiter]
}

func newRates(burst int) *rates {
	channels, err := lru.New[string, *rate.Limiter](ratedChannels)
	if err != nil {
		panic(err) // the size is a constant
	}
	return &rates{burst: burst, channels: channels}
}

// of returns the limiter of a channel with a rate.
func (r *rates) of(channel string, perSecond int64) *rate.Limiter {
	limit, burst := rate.Limit(perSecond), max(r.burst, int(perSecond))
	l, ok := r.channels.Get(channel)
	if !ok {
		l = rate.NewLimiter(limit, burst)
		if before, ok, _ := r.channels.PeekOrAdd(channel, l); ok {
			l = before // another request was first
		}
	}
	if l.Limit() != limit { // an operator has changed it
		l.SetLimit(limit)
		l.SetBurst(burst)
	}
	return l
}

// take lets a channel push n messages, with perSecond as its rate (0: any). If that is too
// much now, it returns after how long it is not.
func (r *rates) take(channel string, perSecond int64, n int) (after time.Duration) {
	if perSecond == 0 {
		return 0
	}
	turn := r.of(channel, perSecond).ReserveN(time.Now(), n)
	if after = turn.Delay(); after > 0 {
		turn.Cancel()
	}
	return after
}

// ratePatience is how long a push waits for its channel's rate. One that would wait longer
// waits as long, and is refused: so whoever sends on regardless is slowed, for it has one of
// its channel's places meanwhile. Half of them, at the most: the other half is for pulls.
const ratePatience = time.Second

// slow has a push wait for its channel's rate. It returns false if the push can't: then it is to
// be refused at once.
func (a *API) slow(ctx context.Context, ev *event, channel string, d time.Duration) bool {
	if !a.places.slowed.Enter(ctx, channel, 0) {
		return false
	}
	defer a.places.slowed.Leave(channel)
	return a.pause(ctx, ev, d)
}

// beforeRead refuses a push, before its body is read, if those before it have used up its
// channel's rate for longer than it would wait.
func (a *API) beforeRead(ctx context.Context, ev *event, channel string) error {
	if ev.pushRate == 0 {
		return nil
	}
	after := time.Duration(-a.rates.of(channel, ev.pushRate).Tokens() / float64(ev.pushRate) * float64(time.Second))
	if after <= ratePatience {
		return nil
	}
	a.slow(ctx, ev, channel, ratePatience)
	return errors.Join(ctx.Err(), overRate(ev.pushRate, after))
}

// waitForRate has a push of n messages wait until its channel may push as many.
func (a *API) waitForRate(ctx context.Context, ev *event, channel string, n int) error {
	if ev.pushRate == 0 {
		return nil
	}
	turn := a.rates.of(channel, ev.pushRate).ReserveN(time.Now(), n)
	after := turn.Delay()
	switch {
	case after == 0:
		return nil
	case after <= 2*ratePatience: // twice: it was let in while others were, too
		if a.slow(ctx, ev, channel, after) {
			return nil
		}
		turn.Cancel()
	default:
		turn.Cancel()
		a.slow(ctx, ev, channel, ratePatience)
	}
	return errors.Join(ctx.Err(), overRate(ev.pushRate, after))
}

// reasonPushRate is why a push over the rate is refused.
const reasonPushRate = "push_rate"

// pause waits, unless the client goes away or the request's time would be over: then it
// returns false.
func (a *API) pause(ctx context.Context, ev *event, d time.Duration) bool {
	if time.Since(ev.start)+d > a.opts.RequestTimeout {
		return false
	}
	defer func(start time.Time) { ev.slowed += time.Since(start) }(time.Now())
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// overRate is a push of more messages than the channel may push now.
func overRate(perSecond int64, after time.Duration) problem {
	return problem{
		status: http.StatusServiceUnavailable, reason: reasonPushRate, retryAfter: max(time.Second, after+time.Second-1),
		detail: fmt.Sprintf("the channel pushes more than %d messages a second; nothing of this batch was stored", perSecond),
	}
}
