package client_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// bodies returns "from" to "to"-1.
func bodies(from, to int) []string {
	var s []string
	for i := from; i < to; i++ {
		s = append(s, strconv.Itoa(i))
	}
	return s
}

// take pulls until the loop ends, or until it was given n messages: the n-th it
// leaves by a break.
func take(c *client.Client, opts client.PullOptions, n int) (handled []string, err error) {
	for msg, err := range c.Pull(context.Background(), opts) {
		if err != nil {
			return handled, err
		}
		if n--; n == 0 {
			break
		}
		handled = append(handled, msg.Body)
	}
	return handled, nil
}

func TestPullUntilEmpty(t *testing.T) {
	q := newFakeQueue(250)
	got, err := take(newLocal(t, q), client.PullOptions{UntilEmpty: true}, 0)
	if err != nil || !slices.Equal(got, bodies(0, 250)) {
		t.Fatalf("got %v, %v", got, err)
	}
	if confirmed, polls := q.state(); confirmed != 250 || polls != 4 {
		t.Errorf("confirmed %d with %d polls; want 250 with 4", confirmed, polls)
	}
}

func TestPullLimitConfirmsExactlyThose(t *testing.T) {
	q := newFakeQueue(250)
	got, err := take(newLocal(t, q), client.PullOptions{Limit: 130}, 0)
	if err != nil || !slices.Equal(got, bodies(0, 130)) {
		t.Fatalf("got %v, %v", got, err)
	}
	if confirmed, _ := q.state(); confirmed != 130 {
		t.Errorf("confirmed %d; want 130", confirmed)
	}
}

// Wherever a loop is left, the next one begins with the message that it had,
// whatever the two ask for at once.
func TestPullGoesOnWhereItWas(t *testing.T) {
	for _, sizes := range [][2]int{{1, 1}, {4, 4}, {10, 3}, {3, 10}, {10, 1}} {
		for left := 1; left <= 12; left++ {
			store := new(client.MemoryStore)
			goesOn(t, sizes, left, func() client.Store { return store })
		}
	}
}

func TestPullGoesOnWhereTheFileSays(t *testing.T) {
	for _, left := range []int{1, 5, 12} {
		path := filepath.Join(t.TempDir(), "place")
		goesOn(t, [2]int{5, 2}, left, func() client.Store { return client.NewFileStore(path) })
	}
}

func goesOn(t *testing.T, sizes [2]int, left int, store func() client.Store) {
	t.Helper()
	c := newLocal(t, newFakeQueue(12))
	first, err := take(c, client.PullOptions{Store: store(), Max: sizes[0], UntilEmpty: true}, left)
	if err != nil {
		t.Fatal(err)
	}
	second, err := take(c, client.PullOptions{Store: store(), Max: sizes[1], UntilEmpty: true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Concat(first, second); len(first) != left-1 || !slices.Equal(got, bodies(0, 12)) {
		t.Errorf("sizes %v, left at %d: %v then %v", sizes, left, first, second)
	}
}

func TestPullDoesNotTakeAPanicForHandled(t *testing.T) {
	q := newFakeQueue(3)
	store := new(client.MemoryStore)
	c := newLocal(t, q)
	func() {
		defer func() { _ = recover() }()
		for msg, err := range c.Pull(t.Context(), client.PullOptions{Store: store}) {
			if err != nil {
				t.Error(err)
			}
			if msg.Body == "1" {
				panic("handler")
			}
		}
	}()
	got, err := take(c, client.PullOptions{Store: store, UntilEmpty: true}, 0)
	if err != nil || !slices.Equal(got, bodies(1, 3)) {
		t.Errorf("got %v, %v; want 1 and 2", got, err)
	}
}

func TestPullEndsWithItsContextAndConfirms(t *testing.T) {
	q := newFakeQueue(5)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var got []string
	var last error
	for msg, err := range newLocal(t, q).Pull(ctx, client.PullOptions{Max: 3}) {
		if err != nil {
			last = err
			continue
		}
		if got = append(got, msg.Body); msg.Body == "2" {
			cancel()
		}
	}
	if !slices.Equal(got, bodies(0, 3)) || !errors.Is(last, context.Canceled) {
		t.Errorf("got %v, %v", got, last)
	}
	if confirmed, _ := q.state(); confirmed != 3 {
		t.Errorf("confirmed %d; want 3: the batch was handled", confirmed)
	}
}

func TestPullBatches(t *testing.T) {
	q := newFakeQueue(10)
	store := new(client.MemoryStore)
	c := newLocal(t, q)
	for msgs, err := range c.PullBatches(t.Context(), client.PullOptions{Store: store, Max: 4}) {
		if err != nil || len(msgs) != 4 {
			t.Fatalf("%d messages, %v", len(msgs), err)
		}
		if msgs[0].Body == "4" {
			break // none of these was handled
		}
	}
	got, err := take(c, client.PullOptions{Store: store, UntilEmpty: true}, 0)
	if err != nil || !slices.Equal(got, bodies(4, 10)) {
		t.Errorf("got %v, %v; want 4 to 9", got, err)
	}
}

func TestPullThatIsNotHeardStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newFakeQueue(3)
		q.ignored = true
		got, err := take(newLocal(t, q), client.PullOptions{}, 0)
		if !errors.Is(err, client.ErrETag) || !slices.Equal(got, bodies(0, 3)) {
			t.Errorf("got %v, %v; want each once, then ErrETag", got, err)
		}
	})
}

