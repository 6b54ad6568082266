package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// A pull with max=0 confirms and reads nothing: no message counts as delivered, and
// what the queue is said to hold is what it holds.
func TestConfirmOnly(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		t.Run("a part", func(t *testing.T) { confirmPart(t, a, b) })
		t.Run("deliveries", func(t *testing.T) { confirmWithoutDelivery(t, a, b) })
	}, "QST_ADMIN_TOKEN="+adminToken)
}

// held is what the admin API says of a channel's mailbox.
type held struct {
	Messages, Bytes, Delivered, Deliveries, Dead int
	Oldest                                       string
}

func mailboxHeld(t testing.TB, r *replica, path string) (h held) {
	t.Helper()
	a := mustAdmin(t, r, http.StatusOK, "GET", strings.TrimPrefix(path, "/v2")+"/queues/mailbox", "")
	if err := json.Unmarshal([]byte(a.Body), &h); err != nil {
		t.Fatal(err)
	}
	return h
}

func confirmPart(t *testing.T, a, b *replica) {
	path := newChannel()
	push(t, a, path, numbered(1, 3))
	all := mailboxHeld(t, a, path)
	first := pull(t, b, path, "max=2")
	for i, n := range []int{2, 0} { // the second time there is nothing left to confirm
		got := pull(t, b, path, "max=0", "long-polling=true", etag(first))
		confirmed(t, got, n)
		wantIDs(t, got, "")
		if e := tagged(t, got); e != tagged(t, first) {
			t.Errorf("try %d: ETag %s, want the request's, %s", i+1, e, tagged(t, first))
		}
		want := held{Messages: 1, Bytes: all.Bytes / 3, Oldest: "set"}
		h := mailboxHeld(t, a, path)
		if h.Oldest != "" {
			h.Oldest = "set"
		}
		if h != want {
			t.Errorf("try %d: the queue holds %+v, want %+v", i+1, h, want)
		}
	}
	last := pull(t, a, path)
	wantIDs(t, last, "3")
	confirmed(t, pull(t, b, path, "max=0", etag(last)), 1)
	if h := mailboxHeld(t, a, path); h != (held{}) {
		t.Errorf("confirmed all: %+v", h)
	}
}

func confirmWithoutDelivery(t *testing.T, a, b *replica) {
	path := newChannel()
	push(t, a, path, numbered(1, 4))
	first := pull(t, a, path, "max=1")
	pull(t, b, path, "max=3")
	confirmed(t, pull(t, b, path, "max=0", etag(first)), 1)
	before := mailboxHeld(t, b, path)
	if before.Messages != 3 || before.Delivered != 2 || before.Deliveries != 1 {
		t.Fatalf("the queue holds %+v, want 3 messages, 2 of them delivered once", before)
	}
	for range 3 {
		pull(t, a, path, "max=0")
	}
	if h := mailboxHeld(t, b, path); h != before {
		t.Errorf("the queue held %+v, and after pulls that only confirm %+v", before, h)
	}
	wantIDs(t, pull(t, a, path), "2 3 4")
}
