package webhook

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

const (
	// scanEvery is how often a worker looks for what operators changed, and which queues hold
	// messages whose applications are to be woken.
	scanEvery = time.Second
	// scanAll is how often it reads the whole list of queues with a webhook.
	scanAll = 30 * time.Second
	// loadsAtOnce bounds how many queues are taken up at a time.
	loadsAtOnce = 32
)

// Options are the settings of a [Worker]. All are required.
type Options struct {
	Queues   *queue.Queues // its Run is running, and rebalances no polls
	Operator *queue.Operator
	Channels *access.Store
	States   *Store
	Client   *Client
	Redis    redis.UniversalClient
	Layout   storage.Layout

	QueueLimits   queue.Limits  // of a channel that has none of its own
	Limits        qst.Limits    // of replies
	MaxReplies    int64         // bytes of an answer with replies
	InFlight      int           // requests at a time
	PerHost       int           // of these to one host
	RetryMax      time.Duration // the longest pause between two tries
	RetryAfterMax time.Duration // the longest pause that a receiver can ask for
	Timeout       time.Duration // of one step in Redis
	DrainTimeout  time.Duration // for requests in flight when the worker is to end
	// NewBatch makes of messages what a queue takes.
	NewBatch func(messages []qst.Message, now time.Time) (queue.Batch, error)

	Metrics *telemetry.Metrics
	Tracer  trace.Tracer
	Tracing bool // the tracer's spans go somewhere
	Logger  *slog.Logger
}

// Worker brings messages to URLs.
type Worker struct {
	opts  Options
	name  string
	log   *slog.Logger
	hosts *hosts
	pulse pulse
	loads chan struct{}

	mu         sync.Mutex
	deliveries map[queue.Name]*delivery

	// Of Run's goroutine.
	known map[queue.Name]int64 // queues with a webhook, and when each was changed last, by Redis's clock
	since []int64              // per partition: from when on it is looked for changes
}

// New returns a worker. It does nothing until Run is called.
func New(opts Options) *Worker {
	w := &Worker{
		opts: opts, name: opts.Queues.Name(), log: opts.Logger,
		hosts: newHosts(opts.InFlight, opts.PerHost, opts.RetryMax),
		loads: make(chan struct{}, loadsAtOnce), deliveries: make(map[queue.Name]*delivery),
		known: make(map[queue.Name]int64), since: make([]int64, len(opts.Layout.Partitions())),
	}
	for _, o := range []string{taken.String(), again.String(), refused.String(), stop.String(), noAnswer} {
		opts.Metrics.WebhookRequests.Add(context.Background(), 0, outcomeOf(o))
	}
	return w
}

// Run works until ctx ends, then lets requests in flight finish, gives its leases back and
// returns. Redis being away doesn't end it.
func (w *Worker) Run(ctx context.Context) {
	// Requests that are under way when ctx ends have some time to finish.
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	// It is heard until its deliveries have ended: nobody takes a queue whose request is under way.
	beating, still := context.WithCancel(context.WithoutCancel(ctx))
	defer still()
	var running, heart sync.WaitGroup
	heart.Go(func() { w.beats(ctx, beating) })
	running.Go(func() { w.flushes(ctx) })
	w.scans(ctx, requests, &running)

	timer := time.AfterFunc(w.opts.DrainTimeout, cut)
	defer timer.Stop()
	running.Wait()
	still()
	heart.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.opts.Timeout)
	defer cancel()
	// Best effort: otherwise it counts for some seconds more.
	_ = w.opts.Redis.HDel(ctx, w.opts.Layout.Workers(), w.name).Err()
}

// beats says that the worker lives, until beating ends; when ctx has ended, that it takes nothing up
// any more.
func (w *Worker) beats(ctx, beating context.Context) {
	for beating.Err() == nil {
		next, leaving := ctx, ctx.Err() != nil
		if leaving {
			next = beating
		}
		changed, err := w.beat(beating, leaving)
		switch {
		case err != nil:
			w.log.WarnContext(ctx, "the other workers are not known now; nothing is sent if that lasts", "error", err)
		case changed:
			w.log.InfoContext(ctx, "workers joined or left", "workers", w.pulse.count())
		}
		sleep(next, beatEvery) // until ctx ends: the others hear of that at once
	}
}

// scans has the deliveries follow the list of webhooks and the workers that live, until ctx ends.
func (w *Worker) scans(ctx, requests context.Context, running *sync.WaitGroup) {
	var full time.Time
	for ; ctx.Err() == nil; sleep(ctx, jitter(2*scanEvery)*2/3) {
		whole := time.Since(full) > scanAll
		changed, err := w.scan(ctx, whole)
		if err != nil {
			w.log.WarnContext(ctx, "looking for webhooks", "error", err)
			continue
		}
		if whole {
			full = time.Now()
		}
		w.assign(ctx, requests, running)
		for _, n := range changed {
			if d := w.delivery(n); d != nil {
				d.poke()
			}
		}
		if err := w.wake(ctx); err != nil {
			w.log.WarnContext(ctx, "looking for applications to be woken", "error", err)
		}
	}
}

