package queue

import (
	"context"
	"strconv"
	"sync"
	"time"
)

const (
	// supersededPause delays the answer to a superseded poll. Two clients that both
	// poll one queue supersede each other in turn; this keeps them from doing it as
	// fast as the network lets them. A client whose earlier connection died, the
	// usual case, doesn't notice.
	supersededPause = 250 * time.Millisecond
	// lookAgainAtOnce is how many polls look again at a time when all must: enough
	// to be through with 20 000 in seconds, few enough to leave connections to
	// pushes.
	lookAgainAtOnce = 4
)

// poll is a pull that waits.
type poll struct {
	name      string // within its replica
	partition int
	start     time.Time
	wait      time.Duration
	looked    time.Duration // how long its last look into the queue took
	since     string        // when it first became a waiter, by Redis's clock; "": not yet

	// Each holds one signal at the most; a second one would say the same.
	wake       chan struct{} // there is something to read
	superseded chan struct{} // a later poll took its place
	handedOver chan struct{} // another replica is to hold it
	again      chan struct{} // a wake may have been missed
}

// left is how much of its wait is left, at least a millisecond: what Redis takes.
func (p *poll) left() time.Duration {
	return max(time.Millisecond, p.wait-time.Since(p.start))
}

// held is how long it has waited, without the time its last look took.
func (p *poll) held() time.Duration { return max(1, time.Since(p.start)-p.looked) }

// signal sends without waiting; c holds one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// polls are the polls that a replica holds.
type polls struct {
	most int

	mu   sync.Mutex
	last uint64
	held map[string]*poll
}

func newPolls(most int) *polls { return &polls{most: most, held: make(map[string]*poll)} }

// add returns a new poll, or nil if there are as many as there may be.
func (ps *polls) add(partition int, wait time.Duration) *poll {
	p := &poll{
		partition: partition, start: time.Now(), wait: wait,
		wake: make(chan struct{}, 1), superseded: make(chan struct{}, 1), handedOver: make(chan struct{}, 1), again: make(chan struct{}, 1),
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(ps.held) >= ps.most {
		return nil
	}
	ps.last++
	p.name = strconv.FormatUint(ps.last, 10)
	ps.held[p.name] = p
	return p
}

func (ps *polls) remove(p *poll) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	delete(ps.held, p.name)
}

func (ps *polls) len() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return len(ps.held)
}

// tell passes on what a wake stream says of a poll. One that has ended is not
// there any more, and nobody minds.
func (ps *polls) tell(name, what string) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	p, ok := ps.held[name]
	if !ok {
		return
	}
	switch what {
	case "wake":
		signal(p.wake)
	case "superseded":
		signal(p.superseded)
	}
}

// lookAgain makes every poll of a partition look again.
func (ps *polls) lookAgain(partition int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.held {
		if p.partition == partition {
			signal(p.again)
		}
	}
}

// handOver has n polls answered, for their clients to go to another replica.
func (ps *polls) handOver(n int) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.held { // in no order
		if n--; n < 0 {
			return
		}
		signal(p.handedOver)
	}
}

// wait holds a poll that is its queue's waiter until there is something to read
// or a reason to answer without.
func (s *Store) wait(ctx context.Context, n Name, k queueKeys, c Call, most int, p *poll) (outcome string, d Delivery, err error) {
	timer := time.NewTimer(p.left())
	defer timer.Stop()
	outcome = waiting
	for outcome == waiting && err == nil {
		select {
		case <-ctx.Done():
			s.leave(ctx, n, k, p)
			return "", Delivery{}, ctx.Err()
		case <-s.draining:
			return outcome, Delivery{}, nil
		case <-timer.C:
			if s.readers[p.partition].up.Load() {
				return outcome, Delivery{}, nil
			}
			// This replica has lost touch with Redis: an empty answer could be a lie.
			return s.read(ctx, n, k, c, Request{Max: most}, nil)
		case <-p.superseded:
			s.pause(ctx, supersededPause)
			return superseded, Delivery{}, ctx.Err()
		case <-p.handedOver:
			return outcome, Delivery{HandedOver: true}, nil
		case <-p.wake:
			if ctx.Err() == nil { // else its client has gone: the message is for the next poll
				outcome, d, err = s.read(ctx, n, k, c, Request{Max: most}, p)
			}
		case <-p.again:
			select {
			case s.again <- struct{}{}:
				outcome, d, err = s.read(ctx, n, k, c, Request{Max: most}, p)
				<-s.again
			case <-ctx.Done():
			case <-s.draining:
			}
		}
	}
	return outcome, d, err
}

// pause waits a while, or until the client has gone or the replica drains.
func (s *Store) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.draining:
	}
}

// leave takes back a waiter whose client has gone. If it can't, the waiter
// expires with the poll's wait; until then a push wakes a poll that isn't there,
// which costs nothing else.
func (s *Store) leave(ctx context.Context, n Name, k queueKeys, p *poll) {
	_, err := s.onQueue(ctx, s.scripts.leave, n, k, 0, nil, p.since+"/"+s.replica+"/"+p.name)
	if err != nil {
		s.log.DebugContext(ctx, "a waiter stays until it expires", "key", k.waiter, "error", err)
	}
}
