package app_test

import "testing"

// "max: most messages in the answer": also when more of them were delivered before.
// (miniredis does not limit what XREADGROUP gives again; XCLAIM by id is exact.)
func TestProtocolMax(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		runSteps(t, a, b, map[string][]step{
			"without an ETag":       {{"2", "", -1, "1 2"}, {"2", "", -1, "1 2"}, {"", "", -1, "1 2 3 4 5 6"}, {"1", "", -1, "1"}},
			"a part":                {{"", "", -1, "1 2 3 4 5 6"}, {"2", "", -1, "1 2"}, {"", "2", 2, "3 4 5 6"}, {"", "1", 4, ""}},
			"no ETag, then confirm": {{"3", "", -1, "1 2 3"}, {"", "1", 3, "4 5 6"}, {"1", "", -1, "4"}, {"", "3", 1, "5 6"}, {"", "2", 2, ""}},
		})
	})
}