// scan reads which queues have a webhook: all, or those that were changed since the last time. It
// returns those that were changed.
func (w *Worker) scan(ctx context.Context, whole bool) (changed []queue.Name, err error) {
	ctx, cancel := context.WithTimeout(ctx, w.opts.Timeout)
	defer cancel()
	pipe := w.opts.Redis.Pipeline()
	partitions := w.opts.Layout.Partitions()
	asked := make([]*redis.ZSliceCmd, len(partitions))
	for i, p := range partitions {
		from := "-inf"
		if !whole && w.since[i] > 0 {
			from = "(" + strconv.FormatInt(w.since[i], 10)
		}
		asked[i] = pipe.ZRangeByScoreWithScores(ctx, p.Webhooks(), &redis.ZRangeBy{Min: from, Max: "+inf"})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	before := w.known
	if whole {
		w.known = make(map[queue.Name]int64, len(before))
	}
	for i, a := range asked {
		latest := int64(0)
		for _, z := range a.Val() {
			member, _ := z.Member.(string)
			channel, kind := storage.SplitName(member)
			n := queue.Name{Channel: channel, Kind: queue.Kind(kind)}
			at := int64(z.Score)
			if was, ok := before[n]; ok && was != at {
				changed = append(changed, n)
			}
			w.known[n] = at
			latest = at // they come by their times
		}
		// Redis's clock may have been set back (a fail-over): then a look at all of them brings since back.
		if whole || latest > 0 {
			w.since[i] = latest
		}
	}
	return changed, nil
}

// assign begins deliveries of the queues that are this worker's, and ends the others.
func (w *Worker) assign(ctx, requests context.Context, running *sync.WaitGroup) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for n, d := range w.deliveries {
		if d.ended() {
			delete(w.deliveries, n)
		} else if _, ok := w.known[n]; !ok || w.pulse.owner(d.key.Name) != w.name {
			d.cancel() // it finishes what it is at, and is gone with a later look
		}
	}
	for n := range w.known {
		if w.deliveries[n] != nil {
			continue
		}
		if k := w.opts.Layout.Queue(n.Channel, string(n.Kind)); w.pulse.owner(k.Name) == w.name {
			d := newDelivery(ctx, w, n, k)
			w.deliveries[n] = d
			running.Go(func() { d.run(requests) })
		}
	}
}

func (w *Worker) delivery(n queue.Name) *delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.deliveries[n]
}

func (w *Worker) all() []*delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*delivery, 0, len(w.deliveries))
	for _, d := range w.deliveries {
		all = append(all, d)
	}
	return all
}

func (w *Worker) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.deliveries)
}

// wake has those deliveries look that wake applications whose queues hold messages.
func (w *Worker) wake(ctx context.Context) error {
	byPartition := make(map[int][]*delivery)
	for _, d := range w.all() {
		if d.wakes.Load() {
			byPartition[d.key.Partition] = append(byPartition[d.key.Partition], d)
		}
	}
	if len(byPartition) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.opts.Timeout)
	defer cancel()
	pipe := w.opts.Redis.Pipeline()
	asked := make(map[int]*redis.FloatSliceCmd, len(byPartition))
	for p, of := range byPartition {
		names := make([]string, len(of))
		for i, d := range of {
			names[i] = d.key.Name
		}
		asked[p] = pipe.ZMScore(ctx, w.opts.Layout.Partitions()[p].Oldest(), names...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return storage.Unavailable(err)
	}
	for p, scores := range asked {
		for i, score := range scores.Val() {
			if score > 0 { // else it is not in the index: the queue is empty
				byPartition[p][i].nudge()
			}
		}
	}
	return nil
}

// flushEvery is how often what went well is noted: what did not is noted at once.
const flushEvery = 2 * time.Second

// flushes notes what went well, until ctx ends. (A delivery that ends notes its own.)
func (w *Worker) flushes(ctx context.Context) {
	for ; ctx.Err() == nil; sleep(ctx, flushEvery) {
		for _, d := range w.all() {
			d.flush(ctx)
		}
	}
}

// Figures is what is told of a worker.
type Figures struct {
	Queues, Failing, Stopped int // that it has; of these: whose last try failed; that an operator has to release
	InFlight, HostsLeft      int // requests; hosts that are left alone for some time
}

// Figures returns the worker's figures.
func (w *Worker) Figures() (f Figures) {
	for _, d := range w.all() {
		switch condition(d.condition.Load()) {
		case failingNow:
			f.Failing++
		case stoppedNow:
			f.Stopped++
		case notHeld:
			continue
		case well:
		}
		f.Queues++
	}
	f.InFlight, f.HostsLeft = w.hosts.figures()
	return f
}
