package webhook

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// verdict is what an answer means for the batch that was sent; see "What the status tells the
// client to do" in the protocol.
type verdict int

const (
	again   verdict = iota // later: it may pass
	taken                  // it is confirmed
	refused                // this batch can never be taken: a smaller one, perhaps
	stop                   // nothing more, until an operator says so
)

// String names the verdict in metrics and logs.
func (v verdict) String() string {
	switch v {
	case taken:
		return "taken"
	case refused:
		return "refused"
	case stop:
		return "stopped"
	default:
		return "again"
	}
}

// judge returns what a status means. What is in no list may pass: nothing is given up on it.
func judge(status int) verdict {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType:
		return refused
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusGone:
		return stop
	}
	if status >= 200 && status < 300 {
		return taken
	}
	return again
}

// overloaded tells whether a status speaks of the host rather than of one URL on it.
func overloaded(status int) bool {
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// verdict returns what an answer means. One that says that the batch was taken, and does not come whole, says
// nothing: the receiver may have failed on the way.
func (a reply) verdict() verdict {
	if a.status == 0 {
		return again
	}
	v := judge(a.status)
	if v == taken && !a.whole() {
		return again
	}
	return v
}

// whole tells whether the answer came to its end, or to the bound up to which it is read.
func (a reply) whole() bool { return a.status > 0 && (a.err == nil || errors.Is(a.err, errTooLong)) }

// outcome returns what an answer tells of its host.
func (a reply) outcome() outcome {
	if !a.whole() || overloaded(a.status) {
		return failing
	}
	return answered
}

// retryAfter returns how long an answer asks to wait; 0: it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(v); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// backoff returns how long to wait after so many failures in a row, before chance has its share:
// firstPause, twice that, …, at most longest.
func backoff(failures int, longest time.Duration) time.Duration {
	return backoffFrom(firstPause, failures, longest)
}

func backoffFrom(first time.Duration, failures int, longest time.Duration) time.Duration {
	d := first
	for i := 1; i < failures && d < longest; i++ {
		d *= 2
	}
	return min(d, longest)
}

// firstPause is how long a batch waits after its first failure.
const firstPause = time.Second
