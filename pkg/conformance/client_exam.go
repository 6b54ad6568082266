package conformance

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// clientExam is one run of a case: a server, and what was wrong with what it was asked.
type clientExam struct {
	client   Client
	patience time.Duration
	server   *scripted
	state    string

	ctx context.Context //nolint:containedctx // an exam is one call, that of ClientCase.Run

	mu          sync.Mutex
	failures    []string
	unsupported bool
	said        []string
}

func (t *clientExam) perform(ctx context.Context, run func(t *clientExam)) {
	var cancel context.CancelFunc
	t.ctx, cancel = context.WithCancel(ctx)
	defer cancel()
	dir, err := os.MkdirTemp("", "qst-conformance-")
	if err != nil {
		t.errorf("the case itself failed: %v", err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	t.state = filepath.Join(dir, "state")
	if t.server, err = startScripted(t.ctx); err != nil {
		t.errorf("the case itself failed: %v", err)
		return
	}
	defer t.server.close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				t.errorf("the case itself failed: %v", p)
			}
		}()
		run(t)
	}()
	<-done
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	t.failures = append(t.failures, slices.Compact(t.server.wrong)...)
}

func (t *clientExam) errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, excerpt(fmt.Sprintf(format, args...), 1000))
}

// do lets the client do a task at the server.
func (t *clientExam) do(task Task) Outcome {
	ctx, cancel := context.WithTimeout(t.ctx, t.patience)
	defer cancel()
	task.URL = t.server.url
	task.User, task.Password = t.server.user, t.server.password
	task.State = t.state
	out := t.client(ctx, task)
	if out.Said != "" {
		t.said = append(t.said, out.Said)
	}
	if out.Ending == Unsupported {
		t.unsupported = true
		runtime.Goexit()
	}
	if ctx.Err() != nil {
		t.errorf("the client did not end in %v", t.patience)
		runtime.Goexit()
	}
	return out
}

func (t *clientExam) ends(out Outcome, want Ending) {
	if out.Ending != want {
		t.errorf("the client says %q, want %q", out.Ending, want)
	}
}

// stored checks that the server has these messages, each once and in their order.
func (t *clientExam) stored(want []string) {
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	t.same("stored", want, t.server.stored)
}

// handled checks that the client handled these messages, each once and in their order.
func (t *clientExam) handled(out Outcome, want []message) {
	var got []message
	for _, m := range out.Messages {
		l, err := parseJSON("[" + m + "]")
		if err != nil || len(l) != 1 {
			t.errorf("the client says that it handled %s, which is no message", m)
			return
		}
		got = append(got, l[0])
	}
	t.compare("handled", want, got)
}

func (t *clientExam) same(what string, want []string, got []message) {
	l, err := parseJSON("[" + strings.Join(want, ",") + "]")
	if err != nil {
		t.errorf("the case itself is wrong: %v", err)
		return
	}
	t.compare(what, l, got)
}

// compare compares messages. A client that writes XML, or reads it, has all values as
// text; and an id that it gave to a message without one is its own.
func (t *clientExam) compare(what string, want, got []message) {
	if len(want) != len(got) {
		t.errorf("%d messages were %s, want %d: %s", len(got), what, len(want), briefly(got))
		return
	}
	wrong := 0
	for i := range want {
		w := message{maps.Clone(want[i].fields), want[i].props}
		g := message{maps.Clone(got[i].fields), got[i].props}
		for _, f := range []string{"id", "when"} {
			if w.fields[f] == "" {
				w.fields[f] = g.fields[f]
				g.fields[f] = w.fields[f] // "" if it is not there
			}
		}
		exact := compare([]message{w}, []message{g})
		if len(exact) > 0 && len(compare([]message{w.inXML()}, []message{g.inXML()})) > 0 {
			if wrong++; wrong <= 3 {
				t.errorf("message %d is not %s as it was: %s", i+1, what, strings.Join(exact, "; "))
			}
		}
	}
}

// briefly is what messages are, in short.
func briefly(l []message) string {
	var ids []string
	for _, m := range l {
		ids = append(ids, m.fields["id"]+" "+excerpt(m.fields["body"], 20))
	}
	return excerpt(strings.Join(ids, ", "), 300)
}

// exchanges are the last requests that the server was sent, and what the client said.
func (t *clientExam) exchanges() []string {
	if t.server == nil {
		return t.said
	}
	t.server.mu.Lock()
	defer t.server.mu.Unlock()
	l := t.server.seen
	if len(l) > 2*maxExchanges {
		l = l[len(l)-2*maxExchanges:]
	}
	for _, s := range t.said {
		l = append(l, "the client said: "+excerpt(s, 1000))
	}
	return l
}
