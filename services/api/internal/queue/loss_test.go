package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// hold starts a poll, waits until it waits, and returns where its answer comes.
func hold(t *testing.T, s *limited, ctx context.Context, r Request) <-chan Delivery { //nolint:revive // the context is what such a test is about
	t.Helper()
	before := s.Polls()
	c := make(chan Delivery, 1)
	go func() {
		d, err := s.Pull(ctx, inbox, r)
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		c <- d
	}()
	waitUntil(t, func() bool { return s.Polls() == before+1 && waiter(t, s) != "" })
	return c
}

func waiter(t *testing.T, s *limited) string {
	return s.Operator.rdb.HGet(t.Context(), s.key(inbox).Meta(), "waiter").Val()
}

// What a client that asks for fewer and fewer never confirmed is given out or made a dead letter: all of it.
func TestNothingIsSkipped(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 3 })
	var all []string
	for i := range 200 {
		all = append(all, "m"+whole(i))
	}
	mustPush(t, s, batch(10, all...))
	seen := map[string]bool{}
	var d Delivery
	// Its line cuts every answer of more than ten messages.
	most := 200
	for range 400 {
		r := Request{Max: most}
		if d.ETag != nil && len(d.Payloads) <= 10 {
			for _, p := range d.Payloads {
				seen[qst.CanonicalID(p)] = true
			}
			r.Processed = UpTo(d.ETag)
		}
		var ids string
		if ids, d = mustPull(t, s, r); ids == "" {
			break
		}
		if len(d.Payloads) > 10 {
			most = max(10, most/2)
		}
	}
	for _, e := range c.XRange(t.Context(), s.key(inbox).Dead(), "-", "+").Val() {
		message, _ := e.Values["message"].(string)
		seen[qst.CanonicalID(message)] = true
	}
	for _, id := range all {
		if !seen[id] {
			t.Errorf("%s is gone", id)
		}
	}
	if n, _, _ := held(t, s, c); n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// What somebody changes by hand heals: nothing is lost but what was taken out, and nobody is answered
// 500 for ever.
func TestChangedByHand(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, s *limited, k storage.Queue){
		"trimmed": func(t *testing.T, s *limited, k storage.Queue) { s.rdb().XTrimMaxLen(t.Context(), k.Stream, 2) },
		"one taken out": func(t *testing.T, s *limited, k storage.Queue) {
			s.rdb().XDel(t.Context(), k.Stream, s.rdb().XRange(t.Context(), k.Stream, "-", "+").Val()[1].ID)
		},
		"group gone": func(t *testing.T, s *limited, k storage.Queue) {
			s.rdb().XGroupDestroy(t.Context(), k.Stream, consumerGroup)
		},
		"stream gone": func(t *testing.T, s *limited, k storage.Queue) { s.rdb().Del(t.Context(), k.Stream) },
		"state gone":  func(t *testing.T, s *limited, k storage.Queue) { s.rdb().Del(t.Context(), k.Meta()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, deliveries := range []int{0, 1, 5} {
				s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = deliveries })
				k := s.key(inbox)
				mustPush(t, s, batch(10, "1", "2", "3", "4"))
				mustPull(t, s, Request{Max: 3})
				change(t, s, k)
				mustPush(t, s, batch(10, "5"))
				left := map[string]bool{}
				for _, e := range c.XRange(t.Context(), k.Stream, "-", "+").Val() {
					for _, v := range e.Values {
						p, _ := v.(string)
						left[qst.CanonicalID(p)] = true
					}
				}
				var etag *qst.ETag
				for range 20 {
					ids, d := mustPull(t, s, Request{Processed: UpTo(etag), Max: 100})
					if ids == "" {
						break
					}
					for _, id := range strings.Fields(ids) {
						delete(left, id)
					}
					etag = d.ETag
				}
				for _, e := range c.XRange(t.Context(), k.Dead(), "-", "+").Val() {
					p, _ := e.Values["message"].(string)
					delete(left, qst.CanonicalID(p))
				}
				if len(left) > 0 || c.XLen(t.Context(), k.Stream).Val() > 0 {
					t.Errorf("max_deliveries %d: never given out: %v", deliveries, left)
				}
			}
		})
	}
}

