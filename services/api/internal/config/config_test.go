package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// setenv makes the environment's QST_ variables those of env, for this test.
func setenv(t *testing.T, env map[string]string) {
	t.Helper()
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "QST_") {
			continue
		}
		t.Setenv(name, value) // brings it back at the end
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

func TestDefaults(t *testing.T) {
	want := Config{
		ListenAddr: ":8080", AdminAddr: ":9090",
		RedisURL: "embedded", RedisPrefix: "qst", RedisPartitions: 64, RedisPoolSize: 16, RedisTimeout: 3 * time.Second,
		Auth:        AuthChannels,
		LongPollMax: 50 * time.Second, MaxPolls: 50000, ParkPolls: true, RebalancePercent: 5,
		PullMaxBytes: 1 << 20, PushMaxBytes: 1 << 20, PushMaxMessages: 1000, MessageMaxBytes: 64 << 10,
		QueueMaxMessages: 100000, QueueMaxBytes: 64 << 20, QueueMaxDigests: 1_000_000,
		PushRate: 10_000, ChannelMaxRequests: 64, ChannelMaxInFlight: 64 << 20, MaxInFlight: 384 << 20,
		Retention: 336 * time.Hour, DedupWindow: 10 * time.Minute,
		DeadMaxMessages: 10_000, DeadMaxBytes: 16 << 20, DeadRetention: 336 * time.Hour, UnwellAfter: 4 * time.Minute,
		WebhookInFlight: 256, WebhookPerHost: 8, WebhookRetryMax: 10 * time.Minute, WebhookRetryAfterMax: time.Hour,
		LogLevel: slog.LevelInfo, LogFormat: LogJSON, LogSample: 100, LogRefused: 20,
		AuthCache:      5 * time.Second,
		Console:        true,
		RequestTimeout: 30 * time.Second, DrainTimeout: 20 * time.Second,
	}
	setenv(t, map[string]string{"QST_REDIS_URL": "embedded"})
	got, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Load() = %+v\nwant     %+v", got, want)
	}
	t.Setenv("QST_PUSH_MAX_MESSAGES", "3")
	built := Default()
	built.RedisURL = "embedded"
	if !reflect.DeepEqual(built, want) {
		t.Errorf("Default() = %+v\nwant        %+v", built, want)
	}
	if err := built.Validate(); err != nil {
		t.Errorf("Validate() of the defaults: %v", err)
	}
}

