package queue

import (
	"testing"
)

// What a phone says of itself and of messages is kept of channels that are there, and leaves nothing of others.
func TestStatesOfNoChannel(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	say := func() int {
		t.Helper()
		if err := s.AddStates(t.Context(), inbox.Channel, []State{{Message: "1", State: StateSent}}); err != nil {
			t.Fatal(err)
		}
		if err := s.SetAddress(t.Context(), inbox.Channel, "+1"); err != nil {
			t.Fatal(err)
		}
		states, err := s.States(t.Context(), inbox.Channel, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(states)
	}
	k := s.key(outbox)
	if n := say(); n != 0 || c.Exists(t.Context(), k.States(), k.Activity()).Val() != 0 {
		t.Errorf("%d states of a channel that is not there", n)
	}
	mustPush(t, s, batch(1, "1")) // a channel without a record is there with its first push
	if n := say(); n != 1 || c.HGet(t.Context(), k.Activity(), "address").Val() != "+1" {
		t.Errorf("%d states", n)
	}
}
