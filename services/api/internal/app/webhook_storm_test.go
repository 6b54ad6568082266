package app_test

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// Sizes of the storms; see make webhooks.
var (
	stormChannels = flag.Int("storm-channels", 6, "channels of TestWebhookStorm")
	stormMessages = flag.Int("storm-messages", 84, "messages of each of them")
	stormRounds   = flag.Int("storm-rounds", 1, "how often a worker and Redis are killed meanwhile")
	deadHosts     = flag.Int("dead-hosts", 5, "hosts of TestWebhookDeadHosts that are dead")
	liveHosts     = flag.Int("live-hosts", 5, "the others")
	hostQueues    = flag.Int("host-queues", 6, "queues to each of them")
	hostRounds    = flag.Int("host-rounds", 1, "messages to each queue of a host that is well, before and after")
)

// hostile is an application that fails in every way there is, and notes what it took: the batches
// that it answered 200, whether that answer got through or not.
type hostile struct {
	mu    sync.Mutex
	sane  bool
	taken []string            // ids of messages, each the first time that it was taken
	seen  map[string]bool     // the same
	known map[string]string   // webhook-id → the ids and bytes that came with it
	may   map[string]bool     // webhook-ids that may come again: their answer may have been lost
	wrong []string            // what ought not to have happened
	now   map[string]struct{} // requests under way: at most one
	dying time.Time           // until then an answer may be lost, as the worker was killed
}

func newHostile() *hostile {
	return &hostile{seen: map[string]bool{}, known: map[string]string{}, may: map[string]bool{}, now: map[string]struct{}{}}
}

func (a *hostile) answer(w http.ResponseWriter, h hook) {
	a.mu.Lock()
	if len(a.now) > 0 {
		a.wrong = append(a.wrong, fmt.Sprintf("%s came while %v was under way", h.ID, a.now))
	}
	a.now[h.ID] = struct{}{}
	if before, ok := a.known[h.ID]; ok && before != h.Body {
		a.wrong = append(a.wrong, fmt.Sprintf("%s came with other bytes:\n%s\n%s", h.ID, before, h.Body))
	}
	a.known[h.ID] = h.Body
	what := rand.IntN(12) //nolint:gosec // chance, no secret
	if a.sane {
		what = 11
	}
	a.mu.Unlock()
	done := func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.now, h.ID)
	}
	switch what {
	case 0: // fails
		done()
		w.WriteHeader([]int{500, 502, 404, 429}[rand.IntN(4)]) //nolint:gosec // as above
	case 1: // cuts without an answer
		done()
		panic(http.ErrAbortHandler)
	case 2: // takes it, and cuts: the answer is lost
		a.take(h, true)
		done()
		panic(http.ErrAbortHandler)
	case 3: // takes it, and hangs until the time is over: nobody hears the answer
		a.take(h, true)
		done()
		<-h.gone
	case 4: // takes it, and says less than it promises: nobody knows that this is the answer
		a.take(h, true)
		done()
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush() // only a test's recorder can't
		panic(http.ErrAbortHandler)
	default:
		a.take(h, false)
		done()
	}
}

// take notes what is in a request as taken.
func (a *hostile) take(h hook, lost bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, id := range h.ids() {
		if !a.seen[id] {
			a.seen[id] = true
			a.taken = append(a.taken, id)
			continue
		}
		if i == 0 && !a.may[h.ID] {
			a.wrong = append(a.wrong, fmt.Sprintf("%s came again though its answer was not lost", h.ID))
		}
	}
	if lost || time.Now().Before(a.dying) {
		a.may[h.ID] = true
	}
}

func (a *hostile) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.taken)
}

