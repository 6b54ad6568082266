package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/conformance"
)

// wiretap passes on what a client and a server say to each other, byte by byte and end by
// end, and counts.
type wiretap struct {
	listener net.Listener
	to       string
	serving  sync.WaitGroup

	mu      sync.Mutex
	asked   string // the last request's first line
	count   int    // of requests
	answers int    // bytes since the last one
}

func tap(ctx context.Context, to string) (*wiretap, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	w := &wiretap{listener: l, to: to}
	w.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			w.serving.Go(func() { w.pass(ctx, conn) })
		}
	})
	return w, nil
}

func (w *wiretap) close() {
	_ = w.listener.Close()
	w.serving.Wait()
}

func (w *wiretap) pass(ctx context.Context, client net.Conn) {
	server, err := new(net.Dialer).DialContext(ctx, "tcp", w.to)
	if err != nil {
		_ = client.Close()
		return
	}
	stop := context.AfterFunc(ctx, func() { _, _ = client.Close(), server.Close() })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(server, io.TeeReader(client, writer(w.request)))
		_ = server.Close()
	})
	both.Go(func() {
		_, _ = io.Copy(client, io.TeeReader(server, writer(w.answer)))
		_ = client.Close()
	})
	both.Wait()
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }

// request is what a client sends: requests of less than a packet.
func (w *wiretap) request(p []byte) {
	if line, _, _ := strings.Cut(string(p), "\r\n"); strings.HasPrefix(line, "GET ") {
		w.mu.Lock()
		w.asked, w.answers = line, 0
		w.count++
		w.mu.Unlock()
	}
}

func (w *wiretap) answer(p []byte) {
	w.mu.Lock()
	w.answers += len(p)
	w.mu.Unlock()
}

func (w *wiretap) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count
}

// brought tells whether a request after the nth brought the ETag, and was answered.
func (w *wiretap) brought(etag string, n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.count <= n {
		return false
	}
	_, query, _ := strings.Cut(w.asked, "?")
	query, _, _ = strings.Cut(query, " ")
	values, err := url.ParseQuery(query)
	return err == nil && values.Get("etag") == etag && w.answers > 0
}

// application is a program of docs/applications as a client to test.
func application(t *testing.T, file string) conformance.Client {
	argv := interpreter(t, file)
	return func(ctx context.Context, task conformance.Task) conformance.Outcome {
		out, err := perform(ctx, argv, task)
		if err != nil {
			out.Ending, out.Said = conformance.Broken, out.Said+" "+err.Error()
		}
		return out
	}
}

func perform(ctx context.Context, argv []string, task conformance.Task) (out conformance.Outcome, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	to, err := url.Parse(task.URL)
	if err != nil {
		return out, err
	}
	between, err := tap(ctx, to.Host)
	if err != nil {
		return out, err
	}
	defer between.close()
	defer cancel()
	to.Host = between.listener.Addr().String()

	path := task.State
	if len(task.Messages) > 0 { // a file for each run, so that nothing is known to be sent
		dir, err := os.MkdirTemp(filepath.Dir(task.State), "")
		if err != nil {
			return out, err
		}
		path = filepath.Join(dir, "messages")
		if err := os.WriteFile(path, []byte(strings.Join(task.Messages, "\n")+"\n"), 0o600); err != nil {
			return out, err
		}
	}
	before, err := wholeLines(path)
	if err != nil && len(task.Messages) == 0 && !os.IsNotExist(err) {
		return out, err
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, argv[0], append(slices.Clone(argv[1:]), to.String(), path)...)
	cmd.Env = append(os.Environ(), "QST_USER="+task.User, "QST_PASSWORD="+task.Password)
	cmd.Stderr, cmd.WaitDelay = &stderr, 5*time.Second
	if err := cmd.Start(); err != nil {
		return out, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	handled := 0 // requests until all was handled
	for running := true; running; {
		select {
		case err = <-ended:
			running = false
		case <-tick.C:
			if len(task.Messages) > 0 {
				continue
			}
			if got, _ := wholeLines(path); len(got) < len(before)+task.Max {
				continue
			} else if handled == 0 {
				handled = between.requests()
			}
			etag, _ := os.ReadFile(path + ".etag") // it may not be there yet
			if between.brought(string(etag), handled) {
				cancel()
				<-ended //nolint:errcheck // its error is the signal
				err, running = nil, false
			}
		}
	}
	out.Said = strings.TrimSpace(stderr.String())
	switch {
	case strings.HasPrefix(out.Said, "stopped:"):
		out.Ending = conformance.Stopped
	case err != nil:
		return out, err
	case strings.HasPrefix(out.Said, "refused:"):
		out.Ending = conformance.Refused
	default:
		out.Ending = conformance.Done
	}
	if len(task.Messages) == 0 {
		after, err := wholeLines(path)
		if err != nil && !os.IsNotExist(err) {
			return out, err
		}
		out.Messages = after[len(before):]
	}
	return out, nil
}

// wholeLines are those that a file has whole.
func wholeLines(path string) ([]string, error) {
	content, err := os.ReadFile(path)
	return strings.SplitAfter(string(content), "\n")[:bytes.Count(content, []byte("\n"))], err
}

// TestApplicationsConform holds the programs of docs/applications against what the protocol
// asks of clients.
func TestApplicationsConform(t *testing.T) {
	t.Parallel()
	// What a program of 30 lines leaves out, as docs/applications/README.md says.
	left := map[string]bool{
		"pull/XML, whatever was asked for": true, // they ask for JSON and read that

		// They want ids.
		"push/without an id, unheard: it is given one before it is sent": true,
		"push/two of the same, without an id":                            true,

		// They run until they are killed, pull or push, and to write a line is how they handle
		// it; TestApplicationsReceive kills them there.
		"pull/two runs": true,
		"pull/a restart after the last confirmation was lost":                     true,
		"pull/message 1 of 5 fails: it is not confirmed":                          true,
		"pull/message 3 of 5 fails: it is not confirmed":                          true,
		"pull/message 5 of 5 fails: it is not confirmed":                          true,
		"pull/a message that fails comes first the next time":                     true,
		"push/a push's ETag, of a server that is wrong, is not brought to a pull": true,
	}
	for _, file := range append(receivers(), senders()...) {
		prefix := "push/"
		if strings.HasPrefix(strings.ToLower(file), "receive") {
			prefix = "pull/"
		}
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			cases := slices.DeleteFunc(conformance.ClientCases(), func(c conformance.ClientCase) bool {
				// All forms together: a program takes its time to start.
				return !strings.HasPrefix(c.Name, prefix) || left[c.Name] || strings.HasPrefix(c.Name, prefix+"as it is: ") && !strings.HasSuffix(c.Name, "together")
			})
			r, err := conformance.RunClient(t.Context(), cases, application(t, file), 2*time.Minute, 4, func(r conformance.Result) {
				if r.Verdict != conformance.Passed {
					t.Errorf("%s: %s\n%s\n%s", r.Name, r.Verdict, strings.Join(r.Why, "\n"), strings.Join(r.Exchanges, "\n"))
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d passed in %.1f s", r.Passed, r.Seconds)
			if r.Passed < 30 {
				t.Errorf("only %d cases passed", r.Passed)
			}
		})
	}
}