//nolint:paralleltest // sets the environment
func TestLoadEveryVariable(t *testing.T) {
	env := map[string]string{
		"QST_LISTEN_ADDR": "127.0.0.1:0", "QST_ADMIN_ADDR": "[::1]:0",
		"QST_REDIS_URL":        "rediss://me:p%40ss@redis:6380/2?addr=other:6380",
		"QST_LISTEN_CERT_FILE": "/a", "QST_LISTEN_KEY_FILE": "/b", "QST_REDIS_ROOTS_FILE": "/c", "QST_REDIS_CERT_FILE": "/d", "QST_REDIS_KEY_FILE": "/e",
		"QST_REDIS_CLUSTER": "true", "QST_REDIS_PREFIX": "team-1.qst_", "QST_REDIS_PARTITIONS": "1",
		"QST_REDIS_POOL_SIZE": "4", "QST_REDIS_TIMEOUT": "250ms", "QST_REDIS_MIN_REPLICAS": "1",
		"QST_AUTH": "none", "QST_AUTH_CACHE": "1s", "QST_BOOTSTRAP_FILE": "/etc/qst.yaml", "QST_TRUSTED_PROXIES": "10.0.0.0/8, fd00::/8",
		"QST_CONSOLE": "false", "QST_CONSOLE_HOSTS": "Console.example.org, qst.example.org",
		"QST_ADMIN_TOKEN":   "c2VjcmV0LXRva2Vu==",
		"QST_LONG_POLL_MAX": "500ms", "QST_MAX_POLLS": "1", "QST_PARK_POLLS": "false", "QST_REBALANCE_PERCENT": "7",
		"QST_PULL_MAX_BYTES": "1", "QST_PUSH_MAX_BYTES": "2KB", "QST_PUSH_MAX_MESSAGES": "7", "QST_MESSAGE_MAX_BYTES": "4 MiB",
		"QST_QUEUE_MAX_MESSAGES": "3", "QST_QUEUE_MAX_BYTES": "1GiB", "QST_QUEUE_MAX_DIGESTS": "5000",
		"QST_PUSH_RATE": "8", "QST_CHANNEL_MAX_REQUESTS": "9", "QST_CHANNEL_MAX_IN_FLIGHT": "2MiB", "QST_MAX_IN_FLIGHT": "3MiB",
		"QST_RETENTION": "1h30m", "QST_DEDUP_WINDOW": "1s", "QST_MAX_DELIVERIES": "5",
		"QST_DEAD_MAX_MESSAGES": "6", "QST_DEAD_MAX_BYTES": "7MiB", "QST_DEAD_RETENTION": "8h", "QST_UNWELL_AFTER": "5m", "QST_UNWELL_CHANNEL": "operators",
		"QST_WEBHOOK_ALLOW_HTTP": "true", "QST_WEBHOOK_ALLOW_NETWORKS": "10.1.0.0/16", "QST_WEBHOOK_IN_FLIGHT": "9", "QST_WEBHOOK_PER_HOST": "3",
		"QST_WEBHOOK_RETRY_MAX": "1m", "QST_WEBHOOK_RETRY_AFTER_MAX": "2h",
		"QST_LOG_LEVEL": "warn", "QST_LOG_FORMAT": "text", "QST_LOG_SAMPLE": "1", "QST_LOG_REFUSED": "2", "QST_METRICS_TOP_QUEUES": "5",
		"QST_REQUEST_TIMEOUT": "5s", "QST_DRAIN_DELAY": "2s", "QST_DRAIN_TIMEOUT": "1s",
	}
	want := Config{
		ListenAddr: "127.0.0.1:0", AdminAddr: "[::1]:0",
		RedisURL:       "rediss://me:p%40ss@redis:6380/2?addr=other:6380",
		ListenCertFile: "/a", ListenKeyFile: "/b", RedisRootsFile: "/c", RedisCertFile: "/d", RedisKeyFile: "/e",
		RedisCluster: true, RedisPrefix: "team-1.qst_", RedisPartitions: 1,
		RedisPoolSize: 4, RedisTimeout: 250 * time.Millisecond, RedisMinReplicas: 1,
		Auth: AuthNone, AuthCache: time.Second, BootstrapFile: "/etc/qst.yaml",
		TrustedProxies: Networks{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		Console:        false, ConsoleHosts: Names{"console.example.org", "qst.example.org"},
		AdminToken:  "c2VjcmV0LXRva2Vu==",
		LongPollMax: 500 * time.Millisecond, MaxPolls: 1, RebalancePercent: 7,
		PullMaxBytes: 1, PushMaxBytes: 2000, PushMaxMessages: 7, MessageMaxBytes: 4 << 20,
		QueueMaxMessages: 3, QueueMaxBytes: 1 << 30, QueueMaxDigests: 5000,
		PushRate: 8, ChannelMaxRequests: 9, ChannelMaxInFlight: 2 << 20, MaxInFlight: 3 << 20,
		Retention: 90 * time.Minute, DedupWindow: time.Second, MaxDeliveries: 5,
		DeadMaxMessages: 6, DeadMaxBytes: 7 << 20, DeadRetention: 8 * time.Hour, UnwellAfter: 5 * time.Minute, UnwellChannel: "operators",
		WebhookAllowHTTP: true, WebhookAllowNetworks: Networks{netip.MustParsePrefix("10.1.0.0/16")}, WebhookInFlight: 9, WebhookPerHost: 3,
		WebhookRetryMax: time.Minute, WebhookRetryAfterMax: 2 * time.Hour,
		LogLevel: slog.LevelWarn, LogFormat: LogText, LogSample: 1, LogRefused: 2, MetricsTopQueues: 5,
		RequestTimeout: 5 * time.Second, DrainDelay: 2 * time.Second, DrainTimeout: time.Second,
	}
	setenv(t, env)
	got, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Load() = %+v\nwant     %+v", got, want)
	}

	// Each variable sets its field, and the list of variables is whole: the names
	// that this package makes are those that envconfig looks for.
	for i, v := range Variables() {
		if _, ok := env[v.Name]; !ok {
			t.Errorf("this test does not set %s", v.Name)
		}
		if reflect.DeepEqual(reflect.ValueOf(got).Field(i).Interface(), reflect.ValueOf(Default()).Field(i).Interface()) {
			t.Errorf("%s set to %q is as if it were not set", v.Name, env[v.Name])
		}
	}
	if got, want := len(Variables()), len(env); got != want {
		t.Errorf("there are %d variables, this test knows %d", got, want)
	}
}

