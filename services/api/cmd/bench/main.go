// Command bench measures the service beside what a user might take in its place,
// and beside the least it could cost:
//
//	service  this program's api, over HTTP, on a Redis
//	scripts  the floor: the same Lua scripts from a Go client, straight to a Redis
//	nchan    nginx with Nchan, keeping messages in a Redis
//	webdis   Redis commands over HTTP: RPUSH to store, PUBLISH into SUBSCRIBE to wake
//
// Each has a Redis of its own, with the same settings. They take turns, round by
// round, so that what else the machine does hits all of them alike; what counts is
// each round's ratio to the service, of which the table has the median and the
// range. CPU time is from /proc and counts the server and its Redis, not this
// program (but for scripts, where this program is the server: there it counts too).
//
// Then it measures what each thing costs the service itself, for docs/capacity.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// patience bounds everything; a run takes some two minutes.
const patience = 8 * time.Minute

type options struct {
	api    string
	texts  string
	rounds int
	pushes int // a round
	wakes  int // a round
	polls  int // held for the memory's sake
}

func main() {
	var o options
	flag.StringVar(&o.api, "api", "bin/api", "the service's program")
	flag.StringVar(&o.texts, "texts", "loadtest/data/sms.txt", "text messages, one a line")
	flag.IntVar(&o.rounds, "rounds", 7, "rounds in which everyone has a turn")
	flag.IntVar(&o.pushes, "pushes", 2000, "messages pushed in a turn")
	flag.IntVar(&o.wakes, "wakes", 600, "messages sent to polls that wait, in a turn")
	flag.IntVar(&o.polls, "polls", 2000, "polls held when memory is measured")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := os.ReadFile(o.texts)
	if err != nil {
		return err
	}
	texts := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	m, err := newMachine()
	if err != nil {
		return err
	}
	defer m.stop()
	all, err := startAll(ctx, m, o.api)
	if err != nil {
		return err
	}
	b := &bench{options: o, texts: texts, machine: m, contenders: all, out: os.Stdout}
	return b.run(ctx)
}
