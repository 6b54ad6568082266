package webhook

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// bodies are what a receiver was sent.
type bodies struct {
	mu  sync.Mutex
	all []string
}

// add keeps a request's body and returns it.
func (s *bodies) add(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, string(body))
	return string(body)
}

func (s *bodies) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) == 0 {
		return ""
	}
	return s.all[len(s.all)-1]
}

// A batch that is tried again has lost by then what is past its end.
func TestWhatIsTooOldIsNotSent(t *testing.T) {
	t.Parallel()
	var got bodies
	b := newBench(t, startServer(t, func(w http.ResponseWriter, r *http.Request) {
		if body := got.add(r); strings.Contains(body, "short") {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	b.push("1")
	b.pushValid(2*time.Second, "short")
	b.push("2")
	end := b.redis.Time(t.Context()).Val().Add(2 * time.Second)
	d := b.take()
	if err := d.deliver(t.Context()); err != nil || !strings.Contains(got.last(), "qst-valid-until") {
		t.Fatalf("sent %q, %v", got.last(), err)
	}
	b.eventually("the message is too old", func() bool { return b.redis.Time(t.Context()).Val().After(end) })
	for strings.Contains(got.last(), "short") || !strings.Contains(got.last(), `"2"`) { // the size of the batch was kept
		before := got.last()
		if err := d.deliver(t.Context()); err != nil || got.last() == before {
			t.Fatalf("sent %q, %v", got.last(), err)
		}
		if strings.Contains(got.last(), "short") {
			t.Fatalf("sent %q", got.last())
		}
	}
}

// A queue that a polling client was stuck on gets a webhook: the receiver's refusal makes that message a
// dead letter, and the receiver is sent each other one once, whatever was tried before.
func TestWebhookAfterAStuckClient(t *testing.T) {
	t.Parallel()
	var taken bodies
	b := newBench(t, startServer(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "suspect") {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		taken.add(r)
	}))
	b.push("suspect", "1", "2", "3")
	stuck := b.caller()
	stuck.Limits.MaxDeliveries = 1
	for _, most := range []int{1, 10} {
		d, err := b.opts.Queues.Pull(t.Context(), inbound, stuck, queue.Request{Max: most})
		if err != nil || len(d.Payloads) != 1 || most == 10 && qst.CanonicalID(d.Payloads[0]) != "1" {
			t.Fatalf("%q %v", d.Payloads, err)
		}
	}
	b.start()
	b.eventually("the queue is empty", func() bool { return b.redis.XLen(t.Context(), b.key.Stream).Val() == 0 })
	dead, err := b.opts.Operator.Dead(t.Context(), inbound, "", 10)
	if err != nil || len(dead) != 1 || qst.CanonicalID(string(dead[0].Payload)) != "suspect" || dead[0].Status != http.StatusBadRequest {
		t.Errorf("dead letters: %v %v", dead, err)
	}
	all := strings.Join(taken.all, " ")
	for _, id := range []string{"1", "2", "3"} {
		if strings.Count(all, `"id":"`+id+`"`) != 1 {
			t.Errorf("taken: %s", all)
		}
	}
}
