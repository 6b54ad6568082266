package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine is the processes that were started, and where their files are.
type machine struct {
	dir   string
	cmds  []*exec.Cmd
	close []func() // what speaks to them
}

func newMachine() (*machine, error) {
	dir, err := os.MkdirTemp("", "qst-bench-")
	if err != nil {
		return nil, err
	}
	// nginx's workers may be another user than the one who starts them.
	return &machine{dir: dir}, os.Chmod(dir, 0o755) //nolint:gosec // nothing in it is secret
}

// stop ends what was started, the last one first.
func (m *machine) stop() {
	for _, f := range m.close {
		f()
	}
	for _, cmd := range slices.Backward(m.cmds) {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		killer := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait() // it was asked to end: how it did doesn't matter
		killer.Stop()
	}
	_ = os.RemoveAll(m.dir)
}

// start starts a program and waits until something listens at its address. env is
// its whole environment, beside PATH: QST_ variables of whoever measures are for
// another service.
func (m *machine) start(ctx context.Context, address string, env []string, name string, args ...string) (process, error) {
	log := filepath.Join(m.dir, fmt.Sprintf("%d-%s.log", len(m.cmds), filepath.Base(name)))
	f, err := os.Create(log) //nolint:gosec // in our directory
	if err != nil {
		return process{}, err
	}
	defer func() { _ = f.Close() }()   // the process has its own
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // we say what to run, and stop ends it
	cmd.Env, cmd.Stdout, cmd.Stderr = slices.Concat(env, []string{"PATH=" + os.Getenv("PATH")}), f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return process{}, fmt.Errorf("starting %s (make bench installs it): %w", name, err)
	}
	m.cmds = append(m.cmds, cmd)
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			return process{name: filepath.Base(name), pid: cmd.Process.Pid}, conn.Close()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			text, _ := os.ReadFile(log) //nolint:gosec // as above
			return process{}, fmt.Errorf("%s does not listen at %s: %w\n%s", name, address, err, text)
		}
	}
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// process is one that is measured, with its children.
type process struct {
	name string
	pid  int
}

// ticks: of CPU time in /proc, a second. The kernel's USER_HZ, 100 on all that Go
// runs on.
const ticks = 100

// cpu is the CPU time it has used; nothing without a process.
func (p process) cpu() (time.Duration, error) {
	if p.pid == 0 {
		return 0, nil
	}
	var sum time.Duration
	for _, pid := range p.family() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		// After the name, which may hold anything: utime and stime are fields 14 and 15.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, f := range fields[11:13] {
			n, err := strconv.Atoi(f)
			if err != nil {
				return 0, err
			}
			sum += time.Duration(n) * time.Second / ticks
		}
	}
	return sum, nil
}

// memory is what it alone holds of the machine's memory, and its share of what it
// holds together with its family, in bytes.
func (p process) memory() (int64, error) {
	var sum int64
	for _, pid := range p.family() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(text)) {
			if kb, ok := strings.CutPrefix(line, "Pss:"); ok {
				n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(kb), "kB")), 10, 64)
				if err != nil {
					return 0, err
				}
				sum += n << 10
			}
		}
	}
	return sum, nil
}

// peak is the most of the machine's memory that it has had, in bytes.
func (p process) peak() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		return 0, err
	}
	_, kb, _ := strings.Cut(string(text), "VmHWM:")
	kb, _, _ = strings.Cut(kb, "kB")
	n, err := strconv.ParseInt(strings.TrimSpace(kb), 10, 64)
	return n << 10, err
}

// family is the process and its children: nginx works in children.
func (p process) family() []int {
	pids := []int{p.pid}
	for _, task := range glob(fmt.Sprintf("/proc/%d/task/*/children", p.pid)) {
		text, _ := os.ReadFile(task) //nolint:gosec // of /proc. Gone: it has no children
		for f := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil && p.pid != os.Getpid() {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

func glob(pattern string) []string {
	l, _ := filepath.Glob(pattern) // the patterns are good ones
	return l
}

// ownCPU is the CPU time that this program has used.
func ownCPU() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
