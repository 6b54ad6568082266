package park

import (
	"runtime/debug"
	"time"
)

const (
	// settleEvery is how often the lot looks whether many connections have come or gone.
	settleEvery = 2 * time.Second
	// settleMin is how many are many, at the least.
	settleMin = 1000
)

// settle gives memory back when many connections have come or gone. What they took while they
// were served is garbage then, and the runtime finds it only when more is allocated, or after two
// minutes. It ends with the lot.
func (l *Lot) settle() {
	tick := time.NewTicker(settleEvery)
	defer tick.Stop()
	for last := 0; ; {
		select {
		case <-tick.C:
		case <-l.done:
			return
		}
		l.mu.Lock()
		n := len(l.conns)
		l.mu.Unlock()
		if max(n-last, last-n) >= max(settleMin, min(n, last)/4) {
			last = n
			debug.FreeOSMemory()
		}
	}
}
