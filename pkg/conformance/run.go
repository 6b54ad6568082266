package conformance

import (
	"context"
	"sync"
	"time"
)

// Report is what came of many cases.
type Report struct {
	Results []Result `json:"results"` // in the order of the cases
	Passed  int      `json:"passed"`
	Failed  int      `json:"failed"`
	Skipped int      `json:"skipped"`
	Seconds float64  `json:"seconds"`
}

// Run runs cases, some of them side by side, and returns when all have ended. done, if it is
// not nil, is called with each result, one after the other.
//
// When ctx ends, cases that have not begun are left out of the report, and so are those
// that were cut short; the error is then that of ctx.
func Run(ctx context.Context, cases []Case, target Target, parallel int, done func(Result)) (Report, error) {
	if target.Client == nil {
		target.Client = NewClient()
		defer target.Client.CloseIdleConnections()
	}
	return runAll(ctx, len(cases), parallel, func(i int) Result { return cases[i].Run(ctx, target) }, done)
}

func runAll(ctx context.Context, n, parallel int, run func(i int) Result, done func(Result)) (Report, error) {
	start := time.Now()
	var (
		mu      sync.Mutex
		results = make([]*Result, n)
		next    = make(chan int)
		workers sync.WaitGroup
	)
	for range max(parallel, 1) {
		workers.Go(func() {
			for i := range next {
				r := run(i)
				if ctx.Err() != nil {
					continue
				}
				mu.Lock()
				results[i] = &r
				if done != nil {
					done(r)
				}
				mu.Unlock()
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	workers.Wait()
	report := Report{Results: []Result{}, Seconds: time.Since(start).Seconds()}
	for _, r := range results {
		if r != nil {
			report.add(*r)
		}
	}
	return report, ctx.Err()
}

func (r *Report) add(result Result) {
	r.Results = append(r.Results, result)
	switch result.Verdict {
	case Passed:
		r.Passed++
	case Failed:
		r.Failed++
	case Skipped:
		r.Skipped++
	}
}
