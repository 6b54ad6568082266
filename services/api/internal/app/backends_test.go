package app_test

import (
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// onEachRedis runs f as a parallel subtest for each kind of Redis that the
// service runs on, with two replicas: a and b are one service. The embedded one
// has one replica, which is both. env configures them all.
func onEachRedis(t *testing.T, f func(t *testing.T, a, b *replica), env ...string) {
	t.Helper()
	t.Run("standalone", func(t *testing.T) {
		t.Parallel()
		url := redistest.Start(t).URL()
		f(t, startReplica(t, url, env...), startReplica(t, url, env...))
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		url := redistest.StartCluster(t, 3)[0].URL()
		env := append([]string{"QST_REDIS_CLUSTER=true"}, env...)
		f(t, startReplica(t, url, env...), startReplica(t, url, env...))
	})
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		r := startReplica(t, "embedded", env...)
		f(t, r, r)
	})
}
