package httpapi

import (
	"context"
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

// take lets a channel push n messages, with perSecond as its rate (0: any). If that is too
// much now, it returns after how long it is not.
func (r *rates) take(channel string, perSecond int64, n int) (after time.Duration) {
	if perSecond == 0 {
		return 0
	}
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
	turn := l.ReserveN(time.Now(), n)
	if after = turn.Delay(); after > 0 {
		turn.Cancel()
	}
	return after
}

// reasonPushRate is why a push over the rate is refused.
const reasonPushRate = "push_rate"

// pause waits, unless the client goes away or the request's time would be over: then it
// returns false.
func (a *API) pause(ctx context.Context, ev *event, d time.Duration) bool {
	if time.Since(ev.start)+d > a.opts.RequestTimeout {
		return false
	}
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
