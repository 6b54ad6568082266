// Package redistest starts real Redis servers that a test controls: it can kill
// them, freeze them, fill them, start them again, and join them into a cluster.
//
// The program is redis-server from the PATH, or what QST_TEST_REDIS_SERVER names
// (another version, or valkey-server).
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// patience bounds every wait for a server; far above what one takes on a busy machine.
const patience = 30 * time.Second

// Server is one redis-server process.
type Server struct {
	Addr string

	tb    testing.TB
	port  int
	dir   string
	args  func(*Server) []string
	env   []string // of the process, beside the test's own
	clock string   // file that the process's clock is set by; "": it has no clock of its own
	cmd   *exec.Cmd
	done  chan struct{} // closed when cmd has ended
}

// Start starts a server on a free port of the loopback interface, with an
// append-only file in a directory of the test's; args are added to its command
// line and win. It is stopped when the test ends.
func Start(tb testing.TB, args ...string) *Server {
	tb.Helper()
	return start(tb, usual(args))
}

// usual are the arguments that servers are started with, and more.
func usual(args []string) func(*Server) []string {
	return func(s *Server) []string {
		return append([]string{
			"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "redis.log"),
			"--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
		}, withRights(s.tb, args)...)
	}
}

// start starts a server with the arguments that args makes for its port.
func start(tb testing.TB, args func(*Server) []string) *Server {
	tb.Helper()
	return (&Server{tb: tb, dir: tb.TempDir(), args: args}).first()
}

// first starts the server for the first time, on a free port.
func (s *Server) first() *Server {
	tb := s.tb
	tb.Helper()
	tb.Cleanup(func() { s.Kill() })
	for range 5 {
		s.port = freePort(tb)
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
		if s.start() == nil {
			return s
		}
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	tb.Fatalf("redis-server does not start:\n%s", log)
	return nil
}

// StartSentinel starts a Sentinel with a configuration file, which it rewrites.
func StartSentinel(tb testing.TB, conf string) *Server {
	tb.Helper()
	return start(tb, func(s *Server) []string {
		return []string{conf, "--sentinel", "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--logfile", filepath.Join(s.dir, "redis.log")}
	})
}

// URL is what QST_REDIS_URL takes.
func (s *Server) URL() string {
	if s.limited() {
		return "redis://" + leastUser + ":" + leastPassword + "@" + s.Addr + "/0"
	}
	return "redis://" + s.Addr + "/0"
}

// MasterURL is what QST_REDIS_URL takes to have a Sentinel lead to the master that it calls so.
func (s *Server) MasterURL(name string) string {
	u := "redis://" + s.Addr + "/0?master_name=" + name
	if everywhere() {
		u += "&username=" + leastUser + "&password=" + leastPassword // not the Sentinel's
	}
	return u
}

// Service returns a client that may do what the service's may, closed when the test ends.
func (s *Server) Service() *redis.Client {
	c := redis.NewClient(s.Options())
	s.tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Options are what [Server.Service] connects with.
func (s *Server) Options() *redis.Options {
	o := &redis.Options{Addr: s.Addr, DisableIdentity: true}
	if s.limited() {
		o.Username, o.Password = leastUser, leastPassword
	}
	return o
}

// Client returns a client of the server that may do everything, closed when the test ends.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: s.Addr})
	s.tb.Cleanup(func() { _ = c.Close() })
	return c
}

// Restart starts a server that was killed or stopped, on its old port and data.
func (s *Server) Restart() {
	s.tb.Helper()
	if err := s.start(); err != nil {
		s.tb.Fatalf("redis-server does not start again: %v", err)
	}
}

// Kill ends the server at once (SIGKILL) and waits until it is gone.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Shutdown ends the server in order (SIGTERM): it writes what it persists first.
func (s *Server) Shutdown() { s.end(syscall.SIGTERM) }

// Freeze stops the process without ending it (SIGSTOP): connections stay, nothing answers.
func (s *Server) Freeze() { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

func (s *Server) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	s.checkRefused()
	_ = s.cmd.Process.Signal(sig)
	_ = s.cmd.Process.Signal(syscall.SIGCONT) // it may be frozen
	<-s.done
	s.cmd = nil
}

func (s *Server) start() error {
	program := os.Getenv("QST_TEST_REDIS_SERVER")
	if program == "" {
		program = "redis-server"
	}
	cmd := exec.Command(program, s.args(s)...) //nolint:gosec,noctx // the test says what to run, and ends it
	cmd.Env = append(os.Environ(), s.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		s.tb.Fatalf("starting %s: %v (install it with .ci/install redis-server)", program, err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = cmd.Wait() }()
	s.cmd, s.done = cmd, done

	c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1})
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return until(ctx, func() error {
		select {
		case <-done:
			return errEnded
		default:
		}
		// Not just any server: another test may have been given the same free port.
		info, err := c.Info(ctx, "server").Result()
		if err == nil && !strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", cmd.Process.Pid)) {
			err = errors.New("another server answers on this port")
		}
		return err
	})
}

var errEnded = errors.New("the process ended")

// until calls f until it returns nil, or the process ended, or ctx does.
func until(ctx context.Context, f func() error) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := f()
		if err == nil || errors.Is(err, errEnded) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-tick.C:
		}
	}
}

// StartCluster starts n servers and joins them into a Redis Cluster of n masters.
func StartCluster(tb testing.TB, n int, args ...string) []*Server {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	servers, buses := make([]*Server, n), make([]string, n)
	for i := range servers {
		bus := strconv.Itoa(freePort(tb))
		buses[i] = bus
		servers[i] = Start(tb, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "5000"}, args...)...)
		from, to := i*16384/n, (i+1)*16384/n-1
		c := servers[i].Client()
		if err := c.Do(ctx, "cluster", "addslotsrange", from, to).Err(); err != nil {
			tb.Fatalf("giving slots to %s: %v", servers[i].Addr, err)
		}
		if i > 0 {
			host, port, _ := net.SplitHostPort(servers[0].Addr)
			if err := c.Do(ctx, "cluster", "meet", host, port, buses[0]).Err(); err != nil {
				tb.Fatalf("joining %s: %v", servers[i].Addr, err)
			}
		}
	}
	for _, s := range servers {
		c := s.Client()
		err := until(ctx, func() error {
			info, err := c.ClusterInfo(ctx).Result()
			if err != nil {
				return err
			}
			if !strings.Contains(info, "cluster_state:ok") || !strings.Contains(info, "cluster_known_nodes:"+strconv.Itoa(n)) {
				return errors.New(info)
			}
			return nil
		})
		if err != nil {
			tb.Fatalf("the cluster does not form: %v", err)
		}
	}
	return servers
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // of a TCP listener
}
