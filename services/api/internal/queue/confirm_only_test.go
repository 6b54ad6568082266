package queue

import (
	"strconv"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// A pull that only confirms leaves the accounts as they must be for what it leaves in
// the queue: the bytes, the oldest message, and nothing set aside.
func TestConfirmOnly(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 1 })
	k := s.layout.queue(inbox)
	mustPush(t, s, batch(10, "1"))
	mustPush(t, s, batch(500, "2", "3"))
	_, first := mustPull(t, s, Request{Max: 1})
	for _, want := range []int{1, 0} {
		d, err := s.Pull(t.Context(), inbox, Request{ETag: first.ETag})
		if err != nil || d.Confirmed != want || len(d.Messages) != 0 || d.ETag == nil {
			t.Fatalf("%+v, %v", d, err)
		}
		n, bytes, byMeta := held(t, s, c)
		if n != 2 || bytes != byMeta {
			t.Fatalf("%d messages, %d bytes by the stream, %d by its meta", n, bytes, byMeta)
		}
		head := c.XRangeN(t.Context(), k.stream, "-", "+", 1).Val()[0]
		id, err := qst.ParseStreamID(head.ID)
		if err != nil {
			t.Fatal(err)
		}
		for key, at := range map[string]int64{k.oldest: int64(id.Ms), k.due: int64(id.Ms) + s.call.Limits.Retention.Milliseconds()} {
			if score := c.ZScore(t.Context(), key, inbox.String()).Val(); score != float64(at) {
				t.Fatalf("%s: %v, want %s", key, score, strconv.FormatInt(at, 10))
			}
		}
	}
	if ids, _ := mustPull(t, s, Request{}); ids != "2 3" {
		t.Fatalf("then come %q", ids)
	}
	if n := c.XLen(t.Context(), k.dead).Val(); n != 0 {
		t.Fatalf("%d set aside", n)
	}
}
