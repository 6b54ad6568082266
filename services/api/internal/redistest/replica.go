package redistest

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"testing"
)

// StartReplica starts a replica of a master of a Cluster (see [StartCluster]), and returns when it
// follows its master and all others know it.
func StartReplica(tb testing.TB, cluster []*Server, master *Server, args ...string) *Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	bus := strconv.Itoa(freePort(tb))
	s := Start(tb, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus, "--repl-diskless-sync-delay", "0"}, args...)...)
	id, err := master.Client().Do(ctx, "cluster", "myid").Text()
	if err != nil {
		tb.Fatal(err)
	}
	host, port, _ := net.SplitHostPort(s.Addr)
	if err := master.Client().Do(ctx, "cluster", "meet", host, port, bus).Err(); err != nil {
		tb.Fatalf("joining %s: %v", s.Addr, err)
	}
	c := s.Client()
	err = until(ctx, func() error { return c.Do(ctx, "cluster", "replicate", id).Err() }) // once it knows its master
	if err != nil {
		tb.Fatalf("%s does not follow: %v", s.Addr, err)
	}
	for _, other := range append([]*Server{s}, cluster...) {
		c := other.Client()
		err := until(ctx, func() error {
			nodes, err := c.ClusterNodes(ctx).Result()
			if err == nil && !strings.Contains(nodes, "slave "+id) {
				err = errors.New(nodes)
			}
			return err
		})
		if err != nil {
			tb.Fatalf("%s does not know the replica: %v", other.Addr, err)
		}
	}
	err = until(ctx, func() error {
		info, err := c.Info(ctx, "replication").Result()
		if err == nil && !strings.Contains(info, "master_link_status:up") {
			err = errors.New(info)
		}
		return err
	})
	if err != nil {
		tb.Fatalf("%s does not follow: %v", s.Addr, err)
	}
	return s
}
