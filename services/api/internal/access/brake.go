package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/queuestatetransfer/qst/services/api/internal/fair"
)

// Numbers of the brake: wrong credentials a second, and at once, for a channel and from an
// address. Many clients share an address (carrier NAT).
const (
	channelRate, channelBurst = 1, 5
	addressRate, addressBurst = 5, 20

	longestWait   = 5 * time.Second // for a turn
	mostWaiting   = 1000            // for a turn, of all
	mostOfOne     = 32              // of them, from one address at one channel
	mostOfAddress = mostWaiting / 2 // of them, from one address: a fleet behind one, when a replica starts
	bucketsKept   = 50_000
	latelyKept    = 200_000
	latelyFor     = time.Hour
	wrongEvenness = 50 * time.Millisecond
)

// Outcomes of guesses, for those who count them.
const (
	GuessWrong      = "wrong"       // it was compared
	GuessTurnedAway = "turned_away" // there were too many: it was not compared
	GuessGivenUp    = "given_up"    // its client went away before its turn: it was not compared
)

// Brake slows guessing. A credential waits for its turn, at its channel and at its address,
// before it is compared with anything: so an answer that comes quickly says nothing of it,
// nor does one that does not come. A right one gives its turn back at once, and goes without
// one for an hour after that. So clients that are right wait for nobody but for those who guess at the same
// channel or from the same address, each of whom has no more turns than they have.
//
// A wrong one is answered after a whole number of 50 ms: how long the comparison took, and
// whether there was anything to compare with, does not show.
type Brake struct {
	report func(g Guess, outcome string)
	key    [sha256.Size]byte // of this replica: digests below say nothing elsewhere

	mu         sync.Mutex
	waiting    int
	lately     *simplelru.LRU[[sha256.Size]byte, time.Time] // who was right, and when last
	byName     *simplelru.LRU[string, *bucket]
	byLocation *simplelru.LRU[string, *bucket]
}

// Guess is a credential whose bearer is not known yet.
type Guess struct {
	Name         string // of what it is for: a channel
	User, Secret string
	Address      string // of the client
}

// bucket has the turns of one channel or one address.
type bucket struct {
	rate, burst float64
	turns       float64
	filled      time.Time
	queue       fair.Queue[*waiter]
	timer       *time.Timer // serves the next one; nil: nobody waits
}

type waiter struct{ turn chan struct{} }

// NewBrake returns a brake. It tells report of each guess that is not right.
func NewBrake(report func(g Guess, outcome string)) *Brake {
	b := &Brake{
		report: report, lately: newLRU[[sha256.Size]byte, time.Time](latelyKept),
		byName: newLRU[string, *bucket](bucketsKept), byLocation: newLRU[string, *bucket](bucketsKept),
	}
	_, _ = rand.Read(b.key[:]) // never fails (crypto/rand)
	return b
}

func newLRU[K comparable, V any](size int) *simplelru.LRU[K, V] {
	l, err := simplelru.NewLRU[K, V](size, nil)
	if err != nil {
		panic(err) // the sizes are constants
	}
	return l
}

// Try has right tell whether a credential is right, when its turn has come. It returns
// ErrUnknown if it is not, ErrTooManyBad if it was not tried, and what right returns.
func (b *Brake) Try(ctx context.Context, g Guess, right func() (bool, error)) error {
	id := b.digest(g)
	known := b.wasRight(id)
	location := locationOf(g.Address)
	if !known {
		if err := b.wait(ctx, b.byLocation, location, g.Name, addressRate, addressBurst); err != nil {
			return b.notTried(ctx, g)
		}
		if err := b.wait(ctx, b.byName, g.Name, location, channelRate, channelBurst); err != nil {
			b.giveBack(b.byLocation, location)
			return b.notTried(ctx, g)
		}
	}
	start := time.Now()
	ok, err := right()
	if ok || err != nil {
		if !known {
			b.giveBack(b.byLocation, location)
			b.giveBack(b.byName, g.Name)
		}
		if ok {
			b.mu.Lock()
			b.lately.Add(id, start)
			b.mu.Unlock()
		}
		return err
	}
	if known { // it was revoked: from now on it is a guess like any other
		b.mu.Lock()
		b.lately.Remove(id)
		b.mu.Unlock()
	}
	b.report(g, GuessWrong)
	timer := time.NewTimer(wrongEvenness - time.Since(start)%wrongEvenness)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return ErrUnknown
}

