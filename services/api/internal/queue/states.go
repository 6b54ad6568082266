package queue

import (
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// What gateways report of messages, and what else phones that speak version 1 of the protocol tell and ask.

const (
	// KeptStates is how many of a channel's delivery states are kept, the newest ones.
	KeptStates = 1000
	// maxState bounds the texts of a state, and a phone's address, in bytes.
	maxState = 256
)

// States of messages, beside those that phones of version 1 make up.
const (
	StateSent      = "sent"
	StateDelivered = "delivered"
	StateFailed    = "failed"
	StateExpired   = "expired"
	StateRejected  = "rejected"
	StateUnknown   = "unknown"
)

// State is what a gateway reports of a message that it was given.
type State struct {
	Message string // its id
	State   string // confirmed, failed, or what the phone calls it
	Code    string // the network's own word for it; "": none
	At      time.Time
}

// StatesIn returns what the delivery reports among a gateway's messages say.
func StatesIn(messages []qst.Message) (states []State) {
	for i := range messages {
		if r, ok := messages[i].Report(); ok {
			states = append(states, State{Message: r.Message, State: r.Status, Code: r.Code})
		}
	}
	return states
}

// LastPushed returns the id of the message that a client last pushed into a queue,
// "" if there was none. It returns storage.ErrUnavailable.
func (o *Operator) LastPushed(ctx context.Context, n Name) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	id, err := o.rdb.HGet(ctx, o.queues.key(n).Meta(), "last").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", storage.Unavailable(err)
	}
	return id, nil
}

// SetAddress keeps the address that a channel's phone says it has, of at most
// 256 bytes. Of a channel that is not there it keeps nothing.
func (o *Operator) SetAddress(ctx context.Context, channel, address string) error {
	q := o.queues
	k := q.key(Name{Channel: channel, Kind: Outbound})
	_, err := q.runner.Run(ctx, q.scripts.address, k.Activity(), q.opts.Layout.Partition(channel).Start, channel, cut(address))
	return err
}

// AddStates keeps what a phone reports of messages; of a channel's states the
// newest thousand are kept. Of a channel that is not there it keeps none.
func (o *Operator) AddStates(ctx context.Context, channel string, states []State) error {
	q := o.queues
	args := []any{q.opts.Layout.Partition(channel).Start, channel, KeptStates}
	for _, st := range states[max(0, len(states)-KeptStates):] {
		st = st.Cut()
		args = append(args, st.Message, st.State, st.Code)
	}
	if _, err := q.runner.Run(ctx, q.scripts.states, q.key(Name{Channel: channel, Kind: Outbound}).States(), args...); err != nil {
		return err
	}
	for _, st := range states {
		q.metrics.Reports.Add(ctx, 1, stateAttributes[bounded(st.State)])
	}
	return nil
}

// States returns what a channel's phone reported, newest first, at most limit.
func (o *Operator) States(ctx context.Context, channel string, limit int64) ([]State, error) {
	ctx, cancel := context.WithTimeout(ctx, o.queues.opts.Timeout)
	defer cancel()
	k := o.queues.key(Name{Channel: channel, Kind: Outbound})
	entries, err := o.rdb.XRevRangeN(ctx, k.States(), "+", "-", limit).Result()
	if err != nil {
		return nil, storage.Unavailable(err)
	}
	states := make([]State, len(entries))
	for i, e := range entries {
		message, _ := e.Values["message"].(string)
		state, _ := e.Values["state"].(string)
		code, _ := e.Values["code"].(string)
		states[i] = State{Message: message, State: state, Code: code, At: idTime(e.ID)}
	}
	return states, nil
}

// Cut returns the state as it is told and kept, with texts of at most 256 bytes. What a
// phone reports has no bound but its request's: uncut, it would make messages larger than
// any that may be pushed.
func (st State) Cut() State {
	return State{Message: cut(st.Message), State: cut(st.State), Code: cut(st.Code), At: st.At}
}

// cut cuts a text, between two characters, to maxState.
func cut(s string) string {
	if len(s) <= maxState {
		return s
	}
	n := maxState
	for n > maxState-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
