// Command qst pushes messages into QST queues, pulls them out, relays them between
// servers, tells what is wrong with the way to one, and manages a service. `qst help`
// has the rest.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build of a release (-ldflags "-X main.version=…").
var version = ""

func main() {
	// The first signal ends in order; the second one, back to its default, at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	t := terminal{
		in: os.Stdin, out: os.Stdout, err: os.Stderr,
		inTTY: isTerminal(os.Stdin), outTTY: isTerminal(os.Stdout), errTTY: isTerminal(os.Stderr),
		env: os.Getenv,
	}
	os.Exit(run(ctx, t, os.Args[1:]))
}
