package fair

import (
	"context"
	"sync"
	"time"
)

// Limit lets so many of each name in at a time. The others wait for their turn, in the
// order they came.
type Limit struct {
	most int

	mu    sync.Mutex
	names map[string]*inside
	full  int // names that have as many in as there may be
}

// inside is how many of one name are in, and who waits.
type inside struct {
	n       int
	waiting []chan struct{} // each is closed when it is in
}

// NewLimit returns a limit of so many for each name.
func NewLimit(most int) *Limit {
	return &Limit{most: most, names: make(map[string]*inside)}
}

// Enter waits until there is a place for one more of a name, at most as long as
// patience, and returns whether it is in. Who is in calls Leave.
func (l *Limit) Enter(ctx context.Context, name string, patience time.Duration) bool {
	l.mu.Lock()
	in := l.names[name]
	if in == nil {
		in = new(inside)
		l.names[name] = in
	}
	if in.n < l.most {
		if in.n++; in.n == l.most {
			l.full++
		}
		l.mu.Unlock()
		return true
	}
	turn := make(chan struct{})
	in.waiting = append(in.waiting, turn)
	l.mu.Unlock()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-turn:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, w := range in.waiting {
		if w == turn {
			in.waiting = append(in.waiting[:i], in.waiting[i+1:]...)
			return false
		}
	}
	return true // its turn came at the last moment
}

// Leave gives a place back.
func (l *Limit) Leave(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.names[name]
	if len(in.waiting) > 0 {
		close(in.waiting[0]) // it has the place
		in.waiting = in.waiting[1:]
		return
	}
	if in.n == l.most {
		l.full--
	}
	if in.n--; in.n == 0 {
		delete(l.names, name)
	}
}

// Full returns how many names have as many in as there may be.
func (l *Limit) Full() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.full
}

// In returns how many of a name are in.
func (l *Limit) In(name string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if in := l.names[name]; in != nil {
		return in.n
	}
	return 0
}
