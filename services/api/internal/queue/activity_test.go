package queue

import (
	"slices"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// A channel that is deleted is not known as active any more, nor again by what a
// replica had noted before.
func TestLastSeenOfDeleted(t *testing.T) {
	t.Parallel()
	s, c := open(t, func(o *Options, _ *Limits) { o.Layout = storage.NewLayout("qst", 1, false) })
	key := s.partition().LastSeen()
	active := func(want ...string) {
		t.Helper()
		got := c.ZRange(t.Context(), key, 0, -1).Val()
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("active: %q, want %q", got, want)
		}
		totals, err := s.Totals(t.Context(), 0)
		if err != nil || totals.Active[0].Channels != int64(len(want)) {
			t.Fatalf("active: %+v (%v), want %d", totals.Active, err, len(want))
		}
	}
	push := func(channel, id string) {
		t.Helper()
		if _, err := s.Push(t.Context(), Name{Channel: channel, Kind: Inbound}, batch(1, id)); err != nil {
			t.Fatal(err)
		}
	}
	write := func() {
		t.Helper()
		if err := s.activity.write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	push("a", "1")
	push("b", "1")
	write()
	active("a", "b")

	push("a", "2") // noted, not written down yet
	push("b", "2")
	if _, err := s.Delete(t.Context(), "a", ""); err != nil {
		t.Fatal(err)
	}
	active("b")
	write()
	active("b")

	push("a", "3") // it is back
	write()
	active("a", "b")
}
