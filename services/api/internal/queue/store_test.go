package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

func whole(i int) string { return strconv.Itoa(i) }

// limited is a store with the limits that its test set.
type limited struct {
	*Store
	call Call
}

func (s *limited) Push(ctx context.Context, n Name, messages []qst.Message) (qst.Result, error) {
	return s.Store.Push(ctx, n, s.call, messages)
}

func (s *limited) Pull(ctx context.Context, n Name, r Request) (Delivery, error) {
	return s.Store.Pull(ctx, n, s.call, r)
}

// open returns a store on a Redis of its own, running until the test ends, and a
// client of that Redis. set changes its options.
func open(t testing.TB, set ...func(*Options, *Limits)) (*limited, *redis.Client) {
	t.Helper()
	s := redistest.Start(t)
	opts := Options{
		Layout: NewLayout("qst", 4), PullMaxBytes: 1 << 20, MaxPolls: 100, Timeout: 10 * time.Second,
		Logger: slog.New(slog.DiscardHandler), Metrics: telemetry.Discard(),
	}
	limits := Limits{MaxMessages: 100_000, MaxBytes: 64 << 20, Retention: time.Hour, DedupWindow: 10 * time.Minute}
	for _, f := range set {
		f(&opts, &limits)
	}
	store := &limited{Store: New(s.Client(), s.Client(), opts), call: Call{Limits: limits}}
	if err := store.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); store.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return store, s.Client()
}

var inbox = Name{Channel: "c", Kind: Inbound}

// batch makes messages with these ids, and a body of so many bytes.
func batch(size int, ids ...string) []qst.Message {
	l := make([]qst.Message, len(ids))
	for i, id := range ids {
		l[i] = qst.Message{ID: id, When: "w", Body: strings.Repeat("x", size)}
	}
	return l
}

func mustPush(t testing.TB, s *limited, messages []qst.Message) qst.Result {
	t.Helper()
	r, err := s.Push(t.Context(), inbox, messages)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustPull(t testing.TB, s *limited, r Request) (ids string, d Delivery) {
	t.Helper()
	if r.Max == 0 {
		r.Max = 100
	}
	d, err := s.Pull(t.Context(), inbox, r)
	if err != nil {
		t.Fatal(err)
	}
	l := make([]string, len(d.Messages))
	for i, m := range d.Messages {
		l[i] = m.ID
	}
	return strings.Join(l, " "), d
}

// held returns how many messages and bytes a queue holds: by its stream, and by
// what its meta says.
func held(t testing.TB, s *limited, c *redis.Client) (messages int64, bytes, byMeta int) {
	t.Helper()
	k := s.layout.queue(inbox)
	entries, err := c.XRange(t.Context(), k.stream, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		for _, json := range e.Values {
			bytes += len(fmt.Sprint(json))
		}
	}
	meta := c.HGetAll(t.Context(), k.meta).Val()
	head, _ := strconv.Atoi(meta["head"])
	tail, _ := strconv.Atoi(meta["tail"])
	totals := c.HGetAll(t.Context(), k.totals).Val()
	depth := c.ZScore(t.Context(), k.depth, inbox.String()).Val()
	if n := len(entries); totals["messages"] != whole(n) || totals["bytes"] != whole(tail-head) || int(depth) != n {
		t.Fatalf("%d messages of %d bytes, but the totals are %v, the depth %v", n, tail-head, totals, depth)
	}
	return int64(len(entries)), bytes, tail - head
}

// What a queue is said to hold is what it holds, whatever happens to it.
func TestBytesHeld(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	check := func(what string) {
		t.Helper()
		if _, bytes, byMeta := held(t, s, c); bytes != byMeta {
			t.Fatalf("%s: %d bytes by the stream, %d by its meta", what, bytes, byMeta)
		}
	}
	mustPush(t, s, batch(10, "1", "2", "3"))
	check("pushed")
	mustPush(t, s, batch(500, "4", "5"))
	check("pushed more")
	_, d := mustPull(t, s, Request{Max: 2})
	check("pulled")
	mustPull(t, s, Request{Max: 1, ETag: d.ETag})
	check("confirmed")
	_, d = mustPull(t, s, Request{})
	mustPull(t, s, Request{ETag: d.ETag})
	check("confirmed all")
	mustPush(t, s, batch(7, "6"))
	check("pushed again")
}

// A queue's bounds, to the message and to the byte, and nothing of a batch that
// exceeds them.
func TestFull(t *testing.T) {
	t.Parallel()
	one := len(batch(100, "1")[0].AppendCanonical(nil))
	for name, set := range map[string]func(*Options, *Limits){
		"messages": func(_ *Options, l *Limits) { l.MaxMessages = 5 },
		"bytes":    func(_ *Options, l *Limits) { l.MaxBytes = int64(5 * one) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, c := open(t, set)
			mustPush(t, s, batch(100, "1", "2", "3"))
			if _, err := s.Push(t.Context(), inbox, batch(100, "4", "5", "6")); !errors.Is(err, ErrFull) {
				t.Fatalf("room for two of three: %v", err)
			}
			if n, _, _ := held(t, s, c); n != 3 {
				t.Fatalf("%d messages: part of a batch was stored", n)
			}
			// What was refused was not seen, what is there already needs no room.
			if r := mustPush(t, s, batch(100, "4", "3", "5")); r != (qst.Result{Accepted: 2, Duplicates: 1}) {
				t.Fatalf("%+v", r)
			}
			if _, err := s.Push(t.Context(), inbox, batch(100, "6")); !errors.Is(err, ErrFull) {
				t.Fatalf("full: %v", err)
			}
			_, d := mustPull(t, s, Request{Max: 1})
			mustPull(t, s, Request{Max: 1, ETag: d.ETag})
			mustPush(t, s, batch(100, "6"))
		})
	}
}

