package queue

import (
	"slices"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// What is kept of messages that are known for the same is another thing in each installation, and
// the same for all its replicas.
func TestDigestsAreKeyed(t *testing.T) {
	t.Parallel()
	kept := func(s *redistest.Server) []string {
		opts, limits := defaults()
		a, b := openOn(t, s, opts, limits), openOn(t, s, opts, limits)
		for _, q := range []*limited{a, b} {
			if err := q.LoadKey(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if r := mustPush(t, a, batch(10, "1")); r.Accepted != 1 {
			t.Error(r)
		}
		if r := mustPush(t, b, batch(10, "1")); r.Duplicates != 1 {
			t.Errorf("the other replica: %+v", r)
		}
		return s.Client().HKeys(t.Context(), a.key(inbox).Seen()).Val()
	}
	one, other := kept(redistest.Start(t)), kept(redistest.Start(t))
	plain := batch(10, "1")[0].Digest()
	if len(one) != 1 || len(other) != 1 || slices.Equal(one, other) || one[0] == string(plain[:]) {
		t.Errorf("%q, %q", one, other)
	}
}
