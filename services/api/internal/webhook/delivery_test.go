package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// A worker that lives keeps no lease of a queue that it does not deliver, whatever is lost when.
func TestLeaseIsGivenBack(t *testing.T) {
	t.Parallel()
	for name, faulty := range map[string]func(b *bench, d **delivery){
		"it is to end between the claim and what it reads then": func(b *bench, d **delivery) {
			b.faults.set(func(args []any) error {
				if args[0] == "hgetall" {
					(*d).cancel()
				}
				return nil
			}, nil)
		},
		"the claim's answer is lost": func(b *bench, d **delivery) {
			b.faults.set(nil, func(args []any) error {
				if !claims(args) {
					return nil
				}
				b.faults.set(nil, nil)
				(*d).cancel()
				return errLost
			})
		},
		"it can't be given back at first": func(b *bench, d **delivery) {
			failures := 2
			b.faults.set(func(args []any) error {
				if args[0] == "hgetall" {
					(*d).cancel()
				}
				if notes(args, fieldWorker) && failures > 0 {
					failures--
					return errLost
				}
				return nil
			}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, "http://127.0.0.1:9/")
			d := newDelivery(t.Context(), b.Worker, inbound, b.key)
			faulty(b, &d)
			d.run(t.Context())
			if state := b.state(); state[fieldWorker] != "" || state["fence"] == "" {
				t.Errorf("the state is %v, want one that was claimed and is no worker's", state)
			}
		})
	}
}

// A worker that ends does not wait for a Redis that does not answer for longer than the farewell.
func TestFarewell(t *testing.T) {
	t.Parallel()
	b := newBench(t, "http://127.0.0.1:9/")
	d := b.take()
	b.faults.set(func([]any) error { return errLost }, nil)
	ctx, end := context.WithCancel(t.Context())
	d.worker = ctx
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.giveBack()
	}()
	end()
	select {
	case <-ended:
	case <-time.After(4 * farewell):
		t.Error("it goes on trying")
	}
}

// That a webhook has stopped is noted in the end, also when it can't be noted at once, and is not
// forgotten when the channel is read anew meanwhile.
func TestStopIsNotForgotten(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	b := newBench(t, startServer(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.WriteHeader(http.StatusForbidden)
	}))
	b.push("1")
	d := b.take()
	b.faults.set(func(args []any) error {
		if notes(args, fieldStopped) {
			return errLost
		}
		return nil
	}, nil)
	if err := d.step(t.Context()); err == nil {
		t.Fatal("the note of the stop was not lost")
	}
	d.flush(t.Context()) // is lost, too
	b.faults.set(nil, nil)
	d.later(fieldAnswer, "a newer one")
	d.poke()
	step := make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { step <- d.step(ctx) }()
	b.eventually("the stop is noted", func() bool { return b.state()[fieldStopped] != "" })
	d.cancel()
	if err := <-step; err != nil {
		t.Error(err)
	}
	if state := b.state(); state[fieldAnswer] != "a newer one" || state[fieldStatus] != "403" {
		t.Errorf("the state is %v", state)
	}
	if d.state.Stopped.IsZero() || requests.Load() != 1 {
		t.Errorf("after %d requests it is not stopped", requests.Load())
	}
}

// What was taken is confirmed when the webhook's mode becomes wake meanwhile: the application is not
// woken for it.
func TestModeBecomesWake(t *testing.T) {
	t.Parallel()
	var b *bench
	var url string
	woken := make(chan struct{}, 100)
	url = startServer(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("QST-Webhook") == "wake" {
			woken <- struct{}{}
			return
		}
		b.set(url, access.WebhookWake)
	})
	b = newBench(t, url)
	b.push("1")
	b.start()
	b.eventually("what was taken is confirmed", func() bool {
		holds, err := b.opts.Operator.Holds(t.Context(), inbound)
		return err == nil && holds.Messages == 0
	})
	if len(woken) > 0 {
		t.Error("the application was woken for what it has taken")
	}
}

// What a receiver asks for is bounded for its host, too, and an operator need not wait for it.
func TestHostIsNotLeftAloneForLong(t *testing.T) {
	t.Parallel()
	for mode, header := range map[access.WebhookMode]string{access.WebhookMessages: "messages", access.WebhookWake: "wake"} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int64
			url := startServer(t, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("QST-Webhook"); got != header {
					t.Errorf("a request %s", got)
				}
				requests.Add(1)
				w.Header().Set("Retry-After", "86400")
				w.WriteHeader(http.StatusServiceUnavailable)
			})
			b := newBench(t, url)
			b.opts.RetryAfterMax = time.Hour
			b.set(url, mode)
			b.push("1")
			d := b.take()
			host := b.hosts.byName[d.host]
			host.failures = hostFailures // so that the next one has it left alone
			if err := d.step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if wait := time.Until(host.until); wait <= 0 || wait > b.opts.RetryAfterMax {
				t.Errorf("the host is left alone for %s, want at most %s", wait, b.opts.RetryAfterMax)
			}
			if err := b.opts.States.Resume(t.Context(), inbound); err != nil {
				t.Fatal(err)
			}
			d.poke()
			late := time.AfterFunc(30*time.Second, d.cancel)
			defer late.Stop()
			if err := d.step(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := requests.Load(); n != 2 {
				t.Errorf("%d requests, want one more after it was resumed", n)
			}
		})
	}
}

