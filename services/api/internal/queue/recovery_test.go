package queue

import (
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// losses are ways that Redis loses history: each returns the queues as they are on a server, and a
// function that takes a copy of the server, which returns a function that goes on with that copy.
var losses = map[string]func(t *testing.T) (s *limited, copied func() func() *limited){
	"backup": func(t *testing.T) (*limited, func() func() *limited) {
		server := redistest.Start(t, "--appendonly", "no")
		opts, limits := defaults()
		s := openOn(t, server, opts, limits)
		return s, func() func() *limited {
			backup := server.Backup()
			return func() *limited { server.Restore(backup); waitUntil(t, s.Listening); return s }
		}
	},
	"fail-over": func(t *testing.T) (*limited, func() func() *limited) {
		server := redistest.Start(t)
		opts, limits := defaults()
		s := openOn(t, server, opts, limits)
		return s, func() func() *limited {
			replica := redistest.Start(t, "--replicaof", strings.Replace(server.Addr, ":", " ", 1))
			c := replica.Client()
			waitUntil(t, func() bool {
				return strings.Contains(c.Info(t.Context(), "replication").Val(), "master_link_status:up")
			})
			if n := server.Client().Do(t.Context(), "wait", 1, 10_000).Val(); n != int64(1) {
				t.Fatalf("the replica does not follow: %v", n)
			}
			if err := c.SlaveOf(t.Context(), "no", "one").Err(); err != nil { // it gets nothing from now on
				t.Fatal(err)
			}
			return func() *limited { server.Kill(); return openOn(t, replica, opts, limits) }
		}
	},
}

// clocks are what Redis's clock does when history is lost.
var clocks = map[string]func(t *testing.T, s *limited){
	"clock goes on": func(*testing.T, *limited) {},
	// The stream has seen a time to come: so what is pushed after the loss is given the ids again
	// that were given out in the history that is lost.
	"ids are given again": func(t *testing.T, s *limited) {
		mustPush(t, s, batch(1, "first"))
		_, d := mustPull(t, s, Request{})
		mustPull(t, s, Request{Processed: UpTo(d.ETag)})
		id := strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10) + "-0"
		if err := s.hand.Do(t.Context(), "xsetid", s.key(inbox).Stream, id).Err(); err != nil {
			t.Fatal(err)
		}
	},
}

func onEachLoss(t *testing.T, f func(t *testing.T, s *limited, copied func() func() *limited)) {
	t.Helper()
	for name, loss := range losses {
		for clock, set := range clocks {
			t.Run(name+", "+clock, func(t *testing.T) {
				t.Parallel()
				s, copied := loss(t)
				set(t, s)
				f(t, s, copied)
			})
		}
	}
}

// names returns n ids.
func names(prefix string, n int) []string {
	l := make([]string, n)
	for i := range l {
		l[i] = prefix + strconv.Itoa(i)
	}
	return l
}

// Redis loses history: what clients have confirmed does not come again, and what they have not seen
// does not go.
func TestRecovery(t *testing.T) {
	t.Parallel()
	onEachLoss(t, func(t *testing.T, s *limited, copied func() func() *limited) {
		all := names("m", 1000)
		mustPush(t, s, batch(10, all...))
		// Some of it is confirmed, and some delivered, when the copy is made.
		_, d := mustPull(t, s, Request{Max: 100})
		_, d = mustPull(t, s, Request{Processed: UpTo(d.ETag), Max: 100})
		restore := copied()
		lost := names("lost", 20)
		mustPush(t, s, batch(10, lost...))
		if ids, d2 := mustPull(t, s, Request{Processed: UpTo(d.ETag), Max: 810}); !strings.HasSuffix(ids, "lost9") {
			t.Fatalf("%.200q", ids)
		} else {
			d = d2
		}
		s = restore()
		mustPush(t, s, batch(10, names("new", 30)...)) // before the client comes
		ids, d2 := mustPull(t, s, Request{Processed: UpTo(d.ETag)})
		if want := strings.Join(names("new", 30), " "); ids != want || d2.Confirmed != 900 {
			t.Fatalf("confirmed %d, got %.200q", d2.Confirmed, ids)
		}
		// Again, as if the answer had been cut; and by the new ETag.
		if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != strings.Join(names("new", 30), " ") || d.Confirmed != 0 {
			t.Fatalf("confirmed %d, got %.200q", d.Confirmed, ids)
		}
		if d.ETag.Epoch == "" || d.ETag.Epoch[:6] != d2.ETag.Epoch[:6] {
			t.Fatalf("epochs %v", d.ETag)
		}
		if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "" || d.Confirmed != 30 {
			t.Fatalf("confirmed %d, got %.200q", d.Confirmed, ids)
		}
		if n, bytes, byMeta := held(t, s, s.rdb()); n != 0 || bytes != 0 || byMeta != 0 {
			t.Fatalf("it holds %d messages, %d bytes, %d by its state", n, bytes, byMeta)
		}
	})
}

