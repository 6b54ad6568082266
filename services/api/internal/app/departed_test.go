package app_test

import (
	"errors"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// A poll ends when its client goes away, also if that has sent something more before: no message is given to nobody.
func TestDepartedClient(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), "QST_LONG_POLL_MAX=1h", "QST_MAX_DELIVERIES=1")
	// Meanwhile another one waits for half a minute: by then, no client that has gone has a poll.
	control := rawPoll(t, r, "/v2/channels/control", "wait=30")
	defer func() { _ = control.Close() }()
	waitForPoll(t, s, "control", "mailbox", "")
	for _, more := range []string{"", "\n", "\r\n", "GET /v2/channels/c HTTP/1.1\r\nHost: x\r\n\r\n"} {
		conn := rawPoll(t, r, "/v2/channels/c")
		waitForPoll(t, s, "c", "mailbox", "")
		if _, err := conn.Write([]byte(more)); err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		eventually(t, "the poll has ended", func() error {
			return noWaiter(t, s, "c")
		})
	}
	if noWaiter(t, s, "control") == nil {
		t.Error("the other poll was over before")
	}
}

func noWaiter(t *testing.T, s *redistest.Server, channel string) error {
	c := s.Client()
	for _, key := range c.Keys(t.Context(), "qst:*:q:"+channel+":*:meta").Val() {
		if w := c.HGet(t.Context(), key, "waiter").Val(); w != "" {
			return errors.New(w)
		}
	}
	return nil
}
