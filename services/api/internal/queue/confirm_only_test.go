package queue

import (
	"testing"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// A pull that only confirms leaves the accounts as they must be for what it leaves in
// the queue: the bytes, the oldest message, and no dead letter.
func TestConfirmOnly(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(_ *Options, l *Limits) { l.MaxDeliveries = 1 })
	k := s.key(inbox)
	mustPush(t, s, batch(10, "1"))
	mustPush(t, s, batch(500, "2", "3"))
	_, first := mustPull(t, s, Request{Max: 1})
	for _, want := range []int{1, 0} {
		d, err := s.Pull(t.Context(), inbox, Request{Processed: UpTo(first.ETag)})
		if err != nil || d.Confirmed != want || len(d.Payloads) != 0 || d.ETag == nil {
			t.Fatalf("%+v, %v", d, err)
		}
		n, bytes, byMeta := held(t, s, c)
		if n != 2 || bytes != byMeta {
			t.Fatalf("%d messages, %d bytes by the stream, %d by its meta", n, bytes, byMeta)
		}
		head := c.XRangeN(t.Context(), k.Stream, "-", "+", 1).Val()[0]
		id, err := qst.ParseStreamID(head.ID)
		if err != nil {
			t.Fatal(err)
		}
		if oldest, err := s.Oldest(t.Context(), 1); err != nil || len(oldest) != 1 || oldest[0].Oldest.UnixMilli() != int64(id.Ms) {
			t.Fatalf("the oldest: %v %v, want %v", oldest, err, id)
		}
	}
	if ids, _ := mustPull(t, s, Request{}); ids != "2 3" {
		t.Fatalf("then come %q", ids)
	}
	if n := c.XLen(t.Context(), k.Dead()).Val(); n != 0 {
		t.Fatalf("%d dead letters", n)
	}
}