// Receivers that fail in every way, while workers are killed: nothing is lost, nothing is out of
// order, one request is under way at a time, and what comes again is the same bytes.
func TestWebhookStorm(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--appendfsync", "always")
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	const size = 7 // of a batch
	batches, rounds := *stormMessages/size, *stormRounds
	apps := make([]*hostile, *stormChannels)
	auth := make([]string, len(apps))
	for i := range apps {
		apps[i] = newHostile()
		r := startReceiver(t)
		r.answers(apps[i].answer)
		auth[i], _ = webhookChannel(t, api, fmt.Sprintf("c%d", i), r.URL, `"timeout":"3s","max_messages":5`)
	}
	env := []string{"QST_WEBHOOK_RETRY_MAX=1s"}
	workers := []*replica{startWorker(t, s.URL(), env...), startWorker(t, s.URL(), env...)}
	// push pushes the share of a round, 0 to rounds.
	push := func(round int) {
		for i := range apps {
			for b := batches * round / (rounds + 1); b < batches*(round+1)/(rounds+1); b++ {
				var ids []string
				for m := range size {
					ids = append(ids, strconv.Itoa(b*size+m))
				}
				deliverAs(t, api, fmt.Sprintf("c%d", i), auth[i], ids...)
			}
		}
	}
	taken := func() (all int) {
		for _, a := range apps {
			all += a.count()
		}
		return all
	}
	progress := func(n int) {
		for last := -1; taken() < n; { // as long as there is some
			eventually(t, "messages are taken", func() error {
				if now := taken(); now < n && now == last {
					return fmt.Errorf("%d of %d", now, n)
				}
				return nil
			})
			last = taken()
		}
	}
	push(0)
	for round := range rounds {
		progress(round*len(apps)*batches*size/(rounds+1) + len(apps)*size)
		// A worker dies. What it had under way may have been taken without it having heard so.
		workers[0].kill()
		for _, a := range apps {
			a.mu.Lock()
			for id := range a.known {
				a.may[id] = true
			}
			// What it had sent may be read yet. Another worker takes over later than this.
			a.dying = time.Now().Add(4 * time.Second)
			a.mu.Unlock()
		}
		workers = append(workers[1:], startWorker(t, s.URL(), env...))
		push(round + 1)
		// Redis dies, and comes back with all that it has answered. A worker that was answered before
		// knows that, and sends nothing again for it.
		s.Kill()
		s.Restart()
		t.Logf("round %d: %d taken of %d", round, taken(), len(apps)*batches*size)
	}
	for _, a := range apps {
		a.mu.Lock()
		a.sane = true
		a.mu.Unlock()
	}
	progress(len(apps) * batches * size)
	for i, a := range apps {
		queueHolds(t, api, fmt.Sprintf("c%d", i), 0)
		a.mu.Lock()
		var want []string
		for id := range batches * size {
			want = append(want, strconv.Itoa(id))
		}
		if !slices.Equal(a.taken, want) {
			n := 0
			for n < min(len(a.taken), len(want)) && a.taken[n] == want[n] {
				n++
			}
			t.Errorf("channel %d: %d taken, want %d; other than pushed from %d on: %.200s", i, len(a.taken), len(want), n, fmt.Sprint(a.taken[n:]))
		}
		for _, w := range a.wrong {
			t.Errorf("channel %d: %s", i, w)
		}
		a.mu.Unlock()
	}
	for _, w := range workers {
		w.terminate()
		w.exitCode()
	}
}

