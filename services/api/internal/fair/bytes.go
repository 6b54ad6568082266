package fair

import "sync"

// Bytes is a budget of memory: so much for all, and so much for each name.
type Bytes struct {
	all, each int64

	mu    sync.Mutex
	used  int64
	names map[string]int64
}

// NewBytes returns a budget. What one [Share] takes is never refused for its size alone:
// more than all, or each, counts as that.
func NewBytes(all, each int64) *Bytes {
	return &Bytes{all: all, each: min(all, each), names: make(map[string]int64)}
}

// Used returns how much is taken.
func (b *Bytes) Used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// UsedBy returns how much of it is a name's.
func (b *Bytes) UsedBy(name string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.names[name]
}

// Share is what one request has of a budget. The zero Share is of none, and gets all it
// asks for. It must not be used by two goroutines at a time.
type Share struct {
	budget *Bytes
	name   string
	n      int64
}

// Share returns a share of a name, with nothing in it yet.
func (b *Bytes) Share(name string) Share { return Share{budget: b, name: name} }

// Set makes the share n bytes. It returns false, and leaves it as it is, if that is more
// than there is.
func (s *Share) Set(n int64) bool {
	b := s.budget
	if b == nil {
		return true
	}
	n = min(n, b.each)
	b.mu.Lock()
	defer b.mu.Unlock()
	more := n - s.n
	if more > 0 && (b.used+more > b.all || b.names[s.name]+more > b.each) {
		return false
	}
	b.used += more
	if left := b.names[s.name] + more; left == 0 {
		delete(b.names, s.name)
	} else {
		b.names[s.name] = left
	}
	s.n = n
	return true
}

// GiveBack gives back what the share has.
func (s *Share) GiveBack() { s.Set(0) }
