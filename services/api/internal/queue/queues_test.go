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
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

func whole(i int) string { return strconv.Itoa(i) }

// limited are queues with the limits that their test set.
type limited struct {
	*Queues
	*Operator
	caller Caller
	hand   redis.UniversalClient // may do what the service may not
}

func (q *limited) Push(ctx context.Context, n Name, messages []qst.Message) (qst.Result, error) {
	b := Batch{}
	for i := range messages {
		digest := messages[i].Digest()
		b.Entries = append(b.Entries, Entry{Digest: digest[:], Payload: messages[i].AppendCanonical(nil)})
		b.Last = messages[i].ID
	}
	return q.Queues.Push(ctx, n, q.caller, b)
}

func (q *limited) Pull(ctx context.Context, n Name, r Request) (Delivery, error) {
	return q.Queues.Pull(ctx, n, q.caller, r)
}

// open returns queues on a Redis of their own, running until the test ends, and a
// client of that Redis. set changes their options.
func open(t testing.TB, set ...func(*Options, *Limits)) (*limited, *redis.Client) {
	t.Helper()
	s := redistest.Start(t)
	opts, limits := defaults()
	for _, f := range set {
		f(&opts, &limits)
	}
	opts.Retention = limits.Retention
	return openOn(t, s, opts, limits), s.Client()
}

func defaults() (Options, Limits) {
	return Options{
		Layout: storage.NewLayout("qst", 4, false), PullMaxBytes: 1 << 20, MaxDigests: 1000, MaxPolls: 100, Timeout: 10 * time.Second,
		Logger: slog.New(slog.DiscardHandler), Metrics: telemetry.Discard(),
	}, Limits{MaxMessages: 100_000, MaxBytes: 64 << 20, Retention: time.Hour, DedupWindow: 10 * time.Minute}
}

// openOn is open on a Redis that is there already.
func openOn(t testing.TB, s *redistest.Server, opts Options, limits Limits) *limited {
	t.Helper()
	runner := storage.NewRunner(s.Service(), storage.RunnerOptions{Timeout: opts.Timeout})
	t.Cleanup(runner.Close)
	queues := New(runner, s.Service(), s.Service(), opts)
	guard := storage.Guard{Client: s.Service(), Layout: opts.Layout, Timeout: opts.Timeout, Logger: opts.Logger}
	if err := guard.Prepare(t.Context(), queues.Scripts()...); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); queues.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return &limited{Queues: queues, Operator: NewOperator(queues, s.Service()), caller: Caller{Limits: limits}, hand: s.Client()}
}

func (q *limited) partition() storage.Partition { return q.opts.Layout.Partition(inbox.Channel) }

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
	l := make([]string, len(d.Payloads))
	for i, p := range d.Payloads {
		l[i] = qst.CanonicalID(p)
	}
	return strings.Join(l, " "), d
}

// held returns how many messages and bytes a queue holds: by its stream, and by
// what its meta says.
func held(t testing.TB, s *limited, c redis.UniversalClient) (messages int64, bytes, byMeta int) {
	t.Helper()
	k := s.key(inbox)
	entries, err := c.XRange(t.Context(), k.Stream, "-", "+").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		for _, json := range e.Values {
			bytes += len(fmt.Sprint(json))
		}
	}
	meta := c.HGetAll(t.Context(), k.Meta()).Val()
	byMeta = int(number(meta["tail"]) - number(meta["head"]))
	totals := c.HGetAll(t.Context(), s.partition().Totals()).Val()
	if n := len(entries); totals["messages"] != whole(n) || totals["bytes"] != whole(byMeta) {
		t.Fatalf("%d messages of %d bytes, but the totals are %v", n, byMeta, totals)
	}
	return int64(len(entries)), bytes, byMeta
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
	mustPull(t, s, Request{Max: 1, Processed: UpTo(d.ETag)})
	check("confirmed")
	_, d = mustPull(t, s, Request{})
	mustPull(t, s, Request{Processed: UpTo(d.ETag)})
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
			mustPull(t, s, Request{Max: 1, Processed: UpTo(d.ETag)})
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
		if p := c.XPending(t.Context(), s.key(inbox).Stream, "qst").Val(); p.Count != want {
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
	if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "4 5" {
		t.Fatalf("next: %s", ids)
	}
	mustPush(t, s, batch(1000, "large"))
	if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "large" {
		t.Fatalf("one message that is more than fits: %q", ids)
	}
	// While such a one may be there, an answer is at least half full, and still no
	// larger than it may be.
	mustPush(t, s, batch(0, "6", "7"))
	if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "6 7" {
		t.Fatalf("small ones after a large one: %q", ids)
	}
	mustPush(t, s, slices.Concat(batch(100, "8", "9", "a"), batch(1000, "huge"), batch(100, "b")))
	for _, want := range []string{"8 9", "a", "huge", "b", ""} {
		if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != want {
			t.Fatalf("%q, want %q", ids, want)
		}
		pending(int64(len(strings.Fields(want))))
	}
	// The queue was empty: the large one is forgotten.
	mustPush(t, s, batch(100, "c", "d", "e", "f"))
	if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "c d e" {
		t.Fatalf("after the queue was empty: %q", ids)
	}
	// New ones behind what goes out again are looked at likewise.
	mustPush(t, s, batch(1000, "large again"))
	if ids, _ = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "f" {
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
		k := s.key(inbox)
		deadLetter(t, s, batch(1000, "large")[0])
		mustPush(t, s, batch(100, "1"))
		if empty {
			_, d := mustPull(t, s, Request{})
			ids, d := mustPull(t, s, Request{Processed: UpTo(d.ETag)})
			if ids != "" || d.Confirmed != 1 {
				t.Fatal(ids, d.Confirmed)
			}
		}
		dead := c.XRange(t.Context(), k.Dead(), "-", "+").Val()
		if err := s.Requeue(t.Context(), inbox, dead[0].ID); err != nil {
			t.Fatal(err)
		}
		mustPush(t, s, batch(100, "2"))
		var d Delivery
		for _, want := range []string{"1", "large", "2", ""} {
			if empty && want == "1" {
				continue
			}
			var ids string
			if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != want {
				t.Fatalf("%q, want %q", ids, want)
			}
		}
	}
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 1 })
	deadLetter(t, s, batch(10, "1")[0])
	deadLetter(t, s, batch(10, "2")[0])
	dead := c.XRange(t.Context(), s.key(inbox).Dead(), "-", "+").Val()
	if len(dead) != 2 || dead[0].Values["deliveries"] != "2" || !strings.Contains(fmt.Sprint(dead[0].Values["message"]), `"id":"1"`) {
		t.Fatalf("dead: %v", dead)
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
	k := s.key(inbox)
	old := func() {
		t.Helper()
		waitUntil(t, func() bool {
			last := c.XRevRangeN(t.Context(), k.Stream, "+", "-", 1).Val()
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
	ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)})
	if ids != "3 4" || d.Confirmed != 0 {
		t.Fatalf("%s, confirmed %d", ids, d.Confirmed)
	}
	old()
	if err := s.sweeper.step(t.Context(), k.Partition); err != nil {
		t.Fatal(err)
	}
	if n, bytes, byMeta := held(t, s, c); n != 0 || bytes != byMeta {
		t.Fatalf("after the sweep: %d messages, %d and %d bytes", n, bytes, byMeta)
	}
	if n := c.XPending(t.Context(), k.Stream, "qst").Val().Count; n != 0 {
		t.Fatalf("%d messages that are gone wait for confirmation", n)
	}
	if n := c.ZCard(t.Context(), s.partition().Oldest()).Val() + c.ZCard(t.Context(), s.partition().Due()).Val(); n != 0 {
		t.Fatalf("%d queues are said to hold messages", n)
	}
}

