package app

import (
	"net/url"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/queuestatetransfer/qst/services/api/internal/config"
	"github.com/queuestatetransfer/qst/services/api/internal/embedded"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// noNotifications: they are for Redis Cloud and Enterprise, and cost a command a
// connection elsewhere.
func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// clients are the connections of a replica to its Redis.
type clients struct {
	// commands are for pushes and pulls. All its connections are opened at once and
	// stay, so their number doesn't depend on the load.
	commands redis.UniversalClient
	// waiting is for the blocked reads, one a partition: none of them may be a
	// connection that a push needs.
	waiting  redis.UniversalClient
	embedded *embedded.Server // nil: a real Redis
}

func connect(cfg config.Config) (c clients, err error) {
	address := cfg.RedisURL.Reveal()
	if address == config.EmbeddedRedis {
		if c.embedded, err = embedded.Start(); err != nil {
			return clients{}, err
		}
		address = c.embedded.URL()
	}
	if c.commands, err = newClient(address, cfg.RedisCluster, pool{
		size: cfg.RedisPoolSize, idle: cfg.RedisPoolSize, timeout: cfg.RedisTimeout,
	}); err != nil {
		return clients{}, err
	}
	// A blocked read takes WakeBlock when nothing happens; the time-out of the
	// client is for a Redis that doesn't even say so.
	c.waiting, err = newClient(address, cfg.RedisCluster, pool{
		size: cfg.RedisPartitions, timeout: queue.WakeBlock + cfg.RedisTimeout,
	})
	return c, err
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

// pool says how many connections a client has a node, and how long it waits.
type pool struct {
	size, idle int
	timeout    time.Duration
}

// newClient makes a client of what the URL names: one Redis, one found through
// Sentinel (master_name=), or a Cluster. What the URL's query sets wins.
func newClient(address string, cluster bool, p pool) (redis.UniversalClient, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errRedisURL // url's error would show the password
	}
	q := u.Query()
	for name, value := range map[string]string{
		"pool_size":          strconv.Itoa(p.size),
		"min_idle_conns":     strconv.Itoa(p.idle),
		"pipeline_pool_size": "-1", // pipelines go through the one pool
		"conn_max_idle_time": "-1", // its connections stay
		"dial_timeout":       p.timeout.String(),
		"read_timeout":       p.timeout.String(),
		"write_timeout":      p.timeout.String(),
		"pool_timeout":       queue.ConnectionWait.String(),
		"max_retries":        "-1", // never sends anything again by itself: see queue
		"protocol":           "2",  // nothing here needs RESP3
	} {
		if !q.Has(name) {
			q.Set(name, value)
		}
	}
	sentinel := q.Has("master_name")
	u.RawQuery = q.Encode()

	// Not a word of what the parsers say: it may show the password.
	switch {
	case cluster:
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, errRedisURL
		}
		o.ContextTimeoutEnabled, o.MaintNotificationsConfig = true, noNotifications()
		return redis.NewClusterClient(o), nil
	case sentinel:
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, errRedisURL
		}
		o.ContextTimeoutEnabled = true
		return redis.NewFailoverClient(o), nil
	default:
		o, err := redis.ParseURL(u.String())
		if err != nil {
			return nil, errRedisURL
		}
		o.ContextTimeoutEnabled, o.MaintNotificationsConfig = true, noNotifications()
		return redis.NewClient(o), nil
	}
}
