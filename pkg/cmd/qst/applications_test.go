package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/internal/servicetest"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// interpreter returns what runs a program of docs/applications.
func interpreter(t *testing.T, file string) []string {
	t.Helper()
	name := map[string]string{".py": "python3", ".mjs": "node", ".sh": "sh", ".php": "php", ".rb": "ruby", ".java": "java"}[filepath.Ext(file)]
	path := filepath.Join("/usr/bin", name) // and not what a version manager puts before it, which is slow
	_, err := os.Stat(path)
	if err != nil {
		path, err = exec.LookPath(name)
	}
	if err != nil {
		t.Fatalf("%s is missing: .ci/install languages gets it: %v", name, err)
	}
	source := filepath.Join("..", "..", "..", "docs", "applications", file)
	if name == "java" { // compiled once: java would do so at each start
		dir := t.TempDir()
		if out, err := exec.CommandContext(t.Context(), "javac", "-d", dir, source).CombinedOutput(); err != nil {
			t.Fatalf("javac: %v\n%s", err, out)
		}
		return []string{path, "-XX:TieredStopAtLevel=1", "-cp", dir, strings.TrimSuffix(file, ".java")}
	}
	return []string{path, source}
}

// stormProgram runs a program again and again, kills it each time, and ends when one has
// ended well, or ctx has. With it the service is killed now and then.
func stormProgram(ctx context.Context, t *testing.T, s *servicetest.Service, kills *atomic.Int64, argv []string) {
	for n := 1; ctx.Err() == nil; n++ {
		var stderr bytes.Buffer
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		timer := time.NewTimer(20*time.Millisecond + rand.N(time.Duration(n)*150*time.Millisecond))
		select {
		case <-timer.C:
			_ = cmd.Process.Kill()
			<-ended //nolint:errcheck // its error is the signal
			kills.Add(1)
		case err := <-ended:
			timer.Stop()
			if err != nil && ctx.Err() == nil {
				t.Errorf("%v: %v\n%s", argv, err, stderr.String())
			}
			return
		}
		if n%3 == 0 {
			s.Kill()
			if err := s.Restart(context.WithoutCancel(ctx)); err != nil {
				t.Error(err)
				return
			}
		}
	}
}

// receivers are the programs that receive. Java's is among them if QST_TEST_JAVA is set (make
// java): each start of it takes seconds.
func receivers() []string {
	l := []string{"receive.py", "receive.mjs", "receive.php", "receive.rb"}
	if os.Getenv("QST_TEST_JAVA") != "" {
		l = append(l, "Receive.java")
	}
	return l
}

// senders are the programs that send, Java's as with receivers.
func senders() []string {
	l := []string{"send.py", "send.sh", "send.mjs", "send.php", "send.rb"}
	if os.Getenv("QST_TEST_JAVA") != "" {
		l = append(l, "Send.java")
	}
	return l
}

// Each program in docs/applications is one of those.
func TestApplicationsAreTested(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(filepath.Join("..", "..", "..", "docs", "applications"))
	if err != nil {
		t.Fatal(err)
	}
	tested := append(receivers(), senders()...)
	for _, e := range entries {
		if name := e.Name(); filepath.Ext(name) != ".md" && filepath.Ext(name) != ".java" && !slices.Contains(tested, name) {
			t.Errorf("%s is not tested", name)
		}
	}
}

func TestApplicationsReceive(t *testing.T) {
	t.Parallel()
	for _, file := range receivers() {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s := service.Start(t, servicetest.StartRedis(t).URL())
			all := texts(t, 300)
			path := filepath.Join(t.TempDir(), "messages")
			ctx, cancel := context.WithCancel(t.Context())
			var storming sync.WaitGroup
			var kills atomic.Int64
			storming.Go(func() {
				stormProgram(ctx, t, s, &kills, append(interpreter(t, file), s.URL("c/application"), path))
			})
			defer storming.Wait()
			defer cancel()
			gate := newClient(t, s.URL("c/gateway"))
			for i, text := range all {
				if i%50 == 0 {
					eventually(t.Context(), t, "a kill", func() bool { return kills.Load() >= int64(i/50) })
				}
				if _, err := gate.Push(t.Context(), qst.Message{ID: fmt.Sprint(i), Body: text}); err != nil {
					t.Fatal(err)
				}
			}
			var content []byte
			eventually(t.Context(), t, "all messages", func() bool {
				content, _ = os.ReadFile(path)
				return bytes.Count(content, []byte("\n")) >= len(all)
			})
			cancel()
			storming.Wait()
			content, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
			if len(lines) != len(all) {
				t.Errorf("%d messages, of %d", len(lines), len(all))
			}
			for i, line := range lines[:min(len(lines), len(all))] {
				msgs, err := qst.Decode(qst.JSON, "", []byte(line), qst.NoLimits())
				if err != nil || msgs[0].ID != fmt.Sprint(i) || msgs[0].Body != all[i] {
					t.Errorf("message %d: %s, %v", i, line, err)
				}
			}
		})
	}
}

func TestApplicationsSend(t *testing.T) {
	t.Parallel()
	for _, file := range senders() {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			s := service.Start(t, servicetest.StartRedis(t).URL(), "QST_MESSAGE_MAX_BYTES=2000")
			all := texts(t, 30)
			all[15] = strings.Repeat("x", 3000) // can never be taken
			var lines []byte
			for i, text := range all {
				array := qst.AppendJSON(nil, []qst.Message{{ID: fmt.Sprint(i), To: "sms://4455", Body: text}})
				lines = append(append(lines, array[1:len(array)-1]...), '\n')
			}
			lines = append(lines, `{"id":"half","bo`...) // the application is still writing it
			path := filepath.Join(t.TempDir(), "messages")
			if err := os.WriteFile(path, lines, 0o600); err != nil {
				t.Fatal(err)
			}
			var kills atomic.Int64
			stormProgram(t.Context(), t, s, &kills, append(interpreter(t, file), s.URL("c/application"), path))
			t.Logf("killed %d times", kills.Load())
			want := append(append([]string(nil), all[:15]...), all[16:]...)
			n := 0
			for m, err := range newClient(t, s.URL("c/gateway")).Pull(t.Context(), client.PullOptions{UntilEmpty: true}) {
				if err != nil {
					t.Fatal(err)
				}
				if n >= len(want) || m.Body != want[n] {
					t.Fatalf("message %d: %+v", n, m)
				}
				n++
			}
			if n != len(want) {
				t.Errorf("%d messages, of %d", n, len(want))
			}
		})
	}
}
