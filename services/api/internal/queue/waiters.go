package queue

import (
	"strconv"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// waiters are the polls that a replica holds.
type waiters struct {
	max int

	mu      sync.Mutex
	last    uint64
	held    map[string]*poll
	byQueue map[storage.Queue]*poll // the latest one
	waiter  map[storage.Queue]waiterOf
}

func newWaiters(most int) *waiters {
	return &waiters{max: most, held: make(map[string]*poll), byQueue: make(map[storage.Queue]*poll), waiter: make(map[storage.Queue]waiterOf)}
}

// poll is a pull that waits.
type poll struct {
	name   string // within its replica
	queue  storage.Queue
	start  time.Time
	wait   time.Duration
	looked time.Duration // how long its last look into the queue took
	since  string        // when it first became a waiter, by Redis's clock; "": not yet

	// ready has a signal in it when news has changed.
	ready chan struct{}
	mu    sync.Mutex
	news  news
	ended bool
}

// news is what a poll has been told since it last looked.
type news struct {
	handed     *handoff // messages to answer with
	wake       bool     // there is something to read
	recheck    bool     // a wake may have been missed
	superseded bool     // a later poll took its place
	rebalance  bool     // another replica is to hold it
}

// handoff is messages that the script of a push has delivered to a poll.
type handoff struct {
	epoch         string
	ids, payloads []string
	trace         string    // W3C trace context of the push; "": none
	pushed        time.Time // when the push began, if it was on this replica
}

// add returns a new poll, or nil if there are as many as there may be. If one is held for the same
// queue already, it gets that one's place.
func (w *waiters) add(k storage.Queue, wait time.Duration) *poll {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.held) >= w.max && w.byQueue[k] == nil {
		return nil
	}
	w.last++
	p := &poll{
		name: strconv.FormatUint(w.last, 10), queue: k,
		start: time.Now(), wait: wait, ready: make(chan struct{}, 1),
	}
	w.held[p.name] = p
	w.byQueue[k] = p
	return p
}

// hold notes that a poll is its queue's waiter now. The one that was before has no place from then
// on: of one queue a replica holds one poll. (That one hears it from Redis as well, later.)
func (w *waiters) hold(p *poll) {
	since := number(p.since)
	w.mu.Lock()
	before := w.waiter[p.queue]
	if before.since > since {
		w.mu.Unlock()
		return // p is superseded itself, and will hear it
	}
	w.waiter[p.queue] = waiterOf{p, since}
	if before.poll != nil {
		delete(w.held, before.poll.name)
	}
	w.mu.Unlock()
	if before.poll != nil {
		before.poll.notify(func(n *news) { n.superseded = true })
	}
}

// waiterOf is a queue's waiter, and since when it is, by Redis's clock.
type waiterOf struct {
	poll  *poll
	since int64
}

// end forgets a poll, and returns what was handed to it that it has not seen.
func (w *waiters) end(p *poll) *handoff {
	w.mu.Lock()
	delete(w.held, p.name)
	if w.waiter[p.queue].poll == p {
		delete(w.waiter, p.queue)
	}
	if w.byQueue[p.queue] == p {
		delete(w.byQueue, p.queue)
		if other := w.waiter[p.queue].poll; other != nil { // p never became the queue's waiter
			w.byQueue[p.queue] = other
		}
	}
	w.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	return p.news.handed
}

func (w *waiters) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.held)
}

// notify has a poll hear of something. It returns false if there is no such poll any more.
func (w *waiters) notify(name string, change func(*news)) bool {
	w.mu.Lock()
	p, ok := w.held[name]
	w.mu.Unlock()
	return ok && p.notify(change)
}

// recheck has every poll of a partition look again; -1: of all partitions.
func (w *waiters) recheck(partition int) {
	for _, p := range w.all() {
		if partition < 0 || p.queue.Partition == partition {
			p.notify(func(n *news) { n.recheck = true })
		}
	}
}

// recheckQueue has the poll of a queue look again.
func (w *waiters) recheckQueue(k storage.Queue) {
	w.mu.Lock()
	p := w.byQueue[k]
	w.mu.Unlock()
	if p != nil {
		p.notify(func(n *news) { n.recheck = true })
	}
}

// rebalance has n polls answered, for their clients to go to another replica.
func (w *waiters) rebalance(n int) {
	all := w.all() // in no order
	for _, p := range all[:min(n, len(all))] {
		p.notify(func(n *news) { n.rebalance = true })
	}
}

func (w *waiters) all() []*poll {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*poll, 0, len(w.held))
	for _, p := range w.held {
		all = append(all, p)
	}
	return all
}

func (p *poll) notify(change func(*news)) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return false
	}
	change(&p.news)
	select {
	case p.ready <- struct{}{}:
	default: // it has a signal, and has not looked yet
	}
	return true
}

// takeNews returns what the poll was told since the last time.
func (p *poll) takeNews() news {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.news
	p.news = news{}
	return n
}

// left is how much of its wait is left; 0: none.
func (p *poll) left() time.Duration { return max(0, p.wait-time.Since(p.start)) }

// held is how long it has waited, without the time its last look took.
func (p *poll) held() time.Duration { return max(1, time.Since(p.start)-p.looked) }
