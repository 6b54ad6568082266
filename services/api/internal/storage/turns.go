package storage

import (
	"strings"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/fair"
)

// turns are the commands that wait for a node's lanes. Whose turn it is goes by the channel:
// one that sends much does not keep the others waiting.
type turns struct {
	mu   sync.Mutex
	jobs fair.Queue[*job]
	// wake has a signal in it for each lane that is to look again.
	wake chan struct{}
}

func newTurns(lanes int) *turns { return &turns{wake: make(chan struct{}, lanes)} }

// add puts a job in. It returns false if there are too many for the job to be done in time
// for sure: then its owner has to watch over it.
func (t *turns) add(j *job) (soon bool) {
	t.mu.Lock()
	t.jobs.Add(j.channel, j, j.cost())
	soon = t.jobs.Len() <= laneQueue
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default: // each lane has a signal
	}
	return soon
}

// withdraw takes a job out again. It returns false if a lane has it.
func (t *turns) withdraw(j *job) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.jobs.Remove(j.channel, j)
}

// take takes out the job whose turn it is; nil: none waits.
func (t *turns) take() *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropLate()
	j, _ := t.jobs.Take()
	return j
}

// dropLate ends the jobs whose turn it is and who have waited for too long. The caller has the lock.
func (t *turns) dropLate() {
	for {
		j, ok := t.jobs.First()
		if !ok || time.Since(j.queued) <= ConnectionWait {
			return
		}
		t.jobs.Take()
		j.err = errWaited
		j.done <- struct{}{} // has room for one
	}
}

// takeWithin is take of a job that is no larger than room, and of a channel that has fewer than
// ofOne taken already.
func (t *turns) takeWithin(room, ofOne int, taken map[string]int) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dropLate()
	if j, ok := t.jobs.First(); !ok || j.size > room || taken[j.channel] >= ofOne {
		return nil
	}
	j, _ := t.jobs.Take()
	return j
}

// channelOf returns the channel whose queue or record a key is of, or the key itself.
func channelOf(key string) string {
	_, rest, ok := strings.Cut(key, "}:")
	if !ok {
		return key
	}
	if name, ok := strings.CutPrefix(rest, "q:"); ok {
		channel, _ := SplitName(name)
		return channel
	}
	if channel, ok := strings.CutPrefix(rest, "c:"); ok {
		return channel
	}
	return key
}
