package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// A master of a Cluster dies for good: when its replica has taken over, the channels that it had are
// served again, with and without waiting for replicas, also by a replica of the service that
// only asks for channels' records. The other channels are served all the while.
func TestClusterMasterDies(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no", "--cluster-allow-replica-migration", "no")
	victim := cluster[0]
	heirs := []*redistest.Server{redistest.StartReplica(t, cluster, victim, "--cluster-node-timeout", "1000", "--cluster-allow-replica-migration", "no")}
	heirs = append(heirs, redistest.StartReplica(t, cluster, victim, "--cluster-node-timeout", "1000", "--cluster-allow-replica-migration", "no"))
	r := startReplica(t, cluster[1].URL(), "QST_REDIS_CLUSTER=true", "QST_REDIS_MIN_REPLICAS=0", "QST_REDIS_TIMEOUT=500ms")
	durable := startReplica(t, cluster[1].URL(), "QST_REDIS_CLUSTER=true", "QST_REDIS_MIN_REPLICAS=1", "QST_REDIS_TIMEOUT=500ms")
	path := func(i int) string { return fmt.Sprintf("/v2/channels/c%d", i) }
	var hit, spared []int
	for i := range 12 {
		push(t, r, path(i), `{"id":"before","body":"x"}`)
	}
	for i := range 12 {
		if keys := victim.Client().Keys(t.Context(), fmt.Sprintf("qst:*:q:c%d:mailbox", i)).Val(); len(keys) > 0 {
			hit = append(hit, i)
		} else {
			spared = append(spared, i)
		}
	}
	if len(hit) == 0 || len(spared) == 0 {
		t.Fatalf("on the victim %v, on others %v", hit, spared)
	}
	// What each master has from before goes to its replicas before that one dies: this is about time, not loss.
	c := victim.Client()
	eventually(t, "the replicas follow", func() error {
		if n := c.Do(t.Context(), "wait", 2, 1000).Val(); n != int64(2) {
			return fmt.Errorf("%v have all\n%s", n, c.Info(t.Context(), "replication").Val())
		}
		return nil
	})
	victim.Kill()
	var heir *redis.Client
	eventually(t, "a replica takes over", func() error {
		for _, h := range heirs {
			c := h.Client()
			if strings.Contains(c.Info(t.Context(), "replication").Val(), "role:master") {
				heir = c
				return nil
			}
		}
		push(t, r, path(spared[0]), `{"body":"x"}`)
		return fmt.Errorf("not yet")
	})
	taken := time.Now()
	for _, i := range hit {
		eventually(t, "its channels are back", func() error {
			return status(do(t, "POST", r.URL+path(i), `{"id":"after","body":"x"}`).Status, http.StatusOK)
		})
		if a := pull(t, r, path(i)); ids(t, a) != "before after" {
			t.Fatalf("channel %d: %v", i, a)
		}
	}
	t.Logf("back %v after Redis was", time.Since(taken))
	eventually(t, "the other replica follows", func() error {
		info := heir.Info(t.Context(), "replication").Val()
		if !strings.Contains(info, "state=online") {
			return fmt.Errorf("%s", info)
		}
		return nil
	})
	taken = time.Now()
	eventually(t, "pushes that wait for replicas are taken", func() error {
		return status(do(t, "POST", durable.URL+path(hit[0]), `{"id":"durable","body":"x"}`).Status, http.StatusOK)
	})
	t.Logf("durable %v after the replica was", time.Since(taken))
}
