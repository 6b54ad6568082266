package app_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

var (
	chaosSeed   = flag.Uint64("chaos-seed", 1, "seed of the chaos test")
	chaosFor    = flag.Duration("chaos-for", 0, "how long faults are made on each kind of Redis; 0: a few of them, on one Redis")
	chaosFaults = 4 // where -chaos-for is 0
)

// chaos is a running service with its Redis, its clients, and what may go wrong.
type chaos struct {
	t        *testing.T
	r        *rand.Rand
	replicas []*replica
	start    func() *replica
	losses   []loss
	clients  *clients
	faults   map[string]func()
	probe    int
}

// Clients push and pull while one thing after another goes wrong. What was answered 200 comes out, in order,
// and nothing comes twice without a reason.
func TestChaos(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(c *chaos){"one Redis": (*chaos).standalone, "backups": (*chaos).backups, "Sentinel": (*chaos).sentinel, "Cluster": (*chaos).cluster} {
		if *chaosFor == 0 && name != "one Redis" && name != "backups" {
			continue
		}
		t.Run(name, func(t *testing.T) { // one after the other: each is a load of its own
			c := &chaos{t: t, r: rand.New(rand.NewPCG(*chaosSeed, 0)), faults: map[string]func(){}}
			build(c)
			c.run()
		})
	}
}

// on sets up the service, two replicas of it, and the faults that need no particular Redis.
func (c *chaos) on(url string, env ...string) {
	c.start = func() *replica {
		return startReplica(c.t, url, append([]string{"QST_REDIS_TIMEOUT=1s", "QST_QUEUE_MAX_MESSAGES=1000000"}, env...)...)
	}
	c.replicas = []*replica{c.start(), c.start()}
	c.faults["a replica of the service is killed"] = func() {
		i := c.r.IntN(len(c.replicas))
		c.replicas[i].kill()
		c.clients.use(c.replicas[1-i])
		c.replicas[i] = c.start()
		c.clients.use(c.replicas...)
	}
	c.faults["a replica of the service is replaced"] = func() {
		i := c.r.IntN(len(c.replicas))
		old := c.replicas[i]
		c.replicas[i] = c.start()
		old.terminate()
		c.clients.use(c.replicas...)
		if code := old.exitCode(); code != 0 {
			c.t.Errorf("exit code %d: %s", code, old.log)
		}
	}
}

func (c *chaos) run() {
	c.clients = startClients(c.t, *chaosSeed, c.replicas...)
	var names []string
	for name := range c.faults {
		names = append(names, name)
	}
	slices.Sort(names)
	begin := time.Now()
	for i := 0; c.t.Context().Err() == nil && !c.t.Failed(); i++ {
		if *chaosFor == 0 && i == chaosFaults || *chaosFor > 0 && time.Since(begin) > *chaosFor {
			break
		}
		if i%len(names) == 0 { // each of them once, in some order, and again
			c.r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		}
		name := names[i%len(names)]
		at := time.Now()
		c.faults[name]()
		c.healed()
		if strings.Contains(name, "fail-over") || strings.Contains(name, "master dies") {
			// A push that was not answered 200 may have been delivered by the old master, and be unknown to the new one.
			c.losses = append(c.losses, loss{from: at, to: time.Now(), kept: true})
		}
		c.t.Logf("%6.1f s: %s: served again after %v", time.Since(begin).Seconds(), name, time.Since(at).Round(time.Millisecond))
	}
	c.clients.end(c.losses)
}

// healed waits until every replica takes a push into each of some channels, and pulls it.
func (c *chaos) healed() {
	c.t.Helper()
	c.probe++
	for _, r := range c.replicas {
		for i := range chaosChannels {
			path := fmt.Sprintf("%s/v2/channels/probe-%d", r.URL, i)
			eventually(c.t, "the service is back", func() error {
				a := do(c.t, "POST", path, fmt.Sprintf(`{"id":"%d","body":"x"}`, c.probe), "Content-Type: application/json")
				if a.Status == http.StatusOK {
					a = do(c.t, "GET", path+"?max=1", "")
				}
				if a.Status != http.StatusOK {
					return fmt.Errorf("%v", a)
				}
				return nil
			})
		}
	}
}

// pause is how long a fault lasts.
func (c *chaos) pause() { <-time.After(time.Duration(c.r.IntN(1500)) * time.Millisecond) }

// common are the faults of any one Redis that loses nothing when it is killed.
func (c *chaos) common(name string, s func() *redistest.Server) {
	client := func(f func(*redis.Client)) {
		f(s().Client())
	}
	c.faults["connections to "+name+" are cut"] = func() {
		for range 5 {
			client(func(r *redis.Client) { r.Do(c.t.Context(), "client", "kill", "type", "normal") })
			<-time.After(time.Duration(c.r.IntN(50)) * time.Millisecond)
		}
	}
	c.faults[name+" forgets the scripts"] = func() { client(func(r *redis.Client) { r.ScriptFlush(c.t.Context()) }) }
	c.faults[name+" is full"] = func() {
		client(func(r *redis.Client) {
			r.ConfigSet(c.t.Context(), "maxmemory", "1")
			c.pause()
			r.ConfigSet(c.t.Context(), "maxmemory", "0")
		})
	}
	c.faults[name+" is frozen"] = func() { s().Freeze(); c.pause(); s().Thaw() }
}