// A batch goes from the push to the poll that waits, without another look into the queue: on the
// same replica and on another one. It is delivered once, and confirmed as any other.
func TestHandOff(t *testing.T) {
	t.Parallel()
	a, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 1 })
	b := beside(t, a)
	for i, pusher := range []*limited{a, b} {
		var etag *qst.ETag
		for j := range 3 {
			id := whole(i) + whole(j)
			got := hold(t, a, t.Context(), Request{Processed: UpTo(etag), Max: 10, Wait: time.Minute})
			c.ConfigResetStat(t.Context())
			mustPush(t, pusher, batch(10, id+"a", id+"b"))
			d := <-got
			if len(d.Payloads) != 2 || d.Redelivered != 0 || qst.CanonicalID(d.Payloads[1]) != id+"b" {
				t.Fatalf("%+v", d)
			}
			if stats := c.Info(t.Context(), "commandstats").Val(); !strings.Contains(stats, "cmdstat_evalsha:calls=1,") {
				t.Errorf("more than one script for a message that is handed over:\n%s", stats)
			}
			etag = d.ETag
		}
		if _, d := mustPull(t, a, Request{Processed: UpTo(etag)}); d.Confirmed != 2 {
			t.Fatalf("confirmed %d", d.Confirmed)
		}
	}
}

func (q *limited) rdb() redis.UniversalClient { return q.hand }

// beside returns another replica on the Redis of one.
func beside(t *testing.T, s *limited) *limited {
	t.Helper()
	runner := storage.NewRunner(s.Operator.rdb, storage.RunnerOptions{Timeout: s.opts.Timeout})
	t.Cleanup(runner.Close)
	q := New(runner, s.Operator.rdb, s.Operator.rdb, s.opts)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); q.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	waitUntil(t, q.Listening)
	return &limited{Queues: q, Operator: NewOperator(q, s.Operator.rdb), caller: s.caller, hand: s.hand}
}

// A large batch, and more than the poll asked for: it has what it may, the rest comes next.
func TestHandOffInParts(t *testing.T) {
	t.Parallel()
	a, _ := open(t)
	b := beside(t, a)
	for _, pusher := range []*limited{a, b} {
		for _, size := range []int{10, 50_000} {
			got := hold(t, a, t.Context(), Request{Max: 2, Wait: time.Minute})
			mustPush(t, pusher, batch(size, "1", "2", "3"))
			d := <-got
			if len(d.Payloads) != 2 || d.Redelivered != 0 {
				t.Fatalf("%d messages", len(d.Payloads))
			}
			ids, d := mustPull(t, a, Request{Processed: UpTo(d.ETag)})
			if ids != "3" {
				t.Fatal(ids)
			}
			mustPull(t, a, Request{Processed: UpTo(d.ETag)})
			if err := a.purgeAll(t); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// purgeAll empties the queue and forgets what was taken.
func (q *limited) purgeAll(t *testing.T) error {
	_, err := q.Purge(t.Context(), inbox, 0)
	return err
}

// What is handed to a poll whose client has gone is not delivered: it does not count, and the next
// pull has it.
func TestHandOffToNobody(t *testing.T) {
	t.Parallel()
	a, _ := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 1 })
	b := beside(t, a)
	for i, pusher := range []*limited{a, b} {
		p := &Poll{queues: a.Queues, of: inbox, queue: a.key(inbox), caller: a.caller, request: Request{Max: 10, Wait: time.Minute}, start: time.Now()}
		if !a.waiters.add(p) {
			t.Fatal("no room")
		}
		if _, _, err := a.read(t.Context(), inbox, a.key(inbox), a.caller, Request{Max: 10}, p, time.Minute); err != nil {
			t.Fatal(err)
		}
		a.waiters.open.Done()
		a.waiters.end(p) // as if its client had gone, and nobody had told Redis yet
		id := "m" + whole(i)
		mustPush(t, pusher, batch(10, id+"a", id+"b"))
		waitUntil(t, func() bool { return pendingCount(t, a) == 0 })
		ids, d := mustPull(t, a, Request{})
		if want := id + "a " + id + "b"; ids != want || d.Redelivered != 0 {
			t.Fatalf("%q, redelivered %d", ids, d.Redelivered)
		}
		mustPull(t, a, Request{Processed: UpTo(d.ETag)})
	}
}

// What is given back of an answer has not failed: with the next answer, only what was given out is in
// doubt. At last 1 was given out twice: another one is tried.
func TestGivenBackHasNotFailed(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 2 })
	mustPush(t, s, batch(10, "1", "2", "3", "4"))
	for _, step := range []struct {
		back int // from which message on
		next string
	}{{0, "1 2 3 4"}, {1, "1"}, {0, "1"}, {1, "2"}} {
		_, d := mustPull(t, s, Request{})
		s.GiveBack(t.Context(), inbox, s.caller, d, min(step.back, len(d.Payloads)))
		ids, d := mustPull(t, s, Request{})
		if ids != step.next {
			t.Fatalf("given back from %d on: pulled %q, want %q", step.back, ids, step.next)
		}
		s.GiveBack(t.Context(), inbox, s.caller, d, 0)
	}
}

