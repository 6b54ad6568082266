package redistest

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

//go:embed testdata/clock.c
var clockSource []byte

// StartWithClock is [Start] of a server whose clock a test can set, on Linux: see [Server.HasClock]. It takes
// a C compiler, as the race detector does.
func StartWithClock(tb testing.TB, args ...string) *Server {
	tb.Helper()
	s := &Server{tb: tb, dir: tb.TempDir(), args: usual(args)}
	if runtime.GOOS == "linux" {
		source, library := filepath.Join(s.dir, "clock.c"), filepath.Join(s.dir, "clock.so")
		if err := os.WriteFile(source, clockSource, 0o600); err != nil {
			tb.Fatal(err)
		}
		if out, err := exec.CommandContext(tb.Context(), "cc", "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil { //nolint:gosec // paths of the test's own
			tb.Fatalf("compiling the clock: %v\n%s", err, out)
		}
		s.clock = filepath.Join(s.dir, "clock")
		if err := os.WriteFile(s.clock, make([]byte, 8), 0o600); err != nil { //nolint:mnd // an int64
			tb.Fatal(err)
		}
		s.env = []string{"LD_PRELOAD=" + library, "CLOCK_FILE=" + s.clock}
	}
	return s.first()
}

// HasClock tells whether the server has a clock that a test can set.
func (s *Server) HasClock() bool { return s.clock != "" }

// SetClock sets the server's wall clock so many whole seconds ahead of the machine's, or back.
func (s *Server) SetClock(ahead time.Duration) {
	s.tb.Helper()
	f, err := os.OpenFile(s.clock, os.O_WRONLY, 0)
	if err != nil {
		s.tb.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], uint64(int64(ahead/time.Second)))
	if _, err := f.WriteAt(b[:], 0); err != nil { // the process sees the file in its memory
		s.tb.Fatal(err)
	}
}
