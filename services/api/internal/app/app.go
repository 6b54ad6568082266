package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/config"
	"github.com/queuestatetransfer/qst/services/api/internal/console"
	"github.com/queuestatetransfer/qst/services/api/internal/httpapi"
	"github.com/queuestatetransfer/qst/services/api/internal/park"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
	"github.com/queuestatetransfer/qst/services/api/internal/webhook"
	"github.com/queuestatetransfer/qst/services/api/internal/workers"
)

const (
	// readHeaderTimeout is what a client has to say what it wants; a phone on a bad
	// network needs a few seconds for it.
	readHeaderTimeout = 15 * time.Second
	// idleTimeout keeps connections between requests for longer than the usual load
	// balancer does (60 s): the side that closes first must not be the one that
	// doesn't know whether a request is on its way.
	idleTimeout = 2 * time.Minute
	// maxHeaderBytes: an ETag and credentials need a tenth of it.
	maxHeaderBytes = 16 << 10
	// settle is how long a draining replica goes on answering, now with
	// "Connection: close", before it closes what is idle: clients that are in the
	// middle of a series of requests learn of it from an answer, not from a reset.
	settle = 500 * time.Millisecond
	// flushTimeout is how long the last traces and metrics may take to be sent.
	flushTimeout = 5 * time.Second

	// workersStay is how many goroutines stay for polls, each with some 10 KB of stack.
	workersStay = 128

	prepareFirst, prepareMost = 100 * time.Millisecond, 5 * time.Second
)

// App is one replica of the service.
type App struct {
	cfg     config.Config
	log     *slog.Logger
	clients clients
	runner  *storage.Runner
	guard   storage.Guard
	data    *storage.Watch
	gone    chan struct{} // a signal: Redis has lost its data
	gate    *access.Gate  // nil: there is none
	queues  *queue.Queues
	api     *httpapi.API

	telemetry *telemetry.Providers
	channels  *access.Store
	webhooks  *webhook.Store
	bootstrap access.Bootstrap

	public, internal                 http.Server
	publicListener, internalListener net.Listener
	workers                          *workers.Pool
	lot                              *park.Lot // of the public server's polls; nil: none is parked
}