// pendingCount returns how often the first pending message was delivered, -1 if there is none.
func pendingCount(t *testing.T, s *limited) int64 {
	st, err := s.Stats(t.Context(), inbox.Channel, inbox.Kind)
	if err != nil {
		t.Fatal(err)
	}
	if st[0].Delivered == 0 {
		return -1
	}
	return st[0].Deliveries
}

// A replica that is gone gets nothing, whatever its poll's waiter says.
func TestHandOffToDeadReplica(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 1 })
	c.HSet(t.Context(), s.key(inbox).Meta(), "waiter", "1 gone 7 99999999999999 10 1000")
	mustPush(t, s, batch(10, "1"))
	if n := c.XPending(t.Context(), s.key(inbox).Stream, consumerGroup).Val().Count; n != 0 {
		t.Fatalf("%d messages count as delivered", n)
	}
	if ids, _ := mustPull(t, s, Request{}); ids != "1" {
		t.Fatal(ids)
	}
}

// A wake that is lost on its way delays a message, to the end of the poll at most: no answer is
// empty while there is a message.
func TestLastLook(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	got := hold(t, s, t.Context(), Request{Max: 10, Wait: 2 * time.Second})
	c.HDel(t.Context(), s.key(inbox).Meta(), "waiter")
	mustPush(t, s, batch(10, "1"))
	if d := <-got; len(d.Payloads) != 1 {
		t.Fatalf("%+v", d)
	}
	if w := waiter(t, s); w != "" {
		t.Errorf("a waiter is left: %s", w)
	}
}

// A channel that was deleted, and made again, is another one: whoever was let in to the old one gets
// nothing of the new one, and a poll of the old one ends.
func TestLife(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(o *Options, _ *Limits) { o.Records = true })
	record := s.opts.Layout.Record(inbox.Channel)
	s.caller.Life = "1"
	if _, err := s.Push(t.Context(), inbox, batch(1, "1")); !errors.Is(err, ErrUnknownChannel) {
		t.Fatal(err)
	}
	c.HSet(t.Context(), record, "life", "1", "revision", "1")
	mustPush(t, s, batch(1, "1"))
	_, d := mustPull(t, s, Request{})
	mustPull(t, s, Request{Processed: UpTo(d.ETag)})
	ended := make(chan error, 1)
	go func() {
		_, err := s.Pull(t.Context(), inbox, Request{Max: 1, Wait: time.Minute})
		ended <- err
	}()
	waitUntil(t, func() bool { return waiter(t, s) != "" })
	if _, err := s.Delete(t.Context(), inbox.Channel, "1"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, ErrUnknownChannel) {
		t.Fatalf("the poll: %v", err)
	}
	c.HSet(t.Context(), record, "life", "2", "revision", "2")
	if _, err := s.Push(t.Context(), inbox, batch(1, "2")); !errors.Is(err, ErrUnknownChannel) {
		t.Fatal(err)
	}
	if _, err := s.Pull(t.Context(), inbox, Request{Max: 1}); !errors.Is(err, ErrUnknownChannel) {
		t.Fatal(err)
	}
	s.caller.Life = "2"
	if r := mustPush(t, s, batch(1, "1")); r.Accepted != 1 {
		t.Fatalf("what the old channel took is known to the new one: %+v", r)
	}
}

