package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/conformance"
)

// No case passes by itself: against servers that say the same to everything each case
// fails at most of them. (What is right for one case, such as 400 to what is malformed,
// is what one of them says.)
func TestEachCaseCanFail(t *testing.T) {
	t.Parallel()
	problem := func(status int) func(string) string {
		text := fmt.Sprintf(`{"status":%d,"detail":"message 1 message 2 message 3: no"}`, status)
		return func(string) string {
			return fmt.Sprintf("HTTP/1.1 %d No\r\nContent-Type: application/problem+json\r\nAllow: GET, POST\r\nWWW-Authenticate: Basic\r\nRetry-After: 1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, len(text), text)
		}
	}
	crude := []func(method string) string{
		problem(400), problem(401), problem(500), problem(404),
		func(method string) string {
			text := `[]`
			if method == "POST" {
				text = `{"accepted":1,"duplicates":0}`
			}
			return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(text), text)
		},
	}
	var mu sync.Mutex
	passed := map[string]int{}
	var servers sync.WaitGroup
	for _, answer := range crude {
		servers.Go(func() {
			url := crudeServer(t, answer)
			target := conformance.Target{
				URL: url, Second: url, User: "user", Password: "password", Patience: 10 * time.Second,
				Limits: conformance.ServerLimits{PushBytes: 2000, PushMessages: 10, MessageBytes: 1000, PullBytes: 900, QueueMessages: 10, LongPoll: time.Second},
			}
			_, err := conformance.Run(t.Context(), conformance.Cases(), target, 4, func(r conformance.Result) {
				mu.Lock()
				defer mu.Unlock()
				if r.Verdict == conformance.Passed {
					passed[r.Name]++
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	servers.Wait()
	for name, n := range passed {
		if n > 2 {
			t.Errorf("%s passes at %d of %d servers that know nothing", name, n, len(crude))
		}
	}
}

// crudeServer answers whatever bytes it gets, and returns its URL.
func crudeServer(t *testing.T, answer func(method string) string) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer func() { _ = c.Close() }()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				r := bufio.NewReader(c)
				first, _ := r.ReadString('\n')
				method, _, _ := strings.Cut(first, " ")
				_, _ = io.WriteString(c, answer(method))
				_ = c.(*net.TCPConn).CloseWrite() //nolint:forcetypeassert // of a TCP listener
				_, _ = io.Copy(io.Discard, r)     // or the client hears of a reset, and not of the answer
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); conns.Wait() })
	return "http://" + l.Addr().String()
}
