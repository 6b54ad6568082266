package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"
)

// Validate says what is wrong with a configuration that did not come from
// [Load], as Load would say it.
func (c Config) Validate() error {
	return errors.Join(c.check(nil)...)
}

// check finds what is wrong with the values. raw has them as they stand in the
// environment, those that came from there.
func (c Config) check(raw map[string]string) []error {
	var problems []error
	values := reflect.ValueOf(c)
	given := func(i int, v Variable) string {
		if value, ok := raw[v.Name]; ok {
			return value
		}
		return shown(values.Field(i).Interface())
	}
	for i, v := range Variables() {
		if err := c.checkOne(v, values.Type().Field(i), values.Field(i), given(i, v)); err != nil {
			problems = append(problems, err)
		}
	}
	return append(problems, c.checkTogether()...)
}

func (c Config) checkOne(v Variable, field reflect.StructField, value reflect.Value, given string) error {
	if v.Required && value.IsZero() {
		return fmt.Errorf("%s is not set: set it to the address of a Redis, such as redis://localhost:6379, "+
			"or to %s for a first try without one", v.Name, EmbeddedRedis)
	}
	ok := inBounds(field.Tag, value)
	switch field.Name {
	case "ListenAddr", "AdminAddr":
		ok = isAddr(value.String())
	case "RedisURL":
		return checkRedisURL(v, value.String())
	case "RedisPrefix":
		ok = redisPrefix.MatchString(value.String())
	case "AdminToken":
		ok = value.IsZero() || len(value.String()) >= minToken && bearerToken.MatchString(value.String())
	case "UnwellChannel":
		ok = value.IsZero() || channelName.MatchString(value.String())
	case "Auth":
		ok = c.Auth == AuthChannels || c.Auth == AuthNone
	case "LogFormat":
		ok = c.LogFormat == LogJSON || c.LogFormat == LogText
	}
	if !ok {
		return v.problem(given)
	}
	return nil
}