// A pull reads no more than it may answer: what it reads counts as delivered.
func TestPullMaxBytes(t *testing.T) {
	t.Parallel()
	one := len(batch(100, "1")[0].AppendCanonical(nil)) + 1
	s, c := open(t, func(o *Options, _ *Limits) { o.PullMaxBytes = int64(3 * one) })
	mustPush(t, s, batch(100, "1", "2", "3", "4", "5"))
	pending := func(want int64) {
		t.Helper()
		if p := c.XPending(t.Context(), s.layout.queue(inbox).stream, "qst").Val(); p.Count != want {
			t.Fatalf("%d messages count as delivered, %d were", p.Count, want)
		}
	}
	ids, d := mustPull(t, s, Request{})
	if ids != "1 2 3" {
		t.Fatal(ids)
	}
	pending(3)
	if ids, _ = mustPull(t, s, Request{}); ids != "1 2 3" {
		t.Fatalf("again: %s", ids)
	}
	pending(3)
	if ids, d = mustPull(t, s, Request{ETag: d.ETag}); ids != "4 5" {
		t.Fatalf("next: %s", ids)
	}
	mustPush(t, s, batch(1000, "large"))
	if ids, d = mustPull(t, s, Request{ETag: d.ETag}); ids != "large" {
		t.Fatalf("one message that is more than fits: %q", ids)
	}
	// While such a one may be there, an answer is at least half full, and still no
	// larger than it may be.
	mustPush(t, s, batch(0, "6", "7"))
	if ids, d = mustPull(t, s, Request{ETag: d.ETag}); ids != "6 7" {
		t.Fatalf("small ones after a large one: %q", ids)
	}
	mustPush(t, s, slices.Concat(batch(100, "8", "9", "a"), batch(1000, "huge"), batch(100, "b")))
	for _, want := range []string{"8 9", "a", "huge", "b", ""} {
		if ids, d = mustPull(t, s, Request{ETag: d.ETag}); ids != want {
			t.Fatalf("%q, want %q", ids, want)
		}
		pending(int64(len(strings.Fields(want))))
	}
	// The queue was empty: the large one is forgotten.
	mustPush(t, s, batch(100, "c", "d", "e", "f"))
	if ids, d = mustPull(t, s, Request{ETag: d.ETag}); ids != "c d e" {
		t.Fatalf("after the queue was empty: %q", ids)
	}
	// New ones behind what goes out again are looked at likewise.
	mustPush(t, s, batch(1000, "large again"))
	if ids, _ = mustPull(t, s, Request{ETag: d.ETag}); ids != "f" {
		t.Fatalf("before a large one: %q", ids)
	}
	mustPush(t, s, batch(0, "g"))
	if ids, _ = mustPull(t, s, Request{}); ids != "f" {
		t.Fatalf("again, before a large one: %q", ids)
	}
	pending(1)
}

