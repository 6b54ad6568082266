package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// contender is one of those that are measured.
type contender struct {
	name      string
	server    process
	redis     redisServer
	public    string                                                    // where its server listens
	service   bool                                                      // a build of it
	requests  *requests                                                 // over a wire; the scripts have none
	push      func(ctx context.Context, channel, id, text string) error // returns when the message is stored
	publish   func(ctx context.Context, channel, id, text string) error // into a poll that waits; often the same
	subscribe func(ctx context.Context, channel string, got func()) error
	http      client // the service's
}

// startAll starts those that the options name. The service is the first: the
// others are measured by it.
func startAll(ctx context.Context, m *machine, o options) ([]*contender, error) {
	service := func(name, program string) func() (*contender, error) {
		return func() (*contender, error) { return startService(ctx, m, name, program) }
	}
	starts := []func() (*contender, error){service("service", o.api)}
	if o.vs != "" {
		starts = append(starts, service("vs", o.vs))
	}
	if slices.ContainsFunc(parts(), func(p part) bool { return p.scripts && o.only.has(p.name) }) {
		starts = append(starts, func() (*contender, error) { return startScripts(ctx, m) })
	}
	if o.beside.has("nchan") {
		starts = append(starts, func() (*contender, error) { return startNchan(ctx, m) })
	}
	if o.beside.has("webdis") {
		starts = append(starts, func() (*contender, error) { return startWebdis(ctx, m) })
	}
	var all []*contender
	for _, start := range starts {
		c, err := start()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// overHTTP is the contenders without the scripts.
func (b *bench) overHTTP() []*contender {
	return slices.DeleteFunc(slices.Clone(b.contenders), func(c *contender) bool { return c.requests == nil })
}

func startService(ctx context.Context, m *machine, name, program string) (c *contender, err error) {
	c = &contender{name: name, service: true, requests: serviceRequests()}
	if c.redis, err = m.redis(ctx); err != nil {
		return c, err
	}
	if c.public, err = freeAddress(); err != nil {
		return c, err
	}
	public := c.public
	c.server, err = m.start(ctx, public, []string{
		"QST_REDIS_URL=redis://" + c.redis.address, "QST_AUTH=none", "QST_LISTEN_ADDR=" + public, "QST_ADMIN_ADDR=127.0.0.1:0", "QST_LONG_POLL_MAX=10m",
	}, program)
	if err != nil {
		return c, err
	}
	h := newClient("http://" + public)
	c.push, c.subscribe = h.servicePush, h.servicePoll
	c.publish, c.http = c.push, h
	return c, h.untilReady(ctx)
}

// startLocked starts another replica on the service's Redis, one that asks for
// credentials, and so many channels that have one. It forgets them at once: what is
// measured is a request that has to look them up.
func startLocked(ctx context.Context, m *machine, program string, service *contender, channels int, env ...string) (*contender, error) {
	c := &contender{name: "locked", redis: service.redis}
	public, err := freeAddress()
	if err != nil {
		return c, err
	}
	c.public = public
	var text bytes.Buffer
	fmt.Fprintln(&text, "channels:")
	for i := range channels {
		name := lockedChannel(i)
		fmt.Fprintf(&text, "- {name: %s, credentials: [{id: bench, user: %s, secret: %s, endpoint: mailbox}]}\n", name, name, lockedSecret)
	}
	file := filepath.Join(m.dir, "channels.yaml")
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return c, err
	}
	c.server, err = m.start(ctx, public, append([]string{
		"QST_REDIS_URL=redis://" + c.redis.address, "QST_BOOTSTRAP_FILE=" + file, "QST_AUTH_CACHE=100ms",
		"QST_LISTEN_ADDR=" + public, "QST_ADMIN_ADDR=127.0.0.1:0", "QST_REBALANCE_PERCENT=0",
	}, env...), program)
	if err != nil {
		return c, err
	}
	c.http = newClient("http://" + public)
	c.http.locked = true
	return c, c.http.untilReady(ctx)
}

const lockedSecret = "not-a-secret-in-bench"

func lockedChannel(i int) string { return "locked-" + strconv.Itoa(i) }

func startNchan(ctx context.Context, m *machine) (c *contender, err error) {
	c = &contender{name: "nchan", requests: nchanRequests()}
	if c.redis, err = m.redis(ctx); err != nil {
		return c, err
	}
	if c.public, err = freeAddress(); err != nil {
		return c, err
	}
	address := c.public
	file := filepath.Join(m.dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, nginxConf, m.dir, c.redis.address, address), 0o600); err != nil {
		return c, err
	}
	if c.server, err = m.start(ctx, address, nil, "nginx", "-c", file, "-e", filepath.Join(m.dir, "nginx-error.log")); err != nil {
		return c, err
	}
	h := newClient("http://" + address)
	c.push, c.subscribe = h.nchanPush, h.nchanPoll
	c.publish = c.push
	return c, nil
}

// As many workers as the service has threads; messages kept as the service keeps
// them: until they are fetched, or for long.
const nginxConf = `
load_module /usr/lib/nginx/modules/ngx_nchan_module.so;
daemon off;
pid %[1]s/nginx.pid;
worker_processes auto;
worker_rlimit_nofile 20000;
events { worker_connections 20000; }
http {
  access_log off;
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  keepalive_requests 1000000;
  nchan_shared_memory_size 256m;
  upstream storage { nchan_redis_server redis://%[2]s; }
  server {
    listen %[3]s;
    nchan_message_timeout 1h;
    nchan_message_buffer_length 100000;
    location /push { nchan_redis_pass storage; nchan_publisher; nchan_channel_id $arg_id; }
    location /poll { nchan_redis_pass storage; nchan_subscriber longpoll; nchan_channel_id $arg_id; nchan_subscriber_timeout 0; }
  }
}
`

func startWebdis(ctx context.Context, m *machine) (c *contender, err error) {
	c = &contender{name: "webdis", requests: webdisRequests()}
	if c.redis, err = m.redis(ctx); err != nil {
		return c, err
	}
	if c.public, err = freeAddress(); err != nil {
		return c, err
	}
	address := c.public
	redisHost, redisPort, _ := net.SplitHostPort(c.redis.address)
	host, port, _ := net.SplitHostPort(address)
	conf, err := json.Marshal(map[string]any{
		"redis_host": redisHost, "redis_port": json.Number(redisPort), "http_host": host, "http_port": json.Number(port),
		"threads": 2, "pool_size": 16, "daemonize": false, "websockets": false, "database": 0, "verbosity": 1,
		"acl": []any{map[string]any{"disabled": []string{}}}, "logfile": filepath.Join(m.dir, "webdis.log"),
	})
	if err != nil {
		return c, err
	}
	file := filepath.Join(m.dir, "webdis.json")
	if err := os.WriteFile(file, conf, 0o600); err != nil {
		return c, err
	}
	if c.server, err = m.start(ctx, address, nil, "webdis", file); err != nil {
		return c, err
	}
	h := newClient("http://" + address)
	c.push, c.publish, c.subscribe = h.webdisPush, h.webdisPublish, h.webdisSubscribe
	return c, nil
}
