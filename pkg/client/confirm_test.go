package client_test

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// The confirmation at a loop's end takes no message, so none becomes a dead letter as
// delivered too often.
func TestClosingConfirmationDeliversNothing(t *testing.T) {
	t.Parallel()
	c, err := client.New(service.Start(t, "embedded", "QST_MAX_DELIVERIES=1").URL("once"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Push(t.Context(), numbered(10)...); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		got, err := take(c, client.PullOptions{Limit: 1}, 0)
		if err != nil || !slices.Equal(got, bodies(n, n+1)) {
			t.Fatalf("got %v, %v; want message %d", got, err, n)
		}
	}
}

// A service that knows no max=0 is told as it always was.
func TestClosingConfirmationOfAnOldService(t *testing.T) {
	q := newFakeQueue(10)
	q.old = true
	for n := range 10 {
		got, err := take(newLocal(t, q), client.PullOptions{Limit: 1}, 0)
		if err != nil || !slices.Equal(got, bodies(n, n+1)) {
			t.Fatalf("got %v, %v; want message %d", got, err, n)
		}
		if confirmed, _ := q.state(); confirmed != n+1 {
			t.Fatalf("confirmed %d of %d", confirmed, n+1)
		}
	}
}

func TestConfirm(t *testing.T) {
	for _, old := range []bool{false, true} {
		q := newFakeQueue(5)
		q.old = old
		c := newLocal(t, q)
		b, err := c.Poll(t.Context(), client.PollRequest{Max: 2})
		if err == nil {
			err = c.Confirm(t.Context(), b.ETag)
		}
		if confirmed, _ := q.state(); err != nil || confirmed != 2 {
			t.Errorf("old %t: confirmed %d, %v; want 2", old, confirmed, err)
		}
		if !old && q.delivered != 2 {
			t.Errorf("%d messages delivered; want 2", q.delivered)
		}
	}
}

// equalMessages are two that no field tells apart, and one that is another.
func equalMessages() []qst.Message {
	same := qst.Message{ID: "1", When: "2026-01-01T00:00:00Z", Body: "same"}
	return []qst.Message{same, same, {ID: "2", When: same.When, Body: "other"}}
}

// A message that the service took as a new one is handled, also if it is equal to the
// one before it: whatever is asked for at once, whichever answer is lost, and
// wherever the program starts again.
func TestEqualMessagesAreAllHandled(t *testing.T) {
	want := []string{"same", "same", "other"}
	for most := 1; most <= 3; most++ {
		for restart := range 4 {
			for lost := range 8 {
				synctest.Test(t, func(t *testing.T) {
					q := &fakeQueue{msgs: equalMessages()}
					n := 0
					h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if n++; n == lost { // it was asked, and nobody hears the answer
							q.ServeHTTP(&lostWriter{header: http.Header{}}, r)
							w.WriteHeader(http.StatusBadGateway)
							return
						}
						q.ServeHTTP(w, r)
					})
					path := filepath.Join(t.TempDir(), "place")
					opts := client.PullOptions{Store: client.NewFileStore(path), Max: most, UntilEmpty: true}
					got, err := take(newLocal(t, h), opts, restart)
					if restart > 0 && err == nil {
						var rest []string
						opts.Store = client.NewFileStore(path)
						rest, err = take(newLocal(t, h), opts, 0)
						got = append(got, rest...)
					}
					if err != nil || !slices.Equal(got, want) {
						t.Errorf("%d at once, left at %d, answer %d lost: %v, %v; want %v", most, restart, lost, got, err, want)
					}
				})
			}
		}
	}
}

type lostWriter struct{ header http.Header }

func (w *lostWriter) Header() http.Header         { return w.header }
func (w *lostWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *lostWriter) WriteHeader(int)             {}

// The same of the service itself, which takes them as new where it does not look for
// duplicates.
func TestEqualMessagesOfTheService(t *testing.T) {
	t.Parallel()
	c, err := client.New(service.Start(t, "embedded", "QST_DEDUP_WINDOW=0").URL("equal"))
	if err != nil {
		t.Fatal(err)
	}
	for most := 1; most <= 3; most++ {
		if r, err := c.Push(t.Context(), equalMessages()...); err != nil || r.Accepted != 3 {
			t.Fatalf("%+v, %v", r, err)
		}
		got, err := take(c, client.PullOptions{Max: most, UntilEmpty: true}, 0)
		if err != nil || !slices.Equal(got, []string{"same", "same", "other"}) {
			t.Errorf("%d at once: %v, %v", most, got, err)
		}
	}
}

