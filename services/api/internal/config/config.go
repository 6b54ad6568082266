// Package config reads the service's configuration from the environment, and
// refuses what the service could not live with before anything else starts.
//
// Everything there is to know about a variable stands in the tags of [Config]:
// its default, its bounds, what it means. Validation, the text of `api --help`
// and docs/configuration.md all come from there.
package config

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"github.com/queuestatetransfer/qst/services/api/internal/duration"
)

//go:generate go run ./gen ../../../../docs/configuration.md

// prefix starts the name of every variable of ours.
const prefix = "QST"

// EmbeddedRedis is the value of [Config.RedisURL] that asks for a Redis inside
// the process.
const EmbeddedRedis = "embedded"

// Config is the whole configuration of a replica.
//
// Variables are named after the fields (RedisURL is QST_REDIS_URL) by
// split_words. The tag `envconfig:"…"` would name them too, but has envconfig
// look for the name without its prefix as well: a stray LOG_LEVEL in the
// environment would count.
//
// mandatory is not envconfig's required, which would end the reading there.
//
// min and max bound a value and are written as the variable would be; zero says
// what 0 means where it stands outside of them or for something special.
type Config struct {
	ListenAddr string `split_words:"true" default:":8080" allowed:"host:port, the host may be left out; port 0 takes a free one" desc:"Where the protocol is served: pushes and pulls."`
	AdminAddr  string `split_words:"true" default:":9090" allowed:"host:port, as above, another address" desc:"Where /healthz, /readyz, /metrics and the admin API are served. Keep it off the public side."`

	ListenCertFile string `split_words:"true" allowed:"a path" desc:"Certificate (PEM, with the chain) of the public listener, which then speaks HTTPS and nothing else; for where no proxy does it. Read again when it changes."`
	ListenKeyFile  string `split_words:"true" allowed:"a path" desc:"Its key (PEM)."`

	RedisURL         Secret        `split_words:"true" mandatory:"true" allowed:"redis://…, rediss://… (TLS) or embedded" desc:"The Redis that keeps the queues, with user and password where it has them. addr=host:port in the query, repeated, names further nodes; master_name= asks Sentinel; conn_max_idle_time= is for how long an idle connection is trusted (1m), where a firewall forgets them sooner. embedded runs a Redis inside the process, in memory, for a first try."`
	RedisCluster     bool          `split_words:"true" default:"false" desc:"Whether QST_REDIS_URL is a Redis Cluster."`
	RedisPrefix      string        `split_words:"true" default:"qst" allowed:"1 to 32 of A-Z a-z 0-9 . _ -" desc:"What every key in Redis starts with: services with different prefixes share a Redis without seeing each other. Part of the data's layout: another prefix, another set of queues."`
	RedisPartitions  int           `split_words:"true" default:"64" min:"1" max:"1024" desc:"Partitions that the channels spread over. Part of the data's layout: written into Redis at the first start, and a replica that has another count refuses to start."`
	RedisPoolSize    int           `split_words:"true" default:"16" min:"1" max:"1000" desc:"Connections to each Redis node for pushes and pulls, held open. Waiting polls need none of them."`
	RedisTimeout     time.Duration `split_words:"true" default:"3s" min:"10ms" max:"1m" desc:"The longest that Redis may take for one step of a push or a pull before that is answered 503. In a burst a request may wait up to 10s for a free connection before."`
	RedisMinReplicas int           `split_words:"true" default:"0" min:"0" max:"16" zero:"does not wait" desc:"Redis replicas that must have a push before it is answered 200 (WAIT)."`

	RedisRootsFile string `split_words:"true" allowed:"a path" desc:"Certificates (PEM) of the authorities that a rediss:// Redis may have its own from, instead of the system's."`
	RedisCertFile  string `split_words:"true" allowed:"a path" desc:"Certificate (PEM) that the service shows to a rediss:// Redis that asks for one (tls-auth-clients). Read again when it changes."`
	RedisKeyFile   string `split_words:"true" allowed:"a path" desc:"Its key (PEM)."`

	Auth           Auth          `split_words:"true" default:"channels" allowed:"channels or none" desc:"channels: HTTP Basic with a channel's credentials. none: everyone may do everything, and no channel has settings of its own; for trying out."`
	AuthCache      time.Duration `split_words:"true" default:"5s" min:"100ms" max:"5m" desc:"How long a replica remembers a channel's credentials and settings: so long may a revoked credential still work."`
	BootstrapFile  string        `split_words:"true" allowed:"a path" desc:"File (YAML or JSON) of channels and credentials that are to exist; what is missing is made at start. See docs/admin.md."`
	TrustedProxies Networks      `split_words:"true" allowed:"networks like 10.0.0.0/8,fd00::/8" desc:"Proxies whose X-Forwarded-For is believed when it says where a client is. Without any, a client's address is the connection's."`
	AdminToken     Secret        `split_words:"true" allowed:"16 or more letters, digits and - . _ ~ + /, with = at the end" desc:"Bearer token of the admin API. Without one the admin API is off."`

	Console      bool  `split_words:"true" default:"true" desc:"Whether the internal listener has the operators' web page, /console/. Without QST_ADMIN_TOKEN it has none."`
	ConsoleHosts Names `split_words:"true" allowed:"names like qst.example.org,console.example.org" desc:"Names under which browsers may reach the page and the admin API. Addresses, names without a dot and those that end in .localhost, .local, .internal, .home.arpa, .svc or .test may always."`

	LongPollMax time.Duration `split_words:"true" default:"50s" min:"10ms" max:"1h" desc:"The longest that a long poll is held. Stay under the time-out of every proxy in between: 60s is common."`
	MaxPolls    int           `split_words:"true" default:"50000" min:"0" max:"1000000" zero:"holds none" desc:"Long polls held by one replica. One more is answered at once, empty."`
	ParkPolls   bool          `split_words:"true" default:"true" desc:"Whether a poll that waits keeps nothing but its connection (on Linux): that takes a fifth of the memory. false keeps its goroutines and buffers too."`

	RebalancePercent int `split_words:"true" default:"5" min:"1" max:"100" zero:"off" desc:"How much of the polls that it holds a replica hands over every two seconds to replicas that joined, as long as it holds more than its share: they are answered empty, with Connection: close."`

	PullMaxBytes     Bytes `split_words:"true" default:"1MiB" min:"1" max:"256MiB" desc:"Size of the answer to a pull; one message is always in it if there is one."`
	PushMaxBytes     Bytes `split_words:"true" default:"1MiB" min:"1" max:"256MiB" desc:"Size of a pushed batch, after decompression. Larger: 413."`
	PushMaxMessages  int   `split_words:"true" default:"1000" min:"1" max:"100000" desc:"Messages in a pushed batch. More: 413. Redis does nothing else while it takes a batch."`
	MessageMaxBytes  Bytes `split_words:"true" default:"64KiB" min:"1" max:"256MiB" desc:"Size of one message in its canonical form. Larger: 413."`
	QueueMaxMessages int64 `split_words:"true" default:"100000" min:"1" max:"1000000000" desc:"Messages in a queue. A batch that does not fit in whole: 503."`
	QueueMaxBytes    Bytes `split_words:"true" default:"64MiB" min:"1" max:"1024GiB" desc:"Size of a queue's messages in their canonical form. A batch that does not fit in whole: 503."`

	QueueMaxDigests int64 `split_words:"true" default:"1000000" min:"1000" max:"100000000" desc:"Messages of a queue that are known for the same when they are sent again, at the most: beyond it the oldest are forgotten before QST_DEDUP_WINDOW is over. Each takes about 120 bytes in Redis."`

	PushRate           int64 `split_words:"true" default:"10000" min:"1" max:"1000000000" zero:"any number" desc:"Messages that a channel may push in a second, on each replica. One more waits for a second or two, then: 503, with Retry-After."`
	ChannelMaxRequests int   `split_words:"true" default:"64" min:"4" max:"100000" desc:"Requests of a channel that a replica works on at a time. One more waits for a second, then: 503."`
	ChannelMaxInFlight Bytes `split_words:"true" default:"64MiB" min:"1MiB" max:"1024GiB" desc:"Memory that a channel's requests may take on a replica at a time, as the service reckons it: a push four times its decompressed size, an answer up to six times the size of its messages in JSON. More: 503."`
	MaxInFlight        Bytes `split_words:"true" default:"384MiB" min:"1MiB" max:"1024GiB" desc:"The same for all channels together. Stay under half the memory that the replica has beside its held polls."`

	Retention     time.Duration `split_words:"true" default:"336h" min:"100ms" max:"87600h" zero:"kept for ever" desc:"Age at which an unconfirmed message is dropped, counted and logged."`
	DedupWindow   time.Duration `split_words:"true" default:"10m" min:"1s" max:"720h" zero:"off" desc:"How long a message sent again is known for the same. The memory for it in Redis grows with it."`
	MaxDeliveries int           `split_words:"true" default:"0" min:"1" max:"1000000" zero:"never" desc:"Deliveries without a confirmation after which a message becomes a dead letter. Only where others were confirmed meanwhile: see docs/admin.md, Dead messages."`

	DeadMaxMessages int64         `split_words:"true" default:"10000" min:"1" max:"1000000000" desc:"Dead letters of a queue, and no more than its messages may be. Beyond it the oldest are dropped, counted and logged."`
	DeadMaxBytes    Bytes         `split_words:"true" default:"16MiB" min:"1" max:"1024GiB" desc:"Size of a queue's dead letters; the same holds."`
	DeadRetention   time.Duration `split_words:"true" default:"336h" min:"1s" max:"87600h" zero:"kept for ever" desc:"Age at which a dead letter is dropped, counted from when it became one."`

	UnwellAfter   time.Duration `split_words:"true" default:"4m" min:"1m" max:"168h" zero:"channels are not watched" desc:"How long something is wrong with a channel before it counts as not well: messages wait and nobody polls, say. Longer than the pause of clients that poll now and then."`
	UnwellChannel string        `split_words:"true" allowed:"a channel's name" desc:"Channel whose application is told of each channel that is not well, and is well again, by a message. Best effort: what counts is the list (docs/admin.md)."`

	WebhookAllowHTTP     bool          `split_words:"true" default:"false" desc:"Whether webhooks may go to http: URLs, too: then texts go over the network as they are."`
	WebhookAllowNetworks Networks      `split_words:"true" allowed:"networks like 10.0.0.0/8,fd00::/8" desc:"Networks that webhooks may reach though they are not public: an application beside the service. All other private, loopback, link-local and metadata addresses are refused."`
	WebhookInFlight      int           `split_words:"true" default:"256" min:"1" max:"10000" desc:"Requests that one worker of webhooks has under way at a time."`
	WebhookPerHost       int           `split_words:"true" default:"8" min:"1" max:"1000" desc:"Of these, to one host. One that does not answer gets fewer, then one now and then."`
	WebhookRetryMax      time.Duration `split_words:"true" default:"10m" min:"1s" max:"24h" desc:"The longest pause before a webhook that failed is tried again: pauses begin at a second and double."`
	WebhookRetryAfterMax time.Duration `split_words:"true" default:"1h" min:"1s" max:"168h" desc:"The longest pause that a receiver can ask for by Retry-After."`

	LogLevel  slog.Level `split_words:"true" default:"info" allowed:"debug, info, warn or error" desc:"What is logged."`
	LogFormat LogFormat  `split_words:"true" default:"json" allowed:"json or text" desc:"How it is written."`

	LogSample        int `split_words:"true" default:"100" min:"1" max:"1000000" desc:"One in so many requests that went well is logged; what went wrong always is, as far as QST_LOG_REFUSED goes."`
	LogRefused       int `split_words:"true" default:"20" min:"1" max:"1000000" desc:"Log lines a second of what was refused, for each channel, and for all those that are not let in together. The next line says how many were left out."`
	MetricsTopQueues int `split_words:"true" default:"0" min:"0" max:"100" zero:"none" desc:"How many of the deepest, and of the oldest, queues are named in the metrics with their channels."`

	RequestTimeout time.Duration `split_words:"true" default:"30s" min:"100ms" max:"1h" desc:"The longest to receive a request's body, and the longest to write an answer. The wait of a long poll is not in it."`
	DrainDelay     time.Duration `split_words:"true" default:"0s" min:"0s" max:"10m" desc:"How long a replica that was told to stop goes on serving, already not ready, so that load balancers notice."`
	DrainTimeout   time.Duration `split_words:"true" default:"20s" min:"100ms" max:"10m" desc:"How long requests in flight then have to finish before they are cut."`
}

