package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// startPatience bounds how long what is started may take to answer.
const startPatience = 30 * time.Second

// start starts a Redis and two replicas of the service on free ports, and returns
// the replicas' URLs and what stops everything.
func start(ctx context.Context, out io.Writer, program string) (urls []string, stop func(), err error) {
	dir, err := os.MkdirTemp("", "qst-demo-")
	if err != nil {
		return nil, nil, err
	}
	var processes []*exec.Cmd
	stop = func() {
		for _, p := range slices.Backward(processes) { // the replicas before their Redis
			_ = p.Process.Signal(os.Interrupt)
			_ = p.Wait() // it was asked to end: how it did doesn't matter
		}
		_ = os.RemoveAll(dir)
	}
	run := func(logFile string, env []string, name string, args ...string) error {
		log, err := os.Create(filepath.Join(dir, logFile))
		if err != nil {
			return err
		}
		defer func() { _ = log.Close() }() // the process has its own
		cmd := exec.Command(name, args...) //nolint:noctx // stop ends it, with a chance to end in order
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), log, log
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting %s: %w", name, err)
		}
		processes = append(processes, cmd)
		return nil
	}

	ports, err := freePorts(ctx, 5)
	if err != nil {
		return nil, nil, err
	}
	fmt.Fprintln(out, "starting a Redis and two replicas")
	err = run("redis.log", nil, "redis-server", "--port", ports[0], "--bind", "127.0.0.1", "--dir", dir, "--appendonly", "yes", "--save", "")
	for i := range 2 {
		if err != nil {
			break
		}
		public, internal := "127.0.0.1:"+ports[1+2*i], "127.0.0.1:"+ports[2+2*i]
		urls = append(urls, "http://"+public)
		err = run(fmt.Sprintf("replica-%d.log", i), []string{
			"QST_REDIS_URL=redis://127.0.0.1:" + ports[0], "QST_AUTH=none", "QST_LISTEN_ADDR=" + public, "QST_ADMIN_ADDR=" + internal,
		}, program)
	}
	if err != nil {
		stop()
		return nil, nil, err
	}
	for deadline := time.Now().Add(startPatience); ; {
		if answers(ctx, urls[0]) && answers(ctx, urls[1]) {
			return urls, stop, nil
		}
		if err := pause(ctx); err != nil || time.Now().After(deadline) {
			logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
			for _, l := range logs {
				text, _ := os.ReadFile(l)
				fmt.Fprintf(os.Stderr, "--- %s\n%s", l, text)
			}
			stop()
			return nil, nil, errors.Join(errors.New("the service does not start"), err)
		}
	}
}

func freePorts(ctx context.Context, n int) (ports []string, err error) {
	for range n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // all at the end, so that each is another
		_, port, err := net.SplitHostPort(l.Addr().String())
		if err != nil {
			return nil, err
		}
		ports = append(ports, port)
	}
	return ports, nil
}
