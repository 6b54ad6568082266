package conformance

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Task is what a client is to do: push, or pull.
type Task struct {
	URL            string // of the endpoint
	User, Password string

	// Messages are to be pushed, in this order: a JSON object each. With none the client
	// pulls.
	Messages []string

	// Max is how many messages to pull. The client waits until it has handled so many,
	// confirms them, and ends.
	Max int

	// Fail: when it is not 0, the client fails to handle the Fail-th message that it is
	// given, and ends. It must not have confirmed that one.
	Fail int

	// State is a file in which the client may keep what it has to know the next time: a
	// case that lets a client run twice gives both runs the same.
	State string
}

// Ending is how a client's work ended.
type Ending string

// The endings of a task.
const (
	Done    Ending = "done"
	Refused Ending = "refused" // the messages can never be taken: discarded
	Stopped Ending = "stopped" // the client may not do this, or the URL is wrong
	Broken  Ending = "failed"  // anything else: it may work another time
	// Unsupported: the client has no way to do such a task. The case is skipped.
	Unsupported Ending = "unsupported"
)

// Outcome is what a client has done.
type Outcome struct {
	Ending   Ending
	Messages []string // that were handled: a JSON object each, in their order
	Said     string   // what it says of itself, for the report
}

// Client is a client to test. It does a task and says what came of it; [Program] makes one
// of a program.
//
// It should try again what may pass after pauses of less than a second at first, as cases
// have failures to pass.
type Client func(ctx context.Context, task Task) Outcome

// ClientCase is one test of a client.
type ClientCase struct {
	Name  string
	Holds string // as that of [Case]
	Level Level

	run func(t *clientExam)
}

// Once is the level of clients that handle no message twice, whatever is lost on the way.
const Once Level = "once"

// ClientLevels returns the levels of cases for clients.
func ClientLevels() []Level { return []Level{Wiki, Contract, Once} }

// ClientCases returns the cases for clients.
func ClientCases() []ClientCase {
	return slices.Concat(clientPushes(), clientRetries(), clientPulls(), clientLosses())
}

// SelectClient is [Select], for clients.
func SelectClient(cases []ClientCase, names *regexp.Regexp, levels ...Level) []ClientCase {
	return slices.DeleteFunc(slices.Clone(cases), func(c ClientCase) bool {
		return len(levels) > 0 && !slices.Contains(levels, c.Level) || names != nil && !names.MatchString(c.Name)
	})
}

// Run runs the case with a server of its own. The client has patience for each task;
// zero: 30 seconds.
func (c ClientCase) Run(ctx context.Context, client Client, patience time.Duration) Result {
	r := Result{Name: c.Name, Level: c.Level, Holds: c.Holds, Verdict: Passed}
	if patience <= 0 {
		patience = defaultPatience
	}
	start := time.Now()
	t := &clientExam{client: client, patience: patience}
	t.perform(ctx, c.run)
	r.Seconds = time.Since(start).Seconds()
	switch {
	case t.unsupported:
		r.Verdict, r.Why = Skipped, []string{"the client has no way to do such a task"}
	case len(t.failures) > 0:
		r.Verdict, r.Why, r.Exchanges = Failed, t.failures, t.exchanges()
	}
	return r
}

// RunClient is [Run], for clients.
func RunClient(ctx context.Context, cases []ClientCase, client Client, patience time.Duration, parallel int, done func(Result)) (Report, error) {
	return runAll(ctx, len(cases), parallel, func(i int) Result { return cases[i].Run(ctx, client, patience) }, done)
}

// clientGroup makes cases that are about the same sentence.
type clientGroup struct {
	name  string
	level Level
	holds string
	cases *[]ClientCase
}

func (g clientGroup) add(name string, run func(t *clientExam)) {
	*g.cases = append(*g.cases, ClientCase{Name: g.name + "/" + name, Level: g.level, Holds: g.holds, run: run})
}

// about continues a list of cases with those of another sentence.
func (g clientGroup) about(level Level, holds string) clientGroup {
	return clientGroup{name: g.name, level: level, holds: holds, cases: g.cases}
}

func clientsAbout(name string) clientGroup { return clientGroup{name: name, cases: new([]ClientCase)} }

// push adds a case of messages that are pushed while the server does as the script says. In
// the end they must be stored, each once and in their order, if the client says that it is
// done; and it must say what is wanted.
func (g clientGroup) push(name string, messages []string, want Ending, script ...incident) {
	g.add(name, func(t *clientExam) {
		t.server.follow(map[string][]incident{"POST": script})
		t.ends(t.do(Task{Messages: messages}), want)
		if want == Done {
			t.stored(messages)
		}
		if n := t.server.count("GET"); n > 0 {
			t.errorf("a push made %d GETs, which take messages", n)
		}
	})
}

// pull adds a case of messages that are pulled while the server does as the script says. In
// the end they must have been handled, each once and in their order, and be confirmed.
func (g clientGroup) pull(name, batch string, script ...incident) {
	g.add(name, func(t *clientExam) {
		t.server.follow(map[string][]incident{"GET": script})
		all := t.server.fill(batch)
		out := t.do(Task{Max: len(all)})
		t.ends(out, Done)
		t.handled(out, all)
		t.server.mu.Lock()
		defer t.server.mu.Unlock()
		if t.server.confirmed != len(all) {
			t.errorf("%d of %d messages were confirmed in the end", t.server.confirmed, len(all))
		}
	})
}

// numberedMessages are JSON objects with ids and bodies from 1 on.
func numberedMessages(n int) []string {
	l := make([]string, n)
	for i := range l {
		l[i] = fmt.Sprintf(`{"id":"%d","from":"sms://1","to":"sms://2","when":"2010-01-01T23:18:03Z","body":"message %d"}`, i+1, i+1)
	}
	return l
}
