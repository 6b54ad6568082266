package queue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// With its eighth poll it is known at the latest which message of a hundred a client can't bear: it is
// given that one alone. The client has confirmed everything before it. When it has confirmed one behind it, the
// message is a dead letter, and the others come.
func TestPoisonIsFound(t *testing.T) {
	t.Parallel()
	for _, at := range []int{1, 2, 37, 50, 51, 99, 100} {
		t.Run(fmt.Sprint("at ", at), func(t *testing.T) {
			t.Parallel()
			s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 3 })
			var all []string
			for i := range 100 {
				all = append(all, whole(i+1))
			}
			mustPush(t, s, batch(10, all...))
			poison, handled, alone := whole(at), map[string]bool{}, 0
			var tag *qst.ETag
			for poll := 1; len(handled) < 101; poll++ {
				if poll > 40 {
					t.Fatalf("after %d polls %d messages are handled", poll, len(handled))
				}
				ids, d := mustPull(t, s, Request{Processed: UpTo(tag)})
				if ids == poison && alone == 0 {
					alone = poll
				}
				tag = nil
				if at := strings.Fields(ids); !strings.Contains(" "+ids+" ", " "+poison+" ") {
					for _, id := range at {
						if handled[id] {
							t.Fatalf("%s came again", id)
						}
						handled[id] = true
					}
					tag = d.ETag
				}
				if poll == 20 {
					mustPush(t, s, batch(10, "101", "102")) // without others there is no proof
				}
			}
			mustPull(t, s, Request{Processed: UpTo(tag)})
			if alone == 0 || alone > 9 {
				t.Errorf("alone with poll %d", alone)
			}
			dead, err := s.Dead(t.Context(), inbox, "", 10)
			if err != nil || len(dead) != 1 || qst.CanonicalID(string(dead[0].Payload)) != poison || handled[poison] {
				t.Fatalf("dead letters: %v %v", dead, err)
			}
			if a := dead[0].Attempts; len(a) < 4 || a[len(a)-1].Messages != 1 || a[0].At.After(a[len(a)-1].At) || a[0].At.IsZero() {
				t.Errorf("attempts: %v", a)
			}
			if _, bytes, byMeta := held(t, s, c); bytes != byMeta {
				t.Errorf("%d bytes by the stream, %d by its meta", bytes, byMeta)
			}
		})
	}
}

// While a client confirms nothing, nothing becomes a dead letter, however often it polls; when it works
// again, it gets every message.
func TestOutage(t *testing.T) {
	t.Parallel()
	for polls := 300; polls < 304; polls++ {
		s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 3 })
		var all []string
		for i := range 30 {
			all = append(all, whole(i))
		}
		mustPush(t, s, batch(10, all...))
		for range polls {
			mustPull(t, s, Request{})
		}
		handled := map[string]bool{}
		var tag *qst.ETag
		for range 100 {
			ids, d := mustPull(t, s, Request{Processed: UpTo(tag)})
			if ids == "" {
				break
			}
			for id := range strings.FieldsSeq(ids) {
				handled[id] = true
			}
			tag = d.ETag
		}
		if dead := c.XLen(t.Context(), s.key(inbox).Dead()).Val(); len(handled) != len(all) || dead > 0 {
			t.Errorf("after %d polls: %d messages are handled, %d dead letters", polls, len(handled), dead)
		}
		if n, _, _ := held(t, s, c); n != 0 {
			t.Errorf("%d messages are left", n)
		}
	}
}

