package storage

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// says returns the guard of a server that answers INFO with this and knows nothing else.
func says(t *testing.T, info string) Guard {
	t.Helper()
	s, err := server.NewServer("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.Register("INFO", func(c *server.Peer, _ string, _ []string) { c.WriteBulk(info) }); err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(&redis.Options{Addr: s.Addr().String(), Protocol: 2})
	t.Cleanup(func() { _ = c.Close() })
	return Guard{Client: c, Layout: NewLayout("qst", 4, false), Timeout: 10 * time.Second, Logger: slog.New(slog.DiscardHandler)}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	const rest = "\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n"
	for version, fit := range map[string]bool{
		"6.2.14": false, "5.0.7": false, "7.0.0": true, "7.4.1": true, "8.2.0": true, "10.0.1": true, "": false, "x": false,
	} {
		s := says(t, "# Server\r\nredis_version:"+version+rest)
		err := s.EachMaster(t.Context(), s.verify)
		if fit && err != nil || !fit && !errors.Is(err, ErrUnsuitable) {
			t.Errorf("Redis %s: %v", version, err)
		}
		if !fit && !strings.Contains(err.Error(), "7.0 or newer") {
			t.Errorf("Redis %s: %v doesn't say what is needed", version, err)
		}
	}
	// Valkey 8 says of itself:
	s := says(t, "# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:8.1.1"+rest)
	if err := s.EachMaster(t.Context(), s.verify); err != nil {
		t.Errorf("Valkey: %v", err)
	}
}
