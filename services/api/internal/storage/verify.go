package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"
)

// layoutVersion is the version of the data's layout in Redis: keys, types and
// what scripts keep in them.
const layoutVersion = 2

// Guard tells whether Redis can be trusted with messages.
type Guard struct {
	Client   redis.UniversalClient
	Layout   Layout
	Embedded bool          // Redis is the one inside the process: there is nothing to verify
	Timeout  time.Duration // of one step in Redis
	// MinReplicas is how many Redis replicas pushes wait for; see RunnerOptions.
	MinReplicas int
	Logger      *slog.Logger
}

// Prepare verifies that Redis can be trusted with messages, loads scripts, and notes
// the data's layout at first start. It returns ErrUnsuitable, with what to do about it,
// or ErrUnavailable: then it may be called again. It succeeds when Redis is out of
// memory, unless this is the first start.
func (g Guard) Prepare(ctx context.Context, scripts ...Script) error {
	if !g.Embedded {
		if err := g.EachMaster(ctx, g.verify); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	for _, s := range scripts {
		if g.Embedded {
			s = s.plain()
		}
		// One that Redis can't compile is an error here, not at a client's expense.
		if err := g.Client.ScriptLoad(ctx, s.Source()).Err(); err != nil {
			return Unavailable(fmt.Errorf("loading scripts: %w", err))
		}
	}
	err := g.Check(ctx)
	key := g.Layout.Stored()
	if errors.Is(err, errNoLayout) {
		if err := g.Client.HSet(ctx, key, g.layout()).Err(); err != nil {
			return Unavailable(fmt.Errorf("writing %s: %w", key, err))
		}
		err = g.Check(ctx)
	}
	if err != nil {
		return err
	}
	// Of replicas that start together, the first one names the data. Best effort, as Redis may be full.
	if err := g.Client.HSetNX(ctx, key, fieldLife, uuid.NewString()).Err(); err != nil {
		g.Logger.DebugContext(ctx, "the data have no name yet", "error", err)
	}
	return nil
}

// fieldLife is the field of the layout that names the data: those made anew have another name.
const fieldLife = "life"

func (g Guard) layout() map[string]string {
	return map[string]string{"version": strconv.Itoa(layoutVersion), "partitions": strconv.Itoa(len(g.Layout.partitions))}
}

// errNoLayout is returned, wrapped in ErrUnavailable, when Redis holds no layout. Under a
// service that runs, Redis has lost its data.
var errNoLayout = errors.New("Redis holds no data of this service")

// Lost tells whether an error of [Guard.Check] means that Redis has lost its data.
func Lost(err error) bool { return errors.Is(err, errNoLayout) }

// Check tells whether Redis can serve: it answers, and the data's layout is this
// program's. It only reads. It returns ErrUnavailable or ErrUnsuitable.
func (g Guard) Check(ctx context.Context) error {
	have, err := g.read(ctx)
	if err != nil {
		return err
	}
	key := g.Layout.Stored()
	want := g.layout()
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

// read returns what Redis says of the data's layout. It returns ErrUnavailable; see [Lost].
func (g Guard) read(ctx context.Context) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	key := g.Layout.Stored()
	have, err := g.Client.HGetAll(ctx, key).Result()
	if err != nil {
		return nil, Unavailable(fmt.Errorf("reading %s: %w", key, err))
	}
	if len(have) == 0 {
		return nil, fmt.Errorf("%w: %w: there is no %s", ErrUnavailable, errNoLayout, key)
	}
	return have, nil
}

// Unreachable returns the addresses of the masters that do not answer, and whether any
// master does.
func (g Guard) Unreachable(ctx context.Context) (down []string, some bool) {
	err := g.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		ctx, cancel := context.WithTimeout(ctx, g.Timeout)
		defer cancel()
		if node.Ping(ctx).Err() != nil {
			down = append(down, node.Options().Addr)
		} else {
			some = true
		}
		return nil
	})
	if err != nil { // not even the masters are known
		return down, false
	}
	slices.Sort(down)
	return down, some
}

// Warm opens n connections to every master: what is opened under load is opened late,
// and the number of connections should not tell how much there is to do. It returns
// ErrUnavailable.
func (g Guard) Warm(ctx context.Context, n int) error {
	return g.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		ctx, cancel := context.WithTimeout(ctx, g.Timeout)
		defer cancel()
		for range n {
			c := node.Conn()
			defer func() { _ = c.Close() }() // back to the pool, all at the end: so each is another one
			if err := c.Ping(ctx).Err(); err != nil {
				return Unavailable(fmt.Errorf("opening connections to %s: %w", node.Options().Addr, err))
			}
		}
		return nil
	})
}

// EachMaster calls f for every node that takes writes, one after another.
func (g Guard) EachMaster(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	switch c := g.Client.(type) {
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
func (g Guard) verify(ctx context.Context, node *redis.Client) error {
	ctx, cancel := context.WithTimeout(ctx, g.Timeout)
	defer cancel()
	addr := node.Options().Addr
	info, err := infoFields(ctx, node, "server", "memory", "persistence")
	if err != nil {
		return Unavailable(fmt.Errorf("INFO of %s: %w", addr, err))
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
	g.warnOfReplicas(ctx, node)
	if info["aof_enabled"] == "0" {
		// CONFIG may be forbidden (managed services): then the append-only file is all that can be seen.
		save, err := node.ConfigGet(ctx, "save").Result()
		switch {
		case err == nil && save["save"] == "":
			g.Logger.WarnContext(ctx, "REDIS PERSISTENCE IS OFF: a restart of Redis loses every message in it. Set appendonly yes", "redis", addr)
		default:
			g.Logger.WarnContext(ctx, "Redis has no append-only file: a crash of Redis loses the messages since its last snapshot. Set appendonly yes", "redis", addr)
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
