package queue

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// What phones that speak version 1 of the protocol tell and ask beside messages.

const (
	// keptStates is how many of a channel's delivery states are kept, the newest ones.
	keptStates = 1000
	// maxState bounds the texts of a state, and a phone's address, in bytes.
	maxState = 256
)

// State is what a phone reports of a message that it was given.
type State struct {
	Message string // its id
	State   string // confirmed, failed, or what the phone calls it
	At      time.Time
}

// LastPushed returns the id of the message that a client last pushed into a queue,
// "" if there was none. It returns ErrUnavailable.
func (s *Store) LastPushed(ctx context.Context, n Name) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	id, err := s.rdb.HGet(ctx, s.layout.queue(n).meta, "last").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", unavailable(err)
	}
	return id, nil
}

// SetAddress keeps the address that a channel's phone says it has, of at most
// 256 bytes.
func (s *Store) SetAddress(ctx context.Context, channel, address string) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	k := s.layout.queue(Name{Channel: channel, Kind: Outbound})
	if err := s.rdb.HSet(ctx, k.meta, "address", bounded(address)).Err(); err != nil {
		return unavailable(err)
	}
	return nil
}

// TellStates puts what a channel's phone reports of messages into its application's
// queue, ids and states of at most 256 bytes. It returns what Push does.
func (s *Store) TellStates(ctx context.Context, channel string, c Call, states []State) error {
	batch := make([]qst.Message, len(states))
	for i, st := range states {
		st = st.bounded()
		// The id is made of what is reported: a phone that reports it again says nothing new.
		batch[i] = qst.Message{
			ID: "qst-status-" + st.State + "-" + st.Message, Subject: st.State,
			Properties: []qst.Property{
				{Name: "qst-status", Values: []qst.Value{{Text: st.State}}},
				{Name: "qst-message", Values: []qst.Value{{Text: st.Message}}},
			},
		}
	}
	_, err := s.push(ctx, Name{Channel: channel, Kind: Inbound}, c, batch, false)
	return err
}

// AddStates keeps what a phone reports of messages; of a channel's states the
// newest thousand are kept, as they are told.
func (s *Store) AddStates(ctx context.Context, channel string, states []State) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	k := s.layout.queue(Name{Channel: channel, Kind: Outbound})
	pipe := s.rdb.Pipeline()
	for _, st := range states {
		st = st.bounded()
		pipe.XAdd(ctx, &redis.XAddArgs{
			Stream: k.states(), MaxLen: keptStates, Approx: true,
			Values: []string{"message", st.Message, "state", st.State},
		})
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return unavailable(err)
	}
	return nil
}

// States returns what a channel's phone reported, newest first, at most limit.
func (s *Store) States(ctx context.Context, channel string, limit int64) ([]State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	k := s.layout.queue(Name{Channel: channel, Kind: Outbound})
	entries, err := s.rdb.XRevRangeN(ctx, k.states(), "+", "-", limit).Result()
	if err != nil {
		return nil, unavailable(err)
	}
	states := make([]State, len(entries))
	for i, e := range entries {
		message, _ := e.Values["message"].(string)
		state, _ := e.Values["state"].(string)
		states[i] = State{Message: message, State: state, At: idTime(e.ID)}
	}
	return states, nil
}

// bounded is the state as it is told and kept. What a phone reports has no bound but
// its request's: uncut, it would make messages larger than any that may be pushed.
func (st State) bounded() State {
	return State{Message: bounded(st.Message), State: bounded(st.State), At: st.At}
}

// bounded cuts a text, between two characters, to maxState.
func bounded(s string) string {
	if len(s) <= maxState {
		return s
	}
	n := maxState
	for n > maxState-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