// What holds messages longest, and most of them, is known whatever happens to the queues.
func TestOldestAndDeepest(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	check := func(what string) {
		t.Helper()
		oldest, err := s.Oldest(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		deepest, err := s.Deepest(t.Context(), 3)
		if err != nil {
			t.Fatal(err)
		}
		first := c.XRangeN(t.Context(), s.key(inbox).Stream, "-", "+", 1).Val()
		if len(first) == 0 {
			if len(oldest)+len(deepest) > 0 {
				t.Fatalf("%s: empty, but known as %v and %v", what, oldest, deepest)
			}
			return
		}
		if len(oldest) != 1 || !oldest[0].Oldest.Equal(idTime(first[0].ID)) {
			t.Fatalf("%s: the first is %s, known as %v", what, first[0].ID, oldest)
		}
		if n := c.XLen(t.Context(), s.key(inbox).Stream).Val(); len(deepest) != 1 || deepest[0].Messages != n {
			t.Fatalf("%s: %d messages, known as %v", what, n, deepest)
		}
	}
	check("new")
	mustPush(t, s, batch(10, "1", "2"))
	check("pushed")
	mustPush(t, s, batch(10, "3"))
	check("pushed more")
	_, d := mustPull(t, s, Request{Max: 1})
	check("delivered")
	_, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)})
	check("confirmed one")
	mustPull(t, s, Request{Processed: UpTo(d.ETag)})
	check("confirmed all")
	ids := make([]string, 40)
	for i := range ids {
		ids[i] = "d" + whole(i)
	}
	mustPush(t, s, batch(10, ids...))
	check("deep")
	_, d = mustPull(t, s, Request{Max: 30})
	mustPull(t, s, Request{Max: 1, Processed: UpTo(d.ETag)})
	check("deep no more")
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
	ids, d := mustPull(t, s, Request{Processed: UpTo(&ahead)})
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
	if err != nil || len(d.Payloads) != 0 || d.Held != 0 {
		t.Fatalf("%+v, %v", d, err)
	}
	mustPush(t, s, batch(10, "1"))
	if d := <-first; len(d.Payloads) != 1 {
		t.Fatalf("%+v", d)
	}
}

// A poll whose client goes away leaves no waiter, and what comes is for the next.
func TestPollGivenUp(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	waits := func() bool { return c.HGet(t.Context(), s.key(inbox).Meta(), "waiter").Val() != "" }
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := s.Pull(ctx, inbox, Request{Max: 1, Wait: time.Minute})
		done <- err
	}()
	waitUntil(t, waits)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if waits() || s.Polls() != 0 {
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

// The sweep comes to what is over its age behind many queues that were due and hold nothing of the kind.
func TestSweepGoesOn(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(_ *Options, l *Limits) { l.Retention = 50 * time.Millisecond })
	mustPush(t, s, batch(10, "1"))
	p := s.partition()
	due := c.ZScore(t.Context(), p.Due(), inbox.Channel+":"+string(inbox.Kind)).Val()
	for i, n := 0, 0; n < 3*sweepBatch; i++ { // they were emptied long ago
		if channel := fmt.Sprint("emptied-", i); s.opts.Layout.PartitionOf(channel) == s.key(inbox).Partition {
			c.ZAdd(t.Context(), p.Due(), redis.Z{Score: due - 1, Member: channel + ":inbound"})
			n++
		}
	}
	pastMS(t, c, int64(due)+10)
	if err := s.sweeper.step(t.Context(), s.key(inbox).Partition); err != nil {
		t.Fatal(err)
	}
	if left := c.ZCard(t.Context(), p.Due()).Val() + c.XLen(t.Context(), s.key(inbox).Stream).Val(); left != 0 {
		t.Errorf("%d are left", left)
	}
}
