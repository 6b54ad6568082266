package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/console"
	"github.com/queuestatetransfer/qst/services/api/internal/park"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
	"github.com/queuestatetransfer/qst/services/api/internal/webhook"
)

// Options are the settings of the API. All are required, but where it is said.
type Options struct {
	Queues      *queue.Queues
	Operator    *queue.Operator
	Guard       storage.Guard
	QueueLimits queue.Limits // of a channel that has none of its own
	Gate        *access.Gate // nil: everyone may do everything (QST_AUTH=none)
	// Gone tells whether Redis has lost its data; it may then do something about it.
	Gone           func(context.Context) bool
	Channels       *access.Store // what operators say of channels
	Webhooks       *webhook.Store
	AdminToken     string        // "": the admin API is off
	Console        bool          // the operators' web page; off without an AdminToken
	ConsoleHosts   console.Hosts // names under which browsers may reach it
	TrustedProxies []netip.Prefix
	Limits         qst.Limits    // of what is pushed
	PushMaxBytes   int64         // of a pushed body, after decompression
	PushRate       int64         // messages a second of a channel that has no rate of its own; 0: any
	Bounds         Bounds        // of what requests take of the replica
	LongPollMax    time.Duration // the longest that a poll is held
	Lot            *park.Lot     // where polls are parked; nil: none is
	RequestTimeout time.Duration // to receive a body; to send an answer
	Build          telemetry.Build
	Tracer         trace.Tracer
	Tracing        bool // the tracer's spans go somewhere
	Metrics        *telemetry.Metrics
	Scrape         http.Handler // answers /metrics
	LogSample      int          // one in so many requests that went well is logged
	LogRefused     int          // lines a second of what was refused
	Logger         *slog.Logger
}

// API answers HTTP requests. It starts out as starting: requests for channels
// are answered 503 until Serve.
type API struct {
	opts   Options
	log    *slog.Logger
	places *places
	rates  *rates
	lines  *lines
	phase  atomic.Int32
	held   held
	seen   atomic.Uint64 // requests that went well

	recovers echo.MiddlewareFunc // makes an error of a handler's panic
}

// The phases of a replica's life, in order.
const (
	starting int32 = iota // Redis has not been found fit yet
	serving
	draining // told to stop: still answers, holds no poll, closes connections
)

// New returns an API.
func New(opts Options) *API {
	// At zero from the start: an increase from nothing at all is one that nobody sees.
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		for reason := range reasons() {
			opts.Metrics.Refused.Add(context.Background(), 0, refusal(method, reason))
		}
	}
	for _, of := range []string{guessOfChannel, guessOfAdmin} {
		for _, attributes := range guesses(of) {
			opts.Metrics.Guesses.Add(context.Background(), 0, attributes)
		}
	}
	a := &API{opts: opts, log: opts.Logger, places: newPlaces(opts.Bounds), rates: newRates(opts.Limits.MaxMessages), lines: newLines(opts.LogRefused)}
	a.recovers = middleware.RecoverWithConfig(middleware.RecoverConfig{
		LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			a.log.ErrorContext(c.Request().Context(), "a handler panicked", "error", err, "stack", string(stack))
			return err
		},
	})
	return a
}

// Serve lets requests for channels in.
func (a *API) Serve() { a.phase.CompareAndSwap(starting, serving) }

// Serving tells whether requests for channels are let in and the replica is not
// told to stop.
func (a *API) Serving() bool { return a.phase.Load() == serving }

// Drain makes the replica not ready and tells each client that is answered from
// then on to come back over a new connection.
func (a *API) Drain() { a.phase.Store(draining) }

// Public returns the handler of the public listener: the protocol.
func (a *API) Public() http.Handler {
	e := a.echo(a.opts.TrustedProxies)
	e.GET("/", a.frontPage("public"))
	e.Any("/v2/channels/*", a.channel)
	e.Any("/v1/*", a.version1)
	e.GET("/openapi.yaml", openAPI)
	return e
}

// Internal returns the handler of the listener that no ingress reaches.
func (a *API) Internal() http.Handler {
	e := a.echo(nil)
	e.GET("/", a.frontPage("internal"))
	e.GET("/healthz", a.healthz)
	e.GET("/readyz", a.readyz)
	e.GET("/metrics", echo.WrapHandler(a.opts.Scrape))
	e.GET("/openapi.yaml", openAPI)
	if a.opts.AdminToken != "" {
		a.admin(e)
		if a.opts.Console {
			a.console(e)
		}
	}
	return e
}

// echo returns a router, for a listener that these proxies stand before.
func (a *API) echo(trusted []netip.Prefix) *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = a.fail
	e.IPExtractor = addressOf(trusted)
	e.Pre(oneSlash)
	e.Use(a.instrument, a.shield, a.limitBodyTime, a.recovers)
	return e
}

// health is what /healthz and /readyz answer.
type health struct {
	Status  string `json:"status"`
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"` // of the commit
	Detail  string `json:"detail,omitempty"`
}

func (a *API) health(status string) health {
	b := a.opts.Build
	return health{Status: status, Version: b.Version, Commit: b.Commit, Date: b.Date}
}

// healthz tells that the process lives. It asks nobody else: a replica is not
// to be restarted because Redis is away.
func (a *API) healthz(c echo.Context) error {
	return c.JSON(http.StatusOK, a.health("ok"))
}

// readyz tells whether this replica should get requests.
func (a *API) readyz(c echo.Context) error {
	h := a.readiness(c.Request().Context())
	if h.Status != "ready" {
		return c.JSON(http.StatusServiceUnavailable, h)
	}
	return c.JSON(http.StatusOK, h)
}

func (a *API) readiness(ctx context.Context) health {
	h := a.health("ready")
	switch a.phase.Load() {
	case starting:
		h.Status, h.Detail = "starting", "Redis has not answered yet"
	case draining:
		h.Status = "draining"
	default:
		if err := a.ready(ctx); err != nil {
			a.log.WarnContext(ctx, "not ready", "error", err)
			h.Status, h.Detail = "not ready", explain(err).detail
		}
	}
	return h
}

// ready tells whether this replica can serve: some part of Redis answers. It only reads.
func (a *API) ready(ctx context.Context) error {
	down, some := a.opts.Guard.Unreachable(ctx)
	if !some {
		return fmt.Errorf("%w: no master answers", storage.ErrUnavailable)
	}
	err := a.opts.Guard.Check(ctx)
	if err != nil && len(down) > 0 && errors.Is(err, storage.ErrUnavailable) && !storage.Lost(err) {
		return nil // what is not there is what can't be asked
	}
	return err
}
