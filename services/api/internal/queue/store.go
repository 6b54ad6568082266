package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/sync/errgroup"

	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// What the store's methods return, beside errors of the context. ErrFull and
// ErrUnavailable may pass: the caller's client is to try again.
var (
	// ErrFull: the queue has no room for the whole batch. Nothing was stored.
	ErrFull = errors.New("queue is full")
	// ErrUnavailable: Redis can't be reached, or can't do it now. Whether a push
	// was stored is not known.
	ErrUnavailable = errors.New("storage is unavailable")
	// ErrUnknownChannel: no operator made this channel, or it has been deleted.
	ErrUnknownChannel = errors.New("no such channel")

	errReplicas = errors.New("too few Redis replicas have the write")
)

// ErrUnsuitable is returned by [Store.Prepare] for a Redis that must not be used
// as it is: it would lose messages, or holds data in another layout.
var ErrUnsuitable = errors.New("this Redis can't be used")

// Limits bound one queue. They may differ from channel to channel.
type Limits struct {
	MaxMessages   int64
	MaxBytes      int64         // of canonical form
	Retention     time.Duration // 0: for ever
	DedupWindow   time.Duration // 0: no deduplication
	MaxDeliveries int           // 0: as often as it takes
}

// Call is what a push or a pull has to know beside the queue's name.
type Call struct {
	Limits Limits
	// Registered: the channel must have been made by an operator. ErrUnknownChannel
	// if it was not, or is deleted meanwhile.
	Registered bool
	// Address and UserAgent say who calls: kept as the queue's life signs.
	Address, UserAgent string
	// Trace is the W3C trace context that is kept with pushed messages; "": none.
	Trace string
}

// flag is how scripts are told of Registered.
func (c Call) flag() string {
	if c.Registered {
		return "1"
	}
	return "0"
}

// Options are a store's settings. All are required but where it is said.
type Options struct {
	Layout   Layout
	Embedded bool // Redis is the in-process one: there is nothing to verify

	PullMaxBytes int64 // per answer, canonical form; one message always goes
	MaxPolls     int   // polls held by this replica
	// HandoverPercent is how much of what it holds this replica hands over at once
	// to replicas that joined; 0: nothing.
	HandoverPercent int
	MinReplicas     int           // Redis replicas that must have a push; 0: none
	Timeout         time.Duration // of one step in Redis

	Metrics *telemetry.Metrics
	Logger  *slog.Logger
}

// Store is the queues of one replica of the service. Its methods may be called
// concurrently. [Store.Run] must be running for polls to be woken.
type Store struct {
	rdb     redis.UniversalClient // pushes and pulls
	waiting redis.UniversalClient // blocked reads of wake streams, and nothing else
	opts    Options
	layout  Layout
	scripts scripts
	metrics *telemetry.Metrics
	log     *slog.Logger

	replica  string // new at every start: wake streams outlive their replica for a while
	polls    *polls
	readers  []*reader // one a partition
	heard    []heard   // one a partition
	again    chan struct{}
	draining chan struct{}
	drained  atomic.Bool
}

// New makes a store on two clients of the same Redis: rdb for pushes and pulls,
// waiting for blocked reads, of which there is one a partition. The caller
// closes both, after Run has returned.
func New(rdb, waiting redis.UniversalClient, opts Options) *Store {
	s := &Store{
		rdb:      rdb,
		waiting:  waiting,
		opts:     opts,
		layout:   opts.Layout,
		scripts:  newScripts(),
		metrics:  opts.Metrics,
		log:      opts.Logger,
		replica:  uuid.NewString(),
		polls:    newPolls(opts.MaxPolls),
		again:    make(chan struct{}, lookAgainAtOnce),
		draining: make(chan struct{}),
	}
	s.heard = make([]heard, opts.Layout.Partitions())
	for _, kind := range Kinds() {
		// At zero from the start: an increase from nothing at all is one that nobody sees.
		n := Name{Kind: kind}
		for _, c := range []metric.Int64Counter{
			s.metrics.Accepted, s.metrics.Duplicate, s.metrics.Delivered, s.metrics.Redelivered, s.metrics.Confirmed,
			s.metrics.Expired, s.metrics.SetAside, s.metrics.Purged, s.metrics.Requeued,
		} {
			c.Add(context.Background(), 0, n.attribute())
		}
	}
	s.metrics.LostTouch.Add(context.Background(), 0)
	s.metrics.HandedOver.Add(context.Background(), 0)
	for p := range opts.Layout.Partitions() {
		s.readers = append(s.readers, &reader{store: s, partition: p, key: s.layout.wake(p, s.replica)})
	}
	return s
}

// Run reads the wake streams, drops what is over its age, notes which channels were
// heard and hands polls over to replicas that join, until ctx ends. It returns when
// all its goroutines have ended; Redis being away doesn't end them.
func (s *Store) Run(ctx context.Context) {
	var g errgroup.Group
	for _, r := range s.readers {
		g.Go(func() error { r.run(ctx); return nil })
	}
	g.Go(func() error { s.sweep(ctx); return nil })
	g.Go(func() error { s.noteHeard(ctx); return nil })
	if s.opts.HandoverPercent > 0 {
		g.Go(func() error { s.handOver(ctx); return nil })
	}
	_ = g.Wait() // none of them fails
}

// Drain answers every poll that is held, empty, and holds none from then on. It
// returns at once.
func (s *Store) Drain() {
	if s.drained.CompareAndSwap(false, true) {
		close(s.draining)
	}
}

// Polls returns how many polls this replica holds.
func (s *Store) Polls() int { return s.polls.len() }

// unavailable wraps what Redis, or the way to it, says when it can't serve now. An
// error of a command is none of that but a defect, and stays what it is.
func unavailable(err error) error {
	var reply redis.Error
	if errors.As(err, &reply) && (strings.HasPrefix(reply.Error(), "ERR ") || redis.HasErrorPrefix(err, "WRONGTYPE")) &&
		!redis.HasErrorPrefix(err, "max number of clients") {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
