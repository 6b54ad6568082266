package app_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// The receivers of docs/webhooks take what is signed, each batch once, and refuse the rest.
func TestWebhookExamples(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	startWorker(t, s.URL())
	folder, err := filepath.Abs(filepath.Join(repository, "docs", "webhooks"))
	if err != nil {
		t.Fatal(err)
	}
	for file, command := range map[string]func(port, out string) []string{
		"receive.py":  func(port, out string) []string { return []string{"python3", "receive.py", port, out} },
		"receive.mjs": func(port, out string) []string { return []string{"node", "receive.mjs", port, out} },
		"receive.php": func(port, _ string) []string { return []string{"php", "-S", "127.0.0.1:" + port, "receive.php"} },
		"receive.go":  func(port, out string) []string { return []string{"go", "run", "receive.go", port, out} },
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			out, port := filepath.Join(t.TempDir(), "messages"), receiverPort(t)
			argv := command(port, out)
			program := filepath.Join("/usr/bin", argv[0]) // and not what a version manager puts before it, which is slow
			if _, err := os.Stat(program); err != nil {
				if program, err = exec.LookPath(argv[0]); err != nil {
					t.Fatalf("%s is missing: .ci/install languages gets it: %v", argv[0], err)
				}
			}
			cmd := exec.Command(program, argv[1:]...) //nolint:gosec,noctx // ended by the cleanup
			cmd.Dir = folder
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
			cmd.Env = append(os.Environ(), "WEBHOOK_SECRET="+webhookSecret, "WEBHOOK_FILE="+out, "GOWORK=off")
			var log logBuffer
			cmd.Stdout, cmd.Stderr = &log, &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with what it has started (go run)
				_ = cmd.Wait()                                      //nolint:errcheck // its error is the signal
				if t.Failed() {
					t.Logf("%s", &log)
				}
			})
			url := "http://127.0.0.1:" + port + "/"
			eventually(t, "it listens", func() error {
				a, err := try(t.Context(), http.DefaultClient, "POST", url, "[]")
				if err != nil {
					return err
				}
				return status(a.Status, http.StatusUnauthorized)
			})
			for _, forged := range [][]string{
				{"webhook-id: x", "webhook-timestamp: 1", "webhook-signature: v1,x"},
				{"webhook-id: x", "webhook-timestamp: x", "webhook-signature: "},
			} {
				if a := do(t, "POST", url, `[{"id":"forged"}]`, forged...); a.Status != http.StatusUnauthorized {
					t.Errorf("forged: %d", a.Status)
				}
			}
			// What it can't keep, or not read, it does not take. (One of them cuts the connection then.)
			now := strconv.FormatInt(time.Now().Unix(), 10)
			broken := `[{"id":`
			for what, request := range map[string][]string{
				"broken":    {broken, "webhook-id: b", "webhook-timestamp: " + now, "webhook-signature: " + signWith(webhookSecret, "b", now, broken)},
				"too large": {"[" + strings.Repeat(" ", 5<<20) + "]"},
			} {
				if a, err := try(t.Context(), http.DefaultClient, "POST", url, request[0], request[1:]...); err == nil && a.Status < 300 {
					t.Errorf("%s: %d", what, a.Status)
				}
			}
			channel := "e" + strings.ReplaceAll(file, ".", "-")
			gateway, _ := webhookChannel(t, api, channel, url, `"max_messages":3`)
			want := []string{}
			for i := range 10 {
				want = append(want, strconv.Itoa(i))
			}
			deliverAs(t, api, channel, gateway, want...)
			queueHolds(t, api, channel, 0)
			if a := mustAdmin(t, api, 200, "POST", "/channels/"+channel+"/queues/inbound/webhook/test", ""); !strings.Contains(a.Body, `"status":200`) {
				t.Errorf("a test: %s", a.Body)
			}
			content, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
			for i, line := range lines {
				var m struct{ ID, Body string }
				if err := json.Unmarshal([]byte(line), &m); err != nil || m.ID != strconv.Itoa(i) || m.Body != fmt.Sprintf("text of %d", i) {
					t.Errorf("message %d: %s, %v", i, line, err)
				}
			}
			if len(lines) != len(want) {
				t.Errorf("%d messages, want %d", len(lines), len(want))
			}
		})
	}
}

// receiverPort returns a port of the loopback interface that nobody listens on.
func receiverPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
