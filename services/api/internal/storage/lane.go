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
	// laneQueue is how many commands may wait for a lane.
	laneQueue = 1024
	// pipelineMost and pipelineBytes bound what goes together: Redis answers the last of them
	// when it has done all.
	pipelineMost  = 128
	pipelineBytes = 256 << 10
)

// job is a command on its way.
type job struct {
	cmd    *redis.Cmd
	queued time.Time
	err    error
	done   chan struct{} // one signal, when cmd and err are final
}

var jobs = sync.Pool{New: func() any { return &job{done: make(chan struct{}, 1)} }}

// size is about how many bytes the command has.
func (j *job) size() int {
	n := 0
	for _, a := range j.cmd.Args() {
		switch v := a.(type) {
		case string:
			n += len(v)
		case []byte:
			n += len(v)
		}
	}
	return n
}

// node is the lanes to one Redis node.
type node struct {
	runner         *Runner
	client         *redis.Client
	plain, durable chan *job
	entering       sync.RWMutex  // held while a job enters a lane; gone is closed under it
	gone           chan struct{} // closed when the node has left the Cluster

	meeting sync.Mutex
	process process
}

func newNode(r *Runner, client *redis.Client) *node {
	n := &node{runner: r, client: client, plain: make(chan *job, laneQueue), durable: make(chan *job, laneQueue), gone: make(chan struct{})}
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
	if err := n.enter(queue, j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return nil
	case <-n.runner.closed:
		return errClosed
	}
}

// enter puts a job into a lane's queue.
func (n *node) enter(queue chan *job, j *job) error {
	n.entering.RLock()
	defer n.entering.RUnlock()
	select {
	case <-n.gone:
		return errGone
	default:
	}
	select {
	case queue <- j:
		return nil
	default:
	}
	timer := time.NewTimer(ConnectionWait)
	defer timer.Stop()
	select {
	case queue <- j:
		return nil
	case <-timer.C:
		return errWaited
	case <-n.runner.closed:
		return errClosed
	}
}

// leave tells everybody in a lane's queue that the node has left the Cluster.
func (n *node) leave(queue chan *job) {
	for {
		select {
		case j := <-queue:
			j.err = errGone
			j.done <- struct{}{}
		default:
			return
		}
	}
}

// lane sends what waits, as one pipeline after another, until the runner closes or the node has
// left the Cluster.
func (n *node) lane(queue chan *job, durable bool) {
	var batch []*job
	var next *job // taken, but too large for the batch before
	for {
		batch = batch[:0]
		if next == nil {
			select {
			case next = <-queue:
			case <-n.runner.closing.Done():
				return // what waits is done by nobody
			case <-n.gone:
				n.leave(queue)
				return
			}
		}
		// Whoever else is about to send comes along: a goroutine that was woken by the first of
		// them runs before them otherwise, and sends one command at a time.
		runtime.Gosched()
		batch = append(batch, next)
		size := next.size()
		next = nil
	gather:
		for len(batch) < pipelineMost {
			select {
			case j := <-queue:
				if size += j.size(); size > pipelineBytes {
					next = j
					break gather
				}
				batch = append(batch, j)
			default:
				break gather
			}
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