// New opens a replica's listeners. It serves once Run is called.
func New(ctx context.Context, cfg config.Config, build telemetry.Build, log *slog.Logger) (_ *App, err error) {
	for _, w := range cfg.Warnings() {
		log.WarnContext(ctx, "configuration", "warning", w)
	}
	a := &App{cfg: cfg, log: log, workers: workers.New(workersStay), gone: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			a.close(ctx)
		}
	}()
	if a.telemetry, err = telemetry.Setup(ctx, build); err != nil {
		return nil, err
	}
	metrics, err := telemetry.NewMetrics(a.telemetry.Meter, build)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	if cfg.BootstrapFile != "" {
		if a.bootstrap, err = access.LoadBootstrap(cfg.BootstrapFile); err != nil {
			return nil, err
		}
	}
	certs, err := loadCertificates(cfg, log)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	if a.publicListener, err = lc.Listen(ctx, "tcp", cfg.ListenAddr); err != nil {
		return nil, fmt.Errorf("QST_LISTEN_ADDR: %w", err)
	}
	if certs.listen != nil {
		a.publicListener = tls.NewListener(a.publicListener, certs.listen.Server())
	}
	if a.internalListener, err = lc.Listen(ctx, "tcp", cfg.AdminAddr); err != nil {
		return nil, fmt.Errorf("QST_ADMIN_ADDR: %w", err)
	}
	// No WriteTimeout: it would cut long polls. Each answer has its own deadline.
	a.public = http.Server{
		ConnContext: httpapi.ConnContext, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if cfg.ParkPolls && certs.listen == nil { // a TLS connection keeps what it is encrypted with
		a.lot, err = park.New(a.publicListener.Addr(), &a.public, a.workers)
		if err != nil && !errors.Is(err, errors.ErrUnsupported) { // then polls wait in their handlers
			return nil, fmt.Errorf("QST_PARK_POLLS: %w", err)
		}
	}
	if a.clients, err = connect(cfg, certs.redis); err != nil {
		return nil, err
	}
	layout := storage.NewLayout(cfg.RedisPrefix, cfg.RedisPartitions, cfg.RedisCluster)
	a.guard = storage.Guard{
		Client: a.clients.commands, Layout: layout, Embedded: a.clients.embedded != nil, Timeout: cfg.RedisTimeout,
		MinReplicas: cfg.RedisMinReplicas, Logger: log,
	}
	a.data = storage.NewWatch(a.guard)
	a.runner = storage.NewRunner(a.clients.commands, storage.RunnerOptions{
		Timeout: cfg.RedisTimeout, MinReplicas: cfg.RedisMinReplicas, Embedded: a.clients.embedded != nil, Observe: metrics.ObserveRedis,
	})
	var notice func(context.Context, []queue.Change) (queue.Name, queue.Caller, queue.Batch, error)
	if cfg.UnwellChannel != "" {
		notice = func(ctx context.Context, changes []queue.Change) (queue.Name, queue.Caller, queue.Batch, error) {
			return a.api.UnwellNotice(cfg.UnwellChannel)(ctx, changes)
		}
	}
	a.queues = queue.New(a.runner, a.clients.commands, a.clients.waiting, queue.Options{
		Reporting: func(ctx context.Context, channel string) (queue.Reporting, error) {
			return a.api.Reporting(ctx, channel)
		},
		Layout:           layout,
		Cluster:          cfg.RedisCluster,
		Records:          cfg.Auth == config.AuthChannels,
		Retention:        cfg.Retention,
		MaxDigests:       cfg.QueueMaxDigests,
		PullMaxBytes:     int64(cfg.PullMaxBytes),
		UnwellAfter:      cfg.UnwellAfter,
		UnwellNotice:     notice,
		DeadLetters:      deadLetters(cfg),
		MaxPolls:         cfg.MaxPolls,
		RebalancePercent: cfg.RebalancePercent,
		Timeout:          cfg.RedisTimeout,
		Workers:          a.workers,
		Metrics:          metrics,
		Logger:           log,
	})
	operator := queue.NewOperator(a.queues, a.clients.commands)
	a.channels = access.NewStore(a.runner, a.clients.commands, layout, cfg.RedisTimeout)
	a.channels.AllowHTTP(cfg.WebhookAllowHTTP)
	a.webhooks = webhook.NewStore(a.runner, a.clients.commands, layout, cfg.RedisTimeout)
	if cfg.Auth == config.AuthChannels {
		a.gate = access.NewGate(a.channels, cfg.AuthCache, httpapi.GuessReporter(metrics, log, cfg.LogRefused))
	}
	a.api = httpapi.New(httpapi.Options{
		Queues:         a.queues,
		Operator:       operator,
		Guard:          a.guard,
		QueueLimits:    queueLimits(cfg),
		Gate:           a.gate,
		Gone:           a.dataGone,
		Channels:       a.channels,
		Webhooks:       a.webhooks,
		AdminToken:     cfg.AdminToken.Reveal(),
		Console:        cfg.Console,
		ConsoleHosts:   console.Hosts(cfg.ConsoleHosts),
		TrustedProxies: cfg.TrustedProxies,
		Limits:         messageLimits(cfg),
		PushMaxBytes:   int64(cfg.PushMaxBytes),
		PushRate:       cfg.PushRate,
		Bounds:         httpapi.Bounds{Requests: cfg.ChannelMaxRequests, Bytes: int64(cfg.MaxInFlight), ChannelBytes: int64(cfg.ChannelMaxInFlight)},
		LongPollMax:    cfg.LongPollMax,
		Lot:            a.lot,
		RequestTimeout: cfg.RequestTimeout,
		Build:          build,
		Tracer:         a.telemetry.Tracer,
		Tracing:        a.telemetry.Tracing,
		Metrics:        metrics,
		Scrape:         a.telemetry.Scrape,
		LogSample:      cfg.LogSample,
		LogRefused:     cfg.LogRefused,
		Logger:         log,
	})
	if err := metrics.Observe(telemetry.Sources{
		Serving: a.api.Serving, Polls: a.queues.Polls, PollsMost: cfg.MaxPolls, Pool: a.clients.pool, InFlight: a.api.InFlight,
		Totals: func(ctx context.Context) (telemetry.Totals, error) { return operator.Totals(ctx, cfg.MetricsTopQueues) },
	}); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	a.public.Handler = a.api.Public()
	a.internal = http.Server{
		Handler: a.api.Internal(), ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	return a, nil
}

// deadLetters are the bounds that the configuration sets.
func deadLetters(cfg config.Config) queue.DeadLetters {
	return queue.DeadLetters{MaxMessages: cfg.DeadMaxMessages, MaxBytes: int64(cfg.DeadMaxBytes), Retention: cfg.DeadRetention}
}

// close gives back what New took, in the order that nothing is missed: the
// listeners, Redis, then telemetry, which tells of the others.
func (a *App) close(ctx context.Context) {
	for _, l := range []net.Listener{a.publicListener, a.internalListener} {
		if l != nil {
			_ = l.Close() // closed already where its server was
		}
	}
	if a.lot != nil {
		ctx, cancel := context.WithCancel(ctx)
		cancel() // nothing is to be answered any more
		_ = a.lot.Shutdown(ctx)
	}
	if a.runner != nil {
		a.runner.Close()
	}
	if a.queues != nil {
		a.queues.Close()
	}
	a.workers.Close()
	a.clients.Close()
	if a.telemetry != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		defer cancel()
		if err := a.telemetry.Shutdown(ctx); err != nil {
			a.log.WarnContext(ctx, "the last traces and metrics were not sent", "error", err)
		}
	}
}