// A worker that freezes loses its queues, and does no harm when it goes on: what it had read is
// not sent any more, and what it hears from a receiver confirms nothing of the next worker's.
func TestWebhookFrozenWorker(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	app := startReceiver(t)
	gateway, _ := webhookChannel(t, api, "c", app.URL, `"timeout":"1m","max_messages":1`)
	first := startWorker(t, s.URL())
	entered, release := make(chan struct{}), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	var blocked atomic.Bool
	app.answers(func(http.ResponseWriter, hook) {
		if blocked.CompareAndSwap(false, true) {
			close(entered)
			<-release
		}
	})
	deliverAs(t, api, "c", gateway, "1", "2", "3")
	<-entered
	if err := first.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.cmd.Process.Signal(syscall.SIGCONT) })
	startWorker(t, s.URL())
	got := app.await(4) // 1 again, then 2 and 3
	if got[0].ID != got[1].ID || got[0].Body != got[1].Body {
		t.Errorf("the next worker sent something else: %v, then %v", got[0], got[1])
	}
	queueHolds(t, api, "c", 0)
	app.status(500)
	deliverAs(t, api, "c", gateway, "4") // the next worker has it under way
	app.await(5)
	if err := first.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	letGo() // the frozen one hears that "1" was taken
	eventually(t, "the first worker is heard again", func() error {
		if n := s.Client().HLen(t.Context(), "qst:workers").Val(); n != 2 {
			return fmt.Errorf("%d workers", n)
		}
		return nil
	})
	queueHolds(t, api, "c", 1)
	app.status(200)
	queueHolds(t, api, "c", 0)
	var order []string
	for _, h := range app.hooks() {
		if id := strings.Join(h.ids(), " "); len(order) == 0 || order[len(order)-1] != id {
			order = append(order, id)
		}
	}
	if want := []string{"1", "2", "3", "4"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
}

// Hosts that are dead do not hold the others up.
func TestWebhookDeadHosts(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	dead, live, queues := *deadHosts, *liveHosts, *hostQueues
	hang := make(chan struct{})
	var died atomic.Bool
	w := &waits{since: map[string]time.Time{}}
	auth := map[string]string{}
	var well, ill []string // channels
	for i := range dead + live {
		app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if i < dead && died.Load() {
				<-hang
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			w.taken(hook{Body: string(body)}.ids())
		}))
		t.Cleanup(app.Close)
		for q := range queues {
			channel := fmt.Sprintf("h%dq%d", i, q)
			auth[channel], _ = webhookChannel(t, api, channel, app.URL, `"timeout":"1m"`)
			if i < dead {
				ill = append(ill, channel)
			} else {
				well = append(well, channel)
			}
		}
	}
	t.Cleanup(func() { close(hang) })
	// Fewer places than there are queues of dead hosts: if each took one, nothing else would go.
	startWorker(t, s.URL(), fmt.Sprint("QST_WEBHOOK_IN_FLIGHT=", dead*queues*2/3), "QST_DRAIN_TIMEOUT=100ms")
	// send pushes a message for each channel of the hosts that are well, and waits until all are taken.
	send := func(round string) {
		for _, channel := range well {
			id := round + channel
			w.began(id)
			deliverAs(t, api, channel, auth[channel], id)
		}
		eventually(t, "what goes to the hosts that are well is taken", w.none)
	}
	send("first ") // the worker finds the queues
	w.reset()
	for i := range *hostRounds {
		send(fmt.Sprintf("before %d ", i))
	}
	before := w.reset()
	died.Store(true)
	for _, channel := range ill {
		deliverAs(t, api, channel, auth[channel], "1")
	}
	for i := range *hostRounds {
		send(fmt.Sprintf("after %d ", i))
	}
	t.Logf("time to a host that is well, ms, p50 and p99: %s; with %d of %d hosts dead %s", before, dead, dead+live, w.reset())
}

// waits are how long messages take to their receivers.
type waits struct {
	mu    sync.Mutex
	since map[string]time.Time // of those that have not come
	took  []time.Duration
}

func (w *waits) began(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since[id] = time.Now()
}

func (w *waits) taken(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if since, ok := w.since[id]; ok {
			w.took = append(w.took, time.Since(since))
			delete(w.since, id)
		}
	}
}

func (w *waits) none() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.since) > 0 {
		return fmt.Errorf("%d are not", len(w.since))
	}
	return nil
}

// reset begins anew, and tells of what was.
func (w *waits) reset() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.Sort(w.took)
	n := len(w.took)
	s := fmt.Sprintf("%.1f and %.1f", w.took[n/2].Seconds()*1e3, w.took[n*99/100].Seconds()*1e3)
	w.took = nil
	return s
}
