package servicetest

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// Redis is a redis-server with an append-only file, that keeps all it has answered for when
// it is killed. With appendfsync everysec it would not: while a slow disk syncs, it
// puts off writing for up to two seconds and answers nevertheless. Without syncs it
// writes before it answers, and what is written outlives the process (not the machine,
// which no test kills).
type Redis struct {
	addr string
	dir  string
	process
}

// StartRedis starts redis-server, or what QST_TEST_REDIS_SERVER names.
func StartRedis(tb testing.TB) *Redis {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	r := &Redis{addr: l.Addr().String(), dir: tb.TempDir()}
	_ = l.Close() // somebody else may take the port: then the start fails, and says so
	tb.Cleanup(r.Kill)
	if err := r.Restart(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return r
}

// URL is what QST_REDIS_URL takes.
func (r *Redis) URL() string { return "redis://" + r.addr + "/0" }

// Restart starts a server that was killed, with its data, and returns when it
// answers or ctx ends.
func (r *Redis) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	program := os.Getenv("QST_TEST_REDIS_SERVER")
	if program == "" {
		program = "redis-server"
	}
	_, port, _ := net.SplitHostPort(r.addr)
	err := r.start(exec.Command(program, //nolint:gosec,noctx // the test says what to run, and ends it
		"--port", port, "--bind", "127.0.0.1", "--dir", r.dir,
		"--appendonly", "yes", "--appendfsync", "no", "--save", ""))
	if err != nil {
		return fmt.Errorf("starting %s (install it with .ci/install redis-server): %w", program, err)
	}
	return until(ctx, func() error { return ping(ctx, r.addr) })
}

func ping(ctx context.Context, addr string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && line != "+PONG\r\n" {
		err = fmt.Errorf("PING is answered with %s", strconv.Quote(line))
	}
	return err
}
