package config

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size. It is written as a number of bytes, or with one of the units
// KiB, MiB, GiB (powers of 1024) and KB, MB, GB (powers of 1000) in upper or
// lower case, with or without a space before it.
type Bytes int64

// The units that String uses, and the whole list.
const (
	kib Bytes = 1 << 10
	mib Bytes = 1 << 20
	gib Bytes = 1 << 30
)

var errNotBytes = errors.New("not a size in bytes")

// UnmarshalText reads a size that is not negative.
func (b *Bytes) UnmarshalText(text []byte) error {
	number := strings.TrimRight(string(text), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit, ok := unitNamed(string(text[len(number):]))
	n, err := strconv.ParseUint(strings.TrimRight(number, " "), 10, 63)
	if !ok || err != nil || n > uint64(math.MaxInt64/unit) {
		return errNotBytes
	}
	*b = Bytes(n) * unit
	return nil
}

func unitNamed(name string) (unit Bytes, ok bool) {
	switch strings.ToLower(name) {
	case "":
		return 1, true
	case "kib":
		return kib, true
	case "mib":
		return mib, true
	case "gib":
		return gib, true
	case "kb":
		return 1e3, true
	case "mb":
		return 1e6, true
	case "gb":
		return 1e9, true
	default:
		return 1, false
	}
}

// String writes the size in the largest of GiB, MiB and KiB that it is a whole
// number of, or else in bytes: what UnmarshalText reads back as the same.
func (b Bytes) String() string {
	for _, u := range []struct {
		size Bytes
		name string
	}{{gib, "GiB"}, {mib, "MiB"}, {kib, "KiB"}} {
		if b != 0 && b%u.size == 0 {
			return strconv.FormatInt(int64(b/u.size), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(b), 10)
}
