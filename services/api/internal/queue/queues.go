package queue

import (
	"context"
	"crypto/cipher"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/errgroup"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
	"github.com/queuestatetransfer/qst/services/api/internal/workers"
)

// Errors of pushes and pulls, beside storage.ErrUnavailable and the context's error.
var (
	// ErrFull is returned when a queue has no room for the whole batch. Nothing was stored;
	// the client is to try again.
	ErrFull = errors.New("queue is full")
	// ErrUnknownChannel is returned when no operator made the channel, or it has been
	// deleted since the caller was let in.
	ErrUnknownChannel = errors.New("no such channel")
)

// Limits bound one queue. They may differ from channel to channel.
type Limits struct {
	MaxMessages   int64
	MaxBytes      int64         // of canonical form
	Retention     time.Duration // 0: for ever
	DedupWindow   time.Duration // 0: no deduplication
	MaxDeliveries int           // 0: as often as it takes
	InboundTTL    time.Duration // how long a message is valid that says nothing of it; 0: for ever
	OutboundTTL   time.Duration
}

// Caller is who pushes or pulls, and what holds on the channel.
type Caller struct {
	Limits Limits
	// Life names the life of the channel's record that let the caller in: a channel that was
	// deleted, and made again, has another one. "": channels need no record.
	Life string
	// Address and UserAgent are kept as the queue's life signs.
	Address, UserAgent string
}

// Options are the settings of [Queues]. All are required but where it is said.
type Options struct {
	Layout  storage.Layout
	Cluster bool // Redis is a Cluster: a replica reads a wake stream for each partition
	Records bool // channels have records, and settings of their own

	Retention    time.Duration // of a channel that has none of its own; 0: for ever
	PullMaxBytes int64         // per answer, canonical form; one message always goes
	MaxDigests   int64         // per queue
	MaxPolls     int           // polls held by this replica
	DeadLetters  DeadLetters   // bounds of each queue's
	// RebalancePercent is how much of what it holds this replica hands over at once
	// to replicas that joined; 0: nothing.
	RebalancePercent int
	Timeout          time.Duration // of one step in Redis
	// UnwellAfter is how long something is wrong with a channel before it counts as not well; 0: no
	// channel is looked at.
	UnwellAfter time.Duration
	// UnwellNotice makes messages that tell of what has changed, and says which queue gets them; nil: none.
	UnwellNotice func(ctx context.Context, changes []Change) (Name, Caller, Batch, error)

	// Reporting tells what a channel's application is to hear of messages that end; nil: nothing.
	Reporting func(ctx context.Context, channel string) (Reporting, error)

	Workers *workers.Pool // in whose goroutines polls are answered; may be nil
	Metrics *telemetry.Metrics
	Logger  *slog.Logger
}

// Queues are the queues as clients use them, on one replica of the service. The methods may
// be called concurrently. [Queues.Run] must be running for polls to be woken.
type Queues struct {
	opts    Options
	runner  *storage.Runner
	scripts scripts
	metrics *telemetry.Metrics
	log     *slog.Logger

	replica  string // new at every start: wake streams outlive their replica for a while
	args     []partitionArgs
	waiters  *waiters
	readers  []*wakeReader
	activity *activity
	sweeper  *sweeper
	watcher  *watcher
	balancer *rebalancer
	line     line
	draining chan struct{}
	looks    sync.WaitGroup // looks of polls that were held; each one is bounded
	drained  atomic.Bool
	reporter *reporter

	digestKey atomic.Pointer[cipher.Block] // nil: digests are kept as they are
}

// partitionArgs are arguments that all scripts take, ready for use.
type partitionArgs struct{ start, wakes any }

// New makes queues on two clients of the same Redis: the runner's for pushes and pulls, and
// waiting for blocked reads, of which a replica has one per wake stream. The caller closes
// both, after Run has returned.
func New(runner *storage.Runner, rdb, waiting redis.UniversalClient, opts Options) *Queues {
	q := &Queues{
		opts:     opts,
		runner:   runner,
		scripts:  newScripts(),
		metrics:  opts.Metrics,
		log:      opts.Logger,
		replica:  uuid.NewString(),
		waiters:  newWaiters(opts.MaxPolls),
		line:     line{free: stepsAtOnce},
		draining: make(chan struct{}),
	}
	partitions := opts.Layout.Partitions()
	for i, p := range partitions {
		q.args = append(q.args, partitionArgs{start: p.Start, wakes: p.Wakes})
		if i == 0 || opts.Cluster {
			q.readers = append(q.readers, newWakeReader(q, waiting, i))
		}
	}
	q.reporter = &reporter{queues: q, rdb: rdb, waiting: make(map[Name]bool), ready: make(chan struct{}, 1)}
	q.activity = newActivity(runner, q.scripts.note, opts.Layout, opts.Logger)
	q.sweeper = &sweeper{queues: q, rdb: rdb}
	q.watcher = &watcher{queues: q, rdb: rdb, now: time.Now}
	q.balancer = &rebalancer{queues: q, rdb: rdb, known: make(map[string]bool)}
	q.createSeries()
	return q
}

