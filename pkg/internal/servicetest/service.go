// Package servicetest runs the real service for tests of what talks to it: replicas
// that can be killed, a Redis that can be killed, and a proxy that cuts connections.
// Everything listens on the loopback interface and ends with the test.
package servicetest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; far above what any of them takes on a busy machine.
const patience = time.Minute

// Binary is the service's program. Build it once in a package's TestMain.
type Binary string

// Build builds the service from the module beside this one, into dir. QST_TEST_SERVICE
// names a program to use instead: another version's, say.
func Build(dir string) (Binary, error) {
	if program := os.Getenv("QST_TEST_SERVICE"); program != "" {
		return Binary(program), nil
	}
	_, here, _, _ := runtime.Caller(0) //nolint:dogsled // the file is what matters
	bin := filepath.Join(dir, "api")
	cmd := exec.CommandContext(context.Background(), "go", "build", "-o", bin, "./cmd/api") //nolint:gosec // into the test's directory
	cmd.Dir = filepath.Join(filepath.Dir(here), "../../../services/api")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the service: %w\n%s", err, out)
	}
	return Binary(bin), nil
}

// Service is one replica.
type Service struct {
	Addr string // of the public listener

	tb       testing.TB
	bin      Binary
	redisURL string
	env      []string
	internal string
	process
}

// Start starts a replica on redisURL ("embedded" for one inside of it) and waits
// until it is ready. env is added to its environment.
func (b Binary) Start(tb testing.TB, redisURL string, env ...string) *Service {
	tb.Helper()
	s := &Service{tb: tb, bin: b, redisURL: redisURL, env: env, Addr: "127.0.0.1:0"}
	tb.Cleanup(s.Kill)
	if err := s.Restart(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// URL returns the URL of an endpoint, such as "acme/gateway".
func (s *Service) URL(endpoint string) string { return "http://" + s.Addr + "/v2/channels/" + endpoint }

// AdminURL returns the URL of the internal listener. There is an admin API if Start was given
// a QST_ADMIN_TOKEN.
func (s *Service) AdminURL() string { return "http://" + s.internal }

// Restart starts a replica that was killed, at the same address, and returns when it is
// ready or ctx ends.
func (s *Service) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.Command(string(s.bin)) //nolint:gosec,noctx // what Build built; Kill ends it
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "QST_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "QST_REDIS_URL="+s.redisURL, "QST_AUTH=none", "QST_LISTEN_ADDR="+s.Addr, "QST_ADMIN_ADDR=127.0.0.1:0")
	cmd.Env = append(cmd.Env, s.env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.start(cmd); err != nil {
		return err
	}
	lines := bufio.NewReader(stderr)
	var log strings.Builder
	for {
		line, err := lines.ReadString('\n')
		log.WriteString(line)
		if err != nil {
			return fmt.Errorf("the service does not start: %w\n%s", err, log.String())
		}
		var l struct {
			Msg      string `json:"msg"`
			Public   string `json:"public"`
			Internal string `json:"internal"`
		}
		if json.Unmarshal([]byte(line), &l) == nil && l.Msg == "listening" {
			s.Addr, s.internal = l.Public, l.Internal
			break
		}
	}
	s.drains.Go(func() { _, _ = io.Copy(io.Discard, lines) }) // ends with the process
	return until(ctx, func() error { return ready(ctx, "http://"+s.internal+"/readyz") })
}

func ready(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// process is a program that can be killed and started again.
type process struct {
	mu     sync.Mutex
	cmd    *exec.Cmd
	drains sync.WaitGroup // what reads the program's output
}

func (p *process) start(cmd *exec.Cmd) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd = cmd
	return nil
}

// Kill ends the program at once (SIGKILL) and waits until it is gone.
func (p *process) Kill() { p.end(syscall.SIGKILL) }

// Stop ends the program in order (SIGTERM).
func (p *process) Stop() { p.end(syscall.SIGTERM) }

func (p *process) end(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	p.drains.Wait()
	_ = p.cmd.Wait() // its error is the signal
	p.cmd = nil
}

// until calls f until it returns nil or ctx ends.
func until(ctx context.Context, f func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}
