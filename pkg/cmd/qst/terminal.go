package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// terminal is what a command talks to.
type terminal struct {
	in                    io.Reader
	out, err              io.Writer
	inTTY, outTTY, errTTY bool // a person is there
	env                   func(string) string
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Colours of text on a terminal (ECMA-48).
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
)

// paint colours s, if out is a terminal and nobody objects (https://no-color.org).
func (t terminal) paint(colour, s string) string {
	if !t.outTTY || t.env("NO_COLOR") != "" || t.env("TERM") == "dumb" {
		return s
	}
	return "\x1b[" + colour + "m" + s + "\x1b[0m"
}

// visible returns s in one line, with what could move a terminal's cursor or worse
// written as escapes: messages come from strangers.
func visible(s string) string {
	if !strings.ContainsFunc(s, dangerous) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if dangerous(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// dangerous reports whether a terminal may take r for a command: control characters,
// those that change the direction of what follows, and others that nobody sees but the
// ones that scripts and pictures are written with.
func dangerous(r rune) bool {
	switch {
	case r == 0x200B, r == 0x200C, r == 0x200D, r == 0x2060, r == 0xAD: // between the words of Khmer and Thai, in Persian, in emoji
		return false
	case r >= 0xE0020 && r <= 0xE007F: // in the flags of England, Scotland and Wales
		return false
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029
}

// progress overwrites one line on a terminal, and says nothing elsewhere.
type progress struct {
	t     terminal
	shown bool
}

func (p *progress) showf(format string, args ...any) {
	if p.t.errTTY {
		p.shown = true
		fmt.Fprintf(p.t.err, "\r\x1b[K"+format, args...)
	}
}

func (p *progress) clear() {
	if p.shown {
		p.shown = false
		fmt.Fprint(p.t.err, "\r\x1b[K")
	}
}
