package access

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// counted is a brake, and how many guesses it has reported by outcome.
type counted struct {
	*Brake
	mu       sync.Mutex
	outcomes map[string]int
}

func newCounted() *counted {
	c := &counted{outcomes: make(map[string]int)}
	c.Brake = NewBrake(func(_ Guess, outcome string) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.outcomes[outcome]++
	})
	return c
}

func (c *counted) count(outcome string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.outcomes[outcome]
}

func is(v bool) func() (bool, error) { return func() (bool, error) { return v, nil } }

// However many guess, and from however many addresses, no more are compared than the brake
// allows; all of them are counted.
func TestBrakeHolds(t *testing.T) {
	t.Parallel()
	for _, addresses := range []int{1, 500} {
		synctest.Test(t, func(t *testing.T) {
			b := newCounted()
			var compared atomic.Int64
			var wg sync.WaitGroup
			const guesses, seconds = 3000, 60
			start := time.Now()
			for i := range guesses {
				wg.Go(func() {
					time.Sleep(time.Duration(i) * seconds * time.Second / guesses)
					g := Guess{Name: "c", Secret: strconv.Itoa(i), Address: fmt.Sprintf("10.0.%d.%d", i%addresses/250, i%addresses%250)}
					err := b.Try(t.Context(), g, func() (bool, error) { compared.Add(1); return false, nil })
					if !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrTooManyBad) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			took := time.Since(start).Seconds()
			if n := compared.Load(); float64(n) > channelBurst+channelRate*took+1 || n < seconds {
				t.Errorf("%d guesses were compared in %.0f s", n, took)
			}
			if n := b.count(GuessWrong) + b.count(GuessTurnedAway); n != guesses || int64(b.count(GuessWrong)) != compared.Load() {
				t.Errorf("%d of %d were reported", n, guesses)
			}
			if b.waiting != 0 {
				t.Errorf("%d wait", b.waiting)
			}
		})
	}
}

// Those who are right are not kept waiting by each other, and whoever was right lately by
// nobody. One who comes for the first time while others guess at its channel, or from its
// address, waits its turn among them and gets in.
func TestBrakeLetsInWhoIsRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newCounted()
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 500 {
			wg.Go(func() {
				g := Guess{Name: "c" + strconv.Itoa(i%50), User: strconv.Itoa(i), Address: "192.0.2.1"}
				if err := b.Try(t.Context(), g, is(true)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(start); took > 0 {
			t.Errorf("500 that are right took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 1000 {
			wg.Go(func() {
				for ctx.Err() == nil {
					_ = b.Try(ctx, Guess{Name: "c1", Secret: strconv.Itoa(i), Address: "198.51.100.1"}, is(false))
					time.Sleep(10 * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second)
		start = time.Now()
		if err := b.Try(ctx, Guess{Name: "c1", User: "1", Address: "203.0.113.1"}, is(true)); err != nil || time.Since(start) > 0 {
			t.Errorf("lately right: %v, after %v", err, time.Since(start))
		}
		if err := b.Try(ctx, Guess{Name: "c1", User: "new", Address: "203.0.113.1"}, is(true)); err != nil || time.Since(start) > 3*time.Second {
			t.Errorf("from another address: %v, after %v", err, time.Since(start))
		}
		start = time.Now()
		if err := b.Try(ctx, Guess{Name: "c2", User: "new", Address: "198.51.100.1"}, is(true)); err != nil || time.Since(start) > 3*time.Second {
			t.Errorf("for another channel: %v, after %v", err, time.Since(start))
		}
		cancel()
		wg.Wait()
		if b.count(GuessGivenUp) == 0 {
			t.Error("guesses whose client has gone are not counted")
		}
	})
}

// A credential that was right and is not any more is a guess from then on.
func TestBrakeForgetsWhatIsRevoked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newCounted()
		g := Guess{Name: "c", Address: "192.0.2.1"}
		if err := b.Try(t.Context(), g, is(true)); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		for range channelBurst + 3 {
			if err := b.Try(t.Context(), g, is(false)); !errors.Is(err, ErrUnknown) {
				t.Error(err)
			}
		}
		if time.Since(start) < time.Second {
			t.Errorf("%d wrong ones took %v", channelBurst+3, time.Since(start))
		}
	})
}

// How long a comparison takes does not show in when the answer comes.
func TestBrakeAnswersEvenly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newCounted()
		for i, slow := range []time.Duration{0, 53 * time.Microsecond, 106 * time.Microsecond, 20 * time.Millisecond} {
			start := time.Now()
			_ = b.Try(t.Context(), Guess{Name: strconv.Itoa(i)}, func() (bool, error) { time.Sleep(slow); return false, nil })
			if took := time.Since(start); took != wrongEvenness {
				t.Errorf("%v: answered after %v", slow, took)
			}
		}
	})
}

func TestLocationOf(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1":              "192.0.2.1",
		"::ffff:192.0.2.1":       "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":   "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::1":   "2001:db8:1:2::/64",
		"fe80::1%eth0":           "fe80::/64",
		"not an address, but so": "not an address, but so",
	} {
		if got := locationOf(address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// Who is right every minute is not slowed, however long others guess at its channel.
func TestBrakeKnowsWhoStaysRight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newCounted()
		good := Guess{Name: "c", Secret: "right", Address: "192.0.2.1"}
		if err := b.Try(t.Context(), good, is(true)); err != nil {
			t.Fatal(err)
		}
		const minutes = 150
		var guessers sync.WaitGroup
		for i := range 20 {
			guessers.Go(func() {
				for range minutes * 60 {
					_ = b.Try(t.Context(), Guess{Name: "c", Secret: "x", Address: fmt.Sprintf("10.0.0.%d", i)}, is(false)) // wrong
					time.Sleep(time.Second)
				}
			})
		}
		for range minutes {
			time.Sleep(time.Minute)
			start := time.Now()
			if err := b.Try(t.Context(), good, is(true)); err != nil || time.Since(start) > 0 {
				t.Fatalf("after %v: %v", time.Since(start), err)
			}
		}
		guessers.Wait()
	})
}

// One address does not take the places of all who wait, however many channels it guesses at.
func TestBrakeBoundsAnAddress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newCounted()
		var guessers sync.WaitGroup
		for i := range 5000 {
			guessers.Go(func() {
				_ = b.Try(t.Context(), Guess{Name: fmt.Sprintf("c%d", i%500), Secret: strconv.Itoa(i), Address: "10.0.0.1"}, is(false)) // wrong, or too many
			})
		}
		synctest.Wait()
		b.Brake.mu.Lock()
		waiting := b.waiting
		b.Brake.mu.Unlock()
		if waiting > mostOfAddress {
			t.Errorf("%d wait", waiting)
		}
		guessers.Wait()
	})
}
