package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"sync"
)

// replica is one of the two URLs of the server.
type replica string

// exam is one run of a case: what it asks, and what was wrong with the answers.
type exam struct {
	Target

	a, b replica // the server's two URLs, or twice its one

	ctx   context.Context //nolint:containedctx // an exam is one call, that of Case.Run
	begun sync.WaitGroup  // requests beside the case's own

	mu        sync.Mutex
	failures  []string
	exchanges []string
	logins    map[string]login // by path
}

type login struct{ user, password string }

// maxExchanges is how many exchanges a failure shows.
const maxExchanges = 4

func newExam(ctx context.Context, target Target) *exam {
	target = target.withDefaults()
	return &exam{
		Target: target, ctx: ctx, logins: map[string]login{},
		a: replica(target.URL), b: replica(target.Second),
	}
}

// perform runs a case to its end, or to its first failure that ends it.
func (t *exam) perform(run func(t *exam)) {
	var cancel context.CancelFunc
	t.ctx, cancel = context.WithCancel(t.ctx)
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
	cancel()
	t.begun.Wait()
}

// errorf notes what is wrong.
func (t *exam) errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.failures = append(t.failures, excerpt(fmt.Sprintf(format, args...), 1000))
}

// fatalf notes what is wrong, and ends the case.
func (t *exam) fatalf(format string, args ...any) {
	t.errorf(format, args...)
	runtime.Goexit()
}

func (t *exam) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.failures) > 0
}

// channel makes a channel that nobody else has, and returns its path.
func (t *exam) channel() string { return t.channelNamed("conformance-" + random()) }

// channelNamed is channel, with a name.
func (t *exam) channelNamed(name string) string {
	t.make(Channel{Name: name, User: name})
	return channelsPath + name
}

func (t *exam) make(c Channel) {
	if t.Grant == nil {
		return
	}
	l, err := t.Grant(t.ctx, c)
	if err != nil {
		t.fatalf("making the channel %s: %v", c.Name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	path := channelsPath + c.Name
	t.logins[path] = login{c.User, l.Mailbox}
	t.logins[path+"/gateway"] = login{c.User, l.Gateway}
	t.logins[path+"/application"] = login{c.User, l.Application}
}

// login returns how to log in at a path.
func (t *exam) login(target string) (login, bool) {
	path, _, _ := strings.Cut(target, "?")
	if decoded, err := url.PathUnescape(path); err == nil {
		path = decoded
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l, ok := t.logins[strings.TrimSuffix(path, "/")]
	if !ok && t.User != "" {
		return login{t.User, t.Password}, true
	}
	return l, ok
}

// answer is a response, read whole.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Close  bool // the server closes the connection
}

// try sends a request to a path of a replica. header has a "Name: value" each; one that names
// Authorization stands for the channel's.
func (t *exam) try(ctx context.Context, r replica, method, path, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, at(string(r), path), strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body == "" {
		req.Body = http.NoBody
	}
	if l, ok := t.login(path); ok {
		req.SetBasicAuth(l.user, l.password)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if strings.EqualFold(name, "Authorization") {
			req.Header.Del("Authorization")
		}
		if h == noLogin {
			continue
		}
		req.Header.Add(name, value)
	}
	resp, err := t.Client.Do(req)
	if err != nil {
		t.note(method, path, body, header, err.Error())
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	t.note(method, path, body, header, fmt.Sprintf("%s\n%s\n%s", resp.Status, headerLines(resp.Header), excerpt(string(b), 400)))
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: string(b), Close: resp.Close}, err
}

// noLogin is a header that takes the channel's credentials away.
const noLogin = "Authorization: "

// do is try, and fails the case if there is no answer.
func (t *exam) do(r replica, method, path, body string, header ...string) answer {
	ctx, cancel := context.WithTimeoutCause(t.ctx, t.Patience, errPatience)
	defer cancel()
	a, err := t.try(ctx, r, method, path, body, header...)
	if err != nil {
		t.fatalf("%s %s: no answer: %v", method, excerpt(path, 200), cause(ctx, err))
	}
	return a
}

var errPatience = errors.New("the case's patience is at its end")

func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil {
		return c
	}
	return err
}

// beside is do, in a goroutine. Without an answer it gives one with the status 0.
func (t *exam) beside(r replica, method, path, body string, header ...string) <-chan answer {
	c := make(chan answer, 1)
	t.begun.Go(func() {
		a, err := t.try(t.ctx, r, method, path, body, header...)
		if err != nil {
			a = answer{Body: err.Error()}
		}
		c <- a
	})
	return c
}

// note keeps an exchange for the report of a failure.
func (t *exam) note(method, path, body string, header []string, got string) {
	var b strings.Builder
	fmt.Fprintf(&b, "> %s %s\n", method, excerpt(path, 300))
	for _, h := range header {
		fmt.Fprintf(&b, "> %s\n", excerpt(h, 200))
	}
	if body != "" {
		fmt.Fprintf(&b, ">\n> %s\n", strings.ReplaceAll(excerpt(body, 400), "\n", "\n> "))
	}
	fmt.Fprintf(&b, "< %s", strings.ReplaceAll(strings.TrimRight(got, "\n"), "\n", "\n< "))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exchanges = append(t.exchanges, b.String())
	if len(t.exchanges) > maxExchanges {
		t.exchanges = t.exchanges[1:]
	}
}

// headerLines has the headers that matter to the protocol.
func headerLines(h http.Header) string {
	var l []string
	for _, name := range []string{"Content-Type", "ETag", "QST-Confirmed", "QST-Redelivered", "Cache-Control", "Retry-After", "Allow", "WWW-Authenticate", "Connection"} {
		for _, v := range h.Values(name) {
			l = append(l, name+": "+v)
		}
	}
	return strings.Join(append(l, ""), "\n")
}
