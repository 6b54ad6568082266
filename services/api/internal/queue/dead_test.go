package queue

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// deadIDs returns the ids of a queue's dead letters, and the bytes that the service says they take.
func deadIDs(t *testing.T, s *limited) (ids string, bytes int64) {
	t.Helper()
	dead, err := s.Dead(t.Context(), inbox, "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var l []string
	for _, m := range dead {
		_, id, _ := strings.Cut(string(m.Payload), `"id":"`)
		id, _, _ = strings.Cut(id, `"`)
		l = append(l, id)
	}
	stats, err := s.Stats(t.Context(), inbox.Channel, Inbound)
	if err != nil || stats[0].Dead != int64(len(dead)) {
		t.Fatal(stats, err)
	}
	return strings.Join(l, " "), stats[0].DeadBytes
}

// kill makes dead letters of messages with these ids, each of about 200 bytes.
func kill(t *testing.T, s *limited, ids ...string) {
	t.Helper()
	for _, id := range ids {
		deadLetter(t, s, batch(150, id)[0])
	}
}

// Dead letters are bounded by number and by bytes, the newest stay; they are counted where they are
// shown, and go with a purge and with their channel.
func TestDeadLettersAreBounded(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(o *Options, l *Limits) {
		l.MaxDeliveries, o.DeadLetters = 1, DeadLetters{MaxMessages: 3, MaxBytes: 1 << 20}
	})
	kill(t, s, "1", "2", "3", "4", "5")
	ids, bytes := deadIDs(t, s)
	if ids != "3 4 5" || bytes < 3*150 || bytes > 3*300 {
		t.Errorf("by number: %q, %d bytes", ids, bytes)
	}
	each := bytes / 3
	s.opts.DeadLetters = DeadLetters{MaxBytes: 2*each + each/2}
	kill(t, s, "6", "7")
	if ids, bytes = deadIDs(t, s); ids != "6 7" || bytes != 2*each {
		t.Errorf("by bytes: %q, %d bytes", ids, bytes)
	}
	// No more than the queue's messages may be.
	s.opts.DeadLetters, s.caller.Limits.MaxMessages = DeadLetters{}, 3
	kill(t, s, "8", "9")
	if ids, _ = deadIDs(t, s); ids != "7 8 9" {
		t.Errorf("by the queue's own limit: %q", ids)
	}
	// One stays, whatever its size: nobody would hear of it otherwise.
	s.opts.DeadLetters = DeadLetters{MaxBytes: 1}
	kill(t, s, "10")
	if ids, _ = deadIDs(t, s); ids != "10" {
		t.Errorf("one that is too large: %q", ids)
	}
	if n := c.ZCard(t.Context(), s.partition().DeadOldest()).Val(); n != 1 {
		t.Errorf("%d queues in the index", n)
	}
	if _, err := s.Purge(t.Context(), inbox, 0); err != nil {
		t.Fatal(err)
	}
	if ids, bytes = deadIDs(t, s); ids != "" || bytes != 0 || c.ZCard(t.Context(), s.partition().DeadOldest()).Val() != 0 {
		t.Errorf("after a purge: %q", ids)
	}
	kill(t, s, "11")
	if _, err := s.Delete(t.Context(), inbox.Channel, ""); err != nil {
		t.Fatal(err)
	}
	if keys := c.Keys(t.Context(), "*c:inbound*").Val(); len(keys) > 0 || c.ZCard(t.Context(), s.partition().DeadOldest()).Val() != 0 {
		t.Errorf("after the channel: %q", keys)
	}
}

// However many dead letters are over the bytes, one run drops a thousand of them, and the next one goes on.
func TestDeadLettersAreDroppedInParts(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(o *Options, l *Limits) { l.MaxDeliveries, o.DeadLetters = 1, DeadLetters{MaxBytes: 1} })
	kill(t, s, "1")
	pipe := c.Pipeline()
	for i := range 1500 {
		pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: s.key(inbox).Dead(), Values: []any{"id", "1-1", "deliveries", 1, "message", "x", "at", 1000 + i}})
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, left := range []int64{502, 1} {
		kill(t, s, "more"+whole(i))
		if n := c.XLen(t.Context(), s.key(inbox).Dead()).Val(); n != left {
			t.Errorf("%d dead letters are left, want %d", n, left)
		}
	}
}