func (c *chaos) standalone() {
	s := redistest.StartWithClock(c.t, "--appendfsync", "always")
	c.on(s.URL())
	c.common("Redis", func() *redistest.Server { return s })
	c.faults["Redis is killed"] = func() { s.Kill(); c.pause(); s.Restart() }
	c.faults["Redis is stopped"] = func() { s.Shutdown(); c.pause(); s.Restart() }
	if s.HasClock() {
		c.faults["Redis's clock goes forward"] = func() { s.SetClock(time.Minute); c.pause() }
		c.faults["Redis's clock goes back"] = func() { s.SetClock(-time.Minute); c.pause() }
	}
}

// backups is a Redis that is put back to how it was a while ago.
func (c *chaos) backups() {
	s := redistest.StartWithClock(c.t, "--appendonly", "no")
	c.on(s.URL())
	restore := func() {
		from := time.Now()
		backup := s.Backup()
		<-time.After(time.Duration(200+c.r.IntN(1000)) * time.Millisecond)
		s.Restore(backup)
		c.losses = append(c.losses, loss{from: from, to: time.Now()})
	}
	c.faults["a backup is restored"] = restore
	c.faults["a backup is restored, again"] = restore
	if s.HasClock() {
		c.faults["a backup is restored, and the clock is back"] = func() { restore(); s.SetClock(-time.Duration(c.r.IntN(30)) * time.Second) }
	}
	c.faults["Redis forgets the scripts"] = func() { s.Client().ScriptFlush(c.t.Context()) }
}

func (c *chaos) sentinel() {
	s := startSentinels(c.t)
	c.on(s.url(), "QST_REDIS_MIN_REPLICAS=2")
	c.common("the master", s.master)
	c.faults["a fail-over by plan"] = s.failOver
	c.faults["the master dies"] = func() {
		dead := s.master()
		dead.Kill()
		eventually(c.t, "there is another master", func() error {
			if s.master() == dead {
				return fmt.Errorf("%s", dead.Addr)
			}
			return nil
		})
		dead.Restart() // Sentinel makes a replica of it
	}
	c.faults["a replica of Redis dies"] = func() {
		for _, server := range s.servers {
			if server != s.master() {
				server.Kill()
				c.pause()
				server.Restart()
				return
			}
		}
	}
}

// master returns the server that Sentinel names.
func (s *sentinels) master() *redistest.Server {
	list, _ := s.sentinel.Client().Do(s.t.Context(), "sentinel", "get-master-addr-by-name", "m").StringSlice()
	for _, server := range s.servers {
		if server.Addr == strings.Join(list, ":") {
			return server
		}
	}
	return s.servers[0]
}

func (c *chaos) cluster() {
	const timeout = "1000"
	masters := redistest.StartCluster(c.t, 3, "--cluster-node-timeout", timeout, "--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no")
	all := masters
	pairs := make([][]*redistest.Server, len(masters))
	for i, m := range masters {
		replica := redistest.StartReplica(c.t, all, m, "--cluster-node-timeout", timeout, "--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no")
		all = append(all, replica)
		pairs[i] = []*redistest.Server{m, replica}
	}
	c.on(masters[0].URL(), "QST_REDIS_CLUSTER=true", "QST_REDIS_MIN_REPLICAS=1")
	pair := func() (master, replica *redistest.Server) {
		p := pairs[c.r.IntN(len(pairs))]
		if strings.Contains(p[1].Client().Info(c.t.Context(), "replication").Val(), "role:master") {
			return p[1], p[0]
		}
		return p[0], p[1]
	}
	c.common("a master", func() *redistest.Server { return masters[0] })
	c.faults["a master dies"] = func() {
		master, replica := pair()
		master.Kill()
		eventually(c.t, "its replica takes over", func() error {
			if info := replica.Client().Info(c.t.Context(), "replication").Val(); !strings.Contains(info, "role:master") {
				return fmt.Errorf("%s", info)
			}
			return nil
		})
		master.Restart()
	}
	c.faults["a fail-over by plan"] = func() {
		_, replica := pair()
		if err := replica.Client().Do(c.t.Context(), "cluster", "failover").Err(); err != nil {
			c.t.Logf("CLUSTER FAILOVER: %v", err)
		}
	}
	c.faults["a replica of Redis dies"] = func() {
		_, replica := pair()
		replica.Kill()
		c.pause()
		replica.Restart()
	}
}