// A service that holds no more polls answers them at once; it must not be asked all
// the more for that, and a message must not wait for long.
func TestPullBacksOffFromAnswersThatDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		polls := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			polls++
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte("[]"))
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		for _, err := range newLocal(t, h).Pull(ctx, client.PullOptions{}) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		// The pauses are between 0 and 5s; 2.5s on the average, after the first few.
		if polls < 120 || polls > 500 {
			t.Errorf("%d polls in ten minutes", polls)
		}
	})
}

func TestPullWaitsOutWhatMayPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newFakeQueue(10)
		failures := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if failures++; failures%7 != 0 {
				w.Header().Set("Retry-After", "20")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			q.ServeHTTP(w, r)
		})
		start := time.Now()
		got, err := take(newLocal(t, h), client.PullOptions{Limit: 10}, 0)
		if err != nil || !slices.Equal(got, bodies(0, 10)) {
			t.Errorf("got %v, %v", got, err)
		}
		if took := time.Since(start); took < 6*20*time.Second {
			t.Errorf("took %v: Retry-After was not heeded", took)
		}
	})
}

func TestPullUntilEmptyGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
		_, err := take(newLocal(t, h), client.PullOptions{UntilEmpty: true}, 0)
		var unavailable *client.UnavailableError
		if !errors.As(err, &unavailable) || unavailable.Status != http.StatusBadGateway {
			t.Errorf("got %v", err)
		}
	})
}

type brokenStore struct {
	client.MemoryStore

	saves int
}

var errDisk = errors.New("disk full")

func (s *brokenStore) Save(ctx context.Context, p client.Checkpoint) error {
	if s.saves--; s.saves < 0 {
		return errDisk
	}
	return s.MemoryStore.Save(ctx, p)
}

func TestPullStopsWhenItCannotSave(t *testing.T) {
	store := &brokenStore{saves: 2}
	c := newLocal(t, newFakeQueue(10))
	got, err := take(c, client.PullOptions{Store: store}, 0)
	if !errors.Is(err, errDisk) || !slices.Equal(got, bodies(0, 3)) {
		t.Errorf("got %v, %v", got, err)
	}
	store.saves = 100
	got, err = take(c, client.PullOptions{Store: store, UntilEmpty: true}, 0)
	if err != nil || !slices.Equal(got, bodies(2, 10)) {
		t.Errorf("got %v, %v; want 2 again", got, err)
	}
}

func TestPullPermanentErrors(t *testing.T) {
	for status, want := range map[int]any{400: new(*client.RejectedError), 401: new(*client.EndpointError), 404: new(*client.EndpointError)} {
		h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if _, err := take(newLocal(t, h), client.PullOptions{}, 0); !errors.As(err, want) {
			t.Errorf("status %d: got %v", status, err)
		}
	}
	for _, opts := range []client.PullOptions{{Max: 1001}, {Max: -1}, {Limit: -1}} {
		if _, err := take(newLocal(t, newFakeQueue(1)), opts, 0); err == nil {
			t.Errorf("%+v: no error", opts)
		}
	}
}

func TestPollWithoutETag(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(qst.AppendJSON(nil, []qst.Message{{ID: "1", Body: "x"}}))
	})
	if _, err := newLocal(t, h).Poll(t.Context(), client.PollRequest{}); !errors.Is(err, client.ErrETag) {
		t.Errorf("got %v", err)
	}
}
