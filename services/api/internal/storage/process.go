package storage

import (
	"context"
	"fmt"
	"regexp"
	"sync"

	"github.com/redis/go-redis/v9"
)

// process is what a node's runner knows of the Redis process behind the node: the process's name,
// and the scripts that the process was given.
//
// A queue remembers the process that it was last changed by. If that is another one than runs the
// script, Redis may have been restored from a backup, or have failed over to a replica that
// lacked something: the queue may have lost history (lua/lib/history.lua of the package queue).
//
// The name stands in the text of each script. Redis keeps scripts in the memory of the
// process, and neither persists nor replicates them. So an EVALSHA that runs proves which
// process it runs in, without a command that asks.
type process struct {
	mu      sync.Mutex
	name    string            // "": not known yet
	digests map[Script]string // of the scripts that it was given
	given   map[Script]uint64 // how often

	failures uint64 // meetings that failed
	failure  error  // of the last one
}

// known returns the digest of a script, "" if the process was not given it, and how often the
// script was given to a process.
func (v *process) known(s Script) (digest string, times uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.digests[s], v.given[s]
}

// failed returns how many meetings have failed, and why the last one did.
func (v *process) failed() (uint64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failures, v.failure
}

// meet learns the name of the process, and gives it a script, unless somebody has done so since
// the script was given so many times. Those who came while somebody's meeting failed share that
// failure: so nobody waits for more than two. It returns ErrUnavailable.
func (n *node) meet(ctx context.Context, s Script, times uint64) (err error) {
	before, _ := n.process.failed()
	n.meeting.Lock() // one at a time: after a restart of Redis everybody comes at once
	defer n.meeting.Unlock()
	if _, now := n.process.known(s); now != times {
		return nil
	}
	if failures, err := n.process.failed(); failures != before {
		return err
	}
	defer func() {
		if err != nil {
			n.process.mu.Lock()
			n.process.failures, n.process.failure = n.process.failures+1, err
			n.process.mu.Unlock()
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), n.runner.opts.Timeout)
	defer cancel()
	// One connection: so the process that is asked is the one that gets the script.
	conn := n.client.Conn()
	defer func() { _ = conn.Close() }() // back to the pool
	name := embeddedName
	if !n.runner.opts.Embedded {
		if name, err = processName(ctx, conn); err != nil {
			return err
		}
	}
	source := s.on(name)
	if err := conn.ScriptLoad(ctx, source).Err(); err != nil {
		return fmt.Errorf("loading a script: %w", err)
	}
	v := &n.process
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.name != name {
		v.name, v.digests = name, make(map[Script]string)
	}
	v.digests[s] = digest(source)
	if v.given == nil {
		v.given = make(map[Script]uint64)
	}
	v.given[s]++
	return nil
}

// embeddedName is the name of the Redis inside the process, which remembers nothing anyway.
const embeddedName = "embedded"

// runID finds the name that a Redis process makes up when it starts.
var runID = regexp.MustCompile(`(?m)^run_id:([0-9a-f]{16})`)

// processName returns the name of the Redis process at the other end of a connection, as INFO has
// it. It is "unnamed" where INFO does not say: then a queue that lost history is not recognized.
func processName(ctx context.Context, conn *redis.Conn) (string, error) {
	info, err := conn.Info(ctx, "server").Result()
	if err != nil {
		return "", fmt.Errorf("INFO: %w", err)
	}
	if found := runID.FindStringSubmatch(info); found != nil {
		return found[1], nil
	}
	return unnamed, nil
}

const unnamed = "unnamed"
