package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// pushValid pushes messages that are valid for a time; 0: for ever.
func pushValid(t *testing.T, q *limited, n Name, ids string, ttl time.Duration) {
	t.Helper()
	b := Batch{}
	for id := range strings.FieldsSeq(ids) {
		m := qst.Message{ID: id, When: "w", Body: "x"}
		b.Entries = append(b.Entries, Entry{Payload: m.AppendCanonical(nil), TTL: ttl})
	}
	if _, err := q.Queues.Push(t.Context(), n, q.caller, b); err != nil {
		t.Fatal(err)
	}
}

// pastMS waits until it is later than a time, ms, by Redis's clock.
func pastMS(t *testing.T, c *redis.Client, ms int64) {
	t.Helper()
	for c.Time(t.Context()).Val().UnixMilli() <= ms {
		time.Sleep(time.Millisecond)
	}
}

// What is past its end is not given out, whether it was given out before or not, and neither in
// its place nor behind others. Its neighbours are.
func TestValidity(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	opts, limits := defaults()
	q, other, c := openOn(t, s, opts, limits), openOn(t, s, opts, limits), s.Client() // two replicas
	pushValid(t, q, inbox, "1", 0)
	pushValid(t, q, inbox, "2 3", 50*time.Millisecond)
	pushValid(t, q, inbox, "4", 0)
	pushValid(t, q, inbox, "5", time.Hour)
	pushValid(t, q, inbox, "6", 50*time.Millisecond)
	got, _ := mustPull(t, q, Request{Max: 2})
	if got != "1 2" && got != "1 4" { // under load it is over already
		t.Fatalf("pulled %q", got)
	}
	pastMS(t, c, c.Time(t.Context()).Val().UnixMilli()+50)
	got, d := mustPull(t, other, Request{})
	if got != "1 4 5" {
		t.Errorf("pulled %q", got)
	}
	if _, bytes, byMeta := held(t, q, c); bytes != byMeta {
		t.Errorf("%d bytes by the stream, %d by its meta", bytes, byMeta)
	}
	if got, _ = mustPull(t, q, Request{Processed: UpTo(d.ETag)}); got != "" {
		t.Errorf("pulled %q", got)
	}
	if n := c.Exists(t.Context(), q.key(inbox).Stream+":ends", q.key(inbox).Stream+":holes").Val(); n != 0 {
		t.Errorf("an empty queue keeps %d keys", n)
	}
}

// What says how long it is valid comes with its end, by Redis's clock, however it is delivered.
func TestValidUntilIsSaid(t *testing.T) {
	t.Parallel()
	q, c := open(t, func(_ *Options, l *Limits) { l.InboundTTL = 400 * 24 * time.Hour })
	check := func(how string, ttl time.Duration, payloads []string) {
		t.Helper()
		var m struct {
			ID    string
			Until time.Time `json:"qst-valid-until"`
		}
		if len(payloads) != 1 {
			t.Fatalf("%s: %q", how, payloads)
		}
		if err := json.Unmarshal([]byte(payloads[0]), &m); err != nil {
			t.Fatalf("%s: %s: %v", how, payloads[0], err)
		}
		entry := c.XRevRangeN(t.Context(), q.key(inbox).Stream, "+", "-", 1).Val()[0].ID
		if want := idTime(entry).Add(ttl).Truncate(time.Second); !m.Until.Equal(want) {
			t.Errorf("%s: %s, want %v", how, payloads[0], want)
		}
	}
	var tag *qst.ETag
	for _, ttl := range []time.Duration{0, time.Second, 24 * time.Hour, 366 * 24 * time.Hour, 87600 * time.Hour} {
		pushValid(t, q, inbox, "1", ttl)
		_, d := mustPull(t, q, Request{Processed: UpTo(tag)})
		if ttl == 0 {
			ttl = 400 * 24 * time.Hour
		}
		check(fmt.Sprint("pulled, ", ttl), ttl, d.Payloads)
		tag = d.ETag
	}
	mustPull(t, q, Request{Processed: UpTo(tag)})
	answer := make(chan Delivery)
	go func() {
		d, _ := q.Pull(t.Context(), inbox, Request{Max: 10, Wait: time.Minute, Processed: UpTo(tag)})
		answer <- d
	}()
	for q.Polls() == 0 || c.HGet(t.Context(), q.key(inbox).Meta(), "waiter").Val() == "" {
		time.Sleep(time.Millisecond)
	}
	pushValid(t, q, inbox, "1", time.Hour)
	check("handed off", time.Hour, (<-answer).Payloads)
}