// The example of docs/protocol.md, "Confirming".
func TestRecoveryAsDocumented(t *testing.T) {
	t.Parallel()
	onEachLoss(t, func(t *testing.T, s *limited, copied func() func() *limited) {
		mustPush(t, s, batch(10, "1", "2", "3"))
		restore := copied()
		var etag *qst.ETag
		pull := func(want string, confirmed int) {
			t.Helper()
			ids, d := mustPull(t, s, Request{Processed: UpTo(etag)})
			if ids != want || d.Confirmed != confirmed {
				t.Fatalf("confirmed %d, got %q; want %d, %q", d.Confirmed, ids, confirmed, want)
			}
			etag = d.ETag
		}
		pull("1 2 3", 0)
		mustPush(t, s, batch(10, "4"))
		pull("4", 3)
		s = restore()
		mustPush(t, s, batch(10, "5"))
		pull("5", 3)
		pull("", 1)
	})
}

// An ETag from the middle of what comes back confirms so far and no further.
func TestRecoveryOfAPart(t *testing.T) {
	t.Parallel()
	onEachLoss(t, func(t *testing.T, s *limited, copied func() func() *limited) {
		mustPush(t, s, batch(10, "1", "2", "3", "4"))
		restore := copied()
		_, d := mustPull(t, s, Request{Max: 2})
		s = restore()
		if ids, d := mustPull(t, s, Request{Processed: UpTo(d.ETag), Max: 1}); ids != "3" || d.Confirmed != 2 {
			t.Fatalf("confirmed %d, got %.200q", d.Confirmed, ids)
		}
		// Without an ETag: what is not confirmed.
		if ids, _ := mustPull(t, s, Request{}); ids != "3 4" {
			t.Fatalf("%.200q", ids)
		}
	})
}

// The same backup is restored twice, and in between clients have gone on: their ETags are of an
// epoch that nobody remembers.
func TestRecoveryTwice(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	opts, limits := defaults()
	s := openOn(t, server, opts, limits)
	clocks["ids are given again"](t, s)
	mustPush(t, s, batch(10, "1", "2", "3", "4"))
	backup := server.Backup()
	_, d := mustPull(t, s, Request{Max: 1})
	for range 2 {
		server.Restore(backup)
		waitUntil(t, s.Listening)
		mustPush(t, s, batch(10, "5", "6"))
		var ids string
		if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag), Max: 4}); strings.Contains(ids, "1") {
			t.Fatalf("%.200q", ids)
		}
	}
	// Twice 2 to 5 were delivered, the second time as the ETag of the first one had confirmed up to 4.
	if d.Confirmed != 4 {
		t.Fatalf("confirmed %d", d.Confirmed)
	}
	if ids, _ := mustPull(t, s, Request{}); ids != "5 6" {
		t.Fatalf("%.200q", ids)
	}
}

// Two losses, and the copy that the second one goes back to was made before the queue was touched after the first
// one: the client's ETag is of an epoch that nobody remembers, and confirms all that its client has seen.
func TestRecoveryOfAnUntouchedQueue(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendonly", "no")
	opts, limits := defaults()
	s := openOn(t, server, opts, limits)
	mustPush(t, s, batch(10, "1", "2", "3", "4", "5", "6"))
	_, d := mustPull(t, s, Request{Max: 1})
	for range 4 {
		server.Restore(server.Backup())
		waitUntil(t, s.Listening)
		untouched := server.Backup()
		_, d = mustPull(t, s, Request{Processed: UpTo(d.ETag), Max: 1})
		server.Restore(untouched)
		waitUntil(t, s.Listening)
	}
	if ids, _ := mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "6" {
		t.Fatalf("%.200q", ids)
	}
}

// A restart that loses nothing changes nothing for clients: ETags from before are good, those that
// were never given out, and those of other queues, are not.
func TestRestartKeepsETags(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, "--appendfsync", "always")
	opts, limits := defaults()
	s := openOn(t, server, opts, limits)
	mustPush(t, s, batch(10, "1", "2", "3"))
	_, d := mustPull(t, s, Request{Max: 2})
	for range restarts {
		server.Kill()
		server.Restart()
		waitUntil(t, s.Listening)
		foreign := *d.ETag
		foreign.Epoch = "0123456789abcdef"
		if ids, d := mustPull(t, s, Request{Processed: UpTo(&foreign)}); ids != "1 2 3" || d.Confirmed != 0 {
			t.Fatalf("%q, confirmed %d", ids, d.Confirmed)
		}
	}
	if ids, d := mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "3" || d.Confirmed != 2 {
		t.Fatalf("%q, confirmed %d", ids, d.Confirmed)
	}
}

// restarts is more than a queue remembers (lua/lib/history.lua).
const restarts = 10

