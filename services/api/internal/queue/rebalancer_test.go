package queue

import "testing"

func TestExcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ held, total, replicas, percent, want int }{
		{0, 0, 1, 5, 0},
		{100, 100, 1, 5, 0},     // alone
		{100, 200, 2, 5, 0},     // even
		{0, 200, 2, 5, 0},       // the one that joined
		{200, 200, 2, 5, 10},    // five percent of what it holds
		{200, 200, 2, 100, 100}, // never under its share
		{120, 200, 2, 100, 0},   // as even as chance is
		{121, 200, 2, 100, 21},  // not any more
		{1100, 2000, 2, 100, 0}, // as even as need be
		{1101, 2000, 2, 100, 101},
		{1, 1, 2, 100, 0}, // one poll has to be somewhere
		{4, 6, 3, 100, 0},
		{6, 6, 3, 1, 1}, // a percent of a few is one
		{20_000, 40_000, 3, 5, 1000},
	} {
		if got := excess(c.held, c.total, c.replicas, c.percent); got != c.want {
			t.Errorf("excess(held %d, total %d, replicas %d, percent %d) = %d, want %d", c.held, c.total, c.replicas, c.percent, got, c.want)
		}
	}
}