// A poll that waits is not given what is past its end when it is pushed.
func TestPastItsEndAtOnce(t *testing.T) {
	t.Parallel()
	q, c := open(t)
	pushValid(t, q, inbox, "0", 0)
	_, d := mustPull(t, q, Request{})
	answer := make(chan Delivery)
	go func() {
		d, _ := q.Pull(t.Context(), inbox, Request{Max: 10, Wait: time.Minute, Processed: UpTo(d.ETag)})
		answer <- d
	}()
	waits := func() bool { return c.HGet(t.Context(), q.key(inbox).Meta(), "waiter").Val() != "" }
	for !waits() {
		time.Sleep(time.Millisecond)
	}
	m := qst.Message{ID: "1", Body: "x"}
	old := Batch{Entries: []Entry{{Payload: m.AppendCanonical(nil), Until: time.Unix(1, 0)}}}
	if _, err := q.Queues.Push(t.Context(), inbox, q.caller, old); err != nil {
		t.Fatal(err)
	}
	for c.XLen(t.Context(), q.key(inbox).Stream).Val() > 0 || !waits() {
		time.Sleep(time.Millisecond)
	}
	pushValid(t, q, inbox, "2", 0)
	if d := <-answer; len(d.Payloads) != 1 || qst.CanonicalID(d.Payloads[0]) != "2" {
		t.Errorf("%+v", d)
	}
}

// However many messages are taken out behind one that stays, and in whatever order, what is known of
// their places is bounded by what is left.
func TestHolesAreBounded(t *testing.T) {
	t.Parallel()
	q, c := open(t)
	holes := func() int64 { return c.ZCard(t.Context(), q.key(inbox).Stream+":holes").Val() }
	check := func(messages, most int64) {
		t.Helper()
		n, bytes, byMeta := held(t, q, c)
		if got := holes(); n != messages || got > most || bytes != byMeta {
			t.Fatalf("%d messages and %d holes, want %d and at most %d; %d bytes by the stream, %d by its meta", n, got, messages, most, bytes, byMeta)
		}
	}
	pushValid(t, q, inbox, "first", 0)
	for i := range 500 {
		pushValid(t, q, inbox, whole(i), time.Millisecond)
	}
	pastMS(t, c, c.Time(t.Context()).Val().UnixMilli()+1)
	ids, first := mustPull(t, q, Request{})
	if ids != "first" {
		t.Fatalf("pulled %q", ids)
	}
	check(1, 1)
	pushValid(t, q, inbox, "after", 0)
	check(2, 1)
	if ids, _ = mustPull(t, q, Request{Processed: UpTo(first.ETag)}); ids != "after" || holes() != 0 {
		t.Errorf("pulled %q, %d holes are left", ids, holes())
	}

	for i := range 200 {
		pushValid(t, q, inbox, whole(i), 0)
	}
	entries := c.XRange(t.Context(), q.key(inbox).Stream, "-", "+").Val()[1:]
	rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
	for i, e := range entries {
		if err := q.Cancel(t.Context(), inbox, e.ID, "*"); err != nil {
			t.Fatal(err)
		}
		left := int64(len(entries) - i)
		check(left, left+1)
	}
	check(1, 1)
	if ids, _ = mustPull(t, q, Request{}); ids != "after" {
		t.Errorf("pulled %q", ids)
	}
}

