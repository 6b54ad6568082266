package storage

import (
	"strconv"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// The keys are the layout of data that outlives programs: these may only change
// together with layoutVersion.
func TestKeys(t *testing.T) {
	t.Parallel()
	l := NewLayout("qst", 64, false)
	q := l.Queue("+855.12@x", "inbound")
	p := l.Partitions()[q.Partition]
	clustered := NewLayout("qst", 64, true).Partitions()
	got := []string{
		q.Stream, q.Meta(), q.Seen(), q.SeenBefore(), q.Dead(), q.Activity(), q.States(), p.Channels(), p.Oldest(), p.Due(), p.Depth(), p.DeadOldest(), p.Totals(), p.LastSeen(), p.Dead(),
		l.Record("+855.12@x"), l.Partitions()[63].Channels(), p.Wake("r"), clustered[q.Partition].Wake("r"), clustered[0].Wake("r"),
		l.Stored(), l.Replicas(), q.Name, q.Webhook(), p.Webhooks(), l.Workers(),
	}
	want := strings.Fields(`
		qst:{38o}:q:+855.12@x:inbound
		qst:{38o}:q:+855.12@x:inbound:meta
		qst:{38o}:q:+855.12@x:inbound:seen
		qst:{38o}:q:+855.12@x:inbound:seen_before
		qst:{38o}:q:+855.12@x:inbound:dead
		qst:{38o}:q:+855.12@x:inbound:activity
		qst:{38o}:q:+855.12@x:inbound:states
		qst:{38o}:channels
		qst:{38o}:oldest
		qst:{38o}:due
		qst:{38o}:depth
		qst:{38o}:dead_oldest
		qst:{38o}:totals
		qst:{38o}:last_seen
		qst:{38o}:dead
		qst:{38o}:c:+855.12@x
		qst:{802}:channels
		qst:wake:r
		qst:{38o}:wake:r
		qst:{53t}:wake:r
		qst:layout
		qst:replicas
		+855.12@x:inbound
		qst:{38o}:q:+855.12@x:inbound:webhook
		qst:{38o}:webhooks
		qst:workers`)
	if len(got) != len(want) {
		t.Fatalf("%d keys, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

// tagOf returns a partition's hash tag.
func tagOf(p Partition) string {
	_, tag, _ := strings.Cut(p.Start, "{")
	tag, _, _ = strings.Cut(tag, "}")
	return tag
}

// Each shard of a cluster, with its equal range of slots, has its even share of
// the partitions; and Redis agrees on the slots.
func TestPartitionsAreEven(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3, 64, 1000, 1024} {
		l := NewLayout("qst", n, false)
		seen := make(map[string]bool)
		for _, shards := range []int{1, 2, 3, 4, 5, 8, 16} {
			count := make([]int, shards)
			for _, p := range l.Partitions() {
				tag := tagOf(p)
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
	for _, p := range NewLayout("qst", 64, true).Partitions() {
		tag := tagOf(p)
		slot, err := c.ClusterKeySlot(t.Context(), "qst:{"+tag+"}:channels").Result()
		if err != nil || slot != int64(crc16(tag)%slots) {
			t.Fatalf("slot of %q: %d by Redis (%v), %d by us", tag, slot, err, crc16(tag)%slots)
		}
	}
}

func TestChannelsSpread(t *testing.T) {
	t.Parallel()
	l := NewLayout("qst", 64, false)
	count := make([]int, 64)
	const channels = 64_000
	for i := range channels {
		count[l.PartitionOf("+8551200"+strconv.Itoa(i))]++
	}
	for p, c := range count {
		if c < 800 || c > 1200 {
			t.Errorf("partition %d has %d of %d channels", p, c, channels)
		}
	}
}
