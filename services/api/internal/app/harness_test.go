package app_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// patience bounds every wait of these tests; it is far above what anything takes,
// also on a busy machine, and says nothing of how fast the service is.
const patience = 60 * time.Second

// parkPolls says whether the polls of these tests are parked. With PARK_POLLS=false in the
// environment all of the tests run the other way.
func parkPolls() string { return cmp.Or(os.Getenv("PARK_POLLS"), "true") }

// program is the service, built once by TestMain from cmd/api: what runs here is
// what runs in production, as processes of their own that can be killed.
var program string

func TestMain(m *testing.M) { os.Exit(build(m)) }

func build(m *testing.M) int {
	dir, err := os.MkdirTemp("", "qst-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "api")
	args := []string{"build", "-o", program}
	if raceEnabled {
		args = append(args, "-race")
	}
	out, err := exec.CommandContext(context.Background(), "go", append(args, "../../cmd/api")...).CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "building the service: %v\n%s", err, out)
		return 1
	}
	// The command line, beside it: TestDocumentedCommands calls it.
	cli := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(dir, "qst"), "./cmd/qst")
	cli.Dir = filepath.Join(repository, "pkg")
	if out, err := cli.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building qst: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// replica is one running process of the service.
type replica struct {
	URL   string // of the public listener
	Admin string // of the internal listener

	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
	log  *logBuffer
}

// startReplica starts the service on free ports, with QST_AUTH=none and what env
// adds ("QST_NAME=value"), and waits until it is ready. It is killed when the
// test ends.
func startReplica(t testing.TB, redisURL string, env ...string) *replica {
	t.Helper()
	r := launchReplica(t, redisURL, env...)
	r.waitReady()
	return r
}

// launchReplica is startReplica without the wait.
func launchReplica(t testing.TB, redisURL string, env ...string) *replica {
	t.Helper()
	return launch(t, nil, redisURL, env...)
}

// launch starts the program with arguments.
func launch(t testing.TB, args []string, redisURL string, env ...string) *replica {
	t.Helper()
	r := &replica{t: t, log: &logBuffer{}, done: make(chan struct{})}
	r.cmd = exec.Command(program, args...) //nolint:gosec,noctx // killed by the cleanup, which reads its log first
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	r.cmd.Env = append([]string{
		"QST_REDIS_URL=" + redisURL, "QST_AUTH=none", "QST_PARK_POLLS=" + parkPolls(), "QST_LISTEN_ADDR=127.0.0.1:0", "QST_ADMIN_ADDR=127.0.0.1:0",
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
	}, env...)
	r.cmd.Stderr = r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(r.done); _ = r.cmd.Wait() }()
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			t.Logf("log of %s:\n%s", r.URL, r.log.end())
		}
	})
	eventually(t, "the service listens", func() error {
		var line struct{ Msg, Public, Internal string }
		if !r.log.find("listening", &line) {
			select {
			case <-r.done:
				t.Fatalf("the service ended: %s", r.log)
			default:
			}
			return errors.New("not yet")
		}
		r.URL, r.Admin = "http://"+line.Public, "http://"+line.Internal
		return nil
	})
	return r
}

func (r *replica) waitReady() {
	r.t.Helper()
	eventually(r.t, "the service is ready", func() error {
		if status := r.readyz(); status != http.StatusOK {
			return fmt.Errorf("readyz: %d", status)
		}
		return nil
	})
}

// readyz returns the status of /readyz, 0 if there is none.
func (r *replica) readyz() int {
	a, err := try(r.t.Context(), http.DefaultClient, "GET", r.Admin+"/readyz", "")
	if err != nil {
		return 0
	}
	return a.Status
}

// kill ends the process at once.
func (r *replica) kill() {
	_ = r.cmd.Process.Kill()
	<-r.done
}

// terminate sends SIGTERM; exitCode waits for the end.
func (r *replica) terminate() { _ = r.cmd.Process.Signal(syscall.SIGTERM) }

func (r *replica) exitCode() int {
	r.t.Helper()
	select {
	case <-r.done:
		return r.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		r.t.Fatal("the process does not end")
		return -1
	}
}

// logBuffer is what a process logs.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// end is the end of what a process has logged, as much as one can look through.
func (l *logBuffer) end() string {
	const most = 64 << 10
	all := l.String()
	return all[max(0, len(all)-most):]
}

