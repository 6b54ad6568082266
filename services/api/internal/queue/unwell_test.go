package queue

import (
	"bytes"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// What is wrong with a channel is told from what is known of its queues, and nothing is wrong with one
// that works.
func TestDiagnose(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	for name, c := range map[string]struct {
		queues map[Kind]signs
		want   string
	}{
		"nothing is known":           {nil, ""},
		"empty and unpolled":         {map[Kind]signs{Outbound: {pulled: ago(60)}}, ""},
		"waits for a minute":         {map[Kind]signs{Outbound: {messages: 1, oldest: ago(1), pulled: ago(60)}}, ""},
		"waits and nobody polls":     {map[Kind]signs{Outbound: {messages: 1, oldest: ago(6), pulled: ago(60)}}, "waiting_unpolled 6"},
		"was never polled":           {map[Kind]signs{Inbound: {messages: 1, oldest: ago(6)}}, "waiting_unpolled 6"},
		"polled until 5 min ago":     {map[Kind]signs{Mailbox: {messages: 1, oldest: ago(60), pulled: ago(5)}}, "waiting_unpolled 5"},
		"a poll waits":               {map[Kind]signs{Outbound: {messages: 1, oldest: ago(6), waiting: true}}, ""},
		"pushes and never pulls":     {map[Kind]signs{Outbound: {messages: 1, oldest: ago(6)}, Inbound: {pushed: ago(1)}}, "push_only 6"},
		"a mailbox is pushed into":   {map[Kind]signs{Mailbox: {messages: 1, oldest: ago(6), pushed: ago(1)}}, "waiting_unpolled 6"},
		"a backlog that gets less":   {map[Kind]signs{Inbound: {messages: 99, pending: 9, deliveries: 20, oldest: ago(60), pulled: ago(1), confirmed: ago(1)}}, ""},
		"comes back after an hour":   {map[Kind]signs{Inbound: {messages: 99, pending: 9, deliveries: 1, oldest: ago(60), pulled: ago(0), confirmed: ago(60)}}, ""},
		"never confirms":             {map[Kind]signs{Inbound: {messages: 9, pending: 9, deliveries: 3, oldest: ago(6), pulled: ago(1)}}, "polled_unconfirmed 6"},
		"confirms no more":           {map[Kind]signs{Inbound: {messages: 9, pending: 9, deliveries: 3, oldest: ago(60), pulled: ago(1), confirmed: ago(5)}}, "polled_unconfirmed 5"},
		"the same again and again":   {map[Kind]signs{Inbound: {messages: 9, pending: 9, deliveries: 10, oldest: ago(6), pulled: ago(1)}}, "same_batch 6"},
		"stopped at 401":             {map[Kind]signs{Outbound: {pulled: ago(5), refused: ago(4)}}, "stopped_401 5"},
		"pushed last":                {map[Kind]signs{Outbound: {refused: ago(5)}, Inbound: {pushed: ago(6)}}, "stopped_401 6"},
		"somebody guesses":           {map[Kind]signs{Outbound: {refused: ago(5)}}, ""},
		"refused once, then not":     {map[Kind]signs{Outbound: {pulled: ago(5), refused: ago(6)}}, ""},
		"refused while a poll waits": {map[Kind]signs{Outbound: {pulled: ago(5), refused: ago(4), waiting: true}}, ""},
		"the other side goes on":     {map[Kind]signs{Outbound: {pulled: ago(5), refused: ago(4), pushed: ago(0)}, Inbound: {pulled: ago(0)}}, "stopped_401 5"},
		"two clients":                {map[Kind]signs{Outbound: {superseded: ago(1), pulled: ago(0)}}, "superseding 1"},
		"two clients, once":          {map[Kind]signs{Outbound: {superseded: ago(5), pulled: ago(0)}}, ""},
	} {
		var got []string
		for c, since := range diagnose(now, 4*time.Minute, c.queues) {
			got = append(got, fmt.Sprintf("%s %.0f", c, now.Sub(since).Minutes()))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A channel is quiet by its own measure.
func TestQuietAfter(t *testing.T) {
	t.Parallel()
	const after = 4 * time.Minute
	of := func(n int, gap time.Duration) []time.Duration { return slices.Repeat([]time.Duration{gap}, n) }
	for name, c := range map[string]struct {
		gaps, atThatHour []time.Duration
		want             time.Duration
	}{
		"too few":            {of(9, time.Hour), of(1, time.Hour), 0},
		"each hour":          {of(10, time.Hour), nil, 5 * time.Hour},
		"each 10 seconds":    {of(50, 10*time.Second), nil, after},
		"bursts each hour":   {append(of(40, time.Second), of(10, time.Hour)...), nil, 5 * time.Hour},
		"one long night":     {append(of(49, time.Minute), 10*time.Hour), nil, 5 * time.Minute},
		"the night's hour":   {of(50, time.Minute), of(2, 10*time.Hour), 15 * time.Hour},
		"a pause like usual": {of(50, time.Hour), of(1, 2*time.Hour), 5 * time.Hour},
	} {
		if got := quietAfter(c.gaps, c.atThatHour, after); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// logged is a log that a test reads.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// count counts the lines that have all of some words.
func (l *logged) count(words ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
			n++
		}
	}
	return n
}

// Channels fall silent in each way: each is named within five minutes, with one line in the log, and
// named no more when it works again. Those that work are not named.
func TestSilence(t *testing.T) {
	t.Parallel()
	var log logged
	opts, limits := defaults()
	opts.UnwellAfter, opts.Logger = 4*time.Minute, slog.New(slog.NewTextHandler(&log, nil))
	s := openOn(t, redistest.Start(t), opts, limits)
	c := s.rdb()
	start := time.Now()
	minute, clock := 0, sync.Mutex{}
	now := func() time.Time {
		clock.Lock()
		defer clock.Unlock()
		return start.Add(time.Since(start) + time.Duration(minute)*time.Minute)
	}
	s.activity.now, s.watcher.now = now, now

	push := func(channel string, kind Kind) {
		t.Helper()
		if _, err := s.Queues.Push(t.Context(), Name{Channel: channel, Kind: kind}, s.caller, Batch{Entries: []Entry{{Payload: []byte(`{"id":"1","body":"x"}`)}}}); err != nil {
			t.Fatal(err)
		}
	}
	pull := func(channel string, kind Kind, confirm bool) {
		t.Helper()
		d, err := s.Queues.Pull(t.Context(), Name{Channel: channel, Kind: kind}, s.caller, Request{Max: 10})
		if err == nil && confirm {
			_, err = s.Queues.Pull(t.Context(), Name{Channel: channel, Kind: kind}, s.caller, Request{Processed: UpTo(d.ETag)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func() {
		t.Helper()
		if err := s.activity.write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	look := func() map[string]string {
		t.Helper()
		for _, p := range s.opts.Layout.Partitions() {
			if err := s.watcher.look(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
		names, err := s.NotWell(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.UnwellOf(t.Context(), names...)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]string{}
		for i, list := range all {
			for _, u := range list {
				found[names[i]] += string(u.Condition)
			}
		}
		return found
	}
	// Two that have been used before: as if it had been so long ago each time.
	for channel, gap := range map[string]time.Duration{"quiet": 30 * time.Second, "hourly": time.Hour} {
		for range 12 {
			push(channel, Mailbox)
			pull(channel, Mailbox, true)
			write()
			p := s.opts.Layout.Partition(channel)
			c.ZIncrBy(t.Context(), p.LastSeen(), -float64(gap.Milliseconds()), channel)
		}
		push(channel, Mailbox)
		pull(channel, Mailbox, true)
	}
	// And one that is silent for a day, at times, from this hour on.
	for i := range 14 {
		gap := 30 * time.Second
		if i == 6 {
			gap = 24 * time.Hour
		}
		push("nightly", Mailbox)
		pull("nightly", Mailbox, true)
		write()
		if i < 13 {
			c.ZIncrBy(t.Context(), s.opts.Layout.Partition("nightly").LastSeen(), -float64(gap.Milliseconds()), "nightly")
		}
	}
	want := map[string]string{
		"waits": "waiting_unpolled", "pushes": "push_only", "polls": "polled_unconfirmed", "again": "same_batch",
		"stopped": "stopped_401", "rivals": "superseding", "quiet": "quiet",
	}
	for _, channel := range []string{"waits", "pushes", "polls", "again", "works"} {
		push(channel, Outbound)
	}
	push("stopped", Inbound)
	push("rivals", Inbound)
	var named map[string]string
	for minute < 5 {
		clock.Lock()
		minute++
		clock.Unlock()
		push("pushes", Inbound)
		pull("pushes", Inbound, true)
		pull("polls", Outbound, false)
		for range 3 {
			pull("again", Outbound, false)
		}
		for range 4 {
			s.activity.superseded(s.key(Name{Channel: "rivals", Kind: Outbound}))
		}
		pull("rivals", Inbound, true)
		pull("stopped", Inbound, true)
		s.Refused(Name{Channel: "stopped", Kind: Outbound})
		s.Refused(Name{Channel: "nobody", Kind: Outbound})
		push("works", Outbound)
		pull("works", Outbound, true)
		write()
		named = look()
		if minute == 2 && (len(named) > 1 || named["rivals"] == "") {
			t.Errorf("after 2 minutes: %v", named)
		}
	}
	if !maps.Equal(named, want) {
		t.Errorf("after five minutes: %v, want %v", named, want)
	}
	for channel, state := range want {
		if n := log.count("is not well", "channel="+channel, "state="+state); n != 1 {
			t.Errorf("%d lines in the log say that %s is %s", n, channel, state)
		}
	}
	totals, err := s.Totals(t.Context(), 0)
	if err != nil || len(totals.Unwell) != len(Conditions()) {
		t.Fatalf("%+v %v", totals, err)
	}
	for _, u := range totals.Unwell {
		if u.Channels != 1 {
			t.Errorf("%d channels are %s", u.Channels, u.State)
		}
	}

	// They work again; one is deleted.
	pull("waits", Outbound, true)
	for _, channel := range []string{"pushes", "polls", "again"} {
		pull(channel, Outbound, true)
	}
	push("stopped", Inbound)
	pull("stopped", Inbound, true)
	pull("quiet", Mailbox, false)
	if _, err := s.Delete(t.Context(), "waits", ""); err != nil {
		t.Fatal(err)
	}
	clock.Lock()
	minute += 3
	clock.Unlock()
	p := s.opts.Layout.Partition("quiet")
	write()
	c.ZAdd(t.Context(), p.LastSeen(), redis.Z{Score: float64(now().UnixMilli()), Member: "quiet"})
	clock.Lock()
	minute += 2
	clock.Unlock()
	for _, channel := range []string{"pushes", "polls", "again"} {
		pull(channel, Outbound, true)
	}
	push("stopped", Inbound)
	pull("stopped", Inbound, true)
	write()
	if named = look(); len(named) > 0 {
		t.Errorf("when all works: %v", named)
	}
	for channel := range want {
		if n := log.count("well again", "channel="+channel); n != 1 {
			t.Errorf("%d lines in the log say that %s is well again", n, channel)
		}
	}
}

// Of several replicas one looks when it is time.
func TestOneReplicaWatches(t *testing.T) {
	t.Parallel()
	var log logged
	server := redistest.Start(t)
	opts, limits := defaults()
	opts.UnwellAfter, opts.Logger = time.Nanosecond, slog.New(slog.NewTextHandler(&log, nil))
	s, other := openOn(t, server, opts, limits), openOn(t, server, opts, limits)
	mustPush(t, s, batch(1, "1"))
	pastMS(t, server.Client(), time.Now().UnixMilli()+1)
	p := s.opts.Layout.PartitionOf(inbox.Channel)
	for range 2 {
		for _, w := range []*watcher{s.watcher, other.watcher} {
			if err := w.step(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := log.count("is not well"); n != 1 {
		t.Errorf("%d lines in the log", n)
	}
	if left := server.Client().PTTL(t.Context(), s.partition().Watched()).Val(); left <= 0 || left > watchEvery {
		t.Errorf("the next look is in %v", left)
	}
}

// Polls of one queue that supersede each other again and again are noted, and one that does so now and
// then is not.
func TestRivalsAreNoted(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	mustPush(t, s, batch(1, "1"))
	_, d := mustPull(t, s, Request{})
	mustPull(t, s, Request{Processed: UpTo(d.ETag)})
	noted := func() string {
		t.Helper()
		if err := s.activity.write(t.Context()); err != nil {
			t.Fatal(err)
		}
		return c.HGet(t.Context(), s.key(inbox).Activity(), "superseded").Val()
	}
	var last chan Delivery
	for i := range rivalryTimes + 1 {
		before, next := waiter(t, s), make(chan Delivery, 1)
		go func() {
			d, err := s.Pull(t.Context(), inbox, Request{Max: 10, Wait: time.Minute})
			if err != nil {
				t.Error(err)
			}
			next <- d
		}()
		waitUntil(t, func() bool { now := waiter(t, s); return now != "" && now != before })
		if last != nil {
			if d := <-last; !d.Superseded {
				t.Fatalf("%+v", d)
			}
		}
		if last = next; i < rivalryTimes && noted() != "" {
			t.Fatalf("noted after %d", i)
		}
	}
	if noted() == "" {
		t.Error("not noted")
	}
	mustPush(t, s, batch(1, "2"))
	<-last
}
