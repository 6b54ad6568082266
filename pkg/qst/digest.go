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
	var space [1024]byte
	b := space[:0]
	for i := range fieldNames {
		if m.hasIndex(i) {
			b = appendDigestText(b, byte(i), *m.field(i))
		}
	}
	byName := func(a, b *Property) int { return cmp.Compare(a.Name, b.Name) }
	var few [8]*Property
	ps := few[:0]
	for i := range m.Properties {
		ps = append(ps, &m.Properties[i])
	}
	slices.SortStableFunc(ps, byName)
	for _, p := range ps {
		for i := range p.Values {
			b = appendDigestText(b, digestName, p.Name)
			b = appendDigestText(b, digestValue, p.Values[i].Text)
		}
	}
	sum := sha256.Sum256(b)
	return [16]byte(sum[:16])
}

// Tags of texts in a digest; fields have their indexes.
const (
	digestName  = 0x10
	digestValue = 0x11
)

// appendDigestText appends a text so that no two lists of texts look alike:
// with its tag and its length.
func appendDigestText(b []byte, tag byte, s string) []byte {
	b = append(b, tag)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
