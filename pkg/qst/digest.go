package qst

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
)

// Digest identifies what the sender put into the message: messages with the
// same digest are the same message sent again. It is the first half of a
// SHA-256.
//
// It covers all that is in the message, so it must be taken before the
// service adds an ID or a time, and nothing that depends on the format it came in: an array is
// the same as a property that repeats, a number the same as its digits, and
// the order of properties of different names does not matter. An empty array, of
// which XML can't tell, is not covered.
func (m *Message) Digest() [16]byte {
	// Both stay on the stack, whatever the message's size, because add is called only
	// from here.
	h := sha256.New()
	var space [512]byte
	b := space[:0]
	// add adds a text so that no two lists of texts look alike: with its tag and its
	// length.
	add := func(tag byte, s string) {
		if cap(b)-len(b) < 1+binary.MaxVarintLen64 {
			h.Write(b)
			b = b[:0]
		}
		b = append(b, tag)
		b = binary.AppendUvarint(b, uint64(len(s)))
		for len(s) > cap(b)-len(b) {
			n := cap(b) - len(b)
			h.Write(append(b, s[:n]...))
			b, s = b[:0], s[n:]
		}
		b = append(b, s...)
	}
	for i := range fieldNames {
		if m.hasIndex(i) {
			add(byte(i), *m.field(i))
		}
	}
	byName := func(a, b *Property) int { return cmp.Compare(a.Name, b.Name) }
	var few [64]*Property // as many as a message may have by default
	ps := few[:0]
	for i := range m.Properties {
		ps = append(ps, &m.Properties[i])
	}
	slices.SortStableFunc(ps, byName)
	for _, p := range ps {
		for i := range p.Values {
			add(digestName, p.Name)
			add(digestValue, p.Values[i].Text)
		}
	}
	h.Write(b)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return [16]byte(sum[:16])
}

// Tags of texts in a digest; fields have their indexes.
const (
	digestName  = 0x10
	digestValue = 0x11
)