// Dead letters are dropped when they are over their age, also those of a queue that nobody touches.
func TestDeadLettersExpire(t *testing.T) {
	t.Parallel()
	const age = 200 * time.Millisecond
	s, c := open(t, func(o *Options, l *Limits) { l.MaxDeliveries, o.DeadLetters = 1, DeadLetters{Retention: age} })
	kill(t, s, "1", "2")
	index := s.partition().DeadOldest()
	if n := c.ZCard(t.Context(), index).Val(); n != 1 {
		t.Fatalf("%d queues in the index", n)
	}
	waitUntil(t, func() bool {
		if err := s.sweeper.step(t.Context(), s.opts.Layout.PartitionOf(inbox.Channel)); err != nil {
			t.Fatal(err)
		}
		return c.Exists(t.Context(), s.key(inbox).Dead(), index).Val() == 0
	})
}

// One credential on a small channel leaves no more in Redis than the channel may have, however
// much goes through its queue.
func TestEmptyQueuesDoNotFillRedis(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(o *Options, l *Limits) {
		o.MaxDigests, o.DeadLetters = 1000, DeadLetters{MaxMessages: 50}
		l.MaxDeliveries, l.MaxBytes = 1, 100<<10
	})
	used := func() (n int64) {
		for _, key := range c.Keys(t.Context(), "qst:*").Val() {
			n += c.MemoryUsage(t.Context(), key).Val()
		}
		return n
	}
	through := func(from int) {
		for i := range 20 {
			ids := make([]string, 97)
			for j := range ids {
				ids[j] = fmt.Sprint(from + 100*i + j)
			}
			mustPush(t, s, batch(100, ids...))
			_, d := mustPull(t, s, Request{})
			mustPull(t, s, Request{Processed: UpTo(d.ETag)})
			kill(t, s, fmt.Sprint("dead", from+100*i))
		}
	}
	through(0)
	before := used()
	for i := 1; i < 5; i++ {
		through(10_000 * i)
	}
	if after := used(); after > before+before/2 {
		t.Errorf("%d bytes after 2000 messages, %d after 10000", before, after)
	}
}

// What is left of dead letters when the last one goes, one by one, is nothing; and of digests that
// were noted after a purge, nothing that stays for ever.
func TestNothingStays(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(o *Options, l *Limits) { l.MaxDeliveries, l.DedupWindow = 1, time.Hour })
	kill(t, s, "1", "2")
	letters, err := s.Dead(t.Context(), inbox, "", 10)
	if err != nil || len(letters) != 2 {
		t.Fatalf("%d dead letters, %v", len(letters), err)
	}
	if err := s.DeleteDeadLetter(t.Context(), inbox, letters[0].ID); err != nil {
		t.Fatal(err)
	}
	if err := s.Requeue(t.Context(), inbox, letters[1].ID); err != nil {
		t.Fatal(err)
	}
	if n := c.Exists(t.Context(), s.key(inbox).Dead(), s.partition().DeadOldest(), s.partition().Dead()).Val(); n != 0 {
		t.Errorf("%d keys of dead letters", n)
	}
	if _, err := s.Purge(t.Context(), inbox, 1); err != nil {
		t.Fatal(err)
	}
	mustPush(t, s, batch(1, "3"))
	if left := c.PTTL(t.Context(), s.key(inbox).Seen()).Val(); left <= 0 {
		t.Errorf("digests expire in %v", left)
	}
}

// A Redis that takes no writes still shows operators what it holds.
func TestOperatorsSeeAFullRedis(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	mustPush(t, s, batch(1, "0"))
	pastMS(t, c, c.Time(t.Context()).Val().UnixMilli())
	mustPush(t, s, batch(1, "1"))
	_, d := mustPull(t, s, Request{Max: 1})
	mustPull(t, s, Request{Processed: UpTo(d.ETag)}) // the index still has the time of the first one
	if err := c.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	mustPull(t, s, Request{})
	stats, err := s.Stats(t.Context(), inbox.Channel, inbox.Kind)
	if err != nil || stats[0].Messages != 1 {
		t.Errorf("got %+v, %v", stats, err)
	}
	if oldest, err := s.Oldest(t.Context(), 3); err != nil || len(oldest) != 1 || oldest[0].Messages != 1 {
		t.Errorf("got %+v, %v", oldest, err)
	}
	if deepest, err := s.Deepest(t.Context(), 3); err != nil || len(deepest) != 1 {
		t.Errorf("got %+v, %v", deepest, err)
	}
	if _, err := s.Silent(t.Context(), 1); err != nil {
		t.Error(err)
	}
}
