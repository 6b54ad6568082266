package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/config"
	"github.com/queuestatetransfer/qst/services/api/internal/httpapi"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
	"github.com/queuestatetransfer/qst/services/api/internal/webhook"
)

// ErrConfiguration is returned for a configuration that a worker of webhooks can't work with.
var ErrConfiguration = errors.New("webhooks need another configuration")

// CheckWebhooks tells whether a worker of webhooks can work with a configuration, beside what
// Check tells.
func CheckWebhooks(cfg config.Config) error {
	switch {
	case cfg.Embedded():
		return fmt.Errorf("%w: QST_REDIS_URL=embedded is a Redis inside another process, which a worker can't reach", ErrConfiguration)
	case cfg.Auth != config.AuthChannels:
		return fmt.Errorf("%w: QST_AUTH=%s takes no notice of what operators say of channels, and webhooks are part of that", ErrConfiguration, cfg.Auth)
	}
	return nil
}

// Webhooks is one worker of webhooks: `api webhooks`. It has the internal listener alone.
type Webhooks struct {
	cfg       config.Config
	log       *slog.Logger
	clients   clients
	runner    *storage.Runner
	guard     storage.Guard
	queues    *queue.Queues
	channels  *access.Store
	states    *webhook.Store
	client    *webhook.Client
	worker    *webhook.Worker
	api       *httpapi.API
	data      *storage.Watch
	telemetry *telemetry.Providers

	internal http.Server
	listener net.Listener
}

// NewWebhooks opens a worker's listener. It works once Run is called.
func NewWebhooks(ctx context.Context, cfg config.Config, build telemetry.Build, log *slog.Logger) (_ *Webhooks, err error) {
	if err := CheckWebhooks(cfg); err != nil {
		return nil, err
	}
	for _, warning := range cfg.Warnings() {
		log.WarnContext(ctx, "configuration", "warning", warning)
	}
	w := &Webhooks{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			w.close(ctx)
		}
	}()
	if w.telemetry, err = telemetry.Setup(ctx, build); err != nil {
		return nil, err
	}
	metrics, err := telemetry.NewMetrics(w.telemetry.Meter, build)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	var lc net.ListenConfig
	if w.listener, err = lc.Listen(ctx, "tcp", cfg.AdminAddr); err != nil {
		return nil, fmt.Errorf("QST_ADMIN_ADDR: %w", err)
	}
	certs, err := redisCertificates(cfg, log)
	if err != nil {
		return nil, err
	}
	if w.clients, err = connect(cfg, certs); err != nil {
		return nil, err
	}
	layout := storage.NewLayout(cfg.RedisPrefix, cfg.RedisPartitions, cfg.RedisCluster)
	w.guard = storage.Guard{Client: w.clients.commands, Layout: layout, Timeout: cfg.RedisTimeout, MinReplicas: cfg.RedisMinReplicas, Logger: log}
	w.data = storage.NewWatch(w.guard)
	w.runner = storage.NewRunner(w.clients.commands, storage.RunnerOptions{
		Timeout: cfg.RedisTimeout, MinReplicas: cfg.RedisMinReplicas, Observe: metrics.ObserveRedis,
	})
	w.queues = queue.New(w.runner, w.clients.commands, w.clients.waiting, queue.Options{
		Layout: layout, Cluster: cfg.RedisCluster, Records: true, Retention: cfg.Retention, MaxDigests: cfg.QueueMaxDigests,
		PullMaxBytes: int64(cfg.PullMaxBytes),
		DeadLetters:  deadLetters(cfg),
		MaxPolls:     1 << 30, // each queue that the worker has is one
		Timeout:      cfg.RedisTimeout, Metrics: metrics, Logger: log,
	})
	operator := queue.NewOperator(w.queues, w.clients.commands)
	w.channels = access.NewStore(w.runner, w.clients.commands, layout, cfg.RedisTimeout)
	w.states = webhook.NewStore(w.runner, w.clients.commands, layout, cfg.RedisTimeout)
	w.client = webhook.NewClient(webhook.ClientOptions{
		AllowHTTP: cfg.WebhookAllowHTTP, AllowNetworks: cfg.WebhookAllowNetworks, PerHost: cfg.WebhookPerHost,
		UserAgent: "QST-Webhooks/" + build.Version,
	})
	w.worker = webhook.New(webhook.Options{
		Queues: w.queues, Operator: operator, Channels: w.channels, States: w.states, Client: w.client, Redis: w.clients.commands, Layout: layout,
		QueueLimits: queueLimits(cfg), Limits: messageLimits(cfg), MaxReplies: int64(cfg.PushMaxBytes),
		InFlight: cfg.WebhookInFlight, PerHost: cfg.WebhookPerHost, RetryMax: cfg.WebhookRetryMax, RetryAfterMax: cfg.WebhookRetryAfterMax,
		Timeout: cfg.RedisTimeout, DrainTimeout: cfg.DrainTimeout, NewBatch: httpapi.NewBatch,
		Metrics: metrics, Tracer: w.telemetry.Tracer, Tracing: w.telemetry.Tracing, Logger: log,
	})
	w.api = httpapi.New(httpapi.Options{
		Guard: w.guard, Build: build, RequestTimeout: cfg.RequestTimeout, Tracer: w.telemetry.Tracer, Tracing: w.telemetry.Tracing,
		Metrics: metrics, Scrape: w.telemetry.Scrape, LogSample: cfg.LogSample, LogRefused: cfg.LogRefused, Logger: log,
	})
	if err := metrics.ObserveWebhooks(func() telemetry.WebhookFigures { return telemetry.WebhookFigures(w.worker.Figures()) }); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	w.internal = http.Server{
		Handler: w.api.Internal(), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return w, nil
}