// Messages are dropped by the retention that holds now, whatever the caller or the index remember.
func TestRetentionIsAsItIsNow(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(o *Options, l *Limits) { o.Records = true; l.Retention = 100 * time.Millisecond })
	record, k := s.opts.Layout.Record(inbox.Channel), s.key(inbox)
	s.caller.Life = "1"
	c.HSet(t.Context(), record, "life", "1", "retention", "100")
	mustPush(t, s, batch(1, "1", "2"))
	c.HSet(t.Context(), record, "retention", "3600000") // raised; the caller does not know yet
	waitUntil(t, func() bool {
		return time.Since(idTime(c.XRange(t.Context(), k.Stream, "-", "+").Val()[1].ID)) > 200*time.Millisecond
	})
	if err := s.sweeper.step(t.Context(), k.Partition); err != nil {
		t.Fatal(err)
	}
	if ids, _ := mustPull(t, s, Request{}); ids != "1 2" {
		t.Fatalf("dropped by what held before: %q", ids)
	}
	c.HSet(t.Context(), record, "retention", "100") // and lowered
	if err := s.Retain(t.Context(), inbox.Channel); err != nil {
		t.Fatal(err)
	}
	if ids, _ := mustPull(t, s, Request{}); ids != "" {
		t.Fatalf("not dropped: %q", ids)
	}
}

// What was taken is known for the window, whatever that was when it was taken, as long as there is
// room, and not beyond a purge.
func TestDeduplication(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(o *Options, l *Limits) { o.MaxDigests = 100; l.DedupWindow = time.Second })
	accepted := func(want int, ids ...string) {
		t.Helper()
		if r := mustPush(t, s, batch(1, ids...)); r.Accepted != want || r.Duplicates != len(ids)-want {
			t.Fatalf("%v: %+v", ids, r)
		}
	}
	accepted(2, "1", "2", "1")
	accepted(0, "1")
	s.caller.Limits.DedupWindow = time.Hour
	accepted(0, "1", "2")
	s.caller.Limits.DedupWindow = time.Second
	accepted(1, "3", "2")
	taken := c.HGetAll(t.Context(), s.key(inbox).Seen()).Val()
	waitUntil(t, func() bool {
		now := c.Time(t.Context()).Val().UnixMilli()
		for _, at := range taken {
			if now <= number(at)+1000 {
				return false
			}
		}
		return true
	})
	accepted(1, "1") // the window is over
	if _, err := s.Purge(t.Context(), inbox, 4); err != nil {
		t.Fatal(err)
	}
	accepted(1, "1")
	for i := range 30 {
		var ids []string
		for j := range 20 {
			ids = append(ids, whole(i)+"-"+whole(j))
		}
		accepted(20, ids...)
		k := s.key(inbox)
		if n := c.HLen(t.Context(), k.Seen()).Val() + c.HLen(t.Context(), k.Stream+":seen_before").Val(); n > 100 {
			t.Fatalf("%d digests", n)
		}
	}
	accepted(0, "29-1", "28-1") // the last ones are known
}

// Redis is full: nothing goes in, everything goes out, and a poll that takes another's place is no
// exception.
func TestFullRedis(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t)
	opts, limits := defaults()
	limits.MaxDeliveries = 1
	s := openOn(t, r, opts, limits)
	c := r.Client()
	mustPush(t, s, batch(1000, "1", "2", "3"))
	mustPull(t, s, Request{Max: 1})
	if err := c.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Push(t.Context(), inbox, batch(10, "4")); !errors.Is(err, storage.ErrUnavailable) {
		t.Fatalf("a push: %v", err)
	}
	_, d := mustPull(t, s, Request{}) // 2: 1 is suspect
	mustPull(t, s, Request{Processed: UpTo(d.ETag)})
	_, d = mustPull(t, s, Request{}) // 3
	if _, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); d.Confirmed != 1 || c.XLen(t.Context(), s.key(inbox).Dead()).Val() != 1 {
		t.Fatalf("confirmed %d", d.Confirmed)
	}
	first := hold(t, s, t.Context(), Request{Max: 10, Wait: time.Minute})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { _, _ = s.Pull(ctx, inbox, Request{Max: 10, Wait: time.Minute}) }()
	if d := <-first; !d.Superseded {
		t.Fatalf("%+v", d)
	}
	guard := storage.Guard{Client: c, Layout: opts.Layout, Timeout: opts.Timeout, Logger: opts.Logger}
	if err := guard.Prepare(t.Context(), s.Scripts()...); err != nil {
		t.Fatalf("a replica that starts: %v", err)
	}
	if !beside(t, s).Listening() {
		t.Fatal("its readers don't come up")
	}
}
