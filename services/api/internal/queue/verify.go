package queue

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// layoutVersion is the version of the data's layout in Redis: keys, types and
// what scripts keep in them.
const layoutVersion = 1

// Prepare verifies that Redis can be trusted with messages, loads the scripts,
// and notes the data's layout at first start. It returns ErrUnsuitable, with what
// to do about it, or ErrUnavailable: then it may be called again.
func (s *Store) Prepare(ctx context.Context) error {
	if !s.opts.Embedded {
		if err := s.eachMaster(ctx, s.verify); err != nil {
			return err
		}
	}
	return s.Check(ctx)
}

// Check tells whether the store can serve: Redis answers, the scripts load and
// the data's layout is this version's. It returns ErrUnavailable or ErrUnsuitable.
func (s *Store) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	if err := s.scripts.load(ctx, s.rdb); err != nil {
		return unavailable(fmt.Errorf("loading scripts: %w", err))
	}
	want := map[string]string{"version": strconv.Itoa(layoutVersion), "partitions": strconv.Itoa(s.layout.Partitions())}
	key := s.layout.stored()
	pipe := s.rdb.Pipeline()
	for _, field := range slices.Sorted(maps.Keys(want)) {
		pipe.HSetNX(ctx, key, field, want[field])
	}
	stored := pipe.HGetAll(ctx, key)
	if _, err := pipe.Exec(ctx); err != nil {
		return unavailable(fmt.Errorf("reading %s: %w", key, err))
	}
	have := stored.Val()
	if have["version"] != want["version"] {
		return fmt.Errorf("%w: its data (%s) has layout version %q, this program writes %q: run the version of the program that wrote it, or another Redis or QST_REDIS_PREFIX",
			ErrUnsuitable, key, have["version"], want["version"])
	}
	if have["partitions"] != want["partitions"] {
		return fmt.Errorf("%w: its data (%s) is in %s partitions, QST_REDIS_PARTITIONS is %s; the number is part of the data's layout and can't change: set QST_REDIS_PARTITIONS=%s, or use another Redis or QST_REDIS_PREFIX",
			ErrUnsuitable, key, have["partitions"], want["partitions"], have["partitions"])
	}
	return nil
}

// Warm opens every connection of the pool for pushes and pulls, n a node: what is
// opened under load is opened late, and the number of connections should not tell
// how much there is to do. It returns ErrUnavailable.
func (s *Store) Warm(ctx context.Context, n int) error {
	return s.eachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
		defer cancel()
		for range n {
			c := node.Conn()
			defer func() { _ = c.Close() }() // back to the pool, all at the end: so each is another one
			if err := c.Ping(ctx).Err(); err != nil {
				return unavailable(fmt.Errorf("opening connections to %s: %w", node.Options().Addr, err))
			}
		}
		return nil
	})
}

// Listening tells whether this replica hears of every wake.
func (s *Store) Listening() bool {
	for _, r := range s.readers {
		if !r.up.Load() {
			return false
		}
	}
	return true
}

// eachMaster calls f for every node that takes writes.
func (s *Store) eachMaster(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	switch c := s.rdb.(type) {
	case *redis.ClusterClient:
		var mu sync.Mutex // ForEachMaster calls concurrently, and keeps one error: f's are wrapped
		return c.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			return f(ctx, node)
		})
	case *redis.Client:
		return f(ctx, c)
	default:
		return fmt.Errorf("%w: unknown kind of client %T", ErrUnsuitable, c)
	}
}

// verify refuses a node that is too old or would throw messages away, and warns
// of one that forgets them.
func (s *Store) verify(ctx context.Context, node *redis.Client) error {
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	addr := node.Options().Addr
	info, err := infoFields(ctx, node, "server", "memory", "persistence")
	if err != nil {
		return unavailable(fmt.Errorf("INFO of %s: %w", addr, err))
	}
	// Valkey says its own version beside the version of Redis that it speaks like.
	version := info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 7 {
		return fmt.Errorf("%w: %s is Redis %s; QST needs 7.0 or newer, or Valkey", ErrUnsuitable, addr, version)
	}
	if policy := info["maxmemory_policy"]; policy != "noeviction" {
		return fmt.Errorf("%w: maxmemory-policy of %s is %s, which throws messages away when memory runs short: set it to noeviction (a full Redis then answers pushes with 503, and clients try again)",
			ErrUnsuitable, addr, policy)
	}
	if info["aof_enabled"] == "0" {
		// CONFIG may be forbidden (managed services): then the append-only file is all that can be seen.
		save, err := node.ConfigGet(ctx, "save").Result()
		switch {
		case err == nil && save["save"] == "":
			s.log.WarnContext(ctx, "REDIS PERSISTENCE IS OFF: a restart of Redis loses every message in it. Set appendonly yes", "redis", addr)
		default:
			s.log.WarnContext(ctx, "Redis has no append-only file: a crash of Redis loses the messages since its last snapshot. Set appendonly yes", "redis", addr)
		}
	}
	return nil
}

func infoFields(ctx context.Context, node *redis.Client, sections ...string) (map[string]string, error) {
	text, err := node.Info(ctx, sections...).Result()
	if err != nil {
		return nil, err
	}
	f := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			f[name] = value
		}
	}
	return f, nil
}
