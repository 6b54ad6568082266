package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// inbound is the queue of the tests' webhook.
var inbound = queue.Name{Channel: "c", Kind: queue.Inbound}

// bench is a worker that does nothing by itself, with a Redis whose answers can be lost.
type bench struct {
	*Worker

	t      *testing.T
	redis  *redis.Client // without the faults
	faults *faults
	key    storage.Queue
}

// newBench returns a worker for channel c, whose inbound queue has a webhook to a URL.
func newBench(t *testing.T, url string) *bench {
	t.Helper()
	s := redistest.Start(t)
	b := &bench{t: t, redis: s.Client(), faults: &faults{}}
	options := s.Options()
	options.MaxRetries = -1
	rdb, waiting := redis.NewClient(options), redis.NewClient(options)
	t.Cleanup(func() { _, _ = rdb.Close(), waiting.Close() })
	rdb.AddHook(b.faults)
	const timeout = 5 * time.Second
	log, metrics := slog.New(slog.DiscardHandler), telemetry.Discard()
	layout := storage.NewLayout("qst", 1, false)
	runner := storage.NewRunner(rdb, storage.RunnerOptions{Timeout: timeout})
	t.Cleanup(runner.Close)
	queues := queue.New(runner, rdb, waiting, queue.Options{
		Layout: layout, Records: true, PullMaxBytes: 1 << 20, MaxDigests: 100, MaxPolls: 100, Timeout: timeout, Metrics: metrics, Logger: log,
	})
	channels := access.NewStore(runner, rdb, layout, timeout)
	channels.AllowHTTP(true)
	guard := storage.Guard{Client: rdb, Layout: layout, Timeout: timeout, Logger: log}
	states := NewStore(runner, rdb, layout, timeout)
	if err := guard.Prepare(t.Context(), append(append(queues.Scripts(), channels.Scripts()...), states.Scripts()...)...); err != nil {
		t.Fatal(err)
	}
	if err := queues.LoadKey(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := NewClient(ClientOptions{AllowHTTP: true, AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, PerHost: 4})
	t.Cleanup(client.Close)
	b.Worker = New(Options{
		Queues: queues, Operator: queue.NewOperator(queues, rdb), Channels: channels, States: states, Client: client, Redis: rdb, Layout: layout,
		QueueLimits: queue.Limits{MaxMessages: 1000, MaxBytes: 1 << 20}, InFlight: 16, PerHost: 4, RetryMax: time.Second, RetryAfterMax: time.Minute,
		Timeout: timeout, DrainTimeout: 10 * time.Second, Metrics: metrics, Tracer: noop.NewTracerProvider().Tracer(""), Logger: log,
	})
	b.key = layout.Queue(inbound.Channel, string(inbound.Kind))
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { queues.Run(ctx) })
	t.Cleanup(running.Wait)
	t.Cleanup(stop)
	if _, err := channels.Create(t.Context(), access.Channel{Name: inbound.Channel}); err != nil {
		t.Fatal(err)
	}
	b.set(url, access.WebhookMessages)
	if _, err := b.beat(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return b
}

// set gives the queue its webhook.
func (b *bench) set(url string, mode access.WebhookMode) {
	b.t.Helper()
	if _, _, err := b.opts.Channels.PutWebhook(b.t.Context(), inbound.Channel, access.NewWebhook{Queue: inbound.Kind, PushURL: url, Mode: mode}); err != nil {
		b.t.Error(err)
	}
}

// push puts messages into the queue.
func (b *bench) push(ids ...string) {
	b.t.Helper()
	b.pushValid(0, ids...)
}

// pushValid puts messages into the queue that are valid for a time; 0: for ever.
func (b *bench) pushValid(ttl time.Duration, ids ...string) {
	b.t.Helper()
	var batch queue.Batch
	for _, id := range ids {
		m := qst.Message{ID: id, Body: "text of " + id}
		digest := m.Digest()
		batch.Entries = append(batch.Entries, queue.Entry{Digest: digest[:], Payload: m.AppendCanonical(nil), TTL: ttl})
	}
	if _, err := b.opts.Queues.Push(b.t.Context(), inbound, b.caller(), batch); err != nil {
		b.t.Fatal(err)
	}
}

// caller is a client of the channel.
func (b *bench) caller() queue.Caller {
	b.t.Helper()
	record, err := b.opts.Channels.Get(b.t.Context(), inbound.Channel)
	if err != nil {
		b.t.Fatal(err)
	}
	return queue.Caller{Limits: b.opts.QueueLimits, Life: record.Life()}
}

// take returns a delivery that has the lease, to be stepped by hand.
func (b *bench) take() *delivery {
	b.t.Helper()
	d := newDelivery(b.t.Context(), b.Worker, inbound, b.key)
	b.t.Cleanup(d.lose)
	if err := d.take(); err != nil {
		b.t.Fatal(err)
	}
	return d
}

// start has a delivery run until the test ends.
func (b *bench) start() {
	d := newDelivery(context.WithoutCancel(b.t.Context()), b.Worker, inbound, b.key)
	var running sync.WaitGroup
	running.Go(func() { d.run(context.WithoutCancel(b.t.Context())) })
	b.t.Cleanup(running.Wait)
	b.t.Cleanup(d.cancel)
}

// state is what Redis holds of the webhook.
func (b *bench) state() map[string]string {
	b.t.Helper()
	state, err := b.redis.HGetAll(context.WithoutCancel(b.t.Context()), b.key.Webhook()).Result()
	if err != nil {
		b.t.Fatal(err)
	}
	return state
}

// eventually waits for a condition.
func (b *bench) eventually(what string, good func() bool) {
	b.t.Helper()
	for end := time.Now().Add(30 * time.Second); !good(); sleep(b.t.Context(), 5*time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("not in time: %s; the state is %v", what, b.state())
		}
	}
}

// startServer starts a receiver.
func startServer(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s.URL
}

// faults are what goes wrong on the way to Redis.
type faults struct {
	mu            sync.Mutex
	before, after func(args []any) error // of a command: it is not sent, or its answer is lost
}

// errLost is what is told of a command that is lost.
var errLost = fmt.Errorf("lost: %w", io.ErrUnexpectedEOF)

func (f *faults) set(before, after func(args []any) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

func (f *faults) judge(cmds []redis.Cmder, next func() error) error {
	f.mu.Lock()
	before, after := f.before, f.after
	f.mu.Unlock()
	ask := func(judge func(args []any) error) (err error) {
		for _, c := range cmds {
			if judge != nil {
				err = errors.Join(err, judge(c.Args()))
			}
		}
		if err != nil {
			for _, c := range cmds {
				c.SetErr(err)
			}
		}
		return err
	}
	if err := ask(before); err != nil {
		return err
	}
	err := next()
	if lost := ask(after); lost != nil {
		return lost
	}
	return err
}

func (f *faults) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (f *faults) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return f.judge([]redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (f *faults) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return f.judge(cmds, func() error { return next(ctx, cmds) })
	}
}

// claims tells whether a command is a claim of a lease.
func claims(args []any) bool { return slices.Contains(args, any("webhook:"+string(inbound.Kind))) }

// notes tells whether a command notes a field.
func notes(args []any, field string) bool { return slices.Contains(args, any(field)) }