func TestLoadValues(t *testing.T) {
	tests := []struct {
		name, value string
		want        string // what the error says; empty: no error
	}{
		{"QST_LISTEN_ADDR", "localhost:8080", ""},
		{"QST_LISTEN_ADDR", "8080", `QST_LISTEN_ADDR="8080": must be host:port`},
		{"QST_LISTEN_ADDR", ":http", `QST_LISTEN_ADDR=":http": must be host:port`},
		{"QST_LISTEN_ADDR", ":65536", `must be host:port`},
		{"QST_LISTEN_ADDR", ":9090", `QST_ADMIN_ADDR=":9090": must not be the address of QST_LISTEN_ADDR=":9090"`},
		{"QST_LISTEN_ADDR", "127.0.0.1:9090", `must not be the address`},
		{"QST_ADMIN_ADDR", "", `QST_ADMIN_ADDR="": must be host:port`},

		{"QST_REDIS_URL", "", "QST_REDIS_URL is not set: set it to the address of a Redis, such as redis://localhost:6379, or to embedded for a first try"},
		{"QST_REDIS_URL", "redis://localhost", ""},
		{"QST_REDIS_URL", "rediss://user:word@a:1?addr=b:2&master_name=m", ""},
		{"QST_REDIS_URL", "localhost:6379", "QST_REDIS_URL (its value is not shown): must be redis://…"},
		{"QST_REDIS_URL", "http://localhost:6379", "must be redis://…"},
		{"QST_REDIS_URL", "redis://:100%@a:1", "is not a URL; must be redis://…"},
		{"QST_REDIS_URL", "redis://a:1\n", "leave no line end"},

		{"QST_REDIS_CLUSTER", "1", `QST_REDIS_CLUSTER="true": must be false with QST_REDIS_URL=embedded`},
		{"QST_REDIS_CLUSTER", "false", ""},
		{"QST_REDIS_CLUSTER", "yes", `QST_REDIS_CLUSTER="yes": must be true or false`},
		{"QST_REDIS_PREFIX", "a b", `QST_REDIS_PREFIX="a b": must be 1 to 32 of`},
		{"QST_REDIS_PREFIX", strings.Repeat("x", 32), ""},
		{"QST_REDIS_PREFIX", strings.Repeat("x", 33), "must be 1 to 32 of"},
		{"QST_REDIS_PREFIX", "{qst}", "must be 1 to 32 of"},
		{"QST_REDIS_PARTITIONS", "1024", ""},
		{"QST_REDIS_PARTITIONS", "1025", `QST_REDIS_PARTITIONS="1025": must be 1 to 1024`},
		{"QST_REDIS_PARTITIONS", "0", "must be 1 to 1024"},
		{"QST_REDIS_PARTITIONS", "many", `QST_REDIS_PARTITIONS="many": must be 1 to 1024 (a whole number)`},
		{"QST_REDIS_POOL_SIZE", "0", "must be 1 to 1000"},
		{"QST_REDIS_TIMEOUT", "3", `QST_REDIS_TIMEOUT="3": must be 10ms to 1m (durations are written as`},
		{"QST_REDIS_TIMEOUT", "0", "must be 10ms to 1m"},
		{"QST_REDIS_TIMEOUT", "60s", ""},
		{"QST_REDIS_TIMEOUT", "61s", `QST_REDIS_TIMEOUT="61s": must be`}, // as given, not as 1m1s
		{"QST_REDIS_MIN_REPLICAS", "0", ""},
		{"QST_REDIS_MIN_REPLICAS", "-1", "must be 0 to 16"},
		{"QST_REDIS_MIN_REPLICAS", "1", `QST_REDIS_MIN_REPLICAS="1": must be 0 with QST_REDIS_URL=embedded`},

		{"QST_AUTH", "channels", ""},
		{"QST_AUTH", "basic", `QST_AUTH="basic": must be channels or none`},
		{"QST_AUTH", "", `QST_AUTH="": must be channels or none`},
		{"QST_ADMIN_TOKEN", "", ""},
		{"QST_ADMIN_TOKEN", "sixteen-letters+", ""},
		{"QST_ADMIN_TOKEN", "fifteen-letters", "QST_ADMIN_TOKEN (its value is not shown): must be 16 or more letters"},
		{"QST_ADMIN_TOKEN", "hunter2-hunter2-hunter2\n", "QST_ADMIN_TOKEN (its value is not shown): must be 16 or more letters"},
		{"QST_CHANNEL_MAX_IN_FLIGHT", "1GiB", `QST_CHANNEL_MAX_IN_FLIGHT="1GiB": must not be above QST_MAX_IN_FLIGHT="384MiB"`},

		{"QST_LONG_POLL_MAX", "1s", ""},
		{"QST_LONG_POLL_MAX", "0", "must be 10ms to 1h"},
		{"QST_REBALANCE_PERCENT", "0", ""},
		{"QST_REBALANCE_PERCENT", "101", "must be 1 to 100; 0: off"},
		{"QST_MAX_POLLS", "0", ""},
		{"QST_MAX_POLLS", "-1", "must be 0 to 1000000; 0: holds none"},
		{"QST_PULL_MAX_BYTES", "0", "must be 1 to 256MiB"},
		{"QST_PUSH_MAX_BYTES", "1.5MiB", `QST_PUSH_MAX_BYTES="1.5MiB": must be 1 to 256MiB (sizes are written in bytes`},
		{"QST_PUSH_MAX_BYTES", "257MiB", `QST_PUSH_MAX_BYTES="257MiB": must be 1 to 256MiB`},
		{"QST_PUSH_MAX_MESSAGES", "0", "must be 1 to 100000"},
		{"QST_MESSAGE_MAX_BYTES", "2MiB", ""}, // more than a push may be
		{"QST_QUEUE_MAX_MESSAGES", "3", ""},   // less than a push may be
		{"QST_QUEUE_MAX_MESSAGES", "0", "must be 1 to 1000000000"},
		{"QST_QUEUE_MAX_BYTES", "100", ""},
		{"QST_QUEUE_MAX_BYTES", "-1", "must be 1 to 1024GiB"},

		{"QST_RETENTION", "0", ""},
		{"QST_RETENTION", "14d", ""},
		{"QST_RETENTION", "1d12h", ""},
		{"QST_RETENTION", "3651d", `QST_RETENTION="3651d": must be 100ms to 87600h; 0: kept for ever`},
		{"QST_RETENTION", "2w", `QST_RETENTION="2w": must be 100ms to 87600h; 0: kept for ever (durations are written as 1.5s, 10m, 1h30m or 14d)`},
		{"QST_RETENTION", "-1h", "must be 100ms"},
		{"QST_DEDUP_WINDOW", "0", ""},
		{"QST_DEDUP_WINDOW", "999ms", "must be 1s to 720h"},
		{"QST_MAX_DELIVERIES", "0", ""},
		{"QST_MAX_DELIVERIES", "1", ""},
		{"QST_MAX_DELIVERIES", "-1", "must be 1 to 1000000; 0: never"},

		{"QST_LOG_LEVEL", "DEBUG", ""},
		{"QST_LOG_LEVEL", "loud", `QST_LOG_LEVEL="loud": must be debug, info, warn or error`},
		{"QST_LOG_FORMAT", "JSON", `QST_LOG_FORMAT="JSON": must be json or text`},
		{"QST_REQUEST_TIMEOUT", "0", "must be 100ms to 1h"},
		{"QST_DRAIN_DELAY", "0s", ""},
		{"QST_DRAIN_DELAY", "-1s", "must be 0s to 10m"},
		{"QST_DRAIN_TIMEOUT", "0s", "must be 100ms to 10m"},
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			setenv(t, map[string]string{"QST_REDIS_URL": "embedded"})
			t.Setenv(tt.name, tt.value)
			_, err := Load()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %q, want none", err)
			case tt.want != "" && err == nil:
				t.Errorf("no error, want one with %q", tt.want)
			case tt.want != "" && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %q, want one with %q", err, tt.want)
			case tt.want != "" && strings.Contains(err.Error(), "\n"):
				t.Errorf("more than one problem: %q", err)
			}
		})
	}
}

