package queue

import (
	"fmt"
	"strings"
	"testing"
)

// The pushes of about a thousand messages are known, whatever the batches, and not for ever.
func TestTracesAreBounded(t *testing.T) {
	t.Parallel()
	s, c := open(t)
	keep := func(trace string, from, n int) {
		t.Helper()
		ids := make([]string, n)
		for i := range ids {
			ids[i] = fmt.Sprint("m", from+i)
		}
		if err := s.KeepTrace(t.Context(), inbox, trace, ids); err != nil {
			t.Fatal(err)
		}
	}
	known := func(ids ...string) string {
		t.Helper()
		traces, err := s.TracesOf(t.Context(), inbox, ids)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(traces, " ")
	}
	for i := range 30 {
		keep(fmt.Sprint("t", i), 100*i, 100)
	}
	if got := known("m2950", "m2900", "m2850", "m5"); got != "t29 t28" {
		t.Errorf("%q", got)
	}
	keep("large", 5000, 1000)
	if got := known("m2950", "m5999"); got != "large" {
		t.Errorf("%q", got)
	}
	key := s.key(inbox).Traces()
	if n := c.XLen(t.Context(), key).Val(); n != 1 {
		t.Errorf("%d entries", n)
	}
	if left := c.PTTL(t.Context(), key).Val(); left <= 0 || left > tracesFor {
		t.Errorf("known for %v", left)
	}
}
