package queue

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
)

// wire is the way to a Redis inside the process: no network, so it can be in a bubble of
// testing/synctest, whose clock is Redis's, too. What is sent takes some time each way, and may be
// lost, or its answer.
type wire struct {
	redis *server.Server

	mu   sync.Mutex
	rand *rand.Rand
	lose float64       // chance that a command or an answer is lost
	slow time.Duration // the longest that one way takes
}

var errLost = errors.New("i/o timeout")

// chance returns how long one way takes, and whether what goes it is lost.
func (w *wire) chance() (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.rand.Int64N(int64(w.slow))), w.rand.Float64() < w.lose
}

// heal loses nothing from now on.
func (w *wire) heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lose = 0
}

func (w *wire) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("nobody dials") }
}

func (w *wire) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "script" { // under a mutex: a bubble's clock stands still while one waits for that
			return w.do(cmd)
		}
		return w.send(ctx, []redis.Cmder{cmd})
	}
}

func (w *wire) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return w.send
}

// lost is how long a client waits for what does not come.
const lost = 3 * time.Second

func (w *wire) send(ctx context.Context, cmds []redis.Cmder) error {
	var first error
	for _, back := range []bool{false, true} {
		way, gone := w.chance()
		if gone {
			way = lost
		}
		sleep(ctx, way)
		if gone || ctx.Err() != nil {
			for _, cmd := range cmds {
				cmd.SetErr(errLost)
			}
			return errLost
		}
		for _, cmd := range cmds {
			if back {
				break
			}
			if err := w.do(cmd); err != nil && first == nil {
				first = err
			}
		}
	}
	return first
}

// do runs a command, and gives it its reply.
func (w *wire) do(cmd redis.Cmder) error {
	var args []string
	for _, a := range cmd.Args() {
		if b, ok := a.([]byte); ok {
			args = append(args, string(b))
		} else {
			args = append(args, fmt.Sprint(a))
		}
	}
	until := time.Now()
	if at := slices.Index(args, "block"); at > 0 {
		ms, _ := strconv.Atoi(args[at+1])
		until = until.Add(time.Duration(ms) * time.Millisecond)
		args = slices.Delete(args, at, at+2)
	}
	for {
		var b bytes.Buffer
		peer := server.NewPeer(bufio.NewWriter(&b))
		w.redis.Dispatch(peer, args)
		peer.Flush()
		v, err := reply(bufio.NewReader(&b))
		if errors.Is(err, redis.Nil) && time.Now().Before(until) {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err != nil {
			cmd.SetErr(err)
			return err
		}
		switch cmd := cmd.(type) {
		case interface{ SetVal(v any) }:
			cmd.SetVal(v)
		case *redis.StringCmd:
			cmd.SetVal(fmt.Sprint(v))
		case *redis.IntCmd:
			cmd.SetVal(v.(int64)) //nolint:forcetypeassert // as Redis has it
		case *redis.BoolCmd:
			cmd.SetVal(v == int64(1))
		default:
			panic(fmt.Sprintf("a reply to %T", cmd))
		}
		return nil
	}
}

// refused is an error that Redis answers.
type refused string

func (r refused) Error() string { return string(r) }
func (refused) RedisError()     {}

// reply reads a reply of RESP2.
func reply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return nil, err
	}
	kind, rest := line[0], strings.TrimSuffix(line[1:], "\r\n")
	n, _ := strconv.ParseInt(rest, 10, 64)
	switch {
	case kind == '+':
		return rest, nil
	case kind == '-':
		return nil, refused(rest)
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, redis.Nil
	case kind == '$':
		text := make([]byte, n+2)
		_, err := io.ReadFull(r, text)
		return string(text[:n]), err
	case kind == '*':
		list := make([]any, n)
		for i := range list {
			if list[i], err = reply(r); err != nil && !errors.Is(err, redis.Nil) {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("no reply: %q", line)
}
