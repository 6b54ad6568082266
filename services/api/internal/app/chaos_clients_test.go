package app_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clients are the senders and receivers of a chaos test, one of each per channel.
type clients struct {
	t         *testing.T
	histories []*history
	replicas  atomic.Pointer[[]string] // where the service is
	client    *http.Client

	stop           atomic.Bool // the senders send no more new messages
	sending, whole sync.WaitGroup
	done           chan struct{} // the senders have ended
}

const chaosChannels = 6

func startClients(t *testing.T, seed uint64, replicas ...*replica) *clients {
	t.Helper()
	c := &clients{t: t, client: &http.Client{Timeout: patience}, done: make(chan struct{})}
	c.use(replicas...)
	for i := range chaosChannels {
		h := newHistory("chaos-" + strconv.Itoa(i))
		c.histories = append(c.histories, h)
		r, other := rand.New(rand.NewPCG(seed, uint64(2*i))), rand.New(rand.NewPCG(seed, uint64(2*i+1)))
		c.sending.Go(func() { c.send(h, r) })
		c.whole.Go(func() { c.receive(h, other) })
	}
	go func() { c.sending.Wait(); close(c.done) }()
	return c
}

// use has the clients turn to these replicas of the service.
func (c *clients) use(replicas ...*replica) {
	var urls []string
	for _, r := range replicas {
		urls = append(urls, r.URL)
	}
	c.replicas.Store(&urls)
}

func (c *clients) url(r *rand.Rand, h *history) string {
	urls := *c.replicas.Load()
	return urls[r.IntN(len(urls))] + "/v2/channels/" + h.channel
}

// final tells whether an answer is one that a client must not try again after.
func final(status int) bool { return status >= 400 && status < 500 }

func (c *clients) send(h *history, r *rand.Rand) {
	for n := 0; !c.stop.Load() && c.t.Context().Err() == nil; {
		batch := make([]string, 1+r.IntN(4))
		for i := range batch {
			batch[i] = fmt.Sprintf(`{"id":"%d","body":%q}`, n+i, strings.Repeat("x", 1+r.IntN(200)))
		}
		h.mu.Lock()
		h.tried = n + len(batch)
		h.mu.Unlock()
		for try := 0; c.t.Context().Err() == nil; try++ {
			a, err := c.ask("POST", c.url(r, h), "["+strings.Join(batch, ",")+"]", "Content-Type: application/json")
			h.mu.Lock()
			for i := range batch {
				if err == nil && a.Status == http.StatusOK {
					h.taken[n+i] = time.Now()
				} else {
					h.retried[n+i] = true
				}
			}
			h.mu.Unlock()
			if err == nil && final(a.Status) {
				c.t.Errorf("%s: a push was answered %v", h.channel, a)
				return
			}
			if err == nil && a.Status == http.StatusOK {
				break
			}
			time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond) //nolint:forbidigo // the pause of a client, not a wait for something
		}
		n += len(batch)
		time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond) //nolint:forbidigo // the rate of a sender
	}
}

// receive pulls until the senders have ended and nothing is left.
func (c *clients) receive(h *history, r *rand.Rand) {
	tag := ""
	for c.t.Context().Err() == nil {
		ended := false
		select {
		case <-c.done:
			ended = true
		default:
		}
		query := fmt.Sprintf("?format=json&max=%d&etag=%s", 1+r.IntN(20), tag)
		if r.IntN(3) > 0 && !ended {
			query += "&long-polling=true&wait=2"
		}
		a, err := c.ask("GET", c.url(r, h)+query, "")
		if err == nil && final(a.Status) {
			c.t.Errorf("%s: a pull was answered %v", h.channel, a)
			return
		}
		if err != nil || a.Status != http.StatusOK {
			time.Sleep(time.Duration(r.IntN(50)) * time.Millisecond) //nolint:forbidigo // the pause of a client
			continue
		}
		if r.IntN(10) == 0 {
			continue // it died before it had processed this, or its line was cut
		}
		var messages []struct{ ID string }
		if err := json.Unmarshal([]byte(a.Body), &messages); err != nil {
			c.t.Errorf("%s: %v: %s", h.channel, err, a.Body)
			return
		}
		h.mu.Lock()
		for _, m := range messages {
			n, err := strconv.Atoi(m.ID)
			if err != nil {
				n = 1 << 30
			}
			h.got = append(h.got, receipt{n: n, at: time.Now()})
		}
		h.mu.Unlock()
		if len(messages) > 0 {
			tag = strings.Trim(a.Header.Get("ETag"), `"`)
		}
		if ended && len(messages) == 0 {
			return
		}
	}
}

func (c *clients) ask(method, url, body string, header ...string) (answer, error) {
	return try(c.t.Context(), c.client, method, url, body, header...)
}

// end has the senders stop, the receivers take what is left, and the histories checked.
func (c *clients) end(losses []loss) {
	c.t.Helper()
	c.stop.Store(true)
	c.sending.Wait()
	c.whole.Wait()
	taken, got := 0, 0
	for _, h := range c.histories {
		for i, v := range h.violations(losses) {
			if i == 20 {
				c.t.Error("…")
				break
			}
			c.t.Error(v)
		}
		taken += len(h.taken)
		got += len(h.got)
	}
	c.t.Logf("%d messages taken, %d came", taken, got)
	if taken == 0 {
		c.t.Error("nothing was taken: this says nothing")
	}
}
