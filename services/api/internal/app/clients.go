package app

import (
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/config"
	"github.com/queuestatetransfer/qst/services/api/internal/embedded"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// clients are the connections of a replica to its Redis.
type clients struct {
	// commands are for pushes and pulls. All its connections are opened at once and
	// stay, so their number doesn't depend on the load.
	commands redis.UniversalClient
	// waiting is for the blocked reads, one per wake stream: none of them may be a
	// connection that a push needs.
	waiting  redis.UniversalClient
	embedded *embedded.Server // nil: a real Redis
}

func connect(cfg config.Config, tls storage.TLS) (c clients, err error) {
	address := cfg.RedisURL.Reveal()
	if address == config.EmbeddedRedis {
		if c.embedded, err = embedded.Start(); err != nil {
			return clients{}, err
		}
		address = c.embedded.URL()
	}
	if c.commands, err = storage.Connect(storage.Connection{
		URL: address, Cluster: cfg.RedisCluster, Connections: cfg.RedisPoolSize, Idle: cfg.RedisPoolSize, Timeout: cfg.RedisTimeout, TLS: tls,
	}); err != nil {
		return clients{}, fmt.Errorf("QST_REDIS_URL: %w: see docs/configuration.md", err)
	}
	// A blocked read takes WakeBlock when nothing happens; the time-out of the
	// client is for a Redis that doesn't even say so.
	if c.waiting, err = storage.Connect(storage.Connection{
		URL: address, Cluster: cfg.RedisCluster, Connections: cfg.RedisPartitions, Timeout: queue.WakeBlock + cfg.RedisTimeout, TLS: tls,
	}); err != nil {
		return clients{}, fmt.Errorf("QST_REDIS_URL: %w: see docs/configuration.md", err)
	}
	return c, nil
}

// Close closes the connections, and then the embedded Redis if there is one.
func (c clients) Close() {
	for _, client := range []redis.UniversalClient{c.waiting, c.commands} {
		if client != nil {
			_ = client.Close() // nothing is in flight: what Close could say doesn't matter
		}
	}
	if c.embedded != nil {
		c.embedded.Close()
	}
}

// pool tells how the connections for pushes and pulls are.
func (c clients) pool() telemetry.Pool {
	s := c.commands.PoolStats()
	return telemetry.Pool{Open: int64(s.TotalConns), Idle: int64(s.IdleConns), Waited: int64(s.WaitCount), TimedOut: int64(s.Timeouts)}
}
