package queue

import (
	"sync"
	"time"
)

// stepsAtOnce is how many polls are answered at a time when all must be, as when the replica
// drains or Redis is back: enough to be through with 100 000 in seconds, few enough to leave
// room for pushes, and for the goroutines' stacks.
const stepsAtOnce = 64

// line is where polls wait for their step when many have news at once.
type line struct {
	mu          sync.Mutex
	free        int // steps that may begin
	first, last *Poll
}

// enter has a poll's step begin, now or when its turn has come. The poll's mutex is held.
func (l *line) enter(p *Poll) {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.queued = time.Now()
	if l.free > 0 {
		l.free--
		p.state = steps
		p.queues.opts.Workers.Go(func() { p.step(l) })
		return
	}
	if p.listed { // from before: what it was there for has been dealt with out of turn
		return
	}
	if p.listed = true; l.last == nil {
		l.first = p
	} else {
		l.last.next = p
	}
	l.last = p
}

// leave has the next step begin; nil: the step that ends was not in line.
func (l *line) leave() {
	if l == nil {
		return
	}
	for {
		l.mu.Lock()
		p := l.first
		if p == nil {
			l.free++
			l.mu.Unlock()
			return
		}
		if l.first = p.next; l.first == nil {
			l.last = nil
		}
		p.next, p.listed = nil, false
		l.mu.Unlock()
		if p.begin() {
			p.queues.opts.Workers.Go(func() { p.step(l) })
			return
		}
	}
}
