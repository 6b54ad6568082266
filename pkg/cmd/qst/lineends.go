package main

import (
	"bufio"
	"errors"
	"io"
)

// lineEnds reads a text whose lines may end in a carriage return alone, as some
// spreadsheets write them, and has them end in a line feed. Whether they do, the first
// line's end tells: a carriage return in a text with other line ends stays.
type lineEnds struct {
	r       *bufio.Reader
	decided bool
	lone    bool // carriage returns stand alone
}

// Read reads what is there, and waits for at most one byte more.
func (l *lineEnds) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if _, err := l.r.Peek(1); err != nil {
		return 0, err
	}
	n, err := l.r.Read(p[:min(len(p), l.r.Buffered())])
	for i := range n {
		switch {
		case l.decided && !l.lone:
			return n, err
		case p[i] == '\n' && !l.decided:
			l.decided = true
		case p[i] == '\r' && !l.decided:
			next := p[i+1 : n]
			if len(next) == 0 {
				var err error
				if next, err = l.r.Peek(1); err != nil && !errors.Is(err, io.EOF) {
					return n, err
				}
			}
			l.decided, l.lone = true, len(next) == 0 || next[0] != '\n'
		}
		if l.lone && p[i] == '\r' {
			p[i] = '\n'
		}
	}
	return n, err
}
