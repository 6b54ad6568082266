package storage

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// warnOfReplicas warns of a number of replicas to wait for that does not hold what it is set for.
func (g Guard) warnOfReplicas(ctx context.Context, node *redis.Client) {
	if g.MinReplicas == 0 {
		return
	}
	addr := node.Options().Addr
	info, err := infoFields(ctx, node, "replication")
	if err != nil {
		g.Logger.WarnContext(ctx, "how many replicas Redis has is not known", "redis", addr, "error", err)
		return
	}
	have, err := strconv.Atoi(info["connected_slaves"])
	if err != nil {
		return // a Redis that does not say
	}
	switch {
	case have < g.MinReplicas:
		g.Logger.WarnContext(ctx, "Redis has fewer replicas than QST_REDIS_MIN_REPLICAS: pushes are answered 503 until they are there",
			"redis", addr, "replicas", have, "wanted", g.MinReplicas)
	case have > g.MinReplicas:
		g.Logger.WarnContext(ctx, "Redis has more replicas than QST_REDIS_MIN_REPLICAS: a fail-over by plan (SENTINEL FAILOVER) may lose what was answered 200. "+
			"Wait for all replicas, or see \"Fail over by plan\" in docs/operations.md",
			"redis", addr, "replicas", have, "waited_for", g.MinReplicas)
	}
}