//nolint:paralleltest // sets the environment
func TestLoadReportsAllProblems(t *testing.T) {
	setenv(t, map[string]string{
		"QST_REDIS_PARTITIONS": "0",
		"QST_REDIS_TIMEOUT":    "soon",
		"QST_AUTH":             "maybe",
		"QST_ADMIN_TOKEN":      "open sesame",
		"QST_REDIS_URI":        "redis://:hunter2@redis",
	})
	_, err := Load()
	if err == nil {
		t.Fatal("no error")
	}
	for _, name := range []string{"QST_REDIS_URL", "QST_REDIS_PARTITIONS", "QST_REDIS_TIMEOUT", "QST_AUTH", "QST_ADMIN_TOKEN", "QST_REDIS_URI"} {
		lines := slices.DeleteFunc(strings.Split(err.Error(), "\n"), func(line string) bool { return !strings.HasPrefix(line, name) })
		if len(lines) != 1 {
			t.Errorf("%d lines about %s, want 1, in:\n%v", len(lines), name, err)
		}
	}
	for _, secret := range []string{"sesame", "hunter2"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error tells %q:\n%v", secret, err)
		}
	}
}

//nolint:paralleltest // sets the environment
func TestLoadUnknown(t *testing.T) {
	tests := []struct {
		name, value string
		want        string // empty: left alone
	}{
		{"QST_REDIS_URI", "x", "QST_REDIS_URI is not a variable of this service: did you mean QST_REDIS_URL?"},
		{"QST_PUSH_MAX_MESSAGE", "1", "did you mean QST_PUSH_MAX_MESSAGES?"},
		{"QST_LOGLEVEL", "info", "did you mean QST_LOG_LEVEL?"},
		{"QST_REDISPASSWORDFILE", "hunter2", "QST_REDISPASSWORDFILE is not a variable of this service: docs/configuration.md has them all"},
		{"QST_", "", "QST_ is not a variable of this service"},
		{"QST_PORT", "8080", "QST_PORT is not a variable of this service"},
		{"QST_SERVICE_PORT", "http", "QST_SERVICE_PORT is not"},
		{"QST_REDIS_HOST", "redis", "QST_REDIS_HOST is not"},
		{"QST_EXPORT", "tcp://10.0.0.1:80", "QST_EXPORT is not"},

		{"QST_SERVICE_HOST", "10.0.0.1", ""},
		{"QST_SERVICE_HOST", "fd00::1", ""},
		{"QST_SERVICE_PORT", "8080", ""},
		{"QST_SERVICE_PORT_HTTP", "8080", ""},
		{"QST_PORT", "tcp://10.0.0.1:8080", ""},
		{"QST_PORT_8080_TCP", "tcp://10.0.0.1:8080", ""},
		{"QST_PORT_8080_TCP_PROTO", "tcp", ""},
		{"QST_PORT_8080_TCP_PORT", "8080", ""},
		{"QST_PORT_8080_TCP_ADDR", "10.0.0.1", ""},
		{"QST_PORT_53_UDP", "udp://10.0.0.1:53", ""},
		{"QST_API_SERVICE_PORT", "8080", ""},
		{"QST_API_ADMIN_PORT_9090_TCP_ADDR", "fd00::1", ""},
		{"QST_REDIS_PORT", "tcp://10.0.0.2:6379", ""},

		{"QST_TEST_REDIS_SERVER", "/opt/redis-server", ""},
		{"QSTV2_REDIS_URI", "x", ""},
		{"LOG_LEVEL", "loud", ""}, // ours only with the prefix
	}
	for _, tt := range tests {
		t.Run(tt.name+"="+tt.value, func(t *testing.T) {
			setenv(t, map[string]string{"QST_REDIS_URL": "embedded", tt.name: tt.value})
			_, err := Load()
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("error %q, want none", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want one with %q", err, tt.want)
			case tt.want != "" && tt.value != "" && strings.Contains(err.Error(), tt.value):
				t.Errorf("the error tells the value: %q", err)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	c := Default()
	c.Auth, c.LogFormat, c.RedisTimeout, c.PushMaxBytes = "", "", time.Hour, 0
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"QST_REDIS_URL is not set", `QST_AUTH=""`, `QST_LOG_FORMAT=""`, `QST_REDIS_TIMEOUT="1h0m0s"`, `QST_PUSH_MAX_BYTES="0"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want %q in it", err, want)
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	quiet := Default()
	quiet.RedisURL = "redis://redis"
	if got := quiet.Warnings(); len(got) != 0 {
		t.Errorf("warnings for the defaults: %q", got)
	}
	tests := []struct {
		name   string
		change func(*Config)
		want   []string // what the warnings start with
	}{
		{"first try", func(c *Config) { c.RedisURL, c.Auth = "embedded", AuthNone }, []string{"QST_REDIS_URL=embedded", "QST_AUTH=none"}},
		{"token without use", func(c *Config) { c.AdminToken, c.Auth = "correct-horse-battery", AuthNone }, []string{"QST_AUTH=none: ", "QST_AUTH=none with QST_ADMIN_TOKEN"}},
		{"channels without use", func(c *Config) { c.BootstrapFile, c.Auth = "/etc/qst.yaml", AuthNone }, []string{"QST_AUTH=none: ", "QST_AUTH=none with QST_ADMIN_TOKEN or QST_BOOTSTRAP_FILE"}},
		{"long poll longer than proxies", func(c *Config) { c.LongPollMax = time.Minute }, []string{"QST_LONG_POLL_MAX=1m0s"}},
		{"no polls", func(c *Config) { c.MaxPolls = 0 }, []string{"QST_MAX_POLLS=0"}},
		{"no deduplication", func(c *Config) { c.DedupWindow = 0 }, []string{"QST_DEDUP_WINDOW=0"}},
		{"queue shorter than a batch", func(c *Config) { c.QueueMaxMessages = 3 }, []string{"QST_QUEUE_MAX_MESSAGES=3 is below QST_PUSH_MAX_MESSAGES=1000"}},
		{"queue smaller than a batch", func(c *Config) { c.QueueMaxBytes = 1 << 10 }, []string{"QST_QUEUE_MAX_BYTES=1KiB is below QST_PUSH_MAX_BYTES=1MiB"}},
		{"queue smaller than a message", func(c *Config) { c.QueueMaxBytes, c.PushMaxBytes, c.MessageMaxBytes = 1<<10, 1<<10, 1<<11 }, []string{"QST_QUEUE_MAX_BYTES=1KiB"}},
		{"drain shorter than Redis", func(c *Config) { c.DrainTimeout = time.Second }, []string{"QST_DRAIN_TIMEOUT=1s is below"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := quiet
			tt.change(&c)
			got := c.Warnings()
			if !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("warnings %q, want them to start with %q", got, tt.want)
			}
			if secret := c.AdminToken.Reveal(); secret != "" && strings.Contains(strings.Join(got, "\n"), secret) {
				t.Errorf("a warning tells the token: %q", got)
			}
		})
	}
}

func TestSecretHides(t *testing.T) {
	t.Parallel()
	c := Config{RedisURL: "redis://:hunter2@redis", AdminToken: "hunter2"}
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "% x"} {
		fmt.Fprintf(&printed, verb+"\n", c.AdminToken)
		fmt.Fprintf(&printed, verb+"\n", &c)
		fmt.Fprintf(&printed, verb+"\n", []Secret{c.AdminToken})
	}
	slog.New(slog.NewTextHandler(&printed, nil)).Info("start", "config", c, "token", c.AdminToken)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("start", "config", c, "token", c.AdminToken)
	if err := json.NewEncoder(&printed).Encode(map[string]any{"config": c, "token": c.AdminToken}); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&printed, fmt.Errorf("failed: %v", c.AdminToken), c.AdminToken.String(), c.AdminToken.GoString())

	lower := strings.ToLower(printed.String())
	for _, leak := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("% x", "hunter2")} {
		if strings.Contains(lower, leak) {
			t.Errorf("%q is in:\n%s", leak, &printed)
		}
	}
	if c.AdminToken.Reveal() != "hunter2" {
		t.Error("Reveal does not")
	}
	if got := fmt.Sprintf("%v %s %q %#v", Secret(""), Secret(""), Secret(""), Secret("")); got != `  "" ""` {
		t.Errorf("empty secrets print as %q", got)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want Bytes // -1: refused
		back string
	}{
		{"0", 0, "0"},
		{"1048576", 1 << 20, "1MiB"},
		{"1MiB", 1 << 20, "1MiB"},
		{"1 MiB", 1 << 20, "1MiB"},
		{"1mib", 1 << 20, "1MiB"},
		{"64KiB", 64 << 10, "64KiB"},
		{"1536KiB", 1536 << 10, "1536KiB"},
		{"2GiB", 2 << 30, "2GiB"},
		{"1KB", 1000, "1000"},
		{"1MB", 1e6, "1000000"},
		{"1GB", 1e9, "1000000000"},
		{"9223372036854775807", 1<<63 - 1, "9223372036854775807"},
		{"9223372036854775808", -1, ""},
		{"8589934592GiB", -1, ""},
		{"", -1, ""},
		{"MiB", -1, ""},
		{"-1", -1, ""},
		{"+1", -1, ""},
		{"1.5MiB", -1, ""},
		{"1_000", -1, ""},
		{"1M", -1, ""},
		{"1 B", -1, ""},
		{"1MiB ", -1, ""},
		{"0x10", -1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			var got Bytes
			err := got.UnmarshalText([]byte(tt.text))
			if tt.want == -1 {
				if err == nil {
					t.Errorf("read as %d, want it refused", got)
				}
				return
			}
			if err != nil || got != tt.want || got.String() != tt.back {
				t.Errorf("read as %d (%s), error %v; want %d (%s)", got, got, err, tt.want, tt.back)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	Usage(&out)
	for _, want := range []string{
		"  QST_LISTEN_ADDR (default :8080)\n      Where the protocol is served",
		"  QST_REDIS_URL, or QST_REDIS_URL_FILE for a file with it (required)\n",
		"  QST_ADMIN_TOKEN, or QST_ADMIN_TOKEN_FILE for a file with it (no default)\n",
		"      Allowed: channels or none\n",
		"      Allowed: 1s to 720h; 0: off\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, &out)
		}
	}
	for _, v := range Variables() {
		if v.Desc == "" || v.Allowed == "" || strings.Contains(v.Allowed, " to ,") {
			t.Errorf("%s is not described: %+v", v.Name, v)
		}
	}
}

// A secret may stand in a file: then it is as if it stood in the variable, and no error shows it.
//
//nolint:paralleltest // sets the environment
func TestSecretsInFiles(t *testing.T) {
	file := func(text string) string {
		name := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	setenv(t, map[string]string{
		"QST_REDIS_URL_FILE": file("redis://:hunter2@redis\n"), "QST_ADMIN_TOKEN_FILE": file("correct-horse-battery"),
	})
	c, err := Load()
	if err != nil || c.RedisURL.Reveal() != "redis://:hunter2@redis" || c.AdminToken.Reveal() != "correct-horse-battery" {
		t.Errorf("%q %q %v", c.RedisURL.Reveal(), c.AdminToken.Reveal(), err)
	}
	for name, env := range map[string][2]string{
		"both":    {"QST_ADMIN_TOKEN_FILE", file("correct-horse-battery")},
		"missing": {"QST_ADMIN_TOKEN_FILE", "/nowhere/secret"},
		"empty":   {"QST_ADMIN_TOKEN_FILE", file("\n")},
		"large":   {"QST_ADMIN_TOKEN_FILE", file(strings.Repeat("hunter2", 20_000))},
		"wrong":   {"QST_ADMIN_TOKEN_FILE", file("hunter2")},
		"none":    {"QST_AUTH_FILE", "/x"},
	} {
		setenv(t, map[string]string{"QST_REDIS_URL": "redis://redis", env[0]: env[1]})
		t.Setenv("QST_REDIS_URL_FILE", "")
		if name == "both" {
			t.Setenv("QST_ADMIN_TOKEN", "correct-horse-battery")
		}
		if _, err := Load(); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), env[0]) && name != "wrong" {
			t.Errorf("%s: %v", name, err)
		}
		t.Setenv("QST_ADMIN_TOKEN", "")
		t.Setenv(env[0], "")
	}
}
