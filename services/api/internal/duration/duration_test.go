package duration

import (
	"errors"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "1.5h": 90 * time.Minute, "-1s": -time.Second,
		"14d": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0, "1d0.5s": 24*time.Hour + time.Second/2, "106751d": 106751 * 24 * time.Hour,
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "1", "1.5d", "-1d", "+1d", "1d-1s", "1d+1s", "1d1d", "1dd", "1 d", "106752d", "4294967297d", "106751d24h", "12h1d", "1w"} {
		if got, err := Parse(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q: %v, %v, want an error", text, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1d12h")
	f.Add("90s")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text)
		if err != nil {
			return
		}
		if again, err := Parse(d.String()); err != nil || again != d {
			t.Errorf("%q is %v, which is %v, %v", text, d, again, err)
		}
	})
}