var (
	redisPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,32}$`)
	channelName = regexp.MustCompile(`^[A-Za-z0-9+][A-Za-z0-9._~@+-]{0,127}$`) // as access.ChannelName
	bearerToken = regexp.MustCompile(`^[A-Za-z0-9._~+/-]+=*$`)                 // RFC 6750
)

// minToken is how short the admin API's token may be: no shorter than a channel's secret.
const minToken = 16

// inBounds holds a number against the tags min, max and zero. What has none of
// these is in bounds.
func inBounds(tag reflect.StructTag, value reflect.Value) bool {
	_, zero := tag.Lookup("zero")
	if _, bounded := tag.Lookup("min"); !bounded || zero && value.IsZero() {
		return true
	}
	bound := func(name string) int64 { return boundOf(tag.Get(name), value.Type()) }
	return bound("min") <= value.Int() && value.Int() <= bound("max")
}

// boundOf reads a bound as the variable itself is read.
func boundOf(text string, t reflect.Type) int64 {
	field := reflect.StructField{Name: "V", Type: t, Tag: reflect.StructTag("default:" + strconv.Quote(text))}
	one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	if err := envconfig.Process("=", one.Interface()); err != nil { // no such variable: see Default
		panic("config: a bound in the tags of Config is not valid: " + err.Error())
	}
	return one.Elem().Field(0).Int()
}

func isAddr(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

// checkRedisURL looks no further than at what go-redis would put into an error
// together with the password. The rest of the URL is go-redis's to judge.
func checkRedisURL(v Variable, given string) error {
	if given == EmbeddedRedis {
		return nil
	}
	u, err := url.Parse(given)
	if err != nil {
		return v.problemf(given, "is not a URL; must be %s. In a user name or a password, "+
			"write what is not a letter or a digit percent-encoded, and leave no line end behind it", v.Allowed)
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return v.problem(given)
	}
	return nil
}

// checkTogether finds values that are right each by itself but not together.
func (c Config) checkTogether() []error {
	var problems []error
	if sameAddr(c.ListenAddr, c.AdminAddr) {
		problems = append(problems, fmt.Errorf("QST_ADMIN_ADDR=%q: must not be the address of QST_LISTEN_ADDR=%q", c.AdminAddr, c.ListenAddr))
	}
	if c.Embedded() && c.RedisCluster {
		problems = append(problems, errors.New(`QST_REDIS_CLUSTER="true": must be false with QST_REDIS_URL=embedded, which is one server`))
	}
	if c.Embedded() && c.RedisMinReplicas > 0 {
		problems = append(problems, fmt.Errorf(`QST_REDIS_MIN_REPLICAS="%d": must be 0 with QST_REDIS_URL=embedded, which has no replicas`, c.RedisMinReplicas))
	}
	if c.MaxInFlight < c.ChannelMaxInFlight {
		problems = append(problems, fmt.Errorf("QST_CHANNEL_MAX_IN_FLIGHT=%q: must not be above QST_MAX_IN_FLIGHT=%q", c.ChannelMaxInFlight, c.MaxInFlight))
	}
	for _, pair := range [][2]string{
		{c.ListenCertFile, c.ListenKeyFile}, {c.RedisCertFile, c.RedisKeyFile},
	} {
		if (pair[0] == "") != (pair[1] == "") {
			problems = append(problems, fmt.Errorf("%q%q: a certificate and its key belong together (QST_LISTEN_CERT_FILE and QST_LISTEN_KEY_FILE, QST_REDIS_CERT_FILE and QST_REDIS_KEY_FILE)", pair[0], pair[1]))
		}
	}
	if (c.RedisRootsFile != "" || c.RedisCertFile != "") && !strings.HasPrefix(c.RedisURL.Reveal(), "rediss://") {
		problems = append(problems, errors.New("QST_REDIS_ROOTS_FILE, QST_REDIS_CERT_FILE: only with rediss:// in QST_REDIS_URL"))
	}
	return problems
}

// sameAddr says whether a process cannot listen on both addresses.
func sameAddr(a, b string) bool {
	hostA, portA, errA := net.SplitHostPort(a)
	hostB, portB, errB := net.SplitHostPort(b)
	if errA != nil || errB != nil || portA != portB || portA == "0" {
		return false
	}
	every := func(host string) bool { return host == "" || host == "0.0.0.0" || host == "::" }
	return hostA == hostB || every(hostA) || every(hostB)
}

// commonProxyTimeout is after how long without an answer nginx, AWS load
// balancers and many others cut a request, unless told otherwise.
const commonProxyTimeout = 60 * time.Second

// Warnings lists what is allowed and works, but may not be what was meant. To be
// logged at start.
func (c Config) Warnings() []string {
	var warnings []string
	for _, w := range []struct {
		when bool
		text string
	}{
		{
			c.Embedded(),
			"QST_REDIS_URL=embedded: messages are kept in the memory of this process and are lost when it ends; for trying out only",
		},
		{
			c.Auth == AuthNone,
			"QST_AUTH=none: whoever reaches this service can read and write every channel",
		},
		{
			c.Auth == AuthNone && (c.AdminToken != "" || c.BootstrapFile != ""),
			"QST_AUTH=none with QST_ADMIN_TOKEN or QST_BOOTSTRAP_FILE: pushes and pulls take no notice of channels' credentials, nor of their settings (queue_max_messages, report_states and the others)",
		},
		{
			c.LongPollMax >= commonProxyTimeout,
			fmt.Sprintf("QST_LONG_POLL_MAX=%s: proxies commonly cut a request after %s; the polls that pass through one may end in errors", c.LongPollMax, commonProxyTimeout),
		},
		{
			c.MaxPolls == 0,
			"QST_MAX_POLLS=0: every long poll is answered at once, so clients ask again at once",
		},
		{
			c.DedupWindow == 0,
			"QST_DEDUP_WINDOW=0: a batch whose 200 was lost on the way is stored twice when the client sends it again",
		},
		{
			c.QueueMaxMessages < int64(c.PushMaxMessages),
			fmt.Sprintf("QST_QUEUE_MAX_MESSAGES=%d is below QST_PUSH_MAX_MESSAGES=%d: a batch of a size in between is answered 503 for ever", c.QueueMaxMessages, c.PushMaxMessages),
		},
		{
			c.QueueMaxBytes < c.PushMaxBytes || c.QueueMaxBytes < c.MessageMaxBytes,
			fmt.Sprintf("QST_QUEUE_MAX_BYTES=%s is below QST_PUSH_MAX_BYTES=%s or QST_MESSAGE_MAX_BYTES=%s: a batch of a size in between is answered 503 for ever", c.QueueMaxBytes, c.PushMaxBytes, c.MessageMaxBytes),
		},
		{
			c.DrainTimeout < c.RedisTimeout,
			fmt.Sprintf("QST_DRAIN_TIMEOUT=%s is below QST_REDIS_TIMEOUT=%s: a push that waits for Redis is cut when the replica stops", c.DrainTimeout, c.RedisTimeout),
		},
	} {
		if w.when {
			warnings = append(warnings, w.text)
		}
	}
	return warnings
}
