package storage

import (
	"crypto/sha1" //nolint:gosec // Redis names a script by its SHA-1
	"encoding/hex"
	"strings"
)

// Script is a Lua script. Each Redis process is given a script of its own: the first line
// defines the local SERVER, which names the process (see [Runner]).
type Script struct{ flags, body string }

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
	return Script{flags: flags, body: strings.Join(parts, "\n")}
}

// plain is the script without its flags, for the embedded Redis, which knows none.
func (s Script) plain() Script { return Script{body: s.body} }

// Source returns the text of the script, as a process of no name would have it.
func (s Script) Source() string { return s.on("") }

// on returns the text of the script for the process with this name.
func (s Script) on(server string) string {
	return s.flags + "local SERVER = '" + server + "'\n" + s.body
}

// digest returns the name by which Redis knows a script.
func digest(source string) string {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}
