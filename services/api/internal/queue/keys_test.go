package queue

import (
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// The keys are the layout of data that outlives programs: these may only change
// together with layoutVersion.
func TestKeys(t *testing.T) {
	t.Parallel()
	l := NewLayout("qst", 64)
	k := l.queue(Name{Channel: "+855.12@x", Kind: Inbound})
	got := []string{
		k.stream, k.meta, k.waiter, k.dead, k.seen(7), k.channels, k.oldest, k.depth, k.totals,
		k.due, k.heard, k.states(), k.record, l.Record("+855.12@x"), l.Channels("+855.12@x"), l.AllChannels()[63],
		k.wakes + "r", l.wake(k.partition, "r"), l.wake(0, "r"), l.wake(63, "r"), l.stored(), l.replicas(),
	}
	want := strings.Fields(`
		qst:{38o}:q:+855.12@x:inbound
		qst:{38o}:q:+855.12@x:inbound:meta
		qst:{38o}:q:+855.12@x:inbound:waiter
		qst:{38o}:q:+855.12@x:inbound:dead
		qst:{38o}:q:+855.12@x:inbound:seen:7
		qst:{38o}:channels
		qst:{38o}:oldest
		qst:{38o}:depth
		qst:{38o}:totals
		qst:{38o}:due
		qst:{38o}:heard
		qst:{38o}:q:+855.12@x:inbound:states
		qst:{38o}:c:+855.12@x
		qst:{38o}:c:+855.12@x
		qst:{38o}:channels
		qst:{802}:channels
		qst:{38o}:wake:r
		qst:{38o}:wake:r
		qst:{53t}:wake:r
		qst:{802}:wake:r
		qst:layout
		qst:replicas`)
	if len(got) != len(want) {
		t.Fatalf("%d keys, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

// Each shard of a cluster, with its equal range of slots, has its even share of
// the partitions; and Redis agrees on the slots.
func TestPartitionsAreEven(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 64, 1000, 1024} {
		l := NewLayout("qst", n)
		seen := make(map[string]bool)
		for _, shards := range []int{1, 2, 3, 4, 5, 8, 16} {
			count := make([]int, shards)
			for _, tag := range l.tags {
				seen[tag] = true
				count[int(crc16(tag)%slots)*shards/slots]++
			}
			for _, c := range count {
				if c < n/shards || c > n/shards+1 {
					t.Errorf("%d partitions over %d shards: %v", n, shards, count)
				}
			}
		}
		if len(seen) != n {
			t.Errorf("%d tags for %d partitions", len(seen), n)
		}
	}

	c := redistest.StartCluster(t, 3)[0].Client()
	for _, tag := range NewLayout("qst", 64).tags {
		slot, err := c.ClusterKeySlot(t.Context(), "qst:{"+tag+"}:channels").Result()
		if err != nil || slot != int64(crc16(tag)%slots) {
			t.Fatalf("slot of %q: %d by Redis (%v), %d by us", tag, slot, err, crc16(tag)%slots)
		}
	}
}

func TestChannelsSpread(t *testing.T) {
	t.Parallel()
	l := NewLayout("qst", 64)
	count := make([]int, 64)
	const channels = 64_000
	for i := range channels {
		count[l.partition("+8551200"+whole(i))]++
	}
	for p, c := range count {
		if c < 800 || c > 1200 {
			t.Errorf("partition %d has %d of %d channels", p, c, channels)
		}
	}
}