// A large message that comes back from the dead is one that answers must have room for.
func TestPullMaxBytesRequeued(t *testing.T) {
	t.Parallel()
	for _, empty := range []bool{true, false} {
		one := len(batch(100, "1")[0].AppendCanonical(nil)) + 1
		s, c := open(t, func(o *Options, l *Limits) { o.PullMaxBytes, l.MaxDeliveries = int64(3*one), 1 })
		k := s.layout.queue(inbox)
		mustPush(t, s, batch(1000, "large"))
		mustPull(t, s, Request{})
		mustPull(t, s, Request{}) // sets it aside
		mustPush(t, s, batch(100, "1"))
		if empty {
			_, d := mustPull(t, s, Request{})
			ids, d := mustPull(t, s, Request{ETag: d.ETag})
			if ids != "" || d.Confirmed != 1 {
				t.Fatal(ids, d.Confirmed)
			}
		}
		dead := c.XRange(t.Context(), k.dead, "-", "+").Val()
		if err := s.Requeue(t.Context(), inbox, s.call.Limits, dead[0].ID); err != nil {
			t.Fatal(err)
		}
		mustPush(t, s, batch(100, "2"))
		var d Delivery
		for _, want := range []string{"1", "large", "2", ""} {
			if empty && want == "1" {
				continue
			}
			var ids string
			if ids, d = mustPull(t, s, Request{ETag: d.ETag}); ids != want {
				t.Fatalf("%q, want %q", ids, want)
			}
		}
	}
}

func TestSetAside(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 2 })
	mustPush(t, s, batch(10, "1", "2"))
	for range 2 {
		if ids, _ := mustPull(t, s, Request{}); ids != "1 2" {
			t.Fatal(ids)
		}
	}
	mustPush(t, s, batch(10, "3"))
	ids, d := mustPull(t, s, Request{})
	if ids != "3" {
		t.Fatalf("after two deliveries: %s", ids)
	}
	dead := c.XRange(t.Context(), s.layout.queue(inbox).dead, "-", "+").Val()
	if len(dead) != 2 || dead[0].Values["deliveries"] != "2" || !strings.Contains(fmt.Sprint(dead[0].Values["message"]), `"id":"1"`) {
		t.Fatalf("dead: %v", dead)
	}
	if _, d = mustPull(t, s, Request{ETag: d.ETag}); d.Confirmed != 1 {
		t.Fatalf("confirmed %d", d.Confirmed)
	}
	if n, bytes, byMeta := held(t, s, c); n != 0 || bytes != byMeta {
		t.Fatalf("%d messages, %d and %d bytes", n, bytes, byMeta)
	}
}

// Retention drops what is over its age, delivered or not, also from a queue that
// nobody touches, and from one that is full.
func TestRetention(t *testing.T) {
	t.Parallel()
	const age = 300 * time.Millisecond
	s, c := open(t, func(_ *Options, l *Limits) { l.Retention, l.MaxMessages = age, 2 })
	k := s.layout.queue(inbox)
	old := func() {
		t.Helper()
		waitUntil(t, func() bool {
			last := c.XRevRangeN(t.Context(), k.stream, "+", "-", 1).Val()
			id, err := qst.ParseStreamID(last[0].ID)
			return err == nil && time.Since(time.UnixMilli(int64(id.Ms))) > age+50*time.Millisecond
		})
	}
	mustPush(t, s, batch(10, "1", "2"))
	ids, d := mustPull(t, s, Request{Max: 1})
	old()
	if ids != "1" {
		t.Fatal(ids)
	}
	mustPush(t, s, batch(10, "3", "4")) // there is room
	ids, d = mustPull(t, s, Request{ETag: d.ETag})
	if ids != "3 4" || d.Confirmed != 0 {
		t.Fatalf("%s, confirmed %d", ids, d.Confirmed)
	}
	old()
	if err := s.sweepPartition(t.Context(), k.partition); err != nil {
		t.Fatal(err)
	}
	if n, bytes, byMeta := held(t, s, c); n != 0 || bytes != byMeta {
		t.Fatalf("after the sweep: %d messages, %d and %d bytes", n, bytes, byMeta)
	}
	if n := c.XPending(t.Context(), k.stream, "qst").Val().Count; n != 0 {
		t.Fatalf("%d messages that are gone wait for confirmation", n)
	}
	if n := c.ZCard(t.Context(), k.oldest).Val() + c.ZCard(t.Context(), k.due).Val(); n != 0 {
		t.Fatalf("%d queues are said to hold messages", n)
	}
}