func (b *Brake) notTried(ctx context.Context, g Guess) error {
	if err := ctx.Err(); err != nil {
		b.report(g, GuessGivenUp)
		return err
	}
	b.report(g, GuessTurnedAway)
	return ErrTooManyBad
}

// wasRight tells whether a credential was right lately.
func (b *Brake) wasRight(id [sha256.Size]byte) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	since, ok := b.lately.Get(id)
	return ok && time.Since(since) < latelyFor
}

// digest names a credential, for this replica alone.
func (b *Brake) digest(g Guess) (id [sha256.Size]byte) {
	h := sha256.New()
	h.Write(b.key[:])
	for _, s := range []string{g.Name, g.User, g.Secret} {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	h.Sum(id[:0])
	return id
}

// locationOf is what of an address counts for one client: of IPv6 the network of 64 bits that
// a provider gives to a household.
func locationOf(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	const household = 64
	p, _ := a.Prefix(household) // no IPv6 address is shorter
	return p.String()
}

// bucket returns a name's bucket. The caller has the lock.
func (b *Brake) bucket(of *simplelru.LRU[string, *bucket], name string, rate, burst float64) *bucket {
	k, ok := of.Get(name)
	if !ok {
		k = &bucket{rate: rate, burst: burst, turns: burst, filled: time.Now()}
		of.Add(name, k)
	}
	return k
}

// wait waits for a turn in a name's bucket. Those who wait there take turns by flow.
func (b *Brake) wait(ctx context.Context, of *simplelru.LRU[string, *bucket], name, flow string, rate, burst float64) error {
	b.mu.Lock()
	k := b.bucket(of, name, rate, burst)
	k.fill()
	if k.turns >= 1 && k.queue.Len() == 0 {
		k.turns--
		b.mu.Unlock()
		return nil
	}
	if b.waiting >= mostWaiting || k.queue.LenOf(flow) >= mostOfOne || of == b.byLocation && k.queue.Len() >= mostOfAddress {
		b.mu.Unlock()
		return ErrTooManyBad
	}
	b.waiting++
	w := &waiter{turn: make(chan struct{})}
	k.queue.Add(flow, w, 1)
	b.serve(k)
	b.mu.Unlock()

	timer := time.NewTimer(longestWait)
	defer timer.Stop()
	select {
	case <-w.turn:
		return nil
	case <-ctx.Done():
	case <-timer.C:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !k.queue.Remove(flow, w) { // its turn came at the last moment
		k.turns++
		b.serve(k)
		return ErrTooManyBad
	}
	b.waiting--
	return ErrTooManyBad
}

// giveBack gives a turn back: it was not needed.
func (b *Brake) giveBack(of *simplelru.LRU[string, *bucket], name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := of.Peek(name); ok {
		k.turns = min(k.burst, k.turns+1)
		b.serve(k)
	}
}

// serve gives out the turns that there are, and comes back when there is the next one. The
// caller has the lock.
func (b *Brake) serve(k *bucket) {
	k.fill()
	for k.turns >= 1 {
		w, ok := k.queue.Take()
		if !ok {
			break
		}
		k.turns--
		b.waiting--
		close(w.turn)
	}
	if k.timer != nil {
		k.timer.Stop()
		k.timer = nil
	}
	if k.queue.Len() > 0 {
		next := time.Duration((1 - k.turns) / k.rate * float64(time.Second))
		k.timer = time.AfterFunc(next+time.Millisecond, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.serve(k)
		})
	}
}

func (k *bucket) fill() {
	now := time.Now()
	k.turns = min(k.burst, k.turns+now.Sub(k.filled).Seconds()*k.rate)
	k.filled = now
}
