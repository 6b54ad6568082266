package queue

import (
	"context"
	"crypto/sha1" //nolint:gosec // Redis names a script by its SHA-1
	_ "embed"
	"encoding/hex"
	"time"

	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

var (
	//go:embed lua/shared.lua
	sharedLua string
	//go:embed lua/push.lua
	pushLua string
	//go:embed lua/pull.lua
	pullLua string
	//go:embed lua/expire.lua
	expireLua string
	//go:embed lua/leave.lua
	leaveLua string
	//go:embed lua/replicas.lua
	replicasLua string
	//go:embed lua/purge.lua
	purgeLua string
	//go:embed lua/requeue.lua
	requeueLua string
	//go:embed lua/delete.lua
	deleteLua string
)

// script is a Lua script and the digest by which Redis knows it once loaded.
type script struct{ source, sha string }

func newScript(source string) script {
	sum := sha1.Sum([]byte(source)) //nolint:gosec // as above
	return script{source: source, sha: hex.EncodeToString(sum[:])}
}

// scripts are the package's Lua scripts.
type scripts struct {
	push, pull, expire, leave, replicas script // of the service itself
	purge, requeue, del                 script // of operators
}

func newScripts() scripts {
	return scripts{
		push:   newScript(sharedLua + pushLua),
		pull:   newScript(sharedLua + pullLua),
		expire: newScript(sharedLua + expireLua),
		leave:  newScript(sharedLua + leaveLua),

		replicas: newScript(replicasLua),

		purge:   newScript(sharedLua + purgeLua),
		requeue: newScript(sharedLua + requeueLua),
		del:     newScript(deleteLua),
	}
}

// load puts every script into the script cache of every node behind rdb: one
// that Redis can't compile is an error here, not at a client's expense.
func (s scripts) load(ctx context.Context, rdb redis.UniversalClient) error {
	for _, sc := range []script{s.push, s.pull, s.expire, s.leave, s.replicas, s.purge, s.requeue, s.del} {
		if err := rdb.ScriptLoad(ctx, sc.source).Err(); err != nil {
			return err
		}
	}
	return nil
}

// once is a command that go-redis must never send a second time by itself: when
// an answer was lost the script may have run, and only the client, who sends a
// batch again with the same ids, can tell the service what is a repetition.
type once struct{ *redis.Cmd }

// NoRetry is asked by go-redis after an error.
func (once) NoRetry() bool { return true }

// outcomes are the attributes of round trips to Redis.
var outcomes = map[bool]metric.MeasurementOption{
	true:  metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "ok"))),
	false: metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "error"))),
}

// ConnectionWait is how long a script may wait for a free connection, on top of
// the time that Redis may take: a burst of requests queues up here rather than
// being turned away, as long as Redis keeps up at all.
const ConnectionWait = 10 * time.Second

// onQueue runs a script that works on one queue. What shared.lua says that all of
// them take is added to more and args.
func (s *Store) onQueue(ctx context.Context, sc script, n Name, k queueKeys, retention any, more []string, args ...any) (fields, error) {
	replicas := 0
	if sc == s.scripts.push {
		replicas = s.opts.MinReplicas
	}
	reply, err := s.run(ctx, sc, k.list(more...), append([]any{n.String(), k.wakes, retention}, args...), replicas)
	if err != nil {
		return nil, unavailable(err)
	}
	return reply, nil
}

// run runs a script by its digest, and with its source if Redis has lost it
// (SCRIPT FLUSH, a restart, a fail-over). It ends within Options.Timeout and
// ConnectionWait.
//
// With replicas > 0 it also waits until that many replicas have the script's
// writes (WAIT), and returns errReplicas if they don't in time.
//
// What runs is not cut short when ctx is cancelled, only bounded: a client that
// goes away must not cost a connection, nor leave in doubt what was stored.
func (s *Store) run(ctx context.Context, sc script, keys []string, args []any, replicas int) (reply []any, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ConnectionWait+s.opts.Timeout)
	defer cancel()
	start := time.Now()
	defer func() { s.metrics.Redis.Record(ctx, time.Since(start).Seconds(), outcomes[err == nil]) }()
	reply, err = s.eval(ctx, "evalsha", sc.sha, keys, args, replicas)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		reply, err = s.eval(ctx, "eval", sc.source, keys, args, replicas)
	}
	return reply, err
}

func (s *Store) eval(ctx context.Context, command, body string, keys []string, args []any, replicas int) ([]any, error) {
	all := make([]any, 0, 3+len(keys)+len(args))
	all = append(all, command, body, len(keys))
	for _, k := range keys {
		all = append(all, k)
	}
	cmd := once{redis.NewCmd(ctx, append(all, args...)...)}
	cmd.SetFirstKeyPos(3)
	if replicas == 0 {
		_ = s.rdb.Process(ctx, cmd) // the error is the command's, too
		return cmd.Slice()
	}

	// WAIT speaks of the writes of its own connection: the script and it go
	// through one, in one round trip.
	var node redis.Cmdable = s.rdb
	if cluster, ok := s.rdb.(*redis.ClusterClient); ok {
		master, err := cluster.MasterForKey(ctx, keys[0])
		if err != nil {
			return nil, err
		}
		node = master
	}
	pipe := node.Pipeline()
	_ = pipe.Process(ctx, cmd) // only queues it
	wait := pipe.Do(ctx, "wait", replicas, (s.opts.Timeout / 2).Milliseconds())
	_, _ = pipe.Exec(ctx) // each command has its own error
	reply, err := cmd.Slice()
	if err != nil {
		return nil, err
	}
	have, err := wait.Int64()
	if err != nil {
		return nil, err
	}
	if have < int64(replicas) {
		return nil, errReplicas
	}
	return reply, nil
}
