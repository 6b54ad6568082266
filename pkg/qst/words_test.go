package qst

import (
	"strings"
	"testing"
)

// What looks at eight bytes at a time finds what one would find that looks at each,
// wherever in a word it is and whatever is around it.
func TestSkippingByWords(t *testing.T) {
	t.Parallel()
	one := func(s string, i int, stop func(c byte) bool) int {
		for i < len(s) && !stop(s[i]) {
			i++
		}
		return i
	}
	set := func(chars string) func(byte) bool {
		return func(c byte) bool { return strings.IndexByte(chars, c) >= 0 }
	}
	json := func(c byte) bool { return c < ' ' || c == '"' || c == '\\' }
	markup := func(c byte) bool { return c < ' ' || set(`"\&<>`)(c) }
	check := func(s string, from int) {
		t.Helper()
		for i := from; i <= len(s); i++ {
			for name, got := range map[string][2]int{
				"JSON":         {skipJSON(s, i, atNothingMore), one(s, i, json)},
				"JSON, bytes":  {skipJSON([]byte(s), i, atNothingMore), one(s, i, json)},
				"JSON, ASCII":  {skipJSON(s, i, atNonASCII), one(s, i, func(c byte) bool { return json(c) || c >= 0x80 })},
				"XML text":     {skipXML([]byte(s), i, ']'), one(s, i, set("<&\r]"))},
				"XML, double":  {skipXML([]byte(s), i, '"'), one(s, i, set("<&\r\""))},
				"XML, single":  {skipXML([]byte(s), i, '\''), one(s, i, set("<&\r'"))},
				"controls":     {skipToControl([]byte(s), i), one(s, i, func(c byte) bool { return c < ' ' })},
				"XML, no word": {skipXML([]byte(s[:min(len(s), i+7)]), i, ']'), min(one(s, i, set("<&\r]")), i+7)},
			} {
				if got[0] != got[1] {
					t.Fatalf("%s: %q from %d: %d, want %d", name, s, i, got[0], got[1])
				}
			}
			end, wide := skipMarkup(s, i)
			for want := one(s, i, markup); end != want; {
				if end > want || !strings.ContainsRune("^|~", rune(s[end])) {
					t.Fatalf("markup: %q from %d: %d, want %d", s, i, end, want)
				}
				var more bool
				end, more = skipMarkup(s, end+1)
				wide = wide || more
			}
			if !wide && one(s[:end], i, func(c byte) bool { return c >= 0x80 }) < end {
				t.Fatalf("markup: %q from %d: bytes beyond ASCII", s, i)
			}
		}
	}
	for _, around := range []string{"", "xxxxxxxx", "\x01\x01\x01\x01\x01\x01\x01\x01", "\x80\x80\x80\x80\x80\x80\x80\x80", "!#$%'(;=?[]_", "\xff\xa2\xa6\xbc\xbe\xdc\x9f\x8d"} {
		for c := range 256 {
			for n := range 9 {
				check(around+strings.Repeat("y", n)+string([]byte{byte(c)})+around, len(around))
			}
		}
	}
	g := newGenerator(t, 14)
	for range 500 {
		check(g.text()+g.text(), 0)
	}
}
