package qst

import "math/bits"

// Most of every text is plain characters, which only need to be skipped. The
// functions here look at eight bytes at a time, as one word of which the first byte
// is the lowest.

const (
	eachByte = 0x0101010101010101
	highBits = 0x80 * eachByte
)

// wordOf returns s, which has eight bytes, as a word. The compiler makes it one load.
func wordOf[T string | []byte](s T) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// bytesEqual returns a word whose lowest set bit is in the lowest byte of w that
// equals c, 0 if there is none. Above that byte it means nothing.
func bytesEqual(w uint64, c byte) uint64 {
	w ^= eachByte * uint64(c)
	return (w - eachByte) &^ w & highBits // the subtraction borrows where a byte was 0
}

// quotesAndControls is like bytesEqual, of quotation marks and of bytes below the
// space: with that bit turned, a quotation mark is where the space was, and the space
// above it.
func quotesAndControls(w uint64) uint64 {
	return ((w ^ eachByte*('"'^' ')) - eachByte*(' '+1)) &^ w & highBits
}

// firstByte returns the index, in its word, of the byte that found tells of.
func firstByte(found uint64) int { return bits.TrailingZeros64(found) / 8 }

// What skipJSON stops at besides what it always does.
const (
	atNothingMore uint64 = 0
	atNonASCII    uint64 = highBits
)

// skipJSON returns the index of the first byte of s, from index i on, that can't
// stand for itself in a JSON string: a quotation mark, a backslash, a control
// character; or that is as stop says; len(s) if there is none.
func skipJSON[T string | []byte](s T, i int, stop uint64) int {
	for ; len(s)-i >= 8; i += 8 {
		w := wordOf(s[i : i+8])
		if found := quotesAndControls(w) | bytesEqual(w, '\\') | w&stop; found != 0 {
			return i + firstByte(found)
		}
	}
	for i < len(s) && s[i] != '"' && s[i] != '\\' && s[i] >= ' ' && s[i]&byte(stop) == 0 {
		i++
	}
	return i
}

// skipXML returns the index of the first byte of data, from index i on, that is <, &,
// a carriage return or end: what can't stand for itself in XML text where ] is end,
// or in an attribute's value where its quotation mark is. It is len(data) if there is
// none.
func skipXML(data []byte, i int, end byte) int {
	for ; len(data)-i >= 8; i += 8 {
		w := wordOf(data[i : i+8])
		if found := bytesEqual(w, '<') | bytesEqual(w, '&') | bytesEqual(w, '\r') | bytesEqual(w, end); found != 0 {
			return i + firstByte(found)
		}
	}
	for i < len(data) && data[i] != '<' && data[i] != '&' && data[i] != '\r' && data[i] != end {
		i++
	}
	return i
}

// skipToControl returns the index of the first byte of data, from index i on, that is
// below the space; len(data) if there is none.
func skipToControl(data []byte, i int) int {
	for ; len(data)-i >= 8; i += 8 {
		w := wordOf(data[i : i+8])
		if found := (w - eachByte*' ') &^ w & highBits; found != 0 {
			return i + firstByte(found)
		}
	}
	for i < len(data) && data[i] >= ' ' {
		i++
	}
	return i
}

// skipMarkup returns the index of the first ASCII character of s, from index i on,
// that means something in a JSON string or may not be in XML as it is: a quotation
// mark, a backslash, a control character, &, < or >; or that is ^, | or ~, which makes
// for fewer tests; len(s) if there is none. wide is true if there are bytes beyond
// ASCII on the way, or shortly after.
func skipMarkup(s string, i int) (end int, wide bool) {
	var bytes uint64
	for ; len(s)-i >= 8; i += 8 {
		w := wordOf(s[i : i+8])
		bytes |= w
		// Without the bits in which they differ, & is " and <, > and \ are one; so are
		// control characters, and the three that should not be.
		and := quotesAndControls(w &^ (eachByte * ('"' ^ '&')))
		angles := bytesEqual(w&^(eachByte*('<'^'>'|'<'^'\\')), '<'&'>'&'\\')
		if found := and | angles; found != 0 {
			return i + firstByte(found), bytes&highBits != 0
		}
	}
	for i < len(s) && !markup[s[i]] {
		bytes |= uint64(s[i])
		i++
	}
	return i, bytes&highBits != 0
}

// markup is what skipMarkup stops at.
var markup = func() (set [256]bool) {
	for c := range byte(' ') {
		set[c] = true
	}
	for _, c := range []byte(`"\&<>`) {
		set[c] = true
	}
	return set
}()
