package app_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// history is what the clients of one channel saw: one sender, who numbers its messages and sends each batch until
// it is taken, and one receiver, who remembers the ETag of what it has processed.
type history struct {
	channel string

	mu      sync.Mutex
	tried   int               // messages: all numbers below
	taken   map[int]time.Time // answered 200
	retried map[int]bool      // some try before was not answered 200
	got     []receipt
}

// receipt is a message that the receiver has processed: what it was given and did not remember, as it died
// before, is not in here.
type receipt struct {
	n  int
	at time.Time
}

// loss is a time in which Redis lost what was written: it went back to how it was at its begin.
type loss struct {
	from, to time.Time
	kept     bool // all that was answered 200: a fail-over, with all replicas having each push
}

func newHistory(channel string) *history {
	return &history{channel: channel, taken: map[int]time.Time{}, retried: map[int]bool{}}
}

// violations tells what must not be, as Jepsen does it: what was answered 200 and has not come, what came twice
// without a reason, what came out of order, what nobody sent. A message that was taken in a time that Redis
// lost may be missing. One that its sender sent again may come again since such a time began, as Redis has forgotten
// that it was there.
func (h *history) violations(losses []loss) (all []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	say := func(format string, args ...any) {
		all = append(all, h.channel+": "+fmt.Sprintf(format, args...))
	}
	first := map[int]time.Time{}
	last := -1
	for _, r := range h.got {
		before, again := first[r.n]
		switch {
		case r.n >= h.tried:
			say("%d came, and was never sent", r.n)
		case again:
			explained := false
			for _, l := range losses {
				explained = explained || h.retried[r.n] && l.to.After(before) && l.from.Before(r.at)
			}
			if !explained {
				say("%d came at %s, and again at %s; taken at %s, sent again: %v", r.n, clock(before), clock(r.at), clock(h.taken[r.n]), h.retried[r.n])
			}
		case r.n < last:
			say("%d came after %d", r.n, last)
		default:
			last = r.n
		}
		if !again {
			first[r.n] = r.at
		}
	}
	for n := range h.tried {
		at, taken := h.taken[n]
		if _, came := first[n]; came || !taken {
			continue
		}
		lost := false
		for _, l := range losses {
			lost = lost || !l.kept && !at.Before(l.from) && !at.After(l.to)
		}
		if !lost {
			say("%d was answered 200 at %s, and never came", n, clock(at))
		}
	}
	return all
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

// The check finds what it is for.
func TestViolations(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	for name, c := range map[string]struct {
		taken   map[int]time.Time
		retried map[int]bool
		got     []receipt
		losses  []loss
		want    string
	}{
		"as it should be":                  {taken: map[int]time.Time{0: at(0), 1: at(1)}, got: []receipt{{0, at(2)}, {1, at(2)}, {2, at(2)}}},
		"lost":                             {taken: map[int]time.Time{0: at(0), 1: at(1)}, got: []receipt{{1, at(2)}}, want: "0 was answered 200"},
		"lost by Redis":                    {taken: map[int]time.Time{0: at(3), 1: at(6)}, got: []receipt{{1, at(7)}}, losses: []loss{{from: at(2), to: at(4)}}},
		"lost before":                      {taken: map[int]time.Time{0: at(1)}, losses: []loss{{from: at(2), to: at(4)}}, want: "0 was answered 200"},
		"lost by a fail-over":              {taken: map[int]time.Time{0: at(3)}, losses: []loss{{from: at(2), to: at(4), kept: true}}, want: "0 was answered 200"},
		"twice":                            {got: []receipt{{0, at(1)}, {0, at(2)}}, want: "0 came at"},
		"twice for its sender's sake":      {got: []receipt{{0, at(1)}, {0, at(5)}}, retried: map[int]bool{0: true}, losses: []loss{{from: at(2), to: at(4)}}},
		"twice in a time of loss":          {got: []receipt{{0, at(3)}, {0, at(3)}}, retried: map[int]bool{0: true}, losses: []loss{{from: at(2), to: at(4)}}},
		"confirmed and again after a loss": {got: []receipt{{0, at(1)}, {0, at(5)}}, losses: []loss{{from: at(2), to: at(4)}}, want: "0 came at"},
		"out of order":                     {got: []receipt{{1, at(1)}, {0, at(2)}}, want: "0 came after 1"},
		"made up":                          {got: []receipt{{7, at(1)}}, want: "never sent"},
	} {
		h := newHistory("c")
		h.tried, h.got = 3, c.got
		if c.taken != nil {
			h.taken = c.taken
		}
		if c.retried != nil {
			h.retried = c.retried
		}
		got := strings.Join(h.violations(c.losses), "; ")
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