// More than one run drops is dropped all the same before anything is read, and each is reported once
// to the application that asked, also where its queue was full at first.
func TestLapsedAreReported(t *testing.T) {
	t.Parallel()
	var all []string
	q, c := open(t, func(o *Options, l *Limits) {
		l.MaxMessages = 2500
		o.Reporting = func(context.Context, string) (Reporting, error) {
			return Reporting{Wanted: true, Caller: Caller{Limits: *l}, Batch: tell}, nil
		}
	})
	b := Batch{}
	for i := range 2200 {
		m := qst.Message{ID: fmt.Sprintf("%d\"é", i), Body: "x"}
		b.Entries = append(b.Entries, Entry{Payload: m.AppendCanonical(nil), Until: time.Unix(1, 0)})
		all = append(all, StateExpired+" "+m.ID)
	}
	if _, err := q.Queues.Push(t.Context(), outbox, q.caller, b); err != nil {
		t.Fatal(err)
	}
	pushValid(t, q, outbox, "good", 0)
	pushValid(t, q, inbox, strings.Repeat("x ", 2400), 0)
	if d, err := q.Pull(t.Context(), outbox, Request{Max: 10}); err != nil || len(d.Payloads) != 1 {
		t.Fatalf("%d %v", len(d.Payloads), err)
	}
	var got []string
	var tag *qst.ETag
	for deadline := time.Now().Add(time.Minute); len(got) < len(all) && time.Now().Before(deadline); {
		_, d := mustPull(t, q, Request{Max: 1000, Processed: UpTo(tag)})
		tag = d.ETag
		for _, p := range d.Payloads {
			if id := qst.CanonicalID(p); id != "x" {
				got = append(got, id)
			}
		}
		if len(d.Payloads) == 0 && c.HGet(t.Context(), q.key(outbox).Meta(), "unreported").Val() == "1" {
			q.reporter.add(outbox) // as the sweep does in a minute
		}
	}
	slices.Sort(got) // they ended together
	slices.Sort(all)
	if !slices.Equal(got, all) {
		t.Errorf("%d reports, want %d", len(got), len(all))
	}
	for c.HGet(t.Context(), q.key(outbox).Meta(), "unreported").Val() != "0" {
		time.Sleep(time.Millisecond)
	}
	if states, err := q.States(t.Context(), inbox.Channel, 1); err != nil || len(states) != 1 || states[0].State != StateExpired {
		t.Errorf("%v %v", states, err)
	}
}

// Messages that are over their age and have ends are dropped in parts: Redis does something else in between.
func TestManyWithEndsExpire(t *testing.T) {
	t.Parallel()
	const n, parts = 2500, 3
	s, c := open(t, func(_ *Options, l *Limits) { l.MaxMessages = n })
	k := s.key(inbox)
	for i := 0; i < n; i += 500 {
		pushValid(t, s, inbox, strings.Repeat("x ", 500), time.Hour)
	}
	last, err := qst.ParseStreamID(c.XRevRangeN(t.Context(), k.Stream, "+", "-", 1).Val()[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	pastMS(t, c, int64(last.Ms)+100)
	s.caller.Limits.Retention = 50 * time.Millisecond
	c.ConfigResetStat(t.Context())
	if ids, _ := mustPull(t, s, Request{}); ids != "" {
		t.Fatalf("given out: %.80s", ids)
	}
	if stats := c.Info(t.Context(), "commandstats").Val(); !strings.Contains(stats, fmt.Sprintf("cmdstat_evalsha:calls=%d,", parts)) {
		t.Errorf("not in %d parts: %s", parts, stats)
	}
	if left := c.Exists(t.Context(), k.Stream+":ends").Val(); left != 0 {
		t.Error("ends are left")
	}
	if totals, err := s.Totals(t.Context(), 0); err != nil || totals.Messages != 0 || totals.Bytes != 0 {
		t.Errorf("%+v, %v", totals, err)
	}
}
