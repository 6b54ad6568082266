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
// each round's ratio to the service, of which a table has the median. CPU time counts
// the server and its Redis's main thread, not this program (but for scripts, where
// this program is the server: there it counts too).
//
// Then it measures what each thing costs the service itself, for docs/capacity.md.
//
// To compare two builds of the service, in under a minute:
//
//	bench -only saturation,wakes -rounds 3 -api new/api -vs old/api -beside ''
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

type options struct {
	api      string
	vs       string // another build of it
	only     names
	beside   names
	texts    string
	rounds   int
	pushes   int // a round
	wakes    int // a round
	polls    int // held for the memory's sake
	channels counts
	timeout  time.Duration
	assault  string
}

// names is a flag that chooses some of what there is.
type names struct{ all, chosen []string }

func (n *names) has(name string) bool { return slices.Contains(n.chosen, name) }

func (n *names) String() string { return strings.Join(n.chosen, ",") }

func (n *names) Set(value string) error {
	n.chosen = nil
	for name := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' }) {
		if !slices.Contains(n.all, name) {
			return fmt.Errorf("there is no %q, only %s", name, strings.Join(n.all, ", "))
		}
		n.chosen = append(n.chosen, name)
	}
	return nil
}

func main() {
	var o options
	var about strings.Builder
	for _, p := range parts() {
		o.only.all = append(o.only.all, p.name)
		fmt.Fprintf(&about, "\n%-11s %s", p.name, p.about)
	}
	o.beside.all = []string{"nchan", "webdis"}
	o.only.chosen, o.beside.chosen = o.only.all, o.beside.all
	flag.StringVar(&o.api, "api", "bin/api", "the service's program")
	flag.StringVar(&o.vs, "vs", "", "another build of it, as one more contender")
	flag.Var(&o.only, "only", "the parts that are run, of:"+about.String()+"\n")
	flag.Var(&o.beside, "beside", "whom the service is measured beside; none with ''")
	flag.StringVar(&o.texts, "texts", "loadtest/data/sms.txt", "text messages, one a line")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds in which everyone has a turn")
	flag.IntVar(&o.pushes, "pushes", 2000, "messages pushed in a turn of quiet and costs")
	flag.IntVar(&o.wakes, "wakes", 600, "messages sent to polls that wait, in a turn of those")
	flag.IntVar(&o.polls, "polls", 10_000, "polls held when memory is measured")
	o.channels = counts{100, 10_000}
	flag.Var(&o.channels, "channels", "how many channels there are, in the part of that name; 1000000 take some six minutes and 3 GB, and -timeout 30m")
	flag.StringVar(&o.assault, "assault", "", "name@address: be the assault of that name on a service that the part neighbour has started; it starts this itself")
	flag.DurationVar(&o.timeout, "timeout", 15*time.Minute, "bounds all of it; the default parts take some six minutes")
	flag.Parse()
	if flag.NArg() > 0 || o.rounds < 1 || o.pushes < batchSize || o.wakes < 1 || o.polls < 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not done in %s (-timeout)", o.timeout))
	defer cancel()
	if o.assault != "" {
		return assail(ctx, o.assault)
	}
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
	all, err := startAll(ctx, m, o)
	if err != nil {
		return err
	}
	b := &bench{options: o, texts: texts, machine: m, contenders: all, out: os.Stdout}
	return b.run(ctx)
}
