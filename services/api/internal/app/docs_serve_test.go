package app_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// freePort is a port that nobody has: below those that the system gives to who asks for any.
func freePort(t *testing.T) string {
	t.Helper()
	for port := 20000 + os.Getpid()%5000; port < 32000; port++ {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":"+strconv.Itoa(port))
		if err == nil {
			_ = l.Close()
			return ":" + strconv.Itoa(port)
		}
	}
	t.Fatal("no port is free")
	return ""
}

// What make run says to try with credentials can be typed as it stands.
func TestServeWithCredentials(t *testing.T) {
	t.Parallel()
	serve := func(t *testing.T, env ...string) (hints string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "bash", filepath.Join(repository, ".ci/serve"), program)
		public := freePort(t)
		port, _ := strconv.Atoi(public[1:]) //nolint:errcheck // it is a number
		cmd.Env = append(os.Environ(), append(env, "QST_AUTH=channels", "QST_REDIS_URL=embedded",
			"QST_LISTEN_ADDR="+public, "QST_ADMIN_ADDR=127.0.0.1:"+strconv.Itoa(port+5000))...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait()
		})
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "Ctrl-C") {
				return hints
			}
			hints += lines.Text() + "\n"
		}
		t.Fatalf("the service ended, and said\n%s", hints)
		return ""
	}
	t.Run("with a token", func(t *testing.T) {
		const token = "QST_ADMIN_TOKEN=the-token-of-this-test"
		hints := serve(t, token)
		typed := exec.CommandContext(t.Context(), "sh", "-e")
		var script strings.Builder
		for line := range strings.Lines(hints) {
			if strings.HasPrefix(line, "  ") {
				script.WriteString(strings.Replace(line, "curl ", "curl -sS --fail-with-body ", 1))
			}
		}
		typed.Env, typed.Stdin = append(os.Environ(), token), strings.NewReader(script.String())
		got, err := typed.CombinedOutput()
		if err != nil || !strings.Contains(string(got), `"body":"Hello?"`) || !strings.Contains(string(got), "ETag:") {
			t.Errorf("%v\n%s\nof\n%s", err, got, hints)
		}
	})
	t.Run("without one", func(t *testing.T) {
		if hints := serve(t); !strings.Contains(hints, "set QST_ADMIN_TOKEN") || strings.Contains(hints, "curl") {
			t.Errorf("%s", hints)
		}
	})
}
