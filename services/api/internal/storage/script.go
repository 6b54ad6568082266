package storage

import (
	"crypto/sha1" //nolint:gosec // Redis names a script by its SHA-1
	"encoding/hex"
	"strings"
)

// Script is a Lua script, and the digest by which Redis knows a script once it is
// loaded.
type Script struct{ source, sha string }

// Flags of scripts: what stands in their first line (Redis: "Eval scripts and flags").
const (
	// Refused is for a script that Redis is to refuse, before it does anything, when
	// there is no memory left.
	Refused = "#!lua\n"
	// Always is for a script that has to go on then: it confirms, or gives messages
	// out, and so makes room.
	Always = "#!lua flags=allow-oom\n"
)

// NewScript puts a script together from its parts, the libraries first.
func NewScript(flags string, parts ...string) Script {
	source := flags + strings.Join(parts, "\n")
	sum := sha1.Sum([]byte(source)) //nolint:gosec // as above
	return Script{source: source, sha: hex.EncodeToString(sum[:])}
}

// plain is the script without its flags, for the embedded Redis, which knows none.
func (s Script) plain() Script {
	_, source, _ := strings.Cut(s.source, "\n")
	return NewScript("", source)
}

// Source returns the text of the script.
func (s Script) Source() string { return s.source }
