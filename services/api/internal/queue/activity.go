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

	now    func() time.Time
	mu     sync.Mutex
	noted  map[storage.Queue]*use
	rounds map[storage.Queue]*rivalry
}

// use is how a queue was used since that was last written down.
type use struct {
	pushed, pulled, confirmed time.Time // zero: not
	refused, superseded       time.Time
	pusher, puller            Caller
}

// rivalry is how often polls of a queue superseded each other since some time.
type rivalry struct {
	since time.Time
	n     int
}

const (
	// rivalryWithin and rivalryTimes are what makes two clients of polls that supersede each other.
	// (One client does so, too, when it comes over another connection.)
	rivalryWithin = 2 * time.Minute
	rivalryTimes  = 6
	// refusalsNoted bounds what is noted of those that are not let in.
	refusalsNoted = 10_000
)

func newActivity(runner *storage.Runner, script storage.Script, layout storage.Layout, log *slog.Logger) *activity {
	return &activity{runner: runner, script: script, layout: layout, log: log, now: time.Now, noted: make(map[storage.Queue]*use), rounds: make(map[storage.Queue]*rivalry)}
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
	now := a.now()
	a.note(k, func(u *use) { u.pushed, u.pusher = now, c })
}

func (a *activity) pulled(k storage.Queue, c Caller, confirmed bool) {
	now := a.now()
	a.note(k, func(u *use) {
		u.pulled, u.puller = now, c
		if confirmed {
			u.confirmed = now
		}
	})
}

// refused notes that somebody was not let in who would pull from a queue, or push as its puller.
func (a *activity) refused(k storage.Queue) {
	a.mu.Lock()
	full := len(a.noted) >= refusalsNoted && a.noted[k] == nil
	a.mu.Unlock()
	if !full {
		now := a.now()
		a.note(k, func(u *use) { u.refused = now })
	}
}

// superseded notes that a poll of a queue was superseded.
func (a *activity) superseded(k storage.Queue) {
	now := a.now()
	a.mu.Lock()
	r := a.rounds[k]
	if r == nil || now.Sub(r.since) > rivalryWithin {
		r = &rivalry{since: now}
		a.rounds[k] = r
	}
	r.n++
	often := r.n >= rivalryTimes
	if often {
		delete(a.rounds, k)
	}
	a.mu.Unlock()
	if often {
		a.note(k, func(u *use) { u.superseded = now })
	}
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
	for k, r := range a.rounds {
		if a.now().Sub(r.since) > rivalryWithin {
			delete(a.rounds, k)
		}
	}
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
				args = append(append(args, k.Name, noted[k].age(a.now()).Milliseconds(), len(fields)/2), fields...)
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
func (u *use) age(now time.Time) time.Duration {
	return max(0, min(now.Sub(u.pushed), now.Sub(u.pulled)))
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
	for name, t := range map[string]time.Time{"confirmed": u.confirmed, "refused": u.refused, "superseded": u.superseded} {
		if !t.IsZero() {
			f = append(f, name, at(t))
		}
	}
	return f
}
