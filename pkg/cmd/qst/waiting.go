package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// waiting tells a person of the tries that package client logs: at once of the first
// that failed, and that the program goes on; of the further ones on a terminal, in one
// line that is overwritten; and when there is an answer again.
type waiting struct {
	t      terminal
	limit  time.Duration // how long it goes on; 0: as long as it takes
	attrs  []slog.Attr
	shared *waitingState
}

type waitingState struct {
	mu    sync.Mutex
	line  progress
	since time.Time // of the first try that failed; zero: none did
}

// newWaiting returns the handler and what ends its line.
func newWaiting(t terminal, limit time.Duration) (*waiting, func()) {
	w := &waiting{t: t, limit: limit, shared: &waitingState{line: progress{t: t}}}
	return w, func() {
		w.shared.mu.Lock()
		defer w.shared.mu.Unlock()
		w.shared.line.clear()
	}
}

// Enabled is for slog.Handler. The end of waiting is an Info.
func (w *waiting) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelInfo }

// WithAttrs is for slog.Handler.
func (w *waiting) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *w
	with.attrs = append(append([]slog.Attr{}, w.attrs...), attrs...)
	return &with
}

// WithGroup is for slog.Handler. Package client has no groups.
func (w *waiting) WithGroup(string) slog.Handler { return w }

// Handle is for slog.Handler.
func (w *waiting) Handle(_ context.Context, r slog.Record) error {
	values := map[string]slog.Value{}
	for _, a := range w.attrs {
		values[a.Key] = a.Value
	}
	r.Attrs(func(a slog.Attr) bool {
		values[a.Key] = a.Value
		return true
	})
	s := w.shared
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Message {
	case "trying again":
		if s.since.IsZero() {
			s.since = r.Time
			w.first(values)
			return nil
		}
		s.line.showf("qst: %v tries in %v, the next one in %v", values["failures"], round(r.Time.Sub(s.since)), round(values["pause"].Duration()))
	case "answered again":
		s.line.clear()
		if !s.since.IsZero() {
			fmt.Fprintf(w.t.err, "qst: it answers again, after %v\n", round(r.Time.Sub(s.since)))
		}
		s.since = time.Time{}
	default:
		if r.Level < slog.LevelWarn {
			return nil
		}
		s.line.clear()
		fmt.Fprintf(w.t.err, "qst: warning: %s", r.Message)
		if err, ok := values["error"]; ok {
			fmt.Fprintf(w.t.err, ": %s", visible(err.String()))
		}
		fmt.Fprintln(w.t.err)
	}
	return nil
}

// first tells of the first try that failed.
func (w *waiting) first(values map[string]slog.Value) {
	reason := values["error"].String()
	if err, ok := values["error"].Any().(error); ok {
		reason = why(err)
	}
	goesOn := "until it answers"
	if w.limit > 0 {
		goesOn = fmt.Sprintf("for %v (--timeout)", w.limit)
	}
	fmt.Fprintf(w.t.err, "qst: %s: %s; trying again %s\n", visible(values["url"].String()), visible(reason), goesOn)
}

// why is an error without what stands beside it anyway.
func why(err error) string {
	if request, ok := errors.AsType[*url.Error](err); ok {
		return request.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), "unavailable: ")
}

// round makes a duration one that people read.
func round(d time.Duration) time.Duration {
	if d < time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}

// bounded ends a request, answer included, that takes longer than limit.
type bounded struct {
	http.RoundTripper

	limit time.Duration
}

var errSlow = errors.New("no answer in the time that --timeout gives")

// RoundTrip is for http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(r.Context(), b.limit, errSlow)
	resp, err := b.RoundTripper.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel()
		if errors.Is(context.Cause(ctx), errSlow) {
			return nil, errSlow
		}
		return nil, err
	}
	resp.Body = &boundedBody{resp.Body, cancel}
	return resp, nil
}

type boundedBody struct {
	io.ReadCloser

	cancel context.CancelFunc
}

// Close is for io.ReadCloser.
func (b *boundedBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}
