package sms_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/queuestatetransfer/qst/pkg/sms"
)

// table is the GSM 7-bit default alphabet by code points, as 3GPP TS 23.038 (6.2.1) has it,
// row after row. 0x1B is the escape.
var table = [128]rune{
	0x40, 0xA3, 0x24, 0xA5, 0xE8, 0xE9, 0xF9, 0xEC, 0xF2, 0xC7, 0x0A, 0xD8, 0xF8, 0x0D, 0xC5, 0xE5,
	0x394, 0x5F, 0x3A6, 0x393, 0x39B, 0x3A9, 0x3A0, 0x3A8, 0x3A3, 0x398, 0x39E, 0x1B, 0xC6, 0xE6, 0xDF, 0xC9,
	0x20, 0x21, 0x22, 0x23, 0xA4, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2A, 0x2B, 0x2C, 0x2D, 0x2E, 0x2F,
	0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F,
	0xA1, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4D, 0x4E, 0x4F,
	0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5A, 0xC4, 0xD6, 0xD1, 0xDC, 0xA7,
	0xBF, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F,
	0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7A, 0xE4, 0xF6, 0xF1, 0xFC, 0xE0,
}

// extension is the extension table (6.2.1.1), by code.
var extension = map[byte]rune{
	0x0A: 0x0C, 0x14: 0x5E, 0x28: 0x7B, 0x29: 0x7D, 0x2F: 0x5C, 0x3C: 0x5B, 0x3D: 0x7E, 0x3E: 0x5D, 0x40: 0x7C, 0x65: 0x20AC,
}

const escape = 0x1B

// Every character of Unicode up to U+2FFFF is in the alphabet if the tables have it, and
// takes the units that it should.
func TestEveryCharacter(t *testing.T) {
	t.Parallel()
	one, two := map[rune]bool{}, map[rune]bool{}
	for code, r := range table {
		if code != escape {
			one[r] = true
		}
	}
	for _, r := range extension {
		two[r] = true
	}
	for r := rune(0); r <= 0x2FFFF; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		want := sms.Count{Encoding: sms.UCS2, Units: utf16.RuneLen(r), Parts: 1, Left: 70 - utf16.RuneLen(r), Outside: []rune{r}}
		switch {
		case one[r]:
			want = sms.Count{Encoding: sms.GSM7, Units: 1, Parts: 1, Left: 159}
		case two[r]:
			want = sms.Count{Encoding: sms.GSM7, Units: 2, Parts: 1, Left: 158}
		}
		if got := sms.Measure(string(r)); !same(got, want) {
			t.Fatalf("%U: %+v, want %+v", r, got, want)
		}
	}
}

