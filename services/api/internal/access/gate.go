package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"

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

	brake *Brake
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
// channel at most every ttl; so long may a change take to hold here. It tells report of
// each credential that is wrong.
func NewGate(store *Store, ttl time.Duration, report func(g Guess, outcome string)) *Gate {
	return &Gate{
		store:   store,
		known:   expirable.NewLRU[string, *pass](cachedChannels, nil, ttl),
		unknown: expirable.NewLRU[string, *pass](cachedUnknown, nil, ttl),
		brake:   NewBrake(report),
	}
}

// Admit lets a request in, or returns why not: ErrMissing (no credential), ErrUnknown (a
// wrong one, or no such channel: a stranger can't tell), ErrForbidden (a good one, for
// something else), ErrPushed, ErrTooManyBad, or storage.ErrUnavailable: then it is not known.
// For a request without a credential nothing is looked up.
func (g *Gate) Admit(ctx context.Context, a Attempt) (Admission, error) {
	if !a.Given {
		return Admission{}, ErrMissing
	}
	var let Admission
	err := g.brake.Try(ctx, Guess{Name: a.Channel, User: a.User, Secret: a.Secret, Address: a.Address}, func() (bool, error) {
		p, err := g.pass(ctx, a.Channel)
		if err != nil {
			return false, err
		}
		if err = p.check(a, time.Now()); errors.Is(err, ErrUnknown) {
			return false, nil
		}
		if err == nil && a.Right == Pull && p.pushed[pulledBy(a.Endpoint)] {
			err = ErrPushed
		}
		let = Admission{Life: p.life, Settings: p.settings}
		return true, err
	})
	if err != nil {
		return Admission{}, err
	}
	return let, nil
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
		if same == 0 || !k.expires.IsZero() && !now.Before(k.expires) {
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