// PublicAddr is where the protocol is served, with the port that was free if
// the configuration said 0.
func (a *App) PublicAddr() string { return a.publicListener.Addr().String() }

// InternalAddr is where the internal listener is.
func (a *App) InternalAddr() string { return a.internalListener.Addr().String() }

// Run serves until ctx ends, then drains. It returns nil after a drain, in order
// or cut by QST_DRAIN_TIMEOUT; it returns an error if it can't serve: a listener
// failed, or Redis answered and is not fit to be used (storage.ErrUnsuitable).
// While Redis doesn't answer, Run waits for it, and requests are answered 503.
func (a *App) Run(ctx context.Context) error {
	defer a.close(ctx)
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var servers sync.WaitGroup
	defer servers.Wait()
	serve := func(s *http.Server, l net.Listener) {
		servers.Go(func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				fail(fmt.Errorf("serving %s: %w", l.Addr(), err))
			}
		})
	}
	serve(&a.internal, a.internalListener)
	serve(&a.public, a.publicListener)
	if a.lot != nil {
		serve(&a.public, a.lot)
	}
	defer func() { _ = a.internal.Close() }() // probes only; last, so that they see the drain
	defer func() { _ = a.public.Close() }()   // after a drain there is nothing left to cut

	a.log.InfoContext(ctx, "listening", "public", a.PublicAddr(), "internal", a.InternalAddr())
	if err := prepare(ctx, a.guard, a.cfg.RedisPoolSize, a.log, a.scripts(), func(ctx context.Context) error {
		if err := a.queues.LoadKey(ctx); err != nil {
			return err
		}
		if err := a.channels.Apply(ctx, a.bootstrap); err != nil {
			return err
		}
		return a.data.Begin(ctx)
	}); err != nil {
		return err
	}

	// The readers end after the drain: polls that are being answered need them.
	queuesCtx, stopQueues := context.WithCancel(context.WithoutCancel(ctx))
	var queues sync.WaitGroup
	queues.Go(func() { a.queues.Run(queuesCtx) })
	defer queues.Wait()
	defer stopQueues()
	for ctx.Err() == nil && !a.queues.Listening() {
		sleep(ctx, 10*time.Millisecond)
	}

	a.api.Serve()
	a.log.InfoContext(ctx, "serving")
	queues.Go(func() { a.watch(ctx) })
	queues.Go(func() { a.api.WatchClients(ctx) })
	<-ctx.Done()
	a.drain(context.WithoutCancel(ctx))
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// prepare waits until Redis has been found fit, and then has done what is to be done first. It
// returns nil as well if ctx ends before: then there is nothing to prepare for.
func prepare(ctx context.Context, guard storage.Guard, connections int, log *slog.Logger, scripts []storage.Script, first func(context.Context) error) error {
	retry := prepareFirst
	for ctx.Err() == nil {
		err := guard.Prepare(ctx, scripts...)
		if err == nil {
			err = guard.Warm(ctx, connections)
		}
		if err == nil {
			err = first(ctx)
		}
		if err == nil {
			return nil
		}
		if !errors.Is(err, storage.ErrUnavailable) {
			return err
		}
		log.WarnContext(ctx, "Redis does not answer yet; requests are answered 503 until it does", "error", err)
		sleep(ctx, retry/2+rand.N(retry/2)) //nolint:gosec // spread, no secret
		retry = min(2*retry, prepareMost)
	}
	return nil
}

// scripts are all scripts of the service.
func (a *App) scripts() []storage.Script {
	return append(append(a.queues.Scripts(), a.channels.Scripts()...), a.webhooks.Scripts()...)
}

// drain takes the replica out of service without cutting a request:
// not ready → load balancers notice → polls answered → clients move on → closed.
func (a *App) drain(ctx context.Context) {
	a.log.InfoContext(ctx, "draining", "delay", a.cfg.DrainDelay, "polls", a.queues.Polls())
	a.api.Drain()
	sleep(ctx, a.cfg.DrainDelay)
	a.queues.Drain()
	sleep(ctx, settle)
	ctx, cancel := context.WithTimeout(ctx, a.cfg.DrainTimeout)
	defer cancel()
	err := a.public.Shutdown(ctx)
	if a.lot != nil {
		err = errors.Join(err, a.lot.Shutdown(ctx))
	}
	if err != nil {
		a.log.WarnContext(ctx, "requests were cut after QST_DRAIN_TIMEOUT", "error", err)
	}
	a.log.InfoContext(ctx, "drained")
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