// createSeries creates every series of the package's counters at 0, because Prometheus's
// increase() ignores a series' first sample.
func (q *Queues) createSeries() {
	for _, kind := range Kinds() {
		n := Name{Kind: kind}
		for _, c := range []metric.Int64Counter{
			q.metrics.Accepted, q.metrics.Duplicate, q.metrics.Delivered, q.metrics.Redelivered, q.metrics.Confirmed,
			q.metrics.Expired, q.metrics.Lapsed, q.metrics.DeadLettered, q.metrics.Purged, q.metrics.Requeued, q.metrics.Forgotten, q.metrics.DeadDropped, q.metrics.Recovered,
		} {
			c.Add(context.Background(), 0, n.attribute())
		}
	}
	for _, state := range stateAttributes {
		q.metrics.Reports.Add(context.Background(), 0, state)
	}
	q.metrics.LostTouch.Add(context.Background(), 0)
	q.metrics.HandedOver.Add(context.Background(), 0)
}

// Scripts returns the package's scripts, to be loaded before anything is asked.
func (q *Queues) Scripts() []storage.Script { return q.scripts.all() }

// Run reads the wake streams, drops what is over its age, notes which queues are used and
// hands polls over to replicas that join, until ctx ends. It returns when all its
// goroutines have ended; Redis being away doesn't end them.
func (q *Queues) Run(ctx context.Context) {
	var g errgroup.Group
	for _, r := range q.readers {
		g.Go(func() error { r.run(ctx); return nil })
	}
	g.Go(func() error { q.sweeper.run(ctx); return nil })
	g.Go(func() error { q.activity.run(ctx); return nil })
	if q.opts.UnwellAfter > 0 {
		g.Go(func() error { q.watcher.run(ctx); return nil })
	}
	g.Go(func() error { q.reporter.run(ctx); return nil })
	if q.opts.RebalancePercent > 0 {
		g.Go(func() error { q.balancer.run(ctx); return nil })
	}
	_ = g.Wait() // none of them fails
	q.looks.Wait()
}

// Drain answers every poll that is held, and holds none from then on. It returns at once.
func (q *Queues) Drain() {
	if q.drained.CompareAndSwap(false, true) {
		close(q.draining)
		q.waiters.close()
		q.waiters.drain()
	}
}

// Close drains, and waits until every poll has been answered. The runner is closed before, so
// that none waits for Redis.
func (q *Queues) Close() {
	q.Drain()
	q.waiters.open.Wait()
}

// Polls returns how many polls this replica holds.
func (q *Queues) Polls() int { return q.waiters.len() }

// Listening tells whether this replica hears of every wake.
func (q *Queues) Listening() bool {
	for _, r := range q.readers {
		if !r.up.Load() {
			return false
		}
	}
	return true
}

// key returns where a queue is.
func (q *Queues) key(n Name) storage.Queue { return q.opts.Layout.Queue(n.Channel, string(n.Kind)) }

// commonArgs is how many arguments lua/lib/queue.lua takes.
const commonArgs = 7

// argv begins the arguments of a script that works on one queue: those of
// lua/lib/queue.lua, with room for more.
func (q *Queues) argv(k storage.Queue, c Caller, more int) []any {
	return append(make([]any, 0, commonArgs+more),
		q.args[k.Partition].start, k.Name, c.Life, c.Limits.Retention.Milliseconds(), q.opts.Retention.Milliseconds(),
		q.args[k.Partition].wakes, q.replica)
}

// dropped counts and logs what a queue lost by its own rules: an operator must be
// able to find it.
func (q *Queues) dropped(ctx context.Context, n Name, expired, dead int64) {
	if expired > 0 {
		q.metrics.Expired.Add(ctx, expired, n.attribute())
		q.log.WarnContext(ctx, "messages older than the retention were dropped",
			"channel", n.Channel, "queue", n.Kind, "messages", expired)
	}
	if dead > 0 {
		q.metrics.DeadLettered.Add(ctx, dead, n.attribute())
		q.log.WarnContext(ctx, "messages became dead letters after too many deliveries",
			"channel", n.Channel, "queue", n.Kind, "messages", dead)
	}
}
