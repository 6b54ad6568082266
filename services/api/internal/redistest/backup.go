package redistest

import (
	"os"
	"path/filepath"
)

// Backup returns a snapshot (RDB) of what the server holds.
func (s *Server) Backup() []byte {
	s.tb.Helper()
	if err := s.Client().Save(s.tb.Context()).Err(); err != nil {
		s.tb.Fatalf("SAVE: %v", err)
	}
	b, err := os.ReadFile(s.snapshot())
	if err != nil {
		s.tb.Fatal(err)
	}
	return b
}

// Restore kills the server, and starts it again with a snapshot in place of its data. The server
// must have been started with "--appendonly", "no": with an append-only file, Redis loads that.
func (s *Server) Restore(backup []byte) {
	s.tb.Helper()
	s.Kill()
	if err := os.WriteFile(s.snapshot(), backup, 0o600); err != nil {
		s.tb.Fatal(err)
	}
	s.Restart()
}

func (s *Server) snapshot() string { return filepath.Join(s.dir, "dump.rdb") }