// queueLimits are those of a channel that has none of its own.
func queueLimits(cfg config.Config) queue.Limits {
	return queue.Limits{
		MaxMessages: cfg.QueueMaxMessages, MaxBytes: int64(cfg.QueueMaxBytes), Retention: cfg.Retention,
		DedupWindow: cfg.DedupWindow, MaxDeliveries: cfg.MaxDeliveries,
	}
}

// messageLimits are those of what is pushed.
func messageLimits(cfg config.Config) qst.Limits {
	return qst.Limits{MaxMessages: cfg.PushMaxMessages, MaxMessageBytes: int(cfg.MessageMaxBytes)}
}

// begin takes what the worker needs of the data that Redis holds.
func (w *Webhooks) begin(ctx context.Context) error {
	if err := w.queues.LoadKey(ctx); err != nil {
		return err
	}
	return w.data.Begin(ctx)
}

// watch has the worker begin anew where Redis has lost its data, when replicas of the API have put what the
// bootstrap file names there again, until ctx ends.
func (w *Webhooks) watch(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, watchEvery)
		if !w.data.Gone(ctx) || w.guard.Check(ctx) != nil {
			continue
		}
		if err := w.begin(ctx); err != nil {
			w.log.WarnContext(ctx, "Redis has other data than before, and the worker can't begin with them yet", "error", err)
		}
	}
}

func (w *Webhooks) close(ctx context.Context) {
	if w.listener != nil {
		_ = w.listener.Close() // closed already where its server was
	}
	if w.client != nil {
		w.client.Close()
	}
	if w.runner != nil {
		w.runner.Close()
	}
	w.clients.Close()
	if w.telemetry != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := w.telemetry.Shutdown(ctx); err != nil {
			w.log.WarnContext(ctx, "the last traces and metrics were not sent", "error", err)
		}
	}
}

// InternalAddr is where the listener is.
func (w *Webhooks) InternalAddr() string { return w.listener.Addr().String() }

// Run works until ctx ends; then requests in flight finish within QST_DRAIN_TIMEOUT, and the
// queues go to other workers. It returns an error if it can't work, as [App.Run] does.
func (w *Webhooks) Run(ctx context.Context) error {
	defer w.close(ctx)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() {
		if err := w.internal.Serve(w.listener); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("serving %s: %w", w.listener.Addr(), err))
		}
	})
	defer func() { _ = w.internal.Close() }() // probes only
	w.log.InfoContext(ctx, "listening", "internal", w.InternalAddr())
	scripts := append(append(w.queues.Scripts(), w.channels.Scripts()...), w.states.Scripts()...)
	if err := prepare(ctx, w.guard, w.cfg.RedisPoolSize, w.log, scripts, w.begin); err != nil {
		return err
	}
	running.Go(func() { w.watch(ctx) })

	// The readers end after the worker: what it finishes needs them.
	queuesCtx, stopQueues := context.WithCancel(context.WithoutCancel(ctx))
	var queues sync.WaitGroup
	queues.Go(func() { w.queues.Run(queuesCtx) })
	defer queues.Wait()
	defer stopQueues()
	for ctx.Err() == nil && !w.queues.Listening() {
		sleep(ctx, 10*time.Millisecond)
	}
	w.api.Serve()
	w.log.InfoContext(ctx, "working")
	context.AfterFunc(ctx, w.api.Drain)
	w.worker.Run(ctx)
	w.log.InfoContext(ctx, "drained")
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
