package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// metrics are a bridge's counters.
type metrics struct {
	handed, passedOver, possibleDoubles, failures atomic.Int64
	received, pushed, refused, unmatched, strange atomic.Int64
	lastHanded                                    atomic.Int64

	mu       sync.Mutex
	statuses map[Status]int64
}

func (m *metrics) report(s Status) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.statuses == nil {
		m.statuses = map[Status]int64{}
	}
	m.statuses[s]++
}

// write writes the metrics as Prometheus reads them.
func (b *Bridge) writeMetrics(w io.Writer) {
	m := b.metrics
	single := func(kind, name, help string, value int64) {
		_, _ = fmt.Fprintf(w, "# HELP qst_gateway_%s %s\n# TYPE qst_gateway_%s %s\nqst_gateway_%s %d\n", name, help, name, kind, name, value)
	}
	single("counter", "handed_total", "Texts that the gateway has taken.", m.handed.Load())
	single("counter", "passed_over_total", "Texts that came again after they were handed over.", m.passedOver.Load())
	single("counter", "possible_doubles_total", "Texts handed over a second time to a gateway that can't tell if it had them.", m.possibleDoubles.Load())
	single("counter", "failures_total", "Tries to hand a text over that failed, and were repeated.", m.failures.Load())
	single("counter", "received_total", "Messages that the gateway received.", m.received.Load())
	single("counter", "pushed_total", "Messages and reports that the service has stored.", m.pushed.Load())
	single("counter", "refused_total", "Messages and reports that the service will never take; they are in spool-refused.", m.refused.Load())
	single("counter", "unmatched_reports_total", "Reports of texts that this bridge does not know.", m.unmatched.Load())
	single("counter", "refused_calls_total", "Calls that did not bring the gateway's token or signature, or an old one.", m.strange.Load())
	single("gauge", "spool_messages", "Messages and reports that wait for the service.", int64(b.spool.size()))
	open, _ := b.journal.open(time.Time{})
	single("gauge", "open_texts", "Texts that were handed over and have no final report yet.", int64(open))
	single("gauge", "last_handed_timestamp_seconds", "When a text was handed over last; 0: not since the start.", m.lastHanded.Load())
	_, _ = fmt.Fprint(w, "# HELP qst_gateway_reports_total What became of texts.\n# TYPE qst_gateway_reports_total counter\n")
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range []Status{Sent, Delivered, Failed, Expired, Rejected, Unknown} {
		_, _ = fmt.Fprintf(w, "qst_gateway_reports_total{status=%q} %d\n", s, m.statuses[s])
	}
}

// Handler is a gateway that is called by its program over HTTP, at the bridge's address.
type Handler interface {
	// Handlers returns what serves which path.
	Handlers(b *Bridge) map[string]http.Handler
}

// serve answers /metrics, /healthz and what the gateway calls.
func (b *Bridge) serve(ctx context.Context) error {
	if b.settings.Listen == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		b.writeMetrics(w)
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok\n") })
	if h, ok := b.gateway.(Handler); ok {
		for path, handler := range h.Handlers(b) {
			mux.Handle(path, http.MaxBytesHandler(handler, 1<<20))
		}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", b.settings.Listen)
	if err != nil {
		return err
	}
	b.log.InfoContext(ctx, "listening", "address", l.Addr().String())
	s := &http.Server{Handler: mux, ReadTimeout: 30 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	serving, end := context.WithCancel(ctx)
	var closing sync.WaitGroup
	closing.Go(func() {
		<-serving.Done()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		_ = s.Shutdown(last) // who is cut calls again
	})
	err = s.Serve(l)
	end()
	closing.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = ctx.Err()
	}
	return err
}
