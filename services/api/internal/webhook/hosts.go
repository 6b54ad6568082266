package webhook

import (
	"context"
	"sync"
	"time"
)

const (
	// hostFirst is how many requests a host gets at a time that has not answered yet.
	hostFirst = 2
	// hostFailures is how many failures in a row a host is given before it gets one request now
	// and then, and no other until that one is answered.
	hostFailures = 5
)

// hosts hands out the places for requests. There are so many in all, and so many for one host. A
// host that answers gets more, up to that; one that fails gets fewer, then one now and then: so
// hosts that are dead take a few places, and the queues of the others do not wait for them.
type hosts struct {
	all, each int
	longest   time.Duration // between two tries of a host that is dead
	now       func() time.Time

	mu     sync.Mutex
	used   int
	byName map[string]*host
	freed  chan struct{} // closed, and made anew, when all places were used and one is given back
}

type host struct {
	window   int // places that it has now
	used     int
	failures int           // in a row
	until    time.Time     // nothing goes to it before
	queues   int           // deliveries that are to it
	freed    chan struct{} // closed, and made anew, when one of its places may have become free
}

func newHosts(all, each int, longest time.Duration) *hosts {
	return &hosts{all: all, each: each, longest: longest, now: time.Now, byName: make(map[string]*host), freed: make(chan struct{})}
}

// join says that a delivery is to a host. Each join has its leave.
func (h *hosts) join(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.byName[name]
	if one == nil {
		one = &host{window: min(hostFirst, h.each), freed: make(chan struct{})}
		h.byName[name] = one
	}
	one.queues++
}

// leave says that a delivery is not to a host any more.
func (h *hosts) leave(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.byName[name]
	if one.queues--; one.queues == 0 {
		delete(h.byName, name)
	}
}

// try takes a place, if there is one now.
func (h *hosts) try(name string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	ok, _, _ := h.take(name)
	return ok
}

// take takes a place. If there is none: how long there will be none at least (0: until one is
// given back), and what is closed when one is given back.
func (h *hosts) take(name string) (ok bool, wait time.Duration, freed <-chan struct{}) {
	one := h.byName[name]
	if wait = one.until.Sub(h.now()); wait > 0 {
		return false, wait, one.freed
	}
	if one.used >= one.window || one.open() && one.used > 0 {
		return false, 0, one.freed
	}
	if h.used >= h.all {
		return false, 0, h.freed
	}
	h.used++
	one.used++
	return true, 0, nil
}

// acquire waits for a place. It returns ctx's error.
func (h *hosts) acquire(ctx context.Context, name string) error {
	for {
		h.mu.Lock()
		ok, wait, freed := h.take(name)
		h.mu.Unlock()
		if ok {
			return nil
		}
		var due <-chan time.Time
		var timer *time.Timer
		if wait > 0 {
			timer = time.NewTimer(wait)
			due = timer.C
		}
		select {
		case <-due:
		case <-freed:
		case <-ctx.Done():
		}
		if timer != nil {
			timer.Stop()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// outcome is what a request tells of its host.
type outcome int

const (
	unused   outcome = iota // nothing was sent
	answered                // it is well
	failing                 // it did not answer, or said that it is too busy
)

// release gives a place back. pause is how long the host asked to be left alone, as far as that is
// granted; 0: it did not.
func (h *hosts) release(name string, o outcome, pause time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.byName[name]
	h.used--
	one.used--
	switch o {
	case answered:
		one.failures, one.until = 0, time.Time{}
		one.window = min(one.window+1, h.each)
	case failing:
		one.failures++
		one.window = max(1, one.window/2)
		if one.open() {
			one.until = h.now().Add(max(pause, jitter(backoff(one.failures-hostFailures+1, h.longest))))
		}
	case unused:
	}
	one.look()
	if h.used == h.all-1 { // those of every host may wait for that
		close(h.freed)
		h.freed = make(chan struct{})
	}
}

// relent lets a request to a host through now that is left alone for some time: an operator has
// changed something. If that one fails, too, the host is left alone again.
func (h *hosts) relent(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := h.byName[name]
	one.until = time.Time{}
	one.look()
}

// look has those look again who wait for a place of the host.
func (h *host) look() {
	close(h.freed)
	h.freed = make(chan struct{})
}

func (h *host) open() bool { return h.failures >= hostFailures }

// figures returns how many requests are under way, and how many hosts are left alone.
func (h *hosts) figures() (used, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, one := range h.byName {
		if one.open() {
			open++
		}
	}
	return h.used, open
}
