package queue

import (
	"strconv"
	"sync"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// waiters are the polls that a replica holds.
type waiters struct {
	max  int
	open sync.WaitGroup // polls that have not been answered

	mu      sync.Mutex
	closed  bool // the replica holds none any more
	last    uint64
	held    map[string]*Poll
	byQueue map[storage.Queue]*Poll // the latest one
	waiter  map[storage.Queue]waiterOf
}

func newWaiters(most int) *waiters {
	return &waiters{max: most, held: make(map[string]*Poll), byQueue: make(map[storage.Queue]*Poll), waiter: make(map[storage.Queue]waiterOf)}
}

// add gives a poll its name, and has it hear of what is for it. It returns false if there are as
// many as there may be. If one is held for the same queue already, it gets that one's place.
func (w *waiters) add(p *Poll) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.held) >= w.max && w.byQueue[p.queue] == nil {
		return false
	}
	w.last++
	p.name = strconv.FormatUint(w.last, 10)
	w.held[p.name] = p
	w.byQueue[p.queue] = p
	w.open.Add(1)
	return true
}

// close has no poll added any more.
func (w *waiters) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// hold notes that a poll is its queue's waiter now. The one that was before has no place from then
// on: of one queue a replica holds one poll. (That one hears it from Redis as well, later.)
func (w *waiters) hold(p *Poll) {
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
	poll  *Poll
	since int64
}

// end forgets a poll, and returns what was handed to it that it has not seen.
func (w *waiters) end(p *Poll) *handoff {
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
	p.state = ended
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

// drain has every poll answered.
func (w *waiters) drain() {
	for _, p := range w.all() {
		p.notify(func(n *news) { n.drain = true })
	}
}

func (w *waiters) all() []*Poll {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*Poll, 0, len(w.held))
	for _, p := range w.held {
		all = append(all, p)
	}
	return all
}