// The partition's queues by oldest message follow what happens to the queues.
func TestOldest(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	k := s.layout.queue(inbox)
	check := func(what string) {
		t.Helper()
		first := c.XRangeN(t.Context(), k.stream, "-", "+", 1).Val()
		score, err := c.ZScore(t.Context(), k.oldest, inbox.String()).Result()
		if len(first) == 0 {
			if !errors.Is(err, redis.Nil) {
				t.Fatalf("%s: empty, but known as %v", what, score)
			}
			return
		}
		if id, _ := qst.ParseStreamID(first[0].ID); float64(id.Ms) != score {
			t.Fatalf("%s: oldest is %v, known as %v", what, id, score)
		}
	}
	mustPush(t, s, batch(10, "1", "2"))
	check("pushed")
	mustPush(t, s, batch(10, "3"))
	check("pushed more")
	_, d := mustPull(t, s, Request{Max: 1})
	check("delivered")
	_, d = mustPull(t, s, Request{ETag: d.ETag})
	check("confirmed one")
	mustPull(t, s, Request{ETag: d.ETag})
	check("confirmed all")
	mustPush(t, s, batch(10, "4"))
	check("pushed again")
}

// An ETag made up for what was never delivered confirms nothing: neither that nor
// what was.
func TestETagAhead(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	mustPush(t, s, batch(10, "1", "2"))
	_, d := mustPull(t, s, Request{Max: 1})
	ahead := *d.ETag
	ahead.ID.Ms += 1000
	ids, d := mustPull(t, s, Request{ETag: &ahead})
	if ids != "1 2" || d.Confirmed != 0 {
		t.Fatalf("%s, confirmed %d", ids, d.Confirmed)
	}
}

// More polls than may be held are answered at once.
func TestMaxPolls(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(o *Options, _ *Limits) { o.MaxPolls = 1 })
	first := make(chan Delivery, 1)
	go func() {
		d, _ := s.Pull(t.Context(), inbox, Request{Max: 1, Wait: time.Minute})
		first <- d
	}()
	waitUntil(t, func() bool { return s.Polls() == 1 })
	d, err := s.Pull(t.Context(), Name{Channel: "other", Kind: Mailbox}, Request{Max: 1, Wait: time.Minute})
	if err != nil || len(d.Messages) != 0 || d.Held != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	mustPush(t, s, batch(10, "1"))
	if d := <-first; len(d.Messages) != 1 {
		t.Fatalf("%+v", d)
	}
}

// A poll whose client goes away leaves no waiter, and what comes is for the next.
func TestPollGivenUp(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	waiter := s.layout.queue(inbox).waiter
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Pull(ctx, inbox, Request{Max: 1, Wait: time.Minute})
		done <- err
	}()
	waitUntil(t, func() bool { return c.Exists(t.Context(), waiter).Val() == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if c.Exists(t.Context(), waiter).Val() != 0 || s.Polls() != 0 {
		t.Fatal("it is still there")
	}
}

// waitUntil waits until f is true.
func waitUntil(t testing.TB, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		if time.Now().After(deadline) {
			t.Fatal("it did not happen")
		}
		<-tick.C
	}
}
