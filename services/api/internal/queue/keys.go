package queue

import (
	"fmt"
	"hash/fnv"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// Kind tells a channel's queues apart; see "URLs" in the protocol.
type Kind string

// The queues a channel can have.
const (
	Inbound  Kind = "inbound"  // from the gateway to the application
	Outbound Kind = "outbound" // from the application to the gateway
	Mailbox  Kind = "mailbox"  // the one-queue case
)

// Name names one queue of one channel.
//
// The channel has been checked by the caller: none of its characters is a
// colon or a brace, so that a key can be taken apart again and the hash tag is
// the only one in it.
type Name struct {
	Channel string
	Kind    Kind
}

// String returns "channel:kind", which is also the queue's name in sorted sets.
func (n Name) String() string { return n.Channel + ":" + string(n.Kind) }

// attributes of measurements, made once.
var attributes = map[Kind]metric.MeasurementOption{
	Inbound:  metric.WithAttributeSet(attribute.NewSet(telemetry.Queue(Inbound))),
	Outbound: metric.WithAttributeSet(attribute.NewSet(telemetry.Queue(Outbound))),
	Mailbox:  metric.WithAttributeSet(attribute.NewSet(telemetry.Queue(Mailbox))),
}

// attribute is what is said of the queue with a measurement: its kind, and never
// its channel.
func (n Name) attribute() metric.MeasurementOption { return attributes[n.Kind] }

// Layout builds every key that the service has in Redis. It is part of the data:
// programs that share a Redis must agree on it.
type Layout struct {
	prefix string
	tags   []string // one hash tag a partition
}

// slots is the number of hash slots of a Redis Cluster.
const slots = 16384

// NewLayout returns the layout for a key prefix and a number of partitions, 1 to
// 16384. It chooses a hash tag for each partition, so that partition i lies in
// the middle of the i-th of n equal ranges of slots: any number of shards, each
// with its equal range, gets its even share of the partitions.
//
// The tags are part of the data's layout: for a given n they never change.
func NewLayout(prefix string, n int) Layout {
	l := Layout{prefix: prefix, tags: make([]string, n)}
	wanted := make(map[uint16]int, n)
	for i := range n {
		wanted[uint16(i*slots/n+slots/n/2)] = i
	}
	for candidate := uint64(0); len(wanted) > 0; candidate++ {
		tag := strconv.FormatUint(candidate, 36)
		slot := crc16(tag) % slots
		if i, ok := wanted[slot]; ok {
			l.tags[i] = tag
			delete(wanted, slot)
		}
	}
	return l
}

// Partitions returns how many partitions there are.
func (l Layout) Partitions() int { return len(l.tags) }

// partition returns the partition of a channel: all queues of a channel are in
// the same one.
func (l Layout) partition(channel string) int {
	h := fnv.New64a()
	_, _ = h.Write([]byte(channel)) // a hash never fails
	return int(h.Sum64() % uint64(len(l.tags)))
}

// Record returns the hash that holds what an operator said of a channel: its
// settings and its credentials.
func (l Layout) Record(channel string) string {
	return fmt.Sprintf("%s:{%s}:c:%s", l.prefix, l.tags[l.partition(channel)], channel)
}

// Channels returns the sorted set of the channels of a channel's partition.
func (l Layout) Channels(channel string) string {
	return l.ofPartition(l.partition(channel)).channels
}

// AllChannels returns the sorted sets of the channels of all partitions.
func (l Layout) AllChannels() []string {
	keys := make([]string, len(l.tags))
	for p := range keys {
		keys[p] = l.ofPartition(p).channels
	}
	return keys
}

// queueKeys are the keys of one queue; lua/shared.lua says what each one holds.
type queueKeys struct {
	partition                          int
	stream, meta, waiter, dead, record string
	partitionKeys
}

// partitionKeys are the keys that a partition has once, for all its channels.
type partitionKeys struct {
	channels, oldest, due, depth, totals, heard string
	wakes                                       string // prefix of the wake streams
}

// list returns the keys in the order in which scripts take them.
func (k queueKeys) list(more ...string) []string {
	return append([]string{
		k.stream, k.meta, k.waiter, k.dead, k.record, k.channels, k.oldest, k.due, k.depth, k.totals,
	}, more...)
}

// states returns the stream of what a phone reported of this queue's messages.
func (k queueKeys) states() string { return k.stream + ":states" }

func (l Layout) queue(n Name) queueKeys {
	p := l.partition(n.Channel)
	stream := fmt.Sprintf("%s:{%s}:q:%s", l.prefix, l.tags[p], n)
	return queueKeys{
		partition:     p,
		stream:        stream,
		meta:          stream + ":meta",
		waiter:        stream + ":waiter",
		dead:          stream + ":dead",
		record:        l.Record(n.Channel),
		partitionKeys: l.ofPartition(p),
	}
}

func (l Layout) ofPartition(partition int) partitionKeys {
	start := fmt.Sprintf("%s:{%s}:", l.prefix, l.tags[partition])
	return partitionKeys{
		channels: start + "channels",
		oldest:   start + "oldest",
		due:      start + "due",
		depth:    start + "depth",
		totals:   start + "totals",
		heard:    start + "heard",
		wakes:    start + "wake:",
	}
}

// seen returns the set of digests of the messages that the queue took in the
// n-th deduplication window.
func (k queueKeys) seen(n int64) string {
	return k.stream + ":seen:" + strconv.FormatInt(n, 10)
}

// wake returns the stream that tells a replica which of its polls of a
// partition have something to read.
func (l Layout) wake(partition int, replica string) string {
	return l.ofPartition(partition).wakes + replica
}

// stored is the hash that says how the data is laid out.
func (l Layout) stored() string { return l.prefix + ":layout" }

// replicas is the hash of the replicas that serve, with how many polls each holds.
func (l Layout) replicas() string { return l.prefix + ":replicas" }

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
