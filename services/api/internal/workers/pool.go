// Package workers runs functions in goroutines that are used again: a new goroutine's stack
// grows by copying, which takes longer than much of what the service does in one.
package workers

import "sync"

// Pool is goroutines. There are as many as functions run; some stay when they are done.
type Pool struct {
	next   chan func()
	stay   chan struct{} // a place for each that stays
	closed chan struct{}
	all    sync.WaitGroup
}

// New returns a pool of which so many goroutines stay when they have nothing to do.
func New(stay int) *Pool {
	return &Pool{next: make(chan func()), stay: make(chan struct{}, stay), closed: make(chan struct{})}
}

// Go runs a function in a goroutine, as a go statement does. So does a nil pool.
func (p *Pool) Go(f func()) {
	if p == nil {
		go f()
		return
	}
	select {
	case p.next <- f: // one that stays takes it
	default:
		p.all.Go(func() { p.work(f) })
	}
}

func (p *Pool) work(f func()) {
	for {
		f()
		select {
		case p.stay <- struct{}{}:
		default:
			return // enough stay
		}
		select {
		case f = <-p.next:
			<-p.stay
		case <-p.closed:
			return
		}
	}
}

// Close waits for every function, and ends what stays. Nothing is run after it.
func (p *Pool) Close() {
	close(p.closed)
	p.all.Wait()
}
