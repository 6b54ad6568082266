package app_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// sentinels is a master with two replicas, and a Sentinel that knows them.
type sentinels struct {
	t        *testing.T
	servers  []*redistest.Server // the master first
	sentinel *redistest.Server
}

func startSentinels(t *testing.T) *sentinels {
	t.Helper()
	s := &sentinels{t: t, servers: []*redistest.Server{redistest.Start(t)}}
	host, port, err := net.SplitHostPort(s.servers[0].Addr)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s.servers = append(s.servers, redistest.Start(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0"))
	}
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor m %s %s 1\nsentinel down-after-milliseconds m 2000\nsentinel failover-timeout m 10000\n", host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.sentinel = redistest.StartSentinel(t, conf)
	eventually(t, "Sentinel knows the replicas, and they follow", func() error {
		list, err := s.sentinel.Client().Do(t.Context(), "sentinel", "replicas", "m").Slice()
		if err != nil {
			return err
		}
		if len(list) != 2 || strings.Count(fmt.Sprint(list), "master-link-status:ok") != 2 {
			return fmt.Errorf("%v", list)
		}
		return nil
	})
	return s
}

func (s *sentinels) url() string { return s.sentinel.MasterURL("m") }

// failOver has Sentinel fail over by plan, and returns when it names another master.
func (s *sentinels) failOver() {
	s.t.Helper()
	c := s.sentinel.Client()
	master := func() string {
		list, _ := c.Do(s.t.Context(), "sentinel", "get-master-addr-by-name", "m").StringSlice()
		return strings.Join(list, ":")
	}
	before := master()
	if err := c.Do(s.t.Context(), "sentinel", "failover", "m").Err(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "there is another master", func() error {
		if master() == before {
			return errors.New(before)
		}
		return nil
	})
}

// Redis is failed over by plan while senders push: what was answered 200 comes out, all of it, in
// order. Each way is one that docs/operations.md calls safe.
func TestPlannedFailOver(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		replicas string
		failOver func(s *sentinels)
	}{
		"all replicas have each push": {"2", (*sentinels).failOver},
		"writes are paused until the old master is gone": {"0", func(s *sentinels) {
			if err := s.servers[0].Client().Do(s.t.Context(), "client", "pause", patience.Milliseconds(), "write").Err(); err != nil {
				s.t.Fatal(err)
			}
			s.failOver()
			s.servers[0].Kill()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startSentinels(t)
			r := startReplica(t, s.url(), "QST_REDIS_MIN_REPLICAS="+c.replicas, "QST_REDIS_TIMEOUT=1s", "QST_QUEUE_MAX_MESSAGES=1000000")
			const senders, before, after = 4, 300, 200
			var taken [senders][]string
			var total, since atomic.Int64
			var done atomic.Bool
			var g sync.WaitGroup
			for i := range senders {
				g.Go(func() {
					for n := 0; t.Context().Err() == nil && since.Load() < after; {
						id := fmt.Sprintf("%d-%d", i, n)
						a, err := try(t.Context(), http.DefaultClient, "POST", r.URL+fmt.Sprintf("/v2/channels/c%d", i), `{"id":"`+id+`","body":"x"}`)
						if err != nil || a.Status != http.StatusOK {
							continue // sent again until it is taken
						}
						taken[i] = append(taken[i], id)
						n++
						total.Add(1)
						if done.Load() {
							since.Add(1)
						}
					}
				})
			}
			eventually(t, "there is load", func() error {
				if total.Load() < before {
					return fmt.Errorf("%d pushes", total.Load())
				}
				return nil
			})
			c.failOver(s)
			done.Store(true)
			g.Wait()
			for i := range senders {
				got := drain(t, r, fmt.Sprintf("/v2/channels/c%d", i))
				if strings.Join(got, " ") != strings.Join(taken[i], " ") {
					t.Errorf("channel %d: %d were taken, %d came out", i, len(taken[i]), len(got))
				}
			}
		})
	}
}

// A setting that a fail-over by plan does not keep, or that keeps pushes out, is said at the start.
func TestWarnsOfMinReplicas(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	for range 2 {
		redistest.Start(t, "--replicaof", strings.Replace(master.Addr, ":", " ", 1), "--repl-diskless-sync-delay", "0")
	}
	eventually(t, "the replicas follow", func() error {
		info := master.Client().Info(t.Context(), "replication").Val()
		if strings.Count(info, "state=online") != 2 {
			return errors.New(info)
		}
		return nil
	})
	for replicas, says := range map[string]string{"1": "more replicas than QST_REDIS_MIN_REPLICAS", "3": "fewer replicas than QST_REDIS_MIN_REPLICAS", "2": ""} {
		r := startReplica(t, master.URL(), "QST_REDIS_MIN_REPLICAS="+replicas)
		if got := strings.Contains(r.log.String(), "replicas than QST_REDIS_MIN_REPLICAS"); got != (says != "") || !strings.Contains(r.log.String(), says) {
			t.Errorf("%s: %s", replicas, r.log)
		}
	}
}