// find decodes the first line with this message into v.
func (l *logBuffer) find(msg string, v any) bool {
	for line := range strings.Lines(l.String()) {
		var event struct{ Msg string }
		if json.Unmarshal([]byte(line), &event) == nil && event.Msg == msg {
			return json.Unmarshal([]byte(line), v) == nil
		}
	}
	return false
}

// eventually calls f until it returns nil.
func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in %v: %v", what, patience, err)
		}
		<-tick.C
	}
}

// answer is a response, read whole.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Close  bool // the server closes the connection
}

// messages decodes a pulled JSON batch.
func (a answer) messages(t testing.TB) []map[string]any {
	t.Helper()
	var l []map[string]any
	d := json.NewDecoder(strings.NewReader(a.Body))
	d.UseNumber()
	if err := d.Decode(&l); err != nil {
		t.Fatalf("answer %d %q: %v", a.Status, a.Body, err)
	}
	return l
}

// do sends a request and reads the answer; header is "Name: value" each.
func do(t testing.TB, method, target, body string, header ...string) answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, err := try(ctx, http.DefaultClient, method, target, body, header...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func try(ctx context.Context, client *http.Client, method, target, body string, header ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Add(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: string(b), Close: resp.Close}, err
}

// push pushes JSON and expects a 200.
func push(t testing.TB, r *replica, path, body string) {
	t.Helper()
	if a := do(t, "POST", r.URL+path, body, "Content-Type: application/json"); a.Status != http.StatusOK {
		t.Fatalf("push: %d %s", a.Status, a.Body)
	}
}

// pull pulls JSON and expects a 200; query is "name=value" each.
func pull(t testing.TB, r *replica, path string, query ...string) answer {
	t.Helper()
	a := do(t, "GET", r.URL+path+"?format=json&"+strings.Join(query, "&"), "")
	if a.Status != http.StatusOK {
		t.Fatalf("pull: %d %s", a.Status, a.Body)
	}
	return a
}

// etag is an answer's ETag as a parameter.
func etag(a answer) string { return "etag=" + url.QueryEscape(a.Header.Get("ETag")) }

// ids returns the ids of a pulled batch, joined.
func ids(t testing.TB, a answer) string {
	t.Helper()
	var l []string
	for _, m := range a.messages(t) {
		l = append(l, fmt.Sprint(m["id"]))
	}
	return strings.Join(l, " ")
}

// waitForPoll waits until a poll is held for a queue, other than the one before
// ("": none), and returns what Redis calls it.
func waitForPoll(t testing.TB, s *redistest.Server, channel, kind, before string) string {
	t.Helper()
	c := s.Client()
	var waiter string
	eventually(t, "a poll waits", func() error {
		keys, err := c.Keys(t.Context(), "qst:*:q:"+channel+":"+kind+":meta").Result()
		if err != nil {
			return err
		}
		for _, k := range keys {
			if waiter = c.HGet(t.Context(), k, "waiter").Val(); waiter != "" && waiter != before {
				return nil
			}
		}
		return fmt.Errorf("waiters: %v", keys)
	})
	return waiter
}

// longPoll starts a long poll and returns where its answer comes.
func longPoll(t testing.TB, r *replica, path string, query ...string) <-chan answer {
	t.Helper()
	c := make(chan answer, 1)
	go func() {
		a, err := try(context.WithoutCancel(t.Context()), http.DefaultClient, "GET",
			r.URL+path+"?format=json&long-polling=true&"+strings.Join(query, "&"), "")
		if err != nil {
			a.Body = err.Error()
		}
		c <- a
	}()
	return c
}

// within receives from c, or fails.
func within(t testing.TB, c <-chan answer) answer {
	t.Helper()
	select {
	case a := <-c:
		return a
	case <-time.After(patience):
		t.Fatal("no answer")
		return answer{}
	}
}

// rawPoll opens a connection of its own and sends a long poll over it.
func rawPoll(t testing.TB, r *replica, path string, params ...string) *net.TCPConn {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.DialTCP("tcp", nil, addr)
	if err != nil {
		t.Fatal(err)
	}
	query := strings.Join(append(params, "long-polling=true", "format=json"), "&")
	fmt.Fprintf(c, "GET %s?%s HTTP/1.1\r\nHost: x\r\n\r\n", path, query)
	return c
}