// A batch counts as taken when the whole answer says so, or as much of it as is read.
func TestAnswerThatIsNotWhole(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		length int
		body   string
		want   verdict
	}{
		"whole":    {2, "ok", taken},
		"cut":      {100, "ok", again},
		"too long": {2000, strings.Repeat("x", 2000), taken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := startServer(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", strconv.Itoa(c.length))
				_, _ = fmt.Fprint(w, c.body)
			})
			client := NewClient(ClientOptions{AllowHTTP: true, AllowNetworks: prefixes("127.0.0.0/8")})
			defer client.Close()
			a := client.send(t.Context(), Target{URL: url, Timeout: time.Minute}, request{id: "x", maxAnswer: 1000})
			if got := a.verdict(); a.status != 200 || got != c.want {
				t.Errorf("%d, %v: %s, want %s", a.status, a.err, got, c.want)
			}
			if got := a.outcome(); (got == answered) != (c.want == taken) {
				t.Errorf("for its host it is %d", got)
			}
		})
	}
}

// A worker that is gone is not shown as one that has a queue.
func TestDeadWorkerIsNotShown(t *testing.T) {
	t.Parallel()
	b := newBench(t, "http://127.0.0.1:9/")
	b.take()
	for _, want := range []string{b.name, ""} {
		if states, err := b.opts.States.Shown(t.Context(), inbound); err != nil || states[0].Worker != want {
			t.Errorf("%+v, %v; want the worker %q", states, err, want)
		}
		b.redis.Del(t.Context(), b.opts.Layout.Workers()) // as it expires when nobody is heard
	}
	if states, err := b.opts.States.States(t.Context(), inbound); err != nil || states[0].Worker != b.name {
		t.Errorf("its lease is %+v, %v", states, err)
	}
}

// A change is seen whatever Redis's clock said of it.
func TestChangesWhileClockStepsBack(t *testing.T) {
	t.Parallel()
	b := newBench(t, "http://127.0.0.1:9/")
	key := b.opts.Layout.Partitions()[0].Webhooks()
	scan := func(whole bool, want int) {
		t.Helper()
		changed, err := b.scan(t.Context(), whole)
		if err != nil || len(changed) != want || want == 1 && changed[0] != inbound {
			t.Errorf("changed: %v, %v; want %d", changed, err, want)
		}
	}
	change := func(at float64) {
		t.Helper()
		if err := b.redis.ZAdd(t.Context(), key, redis.Z{Score: at, Member: b.key.Name}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	scan(true, 0) // all is new
	scan(false, 0)
	change(1e15) // years ago
	scan(true, 1)
	scan(true, 0)
	change(1e15 + 1)
	scan(false, 1)
	scan(false, 0)
}

// A worker that ends is heard until its requests have ended: the others leave it what it has, and
// take what it has not.
func TestDrainingWorkerKeepsItsLease(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}), make(chan struct{})
	b := newBench(t, startServer(t, func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	}))
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	b.push("1")
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.Run(ctx)
	}()
	<-entered
	end()
	heard := func() string {
		return b.redis.HGet(context.WithoutCancel(t.Context()), b.opts.Layout.Workers(), b.name).Val()
	}
	mark := " " + strconv.Itoa(leaving)
	b.eventually("it says that it ends", func() bool { return strings.HasSuffix(heard(), mark) })
	first := heard()
	b.eventually("it is heard again", func() bool { return heard() != first && strings.HasSuffix(heard(), mark) })
	if holder := b.state()[fieldWorker]; holder != b.name {
		t.Errorf("the queue is %q's while a request is under way", holder)
	}
	letGo()
	<-ended
	if heard() != "" || b.state()[fieldWorker] != "" {
		t.Errorf("it has ended, and %q has the queue; it is heard: %q", b.state()[fieldWorker], heard())
	}
	if holds, err := b.opts.Operator.Holds(context.WithoutCancel(t.Context()), inbound); err != nil || holds != (queue.Holding{Tail: holds.Tail}) {
		t.Errorf("what was taken is not confirmed: %v, %v", holds, err)
	}

	var p pulse
	p.heard(time.Now(), map[string]int{"a": 0, "ends": leaving})
	for i := range 100 {
		if owner := p.owner(strconv.Itoa(i)); owner != "a" {
			t.Fatalf("a queue is to be %s's", owner)
		}
	}
	if !p.lives("ends") {
		t.Error("a worker that ends does not count as one that lives")
	}
}

// Those who wait for a place of a host look again when one is given back that they can have.
func TestHostsWakeNobodyInVain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHosts(3, 1, time.Minute)
		looks := 0
		h.now = func() time.Time { looks++; return time.Now() }
		for _, name := range []string{"a", "b"} {
			h.join(name)
			defer h.leave(name)
			if !h.try(name) {
				t.Fatal("no place")
			}
		}
		got := make(chan error)
		go func() { got <- h.acquire(t.Context(), "a") }()
		synctest.Wait()
		before := looks
		h.release("b", answered, 0)
		synctest.Wait()
		if looks != before {
			t.Error("who waits for one host looks for a place of another one's")
		}
		h.release("a", answered, 0)
		if err := <-got; err != nil {
			t.Error(err)
		}
		h.release("a", answered, 0)

		// All places are used: what any host gives back is good for all.
		h = newHosts(1, 1, time.Minute)
		for _, name := range []string{"a", "b"} {
			h.join(name)
			defer h.leave(name)
		}
		if !h.try("b") {
			t.Fatal("no place")
		}
		go func() { got <- h.acquire(t.Context(), "a") }()
		synctest.Wait()
		h.release("b", answered, 0)
		if err := <-got; err != nil {
			t.Error(err)
		}
		h.release("a", answered, 0)
	})
}
