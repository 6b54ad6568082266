package storage

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// A connection that was idle for a minute is not trusted, or for as long as the URL says: on each kind
// of Redis.
func TestIdleConnectionsAreNotTrusted(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]time.Duration{"": time.Minute, "conn_max_idle_time=20s": 20 * time.Second} {
		for kind, c := range map[string]Connection{
			"standalone": {URL: "redis://localhost?" + query},
			"cluster":    {URL: "redis://localhost?" + query, Cluster: true},
			"sentinel":   {URL: "redis://localhost?master_name=m&" + query},
		} {
			c.Connections, c.Timeout = 1, time.Second
			client, err := Connect(c)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			var got time.Duration
			switch client := client.(type) {
			case *redis.Client:
				got = client.Options().ConnMaxIdleTime
			case *redis.ClusterClient:
				got = client.Options().ConnMaxIdleTime
			}
			if got != want {
				t.Errorf("%s, %q: %v, want %v", kind, query, got, want)
			}
			_ = client.Close()
		}
	}
}
