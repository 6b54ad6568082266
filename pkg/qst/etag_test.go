package qst

import (
	"math"
	"net/url"
	"strings"
	"testing"
)

var testETag = ETag{Epoch: "0123456789abcdef", ID: StreamID{1700000000000, 42}}

func TestETagString(t *testing.T) {
	if got, want := testETag.String(), `"0123456789abcdef-1700000000000-42"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := (StreamID{math.MaxUint64, math.MaxUint64}).String(), "18446744073709551615-18446744073709551615"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestParseETag(t *testing.T) {
	const bare = "0123456789abcdef-1700000000000-42"
	good := []string{
		bare, `"` + bare + `"`, `W/"` + bare + `"`, `w/"` + bare + `"`, `W/` + bare, `"W/` + bare + `"`, `W/"` + bare, bare + `"`, `"` + bare,
		" " + bare + "\t", ` "` + bare + `" `, `" ` + bare + ` "`, `""` + bare + `""`,
		bare + "-gzip", `"` + bare + `-gzip"`, `"` + bare + `"-gzip`, `"` + bare + `--gzip"`, `"` + bare + `;gzip"`, `"` + bare + `"--gzip`,
		`"` + bare + `"-br`, `"` + bare + `-br"`, `W/"` + bare + `-gzip"`, `W/"` + bare + `"-br`, `"` + bare + `-zstd"`, `"` + bare + `-deflate"`,
		`"` + bare + `-gzip"-gzip`, `"` + bare + `-br-gzip"`,
	}
	for _, s := range good {
		for _, form := range []string{
			s, url.QueryEscape(s), url.PathEscape(s), url.PathEscape(url.PathEscape(s)), strings.ToLower(url.PathEscape(s)),
			strings.NewReplacer(`"`, "%22").Replace(s), strings.NewReplacer(`"`, "%2522").Replace(s), everyByteEscaped(s), everyByteEscaped(everyByteEscaped(bare)),
		} {
			if strings.Contains(form, "+") {
				continue // white space as QueryEscape writes it, which the query's parser takes away
			}
			if e, ok := ParseETag(form); !ok || e != testETag {
				t.Errorf("%s: %v, %v", form, e, ok)
			}
		}
	}
	longest := ETag{Epoch: "ffffffffffffffff", ID: StreamID{math.MaxUint64, math.MaxUint64}}
	if e, ok := ParseETag(everyByteEscaped(everyByteEscaped(longest.String()))); !ok || e != longest {
		t.Errorf("longest ETag: %v, %v", e, ok)
	}
}

func everyByteEscaped(s string) string {
	var b strings.Builder
	for i := range len(s) {
		b.WriteString("%" + strings.ToUpper(string("0123456789abcdef"[s[i]>>4])+string("0123456789abcdef"[s[i]&15])))
	}
	return b.String()
}

func TestParseETagRefuses(t *testing.T) {
	for _, s := range []string{
		"", `""`, "*", "W/", `W/""`, "%", "%22", "-", "--", "garbage", "\x00", "\xff",
		"0123456789abcdef", "0123456789abcdef-", "0123456789abcdef-1", "0123456789abcdef-1-", "0123456789abcdef--1", "-1-2", "1-2",
		"0123456789ABCDEF-1-2", "0123456789abcdeg-1-2", "0123456789abcde-1-2", "0123456789abcdef0-1-2",
		"0123456789abcdef-01-2", "0123456789abcdef-1-02", "0123456789abcdef-+1-2", "0123456789abcdef-1-+2", "0123456789abcdef- 1-2",
		"0123456789abcdef-1-2-3", "0123456789abcdef-1-0x2", "0123456789abcdef-1_0-2", "0123456789abcdef-1-2x", "0123456789abcdef-1-2-snappy",
		"0123456789abcdef-1-18446744073709551616", "0123456789abcdef-99999999999999999999-1", "0123456789abcdef-1-٣",
		`"0123456789abcdef-1-2", "0123456789abcdef-1-3"`, `"0123456789abcdef-1-2%"`, "0123456789abcdef-1-2gzip",
		everyByteEscaped(everyByteEscaped(everyByteEscaped("0123456789abcdef-1-2"))),
		strings.Repeat(" ", 640) + "0123456789abcdef-1-2", strings.Repeat("%22", 1<<20),
	} {
		if e, ok := ParseETag(s); ok || e != (ETag{}) {
			t.Errorf("%.80q: %v, %v", s, e, ok)
		}
	}
}

func TestStreamID(t *testing.T) {
	for s, want := range map[string]StreamID{
		"0-0": {}, "0-1": {0, 1}, "1700000000000-42": {1700000000000, 42}, "18446744073709551615-18446744073709551615": {math.MaxUint64, math.MaxUint64},
	} {
		got, err := ParseStreamID(s)
		if err != nil || got != want || got.String() != s {
			t.Errorf("%s: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "-", "1", "1-", "-1", "1-2-3", "00-1", "1-01", "+1-1", "1 -1", "18446744073709551616-1", "a-b"} {
		_, err := ParseStreamID(s)
		checkError(t, err, ErrMalformed, quote(s)+" is not a stream ID")
	}
	ordered := []StreamID{{0, 0}, {0, 1}, {0, math.MaxUint64}, {1, 0}, {9, 0}, {10, 0}, {math.MaxUint64, 0}}
	for i, a := range ordered {
		for j, b := range ordered {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%v compared with %v: %d", a, b, got)
			}
		}
	}
}