// Auth says who may use a channel.
type Auth string

// The values of [Auth].
const (
	AuthChannels Auth = "channels" // HTTP Basic with the channel's credentials
	AuthNone     Auth = "none"     // everyone
)

// UnmarshalText accepts the values of [Auth] and nothing else.
func (a *Auth) UnmarshalText(text []byte) error {
	return oneOf(a, text, AuthChannels, AuthNone)
}

// Networks is a list of IP networks, written in CIDR notation with commas between.
type Networks []netip.Prefix

// UnmarshalText reads a list; an empty one is no network.
func (n *Networks) UnmarshalText(text []byte) error {
	*n = nil
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return errUnknownValue
		}
		*n = append(*n, p)
	}
	return nil
}

// String writes the list as UnmarshalText reads it.
func (n Networks) String() string {
	parts := make([]string, len(n))
	for i, p := range n {
		parts[i] = p.String()
	}
	return strings.Join(parts, ",")
}

// Names is a list of host names, written with commas between.
type Names []string

var hostName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$`)

// UnmarshalText reads a list; an empty one is no name.
func (n *Names) UnmarshalText(text []byte) error {
	*n = nil
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.ToLower(strings.TrimSpace(part)); part == "" {
			continue
		}
		if !hostName.MatchString(part) {
			return errUnknownValue
		}
		*n = append(*n, part)
	}
	return nil
}

// String writes the list as UnmarshalText reads it.
func (n Names) String() string { return strings.Join(n, ",") }

// LogFormat says how log lines are written.
type LogFormat string

// The values of [LogFormat].
const (
	LogJSON LogFormat = "json"
	LogText LogFormat = "text"
)

// UnmarshalText accepts the values of [LogFormat] and nothing else.
func (f *LogFormat) UnmarshalText(text []byte) error {
	return oneOf(f, text, LogJSON, LogText)
}

var errUnknownValue = errors.New("unknown value")

func oneOf[T ~string](dst *T, text []byte, values ...T) error {
	for _, v := range values {
		if string(text) == string(v) {
			*dst = v
			return nil
		}
	}
	return errUnknownValue
}

// Default returns the configuration that an empty environment would give. It
// lacks what is required: [Config.RedisURL].
func Default() Config {
	var c Config
	// No variable's name can hold a "=", so with this prefix envconfig finds
	// none, and fills in the defaults.
	if err := envconfig.Process("=", &c); err != nil {
		panic("config: a default in the tags of Config is not valid: " + err.Error())
	}
	return c
}

// Load reads the configuration from the environment and validates it. The error
// holds everything that is wrong, one line each, with the name of the variable,
// the value it has (never a secret's), and what it may be. A variable that is
// set but empty is wrong too, save for a secret: that is as if it were not set.
func Load() (Config, error) {
	var (
		c        = Default()
		values   = reflect.ValueOf(&c).Elem()
		problems []error
		raw      = map[string]string{}
	)
	for i, v := range Variables() {
		if v.Secret {
			text, err := secretFile(v)
			if err != nil {
				problems = append(problems, err)
			}
			if text != "" {
				raw[v.Name] = text
				values.Field(i).SetString(text)
				continue
			}
		}
		value, set := os.LookupEnv(v.Name)
		if !set || value == "" && v.Secret {
			continue
		}
		raw[v.Name] = value
		parsed, err := parse(values.Type().Field(i), value)
		if err != nil {
			problems = append(problems, v.problemf(value, "must be %s%s", v.Allowed, syntax(values.Type().Field(i).Type)))
			continue // the default stays, and is not complained about
		}
		values.Field(i).Set(parsed)
	}
	problems = append(problems, c.check(raw)...)
	problems = append(problems, unknown(os.Environ())...)
	return c, errors.Join(problems...)
}

// parse has envconfig read one field from the environment. All of them at once
// would stop at the first that is wrong. Durations may have days, which envconfig does
// not know.
func parse(field reflect.StructField, value string) (reflect.Value, error) {
	if field.Type == reflect.TypeFor[time.Duration]() {
		d, err := duration.Parse(value)
		return reflect.ValueOf(d), err
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	if err := envconfig.Process(prefix, one.Interface()); err != nil {
		return reflect.Value{}, err
	}
	return one.Elem().Field(0), nil
}

// Embedded says whether the Redis is to run inside the process.
func (c Config) Embedded() bool { return c.RedisURL == EmbeddedRedis }
