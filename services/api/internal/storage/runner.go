package storage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// ConnectionWait is how long a script may wait for its turn, on top of the time that
// Redis may take: a burst of requests queues up here rather than being turned away,
// as long as Redis keeps up at all.
const ConnectionWait = 10 * time.Second

// RunnerOptions are a runner's settings.
type RunnerOptions struct {
	Timeout time.Duration // of one step in Redis
	// MinReplicas is how many Redis replicas must have the writes of a durable script
	// before it counts as done (WAIT); 0: none.
	MinReplicas int
	// Embedded says that Redis is the one inside the process, which knows no flags of scripts.
	Embedded bool
	// Observe is told how long each script took, and how it ended; nil: nobody is.
	Observe func(took time.Duration, err error)
}

// Runner runs Lua scripts. Scripts that wait for the same Redis node go together, as
// one pipeline: whatever waits when a lane is free. Nothing is delayed for it.
//
// Each Redis process is given scripts of its own, which name the process: so a script knows
// which one it runs in (see process).
//
// A runner never sends a script a second time if the first may have run: when an answer was
// lost, only the client, who sends a batch again with the same ids, can tell the service
// what is a repetition.
type Runner struct {
	rdb  redis.UniversalClient
	opts RunnerOptions

	closing context.Context // ends with Close
	stop    context.CancelFunc
	workers sync.WaitGroup
	jobs    sync.Pool     // of *job, to be used again
	closed  chan struct{} // the lanes have ended

	mu    sync.RWMutex
	nodes map[*redis.Client]*node
}

// NewRunner returns a runner. Close ends what it started; the caller closes rdb after that.
func NewRunner(rdb redis.UniversalClient, opts RunnerOptions) *Runner {
	r := &Runner{rdb: rdb, opts: opts, nodes: make(map[*redis.Client]*node), closed: make(chan struct{})}
	r.jobs.New = func() any { return &job{done: make(chan struct{}, 1)} }
	r.closing, r.stop = context.WithCancel(context.Background())
	return r
}

// Close waits for what is under way, and ends.
func (r *Runner) Close() {
	r.stop()
	r.workers.Wait()
	close(r.closed)
}

// Run runs a script and returns its reply, a list. key is one of the script's keys, and
// stands for the slot of all of them. It ends within ConnectionWait and a few times
// [RunnerOptions.Timeout] (a Redis that is met for the first time is given the script first), and returns ErrUnavailable if Redis can't serve.
//
// What runs is not cut short when ctx ends, only bounded: a client that goes away must
// not leave in doubt what was stored.
func (r *Runner) Run(ctx context.Context, s Script, key string, args ...any) (Reply, error) {
	return r.run(ctx, s, key, args, false)
}

// RunDurable is Run of a script whose writes must be with [RunnerOptions.MinReplicas]
// Redis replicas.
func (r *Runner) RunDurable(ctx context.Context, s Script, key string, args ...any) (Reply, error) {
	return r.run(ctx, s, key, args, r.opts.MinReplicas > 0)
}

func (r *Runner) run(ctx context.Context, s Script, key string, args []any, durable bool) (Reply, error) {
	start := time.Now()
	if r.opts.Embedded {
		s = s.plain()
	}
	reply, err := r.attempt(ctx, s, key, args, durable)
	for deadline := start.Add(r.opts.Timeout); err != nil && moved(err) && time.Now().Before(deadline); {
		// The node refused it: it has not run, and may go to the right one.
		r.reload(ctx)
		pause(r.closing, reloadPause)
		reply, err = r.attempt(ctx, s, key, args, durable)
	}
	if r.opts.Observe != nil {
		r.opts.Observe(time.Since(start), err)
	}
	if err != nil {
		return nil, Unavailable(err)
	}
	return Reply(reply), nil
}

// meetings bounds how often an attempt gives a script to Redis. More than once is for connections
// of the pool that lead to two processes, as they may during a fail-over.
const meetings = 3

