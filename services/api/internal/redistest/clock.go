package redistest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// faketime are where distributions have the library that gives a process a clock of its own.
var faketime = []string{
	"/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
	"/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
	"/usr/lib64/faketime/libfaketimeMT.so.1",
	"/usr/lib/faketime/libfaketimeMT.so.1",
}

// StartWithClock is [Start] of a server whose clock a test can set, if the machine has libfaketime: see
// [Server.HasClock].
func StartWithClock(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := &Server{tb: tb, dir: tb.TempDir(), args: usual(args)}
	for _, library := range faketime {
		if _, err := os.Stat(library); err == nil {
			s.clock = filepath.Join(s.dir, "clock")
			s.SetClock(0)
			s.env = []string{"LD_PRELOAD=" + library, "FAKETIME_TIMESTAMP_FILE=" + s.clock, "FAKETIME_NO_CACHE=1", "DONT_FAKE_MONOTONIC=1"}
			break
		}
	}
	return s.first()
}

// HasClock tells whether the server has a clock that a test can set.
func (s *Server) HasClock() bool { return s.clock != "" }

// SetClock sets the server's wall clock so much ahead of the machine's, or back.
func (s *Server) SetClock(ahead time.Duration) {
	s.tb.Helper()
	// Renamed, so that no clock is read that is half written.
	text := fmt.Sprintf("%+f\n", ahead.Seconds())
	if err := os.WriteFile(s.clock+".new", []byte(text), 0o600); err != nil {
		s.tb.Fatal(err)
	}
	if err := os.Rename(s.clock+".new", s.clock); err != nil {
		s.tb.Fatal(err)
	}
}
