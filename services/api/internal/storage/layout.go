package storage

import (
	"strconv"
	"strings"
)

// Layout builds every key that the service has in Redis. The layout is part of the
// data: programs that share a Redis must agree on it.
//
// A channel belongs to one of the layout's partitions, by a hash of its name. All keys
// of a partition share a hash tag, so that one script can touch all of them, also in
// a Redis Cluster.
type Layout struct {
	prefix     string
	partitions []Partition
}

// Partition is what the keys of one partition start with.
type Partition struct {
	Start string // "qst:{tag}:"
	// Wakes is what wake streams start with whose polls are of this partition. Where
	// Redis is one node, that is the same for all partitions: a replica has one wake stream.
	Wakes string
}

// slots is the number of hash slots of a Redis Cluster.
const slots = 16384

// NewLayout returns the layout for a key prefix and a number of partitions, 1 to
// 16384. It chooses a hash tag for each partition, so that partition i lies in
// the middle of the i-th of n equal ranges of slots: any number of shards, each
// with its equal range, gets its even share of the partitions.
//
// The tags are part of the data's layout: for a given n they never change. With
// cluster, wake streams are in their partition's slot.
func NewLayout(prefix string, n int, cluster bool) Layout {
	l := Layout{prefix: prefix, partitions: make([]Partition, n)}
	wanted := make(map[uint16]int, n)
	for i := range n {
		wanted[uint16(i*slots/n+slots/n/2)] = i
	}
	for candidate := uint64(0); len(wanted) > 0; candidate++ {
		tag := strconv.FormatUint(candidate, 36)
		slot := crc16(tag) % slots
		if i, ok := wanted[slot]; ok {
			start := prefix + ":{" + tag + "}:"
			wakes := prefix + ":wake:"
			if cluster {
				wakes = start + "wake:"
			}
			l.partitions[i] = Partition{Start: start, Wakes: wakes}
			delete(wanted, slot)
		}
	}
	return l
}

// Partitions returns the partitions.
func (l Layout) Partitions() []Partition { return l.partitions }

// PartitionOf returns the number of a channel's partition: all queues of a channel
// are in the same one.
func (l Layout) PartitionOf(channel string) int {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a, 64 bits
	h := uint64(offset)
	for i := range len(channel) {
		h = (h ^ uint64(channel[i])) * prime
	}
	return int(h % uint64(len(l.partitions)))
}

// Partition returns a channel's partition.
func (l Layout) Partition(channel string) Partition { return l.partitions[l.PartitionOf(channel)] }

// Queue is where one queue of a channel is.
type Queue struct {
	Partition int
	Stream    string // "qst:{tag}:q:<channel>:<kind>"
	Name      string // "<channel>:<kind>", as the partition's indexes have it
}

// Queue returns where a queue is. A channel's name has neither colon nor brace.
func (l Layout) Queue(channel, kind string) Queue {
	p := l.PartitionOf(channel)
	start := l.partitions[p].Start
	stream := start + "q:" + channel + ":" + kind
	return Queue{Partition: p, Stream: stream, Name: stream[len(start)+len("q:"):]}
}

// Keys of a queue. lua/lib/queue.lua of the package queue says what each one holds.

// Meta is the hash of the queue's state.
func (q Queue) Meta() string { return q.Stream + ":meta" }

// Seen is the hash of the digests of messages taken lately.
func (q Queue) Seen() string { return q.Stream + ":seen" }

// SeenBefore is the generation of digests before.
func (q Queue) SeenBefore() string { return q.Stream + ":seen_before" }

// Dead is the stream of dead letters.
func (q Queue) Dead() string { return q.Stream + ":dead" }

// Unreported is the stream of messages past their ends that are to be reported.
func (q Queue) Unreported() string { return q.Stream + ":unreported" }

// Activity is the hash of who pushed and pulled last, and when.
func (q Queue) Activity() string { return q.Stream + ":activity" }

// States is the stream of what a phone reported of this queue's messages.
func (q Queue) States() string { return q.Stream + ":states" }

// Traces is the stream of the traces of this queue's last traced pushes, with the ids of their messages.
func (q Queue) Traces() string { return q.Stream + ":traces" }

// Webhook is the hash of how the queue's webhook is: its lease, its last deliveries.
func (q Queue) Webhook() string { return q.Stream + ":webhook" }

// Keys that a partition has once, for all its channels.

// Channels is the sorted set of the partition's channels.
func (p Partition) Channels() string { return p.Start + "channels" }

// Oldest is the index of queues that hold messages, by the time of the first one.
func (p Partition) Oldest() string { return p.Start + "oldest" }

// Due is the index of queues by when their first message is over its age.
func (p Partition) Due() string { return p.Start + "due" }

// Depth is the index of deep queues by how many messages they hold.
func (p Partition) Depth() string { return p.Start + "depth" }

// Dead is the index of queues that have dead letters, by how many.
func (p Partition) Dead() string { return p.Start + "dead" }

// DeadOldest is the index of queues that have dead letters, by when the first one became one.
func (p Partition) DeadOldest() string { return p.Start + "dead_oldest" }

// Totals is the hash of messages, bytes and dead letters in all the partition's queues.
func (p Partition) Totals() string { return p.Start + "totals" }

// LastSeen is the sorted set of channels by when a client was last seen there.
func (p Partition) LastSeen() string { return p.Start + "last_seen" }

// Gaps is the list of the last gaps between two times that a client was seen on a channel.
func (p Partition) Gaps(channel string) string { return p.Start + "gaps:" + channel }

// Hours is the hash of the longest gaps of late, by the hour of the day (UTC) at which they began.
func (p Partition) Hours(channel string) string { return p.Start + "hours:" + channel }

// Hints is the sorted set of channels where something odd was seen, by when.
func (p Partition) Hints() string { return p.Start + "hints" }

// Unwell is the sorted set of channels that are not well, with what is wrong, by since when.
func (p Partition) Unwell() string { return p.Start + "unwell" }

// UnwellCounts is the hash of how many of these there are, by what is wrong.
func (p Partition) UnwellCounts() string { return p.Start + "unwell_counts" }

// Watched says that a replica has looked for them, until it is time to look again.
func (p Partition) Watched() string { return p.Start + "watched" }

// Webhooks is the sorted set of queues with a webhook, by when an operator changed it last.
func (p Partition) Webhooks() string { return p.Start + "webhooks" }

// Wake returns the wake stream of a replica's polls of this partition.
func (p Partition) Wake(replica string) string { return p.Wakes + replica }

// Record returns the hash that holds what an operator said of a channel: its
// settings and its credentials.
func (l Layout) Record(channel string) string { return l.Partition(channel).Start + "c:" + channel }

// Stored is the hash that says how the data is laid out.
func (l Layout) Stored() string { return l.prefix + ":layout" }

// Replicas is the hash of the replicas that serve, with how many polls each holds.
func (l Layout) Replicas() string { return l.prefix + ":replicas" }

// Workers is the hash of the workers of webhooks that live, with how many queues each has.
func (l Layout) Workers() string { return l.prefix + ":workers" }

// SplitName takes a queue's name in an index apart.
func SplitName(name string) (channel, kind string) {
	channel, kind, _ = strings.Cut(name, ":")
	return channel, kind
}

// crc16 is the checksum that Redis Cluster takes a key's slot from
// (CRC-16/XMODEM; Redis Cluster specification, appendix A).
func crc16(s string) uint16 {
	var crc uint16
	for i := range len(s) {
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc
}
