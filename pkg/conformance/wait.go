package conformance

import (
	"context"
	"net/http"
	"strings"
	"time"
)

func deadline(d time.Duration) time.Time { return time.Now().Add(d) }

// longPoll starts a long poll for JSON and returns where its answer comes.
func (t *exam) longPoll(r replica, path string, query ...string) <-chan answer {
	return t.beside(r, "GET", path+"?"+strings.Join(append([]string{"format=json", "long-polling=true"}, query...), "&"), "")
}

// within receives from c, or fails the case.
func (t *exam) within(c <-chan answer) answer {
	timer := time.NewTimer(t.Patience)
	defer timer.Stop()
	select {
	case a := <-c:
		if a.Status == 0 {
			t.fatalf("no answer: %s", a.Body)
		}
		return a
	case <-timer.C:
		t.fatalf("no answer in %v", t.Patience)
	case <-t.ctx.Done():
		t.fatalf("called off: %v", t.ctx.Err())
	}
	return answer{}
}

// poll is within, for a poll that has to be answered with a 200.
func (t *exam) poll(c <-chan answer) answer {
	a := t.within(c)
	if a.Status != http.StatusOK {
		t.fatalf("poll: %d %s", a.Status, a.Body)
	}
	return a
}

// held is how long a poll must not be answered while there is nothing. A right server passes
// however long it is; a wrong one that answers later than that is missed.
const held = 300 * time.Millisecond

// stillHeld fails the case if the poll is answered.
func (t *exam) stillHeld(c <-chan answer) {
	timer := time.NewTimer(held)
	defer timer.Stop()
	select {
	case a := <-c:
		t.fatalf("the poll was not held: %d %q", a.Status, a.Body)
	case <-timer.C:
	case <-t.ctx.Done():
		t.fatalf("called off: %v", t.ctx.Err())
	}
}

// pause gives a server time to notice something. A right server passes without it.
func (t *exam) pause() {
	timer := time.NewTimer(held)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.ctx.Done():
	}
}

// until calls f until it returns "", which says what is still wrong.
func (t *exam) until(what string, f func() string) {
	ctx, cancel := context.WithTimeout(t.ctx, t.Patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		wrong := f()
		if wrong == "" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.fatalf("%s: not in %v: %s", what, t.Patience, wrong)
		}
	}
}