func (r *Runner) attempt(ctx context.Context, s Script, key string, args []any, durable bool) (reply []any, err error) {
	n, err := r.node(ctx, key)
	if err != nil {
		return nil, err
	}
	sha, times := n.process.known(s)
	for range meetings {
		if sha == "" || redis.HasErrorPrefix(err, "NOSCRIPT") { // the first time; SCRIPT FLUSH, a restart, a fail-over
			if err = n.meet(ctx, s, times); err != nil {
				break
			}
			sha, times = n.process.known(s)
		}
		if reply, err = r.send(ctx, n, sha, key, args, durable); err == nil || !redis.HasErrorPrefix(err, "NOSCRIPT") {
			break
		}
	}
	if err != nil {
		if errors.Is(err, redis.ErrClosed) {
			r.drop(n)
		}
		if !isReply(err) {
			r.reload(ctx) // the node may be gone for good
		}
		return nil, err
	}
	return reply, nil
}

// send sends a script once.
func (r *Runner) send(ctx context.Context, n *node, sha, key string, args []any, durable bool) ([]any, error) {
	all := make([]any, 0, 4+len(args))
	all = append(append(all, "evalsha", sha, 1, key), args...)
	j := r.jobs.Get().(*job) //nolint:forcetypeassert // of the pool's New
	j.cmd = redis.NewCmd(context.WithoutCancel(ctx), all...)
	j.channel, j.size = channelOf(key), sizeOf(all)
	j.queued, j.err = time.Now(), nil
	if err := n.do(j, durable); err != nil {
		return nil, err
	}
	cmd, err := j.cmd, j.err
	j.cmd = nil
	r.jobs.Put(j)
	if err != nil {
		return nil, err
	}
	return cmd.Slice()
}

const reloadPause = 20 * time.Millisecond

// moved tells whether a node of a Cluster refused a command because another one has its slot,
// or will have it soon.
func moved(err error) bool {
	return redis.HasErrorPrefix(err, "MOVED") || redis.HasErrorPrefix(err, "ASK") || redis.HasErrorPrefix(err, "TRYAGAIN") ||
		redis.HasErrorPrefix(err, "CLUSTERDOWN") || errors.Is(err, redis.ErrClosed) || errors.Is(err, errGone)
}

// drop ends the lanes to a node that has left the Cluster.
func (r *Runner) drop(n *node) {
	r.mu.Lock()
	last := r.nodes[n.client] == n
	if last {
		delete(r.nodes, n.client)
	}
	r.mu.Unlock()
	if last {
		n.entering.Lock()
		close(n.gone)
		n.entering.Unlock()
	}
}

// reload has the client of a Cluster look at the Cluster's nodes anew, in the background.
func (r *Runner) reload(ctx context.Context) {
	if c, ok := r.rdb.(*redis.ClusterClient); ok {
		c.ReloadState(ctx)
	}
}

// node returns the lanes to the node that has a key.
func (r *Runner) node(ctx context.Context, key string) (*node, error) {
	var client *redis.Client
	switch c := r.rdb.(type) {
	case *redis.Client:
		client = c
	case *redis.ClusterClient:
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opts.Timeout)
		defer cancel()
		var err error
		if client, err = c.MasterForKey(ctx, key); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: unknown kind of client %T", ErrUnsuitable, c)
	}
	r.mu.RLock()
	n := r.nodes[client]
	r.mu.RUnlock()
	if n != nil {
		return n, nil
	}
	r.mu.Lock()
	if n = r.nodes[client]; n == nil {
		n = newNode(r, client)
		r.nodes[client] = n
	}
	r.mu.Unlock()
	if c, ok := r.rdb.(*redis.ClusterClient); ok {
		r.dropOthers(ctx, c) // where a node is new, an old one may have left
	}
	return n, nil
}

// dropOthers ends the lanes to nodes that a Cluster no longer has.
func (r *Runner) dropOthers(ctx context.Context, c *redis.ClusterClient) {
	var mu sync.Mutex
	has := make(map[*redis.Client]bool)
	if err := c.ForEachShard(ctx, func(_ context.Context, client *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		has[client] = true
		return nil
	}); err != nil {
		return // next time
	}
	var left []*node
	r.mu.RLock()
	for client, n := range r.nodes {
		if !has[client] {
			left = append(left, n)
		}
	}
	r.mu.RUnlock()
	for _, n := range left {
		r.drop(n)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
