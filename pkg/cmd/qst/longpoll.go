package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"
)

// slowWake is more than a message takes to a poll that waits for it: milliseconds, and
// the network's time.
const slowWake = 3 * time.Second

// longPoll is a poll that is held for d.
func longPoll(d time.Duration) probe {
	return probe{wait: d, query: url.Values{"long-polling": {"true"}, "wait": {strconv.FormatFloat(d.Seconds(), 'f', -1, 64)}}}
}

// wakes checks that a poll that is held gets a message when it is pushed, rather than
// when the poll's time is over.
func (q *queueDoctor) wakes(ctx context.Context) {
	const hold = 15 * time.Second
	type woken struct {
		o    observation
		n    int
		at   time.Time
		etag string
	}
	var w woken
	var poll sync.WaitGroup
	poll.Go(func() {
		o, msgs := q.get(ctx, longPoll(hold))
		w = woken{o: o, n: len(msgs), at: time.Now(), etag: o.header.Get("ETag")}
	})
	// The poll should be there before the message. It is no error if it is not.
	pause(ctx, time.Second)
	pushed := time.Now()
	_, ok := q.put(ctx, "wake")
	poll.Wait()
	if !ok {
		return
	}
	switch delay := w.at.Sub(pushed); {
	case w.o.err != nil || w.o.status != http.StatusOK:
		q.wrong("wake", "a long poll that a message should answer: "+w.o.String(), q.cutAdvice(&w.o))
	case w.n == 0 && w.o.took < hold/2:
		q.wrong("long poll", "a long poll is answered empty at once: "+seconds(w.o.took), "the query's long-polling=true does not get through, or the service holds no more polls (QST_MAX_POLLS)")
	case w.n == 0 || delay > slowWake:
		q.wrong("wake", fmt.Sprintf("a message took %s to a poll that was waiting for it", seconds(delay)), "answers are held back on the way: "+
			q.setting("nginx: proxy_buffering off", "HAProxy: no option http-buffer-request"))
	default:
		q.okf("wake", "a waiting poll gets a message in %d ms", max(delay.Milliseconds(), 0))
	}
	etag := w.etag
	if etag == "" {
		o, _ := q.get(ctx, probe{})
		etag = o.header.Get("ETag")
	}
	q.confirm(ctx, etag)
}

// longPoll finds out for how long a quiet long poll lives.
func (q *queueDoctor) longPoll(ctx context.Context, watch time.Duration) {
	o, _ := q.get(ctx, longPoll(watch))
	switch {
	case ctx.Err() != nil:
		return
	case o.err == nil && o.status == http.StatusOK && o.took < min(watch, 5*time.Second)/2:
		q.wrong("long poll", "a long poll is answered empty at once: "+seconds(o.took), "the query's long-polling=true does not get through, or the service holds no more polls (QST_MAX_POLLS)")
	case o.err == nil && o.status == http.StatusOK:
		q.okf("long poll", "a quiet one lives for %s", seconds(o.took))
	default:
		q.wrong("long poll", fmt.Sprintf("cut after %s: %s", seconds(o.took), o.String()), q.cutAdvice(&o))
	}
}

// cutAdvice says what cuts a poll that is waiting, by how it does.
func (q *queueDoctor) cutAdvice(o *observation) string {
	workaround := "; until then have clients wait for less (--wait, QSTC_WAIT)"
	q.recognise(o)
	switch {
	case o.timeout:
		return "the answer never came: something keeps the connection and forgot the request (a NAT or firewall that forgets quiet connections)" + workaround
	case o.status == http.StatusGatewayTimeout, o.status == http.StatusBadGateway:
		return q.setting("nginx: proxy_read_timeout 75s", "HAProxy: timeout server 75s") + workaround
	case o.status == http.StatusRequestTimeout:
		return q.setting("nginx: client_body_timeout", "HAProxy: timeout http-request, timeout client 75s") + workaround
	case o.status != 0:
		return "the service holds polls for up to 50s; what is in between must wait for longer" + workaround
	default:
		return "the connection was dropped without a word: " +
			q.setting("nginx: proxy_read_timeout 75s, or a load balancer in front with an idle timeout below 60s", "HAProxy: hard-stop-after at a reload; a load balancer's idle timeout; a NAT") + workaround
	}
}

// pause waits for d, or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// decompress writes to dst what b holds, at most maxProbeAnswer of it.
func decompress(dst io.Writer, b []byte) error {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, io.LimitReader(r, maxProbeAnswer))
	return err
}
