package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

const (
	// cachedChannels is how many channels' records a replica keeps at hand: a few
	// hundred bytes each. More than are in use within the cache's seconds.
	cachedChannels = 200_000
	// cachedUnknown bounds the same for names that are no channel's: strangers make
	// them up, and must not push known ones out.
	cachedUnknown = 20_000
)

// What slows guessing. A wrong credential waits for its turn among the wrong ones
// for the same channel and from the same address; a right one is never kept
// waiting, so nobody can lock a phone out, whatever its network shares.
const (
	channelRate, channelBurst = rate.Limit(1), 5  // wrong ones a second; at once
	addressRate, addressBurst = rate.Limit(5), 20 // many phones share an address (carrier NAT)
	longestPenalty            = 5 * time.Second
	maxPenalties              = 1000 // wrong ones waiting; more are turned away
	remembered                = 50_000
	rememberedFor             = 10 * time.Minute
)

// Attempt is a request as far as access is concerned.
type Attempt struct {
	Channel  string
	Endpoint Endpoint
	Right    Right
	User     string
	Secret   string
	Given    bool   // it brought a user and a secret at all
	Address  string // of the client
}

// Gate decides who gets in.
type Gate struct {
	store   *Store
	known   *expirable.LRU[string, *pass]
	unknown *expirable.LRU[string, *pass]
	flight  singleflight.Group

	byChannel, byAddress *expirable.LRU[string, *rate.Limiter]
	waiting              atomic.Int64
}

// pass is what a gate has to know of a channel.
type pass struct {
	exists   bool
	life     string
	settings Settings
	salt     []byte
	keys     []key
	pushed   map[queue.Kind]bool // whose messages go to a webhook
}

type key struct {
	user, secret [sha256.Size]byte // digests: compared in constant time, whatever their lengths
	endpoint     Endpoint
	push, pull   bool
	expires      time.Time // zero: never
}

// NewGate returns a gate on the records of a store. It asks the store for a
// channel at most every ttl; so long may a change take to hold here.
func NewGate(store *Store, ttl time.Duration) *Gate {
	return &Gate{
		store:     store,
		known:     expirable.NewLRU[string, *pass](cachedChannels, nil, ttl),
		unknown:   expirable.NewLRU[string, *pass](cachedUnknown, nil, ttl),
		byChannel: expirable.NewLRU[string, *rate.Limiter](remembered, nil, rememberedFor),
		byAddress: expirable.NewLRU[string, *rate.Limiter](remembered, nil, rememberedFor),
	}
}

// Admit lets a request in, or returns why not: ErrUnknown (no or a wrong
// credential, or no such channel: a stranger can't tell), ErrForbidden (a good
// credential, for something else), ErrPushed, ErrTooManyBad, or storage.ErrUnavailable: then it
// is not known.
func (g *Gate) Admit(ctx context.Context, a Attempt) (Admission, error) {
	p, err := g.pass(ctx, a.Channel)
	if err != nil {
		return Admission{}, err
	}
	err = p.check(a, time.Now())
	if errors.Is(err, ErrUnknown) && a.Given {
		if err := g.penalty(ctx, a); err != nil {
			return Admission{}, err
		}
	}
	if err == nil && a.Right == Pull && p.pushed[pulledBy(a.Endpoint)] {
		err = ErrPushed
	}
	return Admission{Life: p.life, Settings: p.settings}, err
}

// Settings returns what holds on a channel, as Admit does, for what the service does by itself.
// Of a channel that there is not, it is zero.
func (g *Gate) Settings(ctx context.Context, channel string) (Admission, error) {
	p, err := g.pass(ctx, channel)
	if err != nil {
		return Admission{}, err
	}
	return Admission{Life: p.life, Settings: p.settings}, nil
}

// Admission is what holds on a channel that a request was let in to.
type Admission struct {
	Life     string // of the channel's record: see queue.Caller
	Settings Settings
}

// Forget has the gate ask anew for a channel whose record is another one than it knows.
func (g *Gate) Forget(channel string) { g.known.Remove(channel) }

// check compares with every key of the channel, in a time that depends neither on
// the secret nor, but for nanoseconds, on whether there is such a channel.
func (p *pass) check(a Attempt, now time.Time) error {
	user, secret := sha256.Sum256([]byte(a.User)), digest(p.salt, a.Secret)
	err := ErrUnknown
	for _, k := range p.keys {
		same := subtle.ConstantTimeCompare(k.user[:], user[:]) & subtle.ConstantTimeCompare(k.secret[:], secret[:])
		if same == 0 || !a.Given || !k.expires.IsZero() && !now.Before(k.expires) {
			continue
		}
		if k.endpoint == a.Endpoint && (a.Right == Push && k.push || a.Right == Pull && k.pull) {
			return nil
		}
		err = ErrForbidden // by this one; another one may still allow it
	}
	return err
}

// pass returns what is known of a channel, asking Redis if that was long ago.
// Requests that come at the same time ask together.
func (g *Gate) pass(ctx context.Context, channel string) (*pass, error) {
	if p, ok := g.known.Get(channel); ok {
		return p, nil
	}
	if p, ok := g.unknown.Get(channel); ok {
		return p, nil
	}
	v, err, _ := g.flight.Do(channel, func() (any, error) {
		// Not the first one's context: the others must not fail with it.
		r, err := g.store.Get(context.WithoutCancel(ctx), channel)
		if errors.Is(err, ErrNotFound) {
			p := &pass{salt: make([]byte, 16), keys: make([]key, 1)} // as much work as a channel with one key
			g.unknown.Add(channel, p)
			return p, nil
		}
		if err != nil {
			return nil, err
		}
		p := &pass{exists: true, life: r.life, settings: r.Channel.Settings, salt: r.salt}
		for _, c := range r.digests {
			secret, ok := c.digest()
			if !ok {
				continue // not a digest that any secret has
			}
			k := key{
				user: sha256.Sum256([]byte(c.User)), secret: secret, endpoint: c.Endpoint,
				push: slices.Contains(c.Rights, Push), pull: slices.Contains(c.Rights, Pull),
			}
			if c.Expires != nil {
				k.expires = *c.Expires
			}
			p.keys = append(p.keys, k)
		}
		p.pushed = r.pushed()
		g.known.Add(channel, p)
		return p, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*pass), nil //nolint:forcetypeassert // of the function above
}

// penalty holds a wrong credential back until it is its turn.
func (g *Gate) penalty(ctx context.Context, a Attempt) error {
	if g.waiting.Add(1) > maxPenalties {
		g.waiting.Add(-1)
		return ErrTooManyBad
	}
	defer g.waiting.Add(-1)
	wait := max(
		turn(g.byChannel, a.Channel, channelRate, channelBurst),
		turn(g.byAddress, a.Address, addressRate, addressBurst),
	)
	if wait == 0 {
		return nil
	}
	t := time.NewTimer(min(wait, longestPenalty))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// turn returns how long it is until it is name's turn.
func turn(limiters *expirable.LRU[string, *rate.Limiter], name string, limit rate.Limit, burst int) time.Duration {
	l, ok := limiters.Get(name)
	if !ok {
		l = rate.NewLimiter(limit, burst)
		// Two at once may each add one: then one wrong credential goes uncounted.
		limiters.Add(name, l)
	}
	r := l.Reserve()
	if d := r.Delay(); d <= longestPenalty {
		return d
	}
	r.Cancel() // the queue is as long as it gets
	return longestPenalty
}
