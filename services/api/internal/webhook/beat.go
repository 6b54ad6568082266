package webhook

import (
	"context"
	"hash/fnv"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

const (
	// beatEvery is how often a worker says that it lives, and looks who else does.
	beatEvery = 2 * time.Second
	// leaseTTL is how long a worker's leases hold after it was heard last: then another one may
	// take them.
	leaseTTL = queue.BeatTTL
	// leaseMargin is how much earlier the worker itself stops sending: a beat is on its way for a
	// while, and so is a request.
	leaseMargin = 3 * time.Second
	// leaving is the figure of a worker that ends: it has some queues yet, and is to have none. (Others say how
	// many they have.)
	leaving = 1 << 30
)

// pulse is what a worker knows of itself and the others.
type pulse struct {
	mu     sync.Mutex
	last   time.Time // when the last beat that was heard was sent
	lapsed time.Time // when a beat came that may have been too late
	live   []string
	owners []string // of these: those that are to have queues
}

// heard notes a beat that was sent at a time, and who lives, with the figure that each says. It tells
// whether others are to have queues now than before.
func (p *pulse) heard(sent time.Time, live map[string]int) (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.last.IsZero() && sent.Sub(p.last) > leaseTTL-leaseMargin {
		p.lapsed = time.Now()
	}
	p.last = sent
	before := p.owners
	p.live, p.owners = nil, nil
	for _, name := range slices.Sorted(maps.Keys(live)) {
		p.live = append(p.live, name)
		if live[name] != leaving {
			p.owners = append(p.owners, name)
		}
	}
	return !slices.Equal(before, p.owners)
}

// count returns how many workers are to have queues.
func (p *pulse) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.owners)
}

// holds tells whether leases that were good at a time are good now: no other worker can have
// taken them.
func (p *pulse) holds(since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.last) < leaseTTL-leaseMargin && p.lapsed.Before(since)
}

// lives tells whether a worker has been heard lately.
func (p *pulse) lives(worker string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.live, worker)
}

// owner returns the worker that is to have a queue: the one with the highest hash of both.
func (p *pulse) owner(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best string
	var highest uint64
	for _, worker := range p.owners {
		if h := weight(worker, name); best == "" || h > highest || h == highest && worker > best {
			best, highest = worker, h
		}
	}
	return best
}

func weight(worker, name string) uint64 {
	h := fnv.New64a()
	// A hash's Write never fails.
	_, _ = io.WriteString(h, worker)
	_, _ = io.WriteString(h, "\x00"+name)
	// FNV's upper bits hardly depend on the last bytes: they are mixed (MurmurHash3's finalizer).
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// beat says that the worker lives, and whether it ends, and hears who else does.
func (w *Worker) beat(ctx context.Context, ends bool) (changed bool, err error) {
	figure := w.count()
	if ends {
		figure = leaving
	}
	sent := time.Now()
	live, err := w.opts.Queues.Beat(ctx, w.opts.Layout.Workers(), figure)
	if err != nil {
		return false, err
	}
	return w.pulse.heard(sent, live), nil
}