// An outage may be long: what was tried meanwhile is bounded, and stays a list of ids. The stream
// ids of one batch end with a number of one to three digits, so that the list is cut within one.
func TestLongOutage(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 2 })
	var all []string
	for i := range 300 {
		all = append(all, whole(i))
	}
	mustPush(t, s, batch(10, all...))
	ids, d := mustPull(t, s, Request{Max: 100})
	handled := map[string]bool{}
	for id := range strings.FieldsSeq(ids) {
		handled[id] = true
	}
	mustPull(t, s, Request{Max: 100, Processed: UpTo(d.ETag)})
	for range 80 {
		mustPull(t, s, Request{Max: 100})
	}
	var tag *qst.ETag
	for range 300 {
		ids, d := mustPull(t, s, Request{Max: 100, Processed: UpTo(tag)})
		if ids == "" {
			break
		}
		for id := range strings.FieldsSeq(ids) {
			handled[id] = true
		}
		tag = d.ETag
		if _, bytes, byMeta := held(t, s, c); bytes != byMeta {
			t.Fatalf("%d bytes by the stream, %d by its meta", bytes, byMeta)
		}
	}
	if dead := c.XLen(t.Context(), s.key(inbox).Dead()).Val(); len(handled) != len(all) || dead > 0 {
		t.Errorf("%d messages are handled, %d dead letters", len(handled), dead)
	}
	if n, bytes, byMeta := held(t, s, c); n != 0 || bytes != 0 || byMeta != 0 {
		t.Errorf("%d messages are left, of %d bytes, %d by the meta", n, bytes, byMeta)
	}
	if stuck := c.HGet(t.Context(), s.key(inbox).Meta(), "stuck").Val(); stuck != "" {
		t.Errorf("the client is stuck: %q", stuck)
	}
}

// deadLetter makes a message a dead letter of an empty queue whose messages are delivered once.
func deadLetter(t *testing.T, s *limited, m qst.Message) {
	t.Helper()
	mustPush(t, s, append([]qst.Message{m}, batch(1, m.ID+" proof 1", m.ID+" proof 2")...))
	mustPull(t, s, Request{Max: 1})
	var tag *qst.ETag
	for _, want := range []string{" proof 1", "", " proof 2"} {
		ids, d := mustPull(t, s, Request{Processed: UpTo(tag)})
		if ids != m.ID+want {
			t.Fatalf("pulled %q, want %q", ids, m.ID+want)
		}
		if tag = d.ETag; want == "" {
			tag = nil
		}
	}
	if d, err := s.Pull(t.Context(), inbox, Request{Processed: UpTo(tag)}); err != nil || d.Confirmed != 1 {
		t.Fatalf("%+v %v", d, err)
	}
}

// Messages that a client can't bear one after the other take no other with them.
func TestPoisonInARow(t *testing.T) {
	t.Parallel()
	s, _ := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 1 })
	mustPush(t, s, batch(10, strings.Fields("p1 p2 p3 4 5 6")...))
	var got []string
	var tag *qst.ETag
	for range 60 {
		ids, d := mustPull(t, s, Request{Max: 10, Processed: UpTo(tag)})
		tag = nil
		if ids != "" && !strings.Contains(ids, "p") {
			got, tag = append(got, strings.Fields(ids)...), d.ETag
		}
	}
	dead, _ := s.Dead(t.Context(), inbox, "", 10)
	var ids []string
	for _, d := range dead {
		ids = append(ids, qst.CanonicalID(string(d.Payload)))
	}
	// The last one that is handled proves one; for the others another one has to come.
	if len(got) != 3 || len(ids) == 0 || strings.Contains(strings.Join(ids, " "), "4") {
		t.Errorf("handled %q, dead letters %q", got, ids)
	}
}

// A client that is past what it was stuck on says so by the ETag of a whole answer: that confirms all
// of it, also where dead letters are off by then, as for the worker that has the queue's webhook.
func TestStuckNoMore(t *testing.T) {
	t.Parallel()
	for _, deliveries := range []int{0, 1} {
		s, _ := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 1 })
		mustPush(t, s, batch(10, "suspect", "1", "2"))
		_, whole := mustPull(t, s, Request{})
		mustPull(t, s, Request{})
		mustPull(t, s, Request{})
		if ids, _ := mustPull(t, s, Request{}); ids != "1" {
			t.Fatalf("tried %q", ids)
		}
		s.caller.Limits.MaxDeliveries = deliveries
		if ids, d := mustPull(t, s, Request{Processed: UpTo(whole.ETag)}); ids != "" || d.Confirmed != 3 {
			t.Errorf("max_deliveries %d: %q, confirmed %d", deliveries, ids, d.Confirmed)
		}
	}
}
