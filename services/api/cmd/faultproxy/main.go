// Command faultproxy stands between a load test and the service and breaks the
// service's promises on purpose, to show that the test notices.
//
//	drop     answers 200 for a push and keeps one message of it
//	double   delivers a message again after it was confirmed
//	reorder  swaps a message with the one before or after it
//	wipe     cuts the polls, lets messages gather, then empties Redis and kills a replica
//	kill     kills a replica and breaks nothing else: this a test must survive
//	none     breaks nothing
//
// It prints the address it listens on, and what it has done when it is told to end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

var errUsage = errors.New("usage: faultproxy -targets host:port,… -fault drop|double|reorder|wipe|kill|none; see -help")

func main() {
	var o options
	targets := flag.String("targets", "", "the replicas' addresses; each connection goes to the next one that can be reached")
	flag.StringVar(&o.fault, "fault", "none", "what to break: drop, double, reorder, wipe, kill or none")
	flag.Int64Var(&o.every, "every", 1000, "drop, double or reorder one message in so many")
	flag.DurationVar(&o.after, "after", 8*time.Second, "when to wipe or kill, after the first push")
	flag.StringVar(&o.redis, "redis", "", "wipe: the address of the Redis")
	flag.IntVar(&o.pid, "pid", 0, "wipe and kill: the process id of the replica")
	flag.Parse()
	o.targets = strings.Split(*targets, ",")
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "faultproxy:", err)
		os.Exit(1)
	}
}

type options struct {
	targets []string
	fault   string
	every   int64
	after   time.Duration
	redis   string
	pid     int
}

func (o options) valid() bool {
	switch o.fault {
	case "none", "drop", "double", "reorder":
		return o.targets[0] != "" && o.every > 0
	case "kill":
		return o.targets[0] != "" && o.pid > 1
	case "wipe":
		return o.targets[0] != "" && o.pid > 1 && o.redis != ""
	}
	return false
}

func run(o options) error {
	if !o.valid() {
		return errUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	p := newProxy(o)
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stdout, l.Addr())
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	select {
	case err = <-failed:
	case err = <-p.failed:
	case <-ctx.Done():
	}
	fmt.Fprintf(os.Stdout, "%s: %d times\n", o.fault, p.done.Load())
	return errors.Join(err, server.Close())
}

// dialer connects to the targets in turn, passing over those that can't be reached.
func dialer(targets []string) func(context.Context, string, string) (net.Conn, error) {
	turns := make(chan []string, 1)
	turns <- slices.Clone(targets)
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		order := <-turns
		turns <- append(slices.Clone(order[1:]), order[0])
		var errs []error
		for _, target := range order {
			conn, err := new(net.Dialer).DialContext(ctx, network, target)
			if err == nil {
				return conn, nil
			}
			errs = append(errs, err)
		}
		return nil, errors.Join(errs...)
	}
}