// A version 1 client names a message that Redis does not remember to have delivered.
func TestRecoveryOfVersion1(t *testing.T) {
	t.Parallel()
	onEachLoss(t, func(t *testing.T, s *limited, copied func() func() *limited) {
		mustPush(t, s, batch(10, "1", "2", "3", "4", "5"))
		mustPull(t, s, Request{Max: 1})
		restore := copied()
		mustPull(t, s, Request{Max: 3})
		s = restore()
		named := func(id string) Request { return Request{Processed: UpToMessage(id, `{"id":"`+id+`"`), Max: 10} }
		if ids, d := mustPull(t, s, named("3")); ids != "4 5" || d.Confirmed != 3 {
			t.Fatalf("%q, confirmed %d", ids, d.Confirmed)
		}
		if ids, d := mustPull(t, s, named("3")); ids != "4 5" || d.Confirmed != 0 {
			t.Fatalf("again: %q, confirmed %d", ids, d.Confirmed)
		}
		if ids, d := mustPull(t, s, named("5")); ids != "" || d.Confirmed != 2 {
			t.Fatalf("%q, confirmed %d", ids, d.Confirmed)
		}
	})
}

// A version 1 client that still names a message which was taken out meanwhile does not confirm a later
// one of the same id by that, which it may never have got.
func TestVersion1NamesWhatIsGone(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	named := func(id string) Request { return Request{Processed: UpToMessage(id, `{"id":"`+id+`"`)} }
	push := func(ids ...string) {
		t.Helper()
		b := Batch{}
		for _, m := range batch(10, ids...) {
			b.Entries = append(b.Entries, Entry{Payload: m.AppendCanonical(nil)})
		}
		if _, err := s.Queues.Push(t.Context(), inbox, s.caller, b); err != nil {
			t.Fatal(err)
		}
	}
	push("o1")
	if ids, _ := mustPull(t, s, Request{Processed: UpToMessage("", "")}); ids != "o1" {
		t.Fatalf("pulled %q", ids)
	}
	if _, err := s.Purge(t.Context(), inbox, 1); err != nil {
		t.Fatal(err)
	}
	push("o1")
	for range 2 { // the first answer is lost
		if ids, d := mustPull(t, s, named("o1")); ids != "o1" || d.Confirmed != 0 {
			t.Fatalf("pulled %q, confirmed %d", ids, d.Confirmed)
		}
	}
	push("o2")
	if ids, d := mustPull(t, s, named("o1")); ids != "o1 o2" || d.Confirmed != 0 {
		t.Fatalf("pulled %q, confirmed %d", ids, d.Confirmed)
	}
	if ids, d := mustPull(t, s, named("o2")); ids != "" || d.Confirmed != 2 {
		t.Fatalf("pulled %q, confirmed %d", ids, d.Confirmed)
	}
}

// A message was tried alone in a suspect's stead, and Redis has lost all memory of that: its ETag
// confirms it alone, and not the suspect before it.
func TestRecoveryOfATry(t *testing.T) {
	t.Parallel()
	onEachLoss(t, func(t *testing.T, s *limited, copied func() func() *limited) {
		s.caller.Limits.MaxDeliveries = 1
		mustPush(t, s, batch(10, "suspect", "1", "2"))
		mustPull(t, s, Request{Max: 1})
		restore := copied()
		ids, d := mustPull(t, s, Request{})
		if ids != "1" {
			t.Fatalf("tried %q", ids)
		}
		s = restore()
		if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "suspect 2" || d.Confirmed != 1 {
			t.Fatalf("%q, confirmed %d", ids, d.Confirmed)
		}
		if ids, d = mustPull(t, s, Request{Processed: UpTo(d.ETag)}); ids != "" || d.Confirmed != 2 {
			t.Fatalf("%q, confirmed %d", ids, d.Confirmed)
		}
		if n, bytes, byMeta := held(t, s, s.rdb()); n != 0 || bytes != 0 || byMeta != 0 {
			t.Fatalf("it holds %d messages, %d bytes, %d by its state", n, bytes, byMeta)
		}
	})
}

// A poll is held while Redis goes back to a backup from before its confirmation: what the poll
// confirmed does not come again, though the poll said so before the loss.
func TestRecoveryWhileAPollIsHeld(t *testing.T) {
	t.Parallel()
	s, copied := losses["backup"](t)
	mustPush(t, s, batch(3, "a", "b", "c"))
	_, d := mustPull(t, s, Request{})
	restore := copied()
	answer := make(chan Delivery, 1)
	var polls sync.WaitGroup
	polls.Go(func() {
		d, err := s.Pull(t.Context(), inbox, Request{Processed: UpTo(d.ETag), Max: 10, Wait: time.Minute})
		if err != nil {
			t.Error(err)
		}
		answer <- d
	})
	defer polls.Wait()
	waitUntil(t, func() bool {
		stats, err := s.Stats(t.Context(), inbox.Channel, inbox.Kind)
		return err == nil && stats[0].Messages == 0 && stats[0].Waiting
	})
	restore()
	mustPush(t, s, batch(1, "new"))
	if got := <-answer; len(got.Payloads) != 1 || !strings.Contains(got.Payloads[0], `"new"`) || got.Confirmed != 3 {
		t.Errorf("confirmed %d, got %q", got.Confirmed, got.Payloads)
	}
}
