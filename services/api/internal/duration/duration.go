// Package duration reads durations as people write them: as Go's, and with days.
package duration

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ErrSyntax is that a text is no duration.
var ErrSyntax = errors.New("no duration such as 14d, 1d12h, 90s or 1.5h")

// Parse reads what [time.ParseDuration] takes, and whole days before it: 14d, 1d12h. A day has
// 24 hours.
func Parse(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		d, err := time.ParseDuration(s)
		if err != nil {
			return 0, ErrSyntax
		}
		return d, nil
	}
	n, err := strconv.ParseUint(days, 10, 32)
	if err != nil || strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") || n > uint64(math.MaxInt64/day) {
		return 0, ErrSyntax
	}
	d := time.Duration(n) * day //nolint:gosec // it fits: see above
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more > math.MaxInt64-d {
		return 0, ErrSyntax
	}
	return d + more, nil
}
