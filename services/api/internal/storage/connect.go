package storage

import (
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// noNotifications: they are for Redis Cloud and Enterprise, and cost a command a
// connection elsewhere.
func noNotifications() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

// clusterReload is how old what is known of a Cluster's nodes may be when a command is sent. Older, it
// is learned anew, in the background: so a fail-over is known a second after Redis has done it.
const clusterReload = time.Second

// idleMost is for how long a connection that nobody used is trusted. Firewalls and balancers forget
// idle connections, after minutes, and tell nobody (Azure's after 4, AWS's after 6): what is sent
// over one gets no answer, and the time-out is up. An older one is replaced before anything is sent.
const idleMost = time.Minute

// ErrURL is returned by [Connect] for a URL that is none of a Redis.
var ErrURL = errors.New("not a URL that a Redis client understands")

// Connection says how a client connects to Redis.
type Connection struct {
	URL     string // redis://, rediss:// as go-redis parses them; master_name= asks Sentinel
	Cluster bool
	// Connections is how many connections the client may have to a node, and Idle how
	// many of them it keeps open.
	Connections, Idle int
	// Timeout bounds dialing, writing and reading.
	Timeout time.Duration
	TLS     TLS
}

// Connect makes a client of what the URL names: one Redis, one found through
// Sentinel (master_name=), or a Cluster. What the URL's query sets wins. It returns
// ErrURL, or what is wrong with the files that TLS names.
func Connect(c Connection) (redis.UniversalClient, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, ErrURL // url's error would show the password
	}
	q := u.Query()
	for name, value := range map[string]string{
		"pool_size":          strconv.Itoa(c.Connections),
		"min_idle_conns":     strconv.Itoa(c.Idle),
		"pipeline_pool_size": "-1", // pipelines go through the one pool
		"conn_max_idle_time": idleMost.String(),
		"dial_timeout":       c.Timeout.String(),
		"read_timeout":       c.Timeout.String(),
		"write_timeout":      c.Timeout.String(),
		"pool_timeout":       ConnectionWait.String(),
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
	case c.Cluster:
		o, err := redis.ParseClusterURL(u.String())
		if err != nil {
			return nil, ErrURL
		}
		if err := c.TLS.apply(o.TLSConfig); err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled, o.MaintNotificationsConfig, o.DisableIdentity = true, noNotifications(), true
		o.ClusterStateReloadInterval = clusterReload
		return redis.NewClusterClient(o), nil
	case sentinel:
		o, err := redis.ParseFailoverURL(u.String())
		if err != nil {
			return nil, ErrURL
		}
		if err := c.TLS.apply(o.TLSConfig); err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled, o.DisableIdentity = true, true
		return redis.NewFailoverClient(o), nil
	default:
		o, err := redis.ParseURL(u.String())
		if err != nil {
			return nil, ErrURL
		}
		if err := c.TLS.apply(o.TLSConfig); err != nil {
			return nil, err
		}
		o.ContextTimeoutEnabled, o.MaintNotificationsConfig, o.DisableIdentity = true, noNotifications(), true
		return redis.NewClient(o), nil
	}
}
