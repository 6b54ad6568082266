package storage

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// plainLanes is how many pipelines to a node are under way at once: while one is
	// waiting for its answers, the other one gathers what comes.
	plainLanes = 2
	// durableLanes is the same for scripts that wait for Redis replicas: such a pipeline
	// takes as long as the replicas do, and only its own connection waits.
	durableLanes = 8
	// laneQueue is how many commands may wait for a lane without being watched over: two lanes
	// are through with them in time, also if Redis answers none.
	laneQueue = 1024
	// pipelineMost and pipelineBytes bound what goes together: Redis answers the last of them
	// when it has done all.
	pipelineMost  = 128
	pipelineBytes = 256 << 10
)

// job is a command on its way.
type job struct {
	cmd     *redis.Cmd
	channel string // whose turn it takes
	size    int    // about how many bytes the command has
	queued  time.Time
	err     error
	done    chan struct{} // one signal, when cmd and err are final
}

var jobs = sync.Pool{New: func() any { return &job{done: make(chan struct{}, 1)} }}

// sizeOf is about how many bytes a command has.
func sizeOf(args []any) int {
	n := 0
	for _, a := range args {
		switch v := a.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}

// cost is what a job counts when turns are shared: the script itself, its arguments, their bytes.
func (j *job) cost() int64 {
	const base, perByte = 16, 512
	return base + int64(len(j.cmd.Args())) + int64(j.size/perByte)
}

// node is the lanes to one Redis node.
type node struct {
	runner         *Runner
	client         *redis.Client
	plain, durable *turns
	gone           chan struct{} // closed when the node has left the Cluster

	meeting sync.Mutex
	process process
}

func newNode(r *Runner, client *redis.Client) *node {
	n := &node{runner: r, client: client, plain: newTurns(plainLanes), durable: newTurns(durableLanes), gone: make(chan struct{})}
	for range plainLanes {
		r.workers.Go(func() { n.lane(n.plain, false) })
	}
	if r.opts.MinReplicas > 0 {
		for range durableLanes {
			r.workers.Go(func() { n.lane(n.durable, true) })
		}
	}
	return n
}

// do sends a job, and returns when it is done. An error says that it never will be: then
// the job may still be in a lane's hands.
func (n *node) do(j *job, durable bool) error {
	queue := n.plain
	if durable {
		queue = n.durable
	}
	var late <-chan time.Time
	if !queue.add(j) {
		timer := time.NewTimer(ConnectionWait)
		defer timer.Stop()
		late = timer.C
	}
	gone := n.gone
	for {
		select {
		case <-j.done:
			return nil
		case <-n.runner.closed:
			return errClosed
		case <-gone:
			if queue.withdraw(j) {
				return errGone
			}
			gone = nil // a lane has it, and will soon say what became of it
		case <-late:
			if queue.withdraw(j) {
				return errWaited
			}
			late = nil // as above
		}
	}
}

// lane sends what waits, as one pipeline after another, until the runner closes or the node has
// left the Cluster.
func (n *node) lane(queue *turns, durable bool) {
	var batch []*job
	for {
		first := queue.take()
		for first == nil {
			select {
			case <-queue.wake:
				first = queue.take()
			case <-n.runner.closing.Done():
				return // what waits is done by nobody
			case <-n.gone:
				return // whoever waits takes the job back
			}
		}
		if n.runner.closing.Err() != nil {
			return
		}
		// Whoever else is about to send comes along: a goroutine that was woken by the first of
		// them runs before them otherwise, and sends one command at a time.
		runtime.Gosched()
		batch = append(batch[:0], first)
		for size := first.size; len(batch) < pipelineMost; {
			j := queue.takeWithin(pipelineBytes - size)
			if j == nil {
				break
			}
			size += j.size
			batch = append(batch, j)
		}
		n.send(batch, durable)
	}
}

// send runs the commands of a batch, and says so to those who wait for them.
func (n *node) send(batch []*job, durable bool) {
	opts := n.runner.opts
	ctx, cancel := context.WithTimeout(context.Background(), opts.Timeout)
	defer cancel()
	pipe := n.client.Pipeline()
	sent := 0
	for _, j := range batch {
		if time.Since(j.queued) > ConnectionWait {
			j.err = errWaited
			continue
		}
		_ = pipe.Process(ctx, j.cmd) // only queues it
		sent++
	}
	var wait *redis.Cmd
	if durable && sent > 0 {
		// WAIT speaks of the writes of its own connection: of the whole pipeline.
		wait = pipe.Do(ctx, "wait", opts.MinReplicas, (opts.Timeout / 2).Milliseconds())
	}
	if sent > 0 {
		_, _ = pipe.Exec(ctx) // each command has its own error
	}
	for _, j := range batch {
		if j.err == nil {
			j.err = j.cmd.Err()
		}
		if j.err == nil && wait != nil {
			if have, err := wait.Int(); err != nil {
				j.err = err
			} else if have < opts.MinReplicas {
				j.err = errReplicas
			}
		}
		j.done <- struct{}{}
	}
}

// isReply tells whether an error is what Redis answered, rather than one of the way to it.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) || errors.Is(err, errReplicas)
}
