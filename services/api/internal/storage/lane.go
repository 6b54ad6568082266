package storage

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/redis/go-redis/v9"
)

const (
	// plainLanes is how many pipelines to a node are under way at once: while one is
	// waiting for its answers, the other one gathers what comes.
	plainLanes = 2
	// durableLanes is the same for scripts that wait for Redis replicas: such a pipeline
	// takes as long as the replicas do, and only its own connection waits.
	durableLanes = 8
	// largeLanes and largeDurableLanes are those for large commands, of which one of a channel goes
	// at a time in each: Redis does nothing else for as long as one takes, and the others wait.
	largeLanes, largeDurableLanes = 1, 2
	// large is from how many bytes on a command is one, or its answer (see weight): some 80 messages.
	large = 32 << 10
	// largeKept bounds for how many channels and scripts it is known that the last answer was large.
	largeKept = 10_000
	// laneQueue is how many commands may wait for a lane without being watched over: two lanes
	// are through with them in time, also if Redis answers none.
	laneQueue = 1024
	// pipelineMost and pipelineBytes bound what goes together: Redis answers the last of them
	// when it has done all.
	pipelineMost  = 128
	pipelineBytes = 256 << 10
	// pipelineOfOne bounds what goes together of one channel: answers may be large, and how
	// large is known when they are there.
	pipelineOfOne = 4
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

// answered says what its answer will be known by.
func (j *job) answered() answered {
	sha, _ := j.cmd.Args()[1].(string)
	return answered{j.channel, sha}
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
	plain, durable lanes
	answers        *lru.Cache[answered, struct{}] // the last one was large
	entering       sync.RWMutex                   // held while a job enters a lane; gone is closed under it
	gone           chan struct{}                  // closed when the node has left the Cluster

	meeting sync.Mutex
	process process
}

// lanes are what waits for those of one kind.
type lanes struct{ usual, large *turns }

// answered is whose answer to which script it was.
type answered struct{ channel, sha string }

func newNode(r *Runner, client *redis.Client) *node {
	answers, err := lru.New[answered, struct{}](largeKept)
	if err != nil {
		panic(err) // the size is a constant
	}
	n := &node{runner: r, client: client, answers: answers, gone: make(chan struct{})}
	n.plain = lanes{n.begin(plainLanes, pipelineOfOne, false), n.begin(largeLanes, 1, false)}
	if r.opts.MinReplicas > 0 {
		n.durable = lanes{n.begin(durableLanes, pipelineOfOne, true), n.begin(largeDurableLanes, 1, true)}
	}
	return n
}

// begin begins lanes in whose pipelines so many commands of one channel may be, and returns what
// waits for them.
func (n *node) begin(lanes, ofOne int, durable bool) *turns {
	queue := newTurns(lanes)
	for range lanes {
		n.runner.workers.Go(func() { n.lane(queue, ofOne, durable) })
	}
	return queue
}

// do sends a job, and returns when it is done. An error says that it never will be: then
// the job may still be in a lane's hands.
func (n *node) do(j *job, durable bool) error {
	kind := n.plain
	if durable {
		kind = n.durable
	}
	queue := kind.usual
	if j.size >= large || n.answers.Contains(j.answered()) {
		queue = kind.large
	}
	soon, err := n.enter(queue, j)
	if err != nil {
		return err
	}
	var late <-chan time.Time
	if !soon {
		timer := time.NewTimer(ConnectionWait)
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case <-j.done:
			return nil
		case <-n.runner.closed:
			return errClosed
		case <-late:
			if queue.withdraw(j) {
				return errWaited
			}
			late = nil // a lane has it, and will soon say what became of it
		}
	}
}

// enter puts a job where it waits for a lane; see turns.add.
func (n *node) enter(queue *turns, j *job) (soon bool, err error) {
	n.entering.RLock()
	defer n.entering.RUnlock()
	select {
	case <-n.gone:
		return false, errGone
	default:
		return queue.add(j), nil
	}
}

// leave tells everybody who waits for a lane that the node has left the Cluster.
func (n *node) leave(queue *turns) {
	for j := queue.take(); j != nil; j = queue.take() {
		j.err = errGone
		j.done <- struct{}{}
	}
}

// lane sends what waits, as one pipeline after another, until the runner closes or the node has
// left the Cluster.
func (n *node) lane(queue *turns, ofOne int, durable bool) {
	var batch []*job
	taken := make(map[string]int)
	for {
		first := queue.take()
		for first == nil {
			select {
			case <-queue.wake:
				first = queue.take()
			case <-n.runner.closing.Done():
				return // what waits is done by nobody
			case <-n.gone:
				n.leave(queue)
				return
			}
		}
		if n.runner.closing.Err() != nil {
			return
		}
		// Whoever else is about to send comes along: a goroutine that was woken by the first of
		// them runs before them otherwise, and sends one command at a time.
		runtime.Gosched()
		batch = append(batch[:0], first)
		clear(taken)
		taken[first.channel]++
		for size := first.size; len(batch) < pipelineMost; {
			j := queue.takeWithin(pipelineBytes-size, ofOne, taken)
			if j == nil {
				break
			}
			size += j.size
			taken[j.channel]++
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
	for _, j := range batch {
		_ = pipe.Process(ctx, j.cmd) // only queues it
	}
	var wait *redis.Cmd
	if durable {
		// WAIT speaks of the writes of its own connection: of the whole pipeline.
		wait = pipe.Do(ctx, "wait", opts.MinReplicas, (opts.Timeout / 2).Milliseconds())
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for _, j := range batch {
		n.learn(j)
		j.err = j.cmd.Err()
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

// learn keeps whether the answer to a job was large: the next one may be.
func (n *node) learn(j *job) {
	is, was := weight(j.cmd.Val()) >= large, n.answers.Contains(j.answered())
	if is == was {
		return
	}
	if is {
		n.answers.Add(j.answered(), struct{}{})
	} else {
		n.answers.Remove(j.answered())
	}
}

// weight is how large a reply counts: its bytes, and as many as take Redis as long as it takes to
// find each of its elements.
func weight(reply any) (n int) {
	const perElement = 128
	switch v := reply.(type) {
	case string:
		return len(v)
	case []any:
		n = perElement * len(v)
		for _, e := range v {
			n += weight(e)
		}
	}
	return n
}

// isReply tells whether an error is what Redis answered, rather than one of the way to it.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) || errors.Is(err, errReplicas)
}