// A queue that never hears an ETag gives the same messages again: those are passed over.
func TestMessagesThatComeAgainAreStillPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &fakeQueue{msgs: equalMessages()[1:], ignored: true}
		got, err := take(newLocal(t, q), client.PullOptions{}, 0)
		if !errors.Is(err, client.ErrETag) || !slices.Equal(got, []string{"same", "other"}) {
			t.Errorf("got %v, %v; want each once, then ErrETag", got, err)
		}
	})
}

// A handler that fails over a message has those before it confirmed, and no more,
// whichever way it leaves the loop.
func TestMessagesBeforeAFailureAreConfirmed(t *testing.T) {
	ways := map[string]func(cancel func()) bool{ // what the body does; true: break
		"break":   func(func()) bool { return true },
		"panic":   func(func()) bool { panic("handler") },
		"context": func(cancel func()) bool { cancel(); return false },
	}
	for name, leave := range ways {
		for _, stored := range []bool{true, false} {
			for k := range 10 {
				q := newFakeQueue(10)
				opts := client.PullOptions{Max: 4}
				if stored {
					opts.Store = new(client.MemoryStore)
				}
				func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					defer func() { _ = recover() }()
					for msg, err := range newLocal(t, q).Pull(ctx, opts) {
						if err != nil || msg.Body == strconv.Itoa(k) && leave(cancel) {
							break
						}
					}
				}()
				want := k
				if name == "context" {
					want++ // the context's end is no failure of the message that was in hand
				}
				if confirmed, _ := q.state(); confirmed != want {
					t.Errorf("%s at message %d: confirmed %d; want %d", name, k, confirmed, want)
				}
			}
		}
	}
}

// A program that was killed over a message tells the service so when it starts again, and
// then asks for that message alone: if it is killed again, no other was tried with it.
func TestAfterAKillTheMessageIsTriedAlone(t *testing.T) {
	q := newFakeQueue(10)
	path := filepath.Join(t.TempDir(), "place")
	dead := false
	killed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if dead {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		q.ServeHTTP(w, r)
	})
	for msg, err := range newLocal(t, killed).Pull(t.Context(), client.PullOptions{Store: client.NewFileStore(path)}) {
		if err != nil {
			t.Fatal(err)
		}
		if msg.Body == "3" {
			dead = true
			break
		}
	}
	if confirmed, _ := q.state(); confirmed != 0 {
		t.Fatalf("confirmed %d by a program that was killed", confirmed)
	}
	q.asked = nil
	for msg, err := range newLocal(t, q).Pull(t.Context(), client.PullOptions{Store: client.NewFileStore(path)}) {
		if err != nil || msg.Body != "3" {
			t.Fatalf("%+v, %v", msg, err)
		}
		break
	}
	if confirmed, _ := q.state(); confirmed != 3 || !slices.Equal(q.asked, []int{3, 1}) {
		t.Errorf("confirmed %d, asked for %v; want 3, and 3 then 1", confirmed, q.asked)
	}
}

// One message that kills its handler becomes a dead letter in the end, and no other is, however
// many were delivered with it the first time.
func TestPoisonBecomesADeadLetterAlone(t *testing.T) {
	t.Parallel()
	c, err := client.New(service.Start(t, "embedded", "QST_MAX_DELIVERIES=3").URL("poison"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Push(t.Context(), numbered(100)...); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "place")
	var got []string
	kills := 0
	program := func() {
		defer func() {
			if recover() != nil {
				kills++
			}
		}()
		for msg, err := range c.Pull(t.Context(), client.PullOptions{Store: client.NewFileStore(path), UntilEmpty: true}) {
			if err != nil {
				t.Fatal(err)
			}
			if msg.Body == "10" {
				panic("handler")
			}
			got = append(got, msg.Body)
		}
	}
	for starts := 0; starts < 30 && len(got) < 99; starts++ {
		program()
	}
	slices.SortFunc(got, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) })
	if want := slices.Concat(bodies(0, 10), bodies(11, 100)); !slices.Equal(got, want) {
		t.Errorf("after %d kills: handled %v", kills, got)
	}
}
