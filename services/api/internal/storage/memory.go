package storage

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Memory is what a Redis node uses of its memory.
type Memory struct {
	Address string
	Used    int64 // bytes
	Max     int64 // bytes; 0: no limit is set
}

// Memory returns what each master uses. It returns ErrUnavailable.
func (g Guard) Memory(ctx context.Context) ([]Memory, error) {
	if g.Embedded { // it has no limit and no figures
		return nil, nil
	}
	var nodes []Memory
	err := g.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		ctx, cancel := context.WithTimeout(ctx, g.Timeout)
		defer cancel()
		addr := node.Options().Addr
		info, err := infoFields(ctx, node, "memory")
		if err != nil {
			return Unavailable(fmt.Errorf("INFO of %s: %w", addr, err))
		}
		m := Memory{Address: addr}
		for field, to := range map[string]*int64{"used_memory": &m.Used, "maxmemory": &m.Max} {
			if *to, err = strconv.ParseInt(info[field], 10, 64); err != nil {
				return Unavailable(fmt.Errorf("INFO of %s: %s: %w", addr, field, err))
			}
		}
		nodes = append(nodes, m)
		return nil
	})
	return nodes, err
}
