package workers_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/workers"
)

// Every function runs, however many there are, also side by side; few goroutines stay, and none
// when the pool is closed.
func TestPool(t *testing.T) {
	before := runtime.NumGoroutine()
	p := workers.New(4)
	for range 3 {
		const n = 100
		var ran atomic.Int32
		var all, together sync.WaitGroup
		together.Add(n)
		for range n {
			all.Add(1)
			p.Go(func() {
				defer all.Done()
				together.Done()
				together.Wait()
				ran.Add(1)
			})
		}
		all.Wait()
		if ran.Load() != n {
			t.Fatalf("%d ran of %d", ran.Load(), n)
		}
		for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before+4; runtime.Gosched() {
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines stay", runtime.NumGoroutine()-before)
			}
		}
	}
	p.Close()
	for deadline := time.Now().Add(30 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are left", runtime.NumGoroutine()-before)
		}
	}
}

// Without a pool a function runs all the same.
func TestNoPool(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	(*workers.Pool)(nil).Go(func() { close(done) })
	<-done
}
