package storage

import (
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestChannelOf(t *testing.T) {
	t.Parallel()
	l := NewLayout("qst", 8, false)
	for key, want := range map[string]string{
		l.Queue("+855.12@x", "inbound").Stream:      "+855.12@x",
		l.Queue("+855.12@x", "outbound").Activity(): "+855.12@x",
		l.Record("+855.12@x"):                       "+855.12@x",
		l.Stored():                                  "qst:layout",
		l.Partitions()[0].LastSeen():                l.Partitions()[0].LastSeen(),
		"qst:wake:r":                                "qst:wake:r",
	} {
		if got := channelOf(key); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
}

// However much one channel has waiting, another one's command is among the next few; what is
// too large for a pipeline waits for the next one and loses its turn to nobody.
func TestTurnsAreShared(t *testing.T) {
	t.Parallel()
	q := newTurns(1)
	add := func(channel string, bytes int) *job {
		j := &job{channel: channel, size: bytes, cmd: redis.NewCmd(t.Context(), "evalsha"), done: make(chan struct{}, 1)}
		q.add(j)
		return j
	}
	for i := range 2000 {
		add("flood", 1000*(i%7))
	}
	q.take()
	j := add("neighbour", 10)
	for i := 0; ; i++ {
		if q.take() == j {
			break
		}
		if i == 2 {
			t.Fatal("the neighbour waits for the flood: " + strconv.Itoa(i))
		}
	}
	q = newTurns(1)
	large := add("a", 5000)
	if q.takeWithin(4999) != nil {
		t.Error("too large")
	}
	small := add("b", 1)
	if q.takeWithin(5000) != large || q.takeWithin(1) != small || q.take() != nil {
		t.Error("order")
	}
	withdrawn := add("a", 1)
	if !q.withdraw(withdrawn) || q.withdraw(withdrawn) || q.take() != nil {
		t.Error("withdrawn")
	}
}