func TestParts(t *testing.T) {
	t.Parallel()
	x := strings.Repeat
	for _, c := range []struct {
		name, text         string
		encoding           sms.Encoding
		units, parts, left int
	}{
		{"nothing", "", sms.GSM7, 0, 1, 160},
		{"one", x("a", 160), sms.GSM7, 160, 1, 0},
		{"two", x("a", 161), sms.GSM7, 161, 2, 145},
		{"two, full", x("a", 306), sms.GSM7, 306, 2, 0},
		{"three", x("a", 307), sms.GSM7, 307, 3, 152},
		{"escapes in one", x("€", 80), sms.GSM7, 160, 1, 0},
		{"escapes in two", x("€", 81), sms.GSM7, 162, 2, 153 - 10}, // 76 of them fill 152 septets
		{"an escape is not cut", x("a", 152) + "€" + x("a", 10), sms.GSM7, 164, 2, 141},
		{"an escape at the end", x("a", 158) + "€", sms.GSM7, 160, 1, 0},
		{"an escape too many", x("a", 159) + "€", sms.GSM7, 161, 2, 145},
		{"line ends", "a\r\nb\n", sms.GSM7, 5, 1, 155},
		{"a tab", "a\tb", sms.UCS2, 3, 1, 67},
		{"an apostrophe of a word processor", "It’s", sms.UCS2, 4, 1, 66},
		{"ç is not Ç", "ça", sms.UCS2, 2, 1, 68},
		{"Khmer, one", x("ក", 70), sms.UCS2, 70, 1, 0},
		{"Khmer, two", x("ក", 71), sms.UCS2, 71, 2, 63},
		{"Khmer, two, full", x("ក", 134), sms.UCS2, 134, 2, 0},
		{"Khmer, three", x("ក", 135), sms.UCS2, 135, 3, 66},
		{"emoji, one", x("🎉", 35), sms.UCS2, 70, 1, 0},
		{"emoji, two", x("🎉", 36), sms.UCS2, 72, 2, 67 - 6}, // 33 of them fill 66 units
		{"an emoji is not cut", x("ក", 66) + "🎉" + x("ក", 4), sms.UCS2, 72, 2, 61},
		{"GSM-7's letters in UCS-2", "€ક", sms.UCS2, 2, 1, 68},
		{"not UTF-8", "a\xff", sms.UCS2, 2, 1, 68},
		{"the most parts", x("a", 255*153), sms.GSM7, 255 * 153, sms.MostParts, 0},
	} {
		got := sms.Measure(c.text)
		if got.Encoding != c.encoding || got.Units != c.units || got.Parts != c.parts || got.Left != c.left {
			t.Errorf("%s: %+v, want %s, %d units, %d parts, %d left", c.name, got, c.encoding, c.units, c.parts, c.left)
		}
	}
	if got := sms.Measure("‘ab’ ‘c’ é").Outside; string(got) != "‘’" {
		t.Errorf("outside of GSM-7: %q", string(got))
	}
}

// A count is that of the parts that a text is cut into by another hand.
func FuzzMeasure(f *testing.F) {
	for _, s := range []string{"", "hello", "€", strings.Repeat("€a", 200), strings.Repeat("ក🎉", 100), "\xff\x00\x1b", strings.Repeat("a", 159) + "|"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := sms.Measure(text)
		codes, outside := encode(text)
		single, part, encoding := 160, 153, sms.GSM7
		if len(outside) > 0 {
			single, part, encoding = 70, 67, sms.UCS2
			codes = nil
			for _, r := range text {
				codes = append(codes, utf16.AppendRune(nil, r))
			}
		}
		parts := cut(codes, part)
		total := 0
		for _, p := range parts {
			total += p
		}
		left := part - parts[len(parts)-1]
		if total <= single {
			parts, left = []int{total}, single-total
		}
		want := sms.Count{Encoding: encoding, Units: total, Parts: len(parts), Left: left, Outside: outside}
		if !same(got, want) {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
		if more := sms.Measure(text + "a"); more.Parts < got.Parts || more.Units != got.Units+1 {
			t.Errorf("%q: %+v, with one letter more %+v", text, got, more)
		}
	})
}

// encode writes a text in GSM-7: the codes of each character. outside are those that it
// does not have.
func encode(text string) (codes [][]uint16, outside []rune) {
	for _, r := range text {
		if i := slices.Index(table[:], r); i >= 0 && i != escape {
			codes = append(codes, []uint16{uint16(i)})
			continue
		}
		found := false
		for code, c := range extension {
			if c == r {
				codes = append(codes, []uint16{escape, uint16(code)})
				found = true
			}
		}
		if !found && !slices.Contains(outside, r) {
			outside = append(outside, r)
		}
	}
	return codes, outside
}

// cut returns how many units are in each part.
func cut(codes [][]uint16, part int) []int {
	parts := []int{0}
	for _, c := range codes {
		if parts[len(parts)-1]+len(c) > part {
			parts = append(parts, 0)
		}
		parts[len(parts)-1] += len(c)
	}
	return parts
}

func same(a, b sms.Count) bool {
	return a.Encoding == b.Encoding && a.Units == b.Units && a.Parts == b.Parts && a.Left == b.Left && slices.Equal(a.Outside, b.Outside)
}
