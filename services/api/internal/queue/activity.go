package queue

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

const (
	// noteEvery is how often a replica writes down which queues were used.
	noteEvery = 5 * time.Second
	// noteBatch bounds how many queues one script notes.
	noteBatch = 100
	// activityKept is how long it is known when a channel was seen last: longer than the
	// longest of activeWithin, and long enough for who looks for phones that fell silent.
	activityKept = 31 * 24 * time.Hour
)

// activity is who used which queues, and when: figures for show. A push or a pull only notes
// them in memory; every few seconds they are written down together. So a request pays for an
// entry in a map, and Redis for one script per hundred queues.
type activity struct {
	runner *storage.Runner
	script storage.Script
	layout storage.Layout
	log    *slog.Logger

	mu    sync.Mutex
	noted map[storage.Queue]*use
}

// use is how a queue was used since that was last written down.
type use struct {
	pushed, pulled, confirmed time.Time // zero: not
	pusher, puller            Caller
}

func newActivity(runner *storage.Runner, script storage.Script, layout storage.Layout, log *slog.Logger) *activity {
	return &activity{runner: runner, script: script, layout: layout, log: log, noted: make(map[storage.Queue]*use)}
}

func (a *activity) note(k storage.Queue, change func(*use)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.noted[k]
	if u == nil {
		u = new(use)
		a.noted[k] = u
	}
	change(u)
}

func (a *activity) pushed(k storage.Queue, c Caller) {
	now := time.Now()
	a.note(k, func(u *use) { u.pushed, u.pusher = now, c })
}

func (a *activity) pulled(k storage.Queue, c Caller, confirmed bool) {
	now := time.Now()
	a.note(k, func(u *use) {
		u.pulled, u.puller = now, c
		if confirmed {
			u.confirmed = now
		}
	})
}

// run writes down what was noted, until ctx ends, and what is left then.
func (a *activity) run(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, noteEvery/2+rand.N(noteEvery)) //nolint:gosec // spread, no secret
		a.writeNow(context.WithoutCancel(ctx))
	}
}

// writeNow writes down what was noted, before somebody asks: that is the latest. If Redis takes no
// writes, what is shown is somewhat older.
func (a *activity) writeNow(ctx context.Context) {
	if err := a.write(ctx); err != nil {
		a.log.WarnContext(ctx, "noting which queues were used", "error", err)
	}
}

// write writes down what was noted since the last time. What it can't write is lost: a
// channel that lives is seen again.
func (a *activity) write(ctx context.Context) error {
	a.mu.Lock()
	noted := a.noted
	a.noted = make(map[storage.Queue]*use, len(noted))
	a.mu.Unlock()
	byPartition := make(map[int][]storage.Queue)
	for k := range noted {
		byPartition[k.Partition] = append(byPartition[k.Partition], k)
	}
	var errs []error
	for p, queues := range byPartition {
		for len(queues) > 0 {
			n := min(noteBatch, len(queues))
			partition := a.layout.Partitions()[p]
			args := []any{partition.Start, activityKept.Milliseconds()}
			for _, k := range queues[:n] {
				fields := noted[k].fields()
				args = append(append(args, k.Name, noted[k].age().Milliseconds(), len(fields)/2), fields...)
			}
			if _, err := a.runner.Run(ctx, a.script, partition.LastSeen(), args...); err != nil {
				errs = append(errs, err)
				break // the other partitions may be elsewhere
			}
			queues = queues[n:]
		}
	}
	return errors.Join(errs...)
}

// age returns how long ago the queue was used last.
func (u *use) age() time.Duration {
	return max(0, min(time.Since(u.pushed), time.Since(u.pulled)))
}

// fields returns the fields of a queue's activity, and their values.
func (u *use) fields() (f []any) {
	at := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	if !u.pushed.IsZero() {
		f = append(f, "pushed", at(u.pushed), "pushed_from", u.pusher.Address, "pushed_agent", u.pusher.UserAgent)
	}
	if !u.pulled.IsZero() {
		f = append(f, "pulled", at(u.pulled), "pulled_from", u.puller.Address, "pulled_agent", u.puller.UserAgent)
	}
	if !u.confirmed.IsZero() {
		f = append(f, "confirmed", at(u.confirmed))
	}
	return f
}
