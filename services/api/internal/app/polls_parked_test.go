package app_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// eachWay runs a test with polls that are parked, and with polls that wait in their handlers.
func eachWay(t *testing.T, run func(t *testing.T, s *redistest.Server, r *replica), env ...string) {
	t.Helper()
	for _, parked := range []string{"true", "false"} {
		t.Run("parked="+parked, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t)
			run(t, s, startReplica(t, s.URL(), append(env, "QST_PARK_POLLS="+parked)...))
		})
	}
}

// wire is a connection to a replica, over which a test writes requests as it likes.
type wire struct {
	*net.TCPConn
	t  testing.TB
	in *bufio.Reader
}

func dialWire(t testing.TB, r *replica) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &wire{conn.(*net.TCPConn), t, bufio.NewReader(conn)}
}

// send sends a GET, or a push of what is not "".
func (w *wire) send(path, body string, header ...string) {
	w.t.Helper()
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: x\r\n", path)
	if body != "" {
		request = fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n", path, len(body))
	}
	for _, h := range header {
		request += h + "\r\n"
	}
	if _, err := io.WriteString(w, request+"\r\n"+body); err != nil {
		w.t.Fatal(err)
	}
}

// answer reads an answer.
func (w *wire) answer() answer {
	w.t.Helper()
	r, err := http.ReadResponse(w.in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{Status: r.StatusCode, Header: r.Header, Body: string(b), Close: r.Close}
}

// ends expects the end of the connection, and nothing before.
func (w *wire) ends() {
	w.t.Helper()
	if b, err := io.ReadAll(w.in); len(b) > 0 || err != nil {
		w.t.Fatalf("%q, %v; want the end", b, err)
	}
}

const longPath = "/v2/channels/c?format=json&long-polling=true"

// pollsHeld waits until a replica holds so many polls.
func pollsHeld(t testing.TB, r *replica, n int) {
	t.Helper()
	eventually(t, "polls are held", func() error {
		if have := int(scrape(t, r)["qst_polls_held"]); have != n {
			return fmt.Errorf("%d of %d", have, n)
		}
		return nil
	})
}

// A connection carries polls that wait, polls that do not, and pushes, in any order; what its
// client sends before it has an answer is served after it.
func TestPollsOverOneConnection(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *redistest.Server, r *replica) {
		w, last, waiter := dialWire(t, r), "", ""
		for i := range 4 {
			w.send(longPath+last, "")
			waiter = waitForPoll(t, s, "c", "mailbox", waiter)
			push(t, r, "/v2/channels/c", fmt.Sprintf(`{"id":"%d","body":"%s"}`, i, strings.Repeat("x", 1+i*20_000)))
			a := w.answer()
			if got := ids(t, a); got != fmt.Sprint(i) || a.Header.Get("Date") == "" || a.Close {
				t.Fatalf("poll %d: %q, %v", i, got, a.Header)
			}
			last = "&" + etag(a)
			w.send("/v2/channels/other", `{"body":"x"}`)
			w.send("/v2/channels/empty?format=json", "")
			for range 2 {
				if a := w.answer(); a.Status != http.StatusOK {
					t.Fatalf("%d %s", a.Status, a.Body)
				}
			}
		}
		// A push for the poll that waits on the same connection comes after it: the poll ends by itself.
		w.send(longPath+last+"&wait=0.2", "")
		w.send("/v2/channels/c", `{"id":"early","body":"x"}`)
		w.send("/v2/channels/c?format=json", "")
		if a := w.answer(); a.Body != "[]" || a.Header.Get("QST-Confirmed") == "" {
			t.Fatalf("%q %v", a.Body, a.Header)
		}
		if a := w.answer(); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		if got := ids(t, w.answer()); got != "early" {
			t.Fatalf("%q", got)
		}
	})
}

// A client that goes away is missed: its poll ends, and what is pushed is for the next one.
func TestPollersGo(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*wire){
		"close":      func(w *wire) { _ = w.Close() },
		"reset":      func(w *wire) { _ = w.SetLinger(0); _ = w.Close() },
		"half-close": func(w *wire) { _ = w.CloseWrite() },
		"after more": func(w *wire) { _, _ = w.Write([]byte("G")); _ = w.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(t *testing.T, s *redistest.Server, r *replica) {
				w := dialWire(t, r)
				w.send(longPath, "")
				waitForPoll(t, s, "c", "mailbox", "")
				leave(w)
				pollsHeld(t, r, 0)
				if name == "half-close" {
					w.ends()
				}
				push(t, r, "/v2/channels/c", `{"id":"1","body":"x"}`)
				if got := ids(t, pull(t, r, "/v2/channels/c")); got != "1" {
					t.Errorf("%q", got)
				}
			}
			eachWay(t, run)
		})
	}
}

// Whoever asks for the connection to be closed after the answer, or speaks HTTP/1.0, gets the
// answer whole, and then the end.
func TestPollsThatClose(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *redistest.Server, r *replica) {
		w := dialWire(t, r)
		w.send(longPath, "", "Connection: close")
		waiter := waitForPoll(t, s, "c", "mailbox", "")
		push(t, r, "/v2/channels/c", `{"id":"1","body":"x"}`)
		a := w.answer()
		if got := ids(t, a); got != "1" || !a.Close {
			t.Errorf("%q, %v", got, a.Header)
		}
		w.ends()

		w = dialWire(t, r)
		fmt.Fprintf(w, "GET %s&%s HTTP/1.0\r\n\r\n", longPath, etag(a))
		waitForPoll(t, s, "c", "mailbox", waiter)
		push(t, r, "/v2/channels/c", `{"id":"2","body":"x"}`)
		if got := ids(t, w.answer()); got != "2" {
			t.Errorf("%q", got)
		}
		w.ends()
	})
}

// A replica that is told to stop answers what it holds, with the connection's end; a client that
// does not take its answer does not keep it.
func TestPollsAtTheDrain(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, s *redistest.Server, r *replica) {
		const n = 20
		wires := make([]*wire, n)
		for i := range wires {
			wires[i] = dialWire(t, r)
			wires[i].send(fmt.Sprintf("/v2/channels/c%d?format=json&long-polling=true", i), "")
		}
		pollsHeld(t, r, n)
		r.terminate()
		for i, w := range wires {
			if a := w.answer(); a.Body != "[]" || !a.Close {
				t.Errorf("poll %d: %q, %v", i, a.Body, a.Header)
			}
			w.ends()
			_ = w.Close()
		}
		if code := r.exitCode(); code != 0 {
			t.Errorf("exit code %d", code)
		}
		if strings.Contains(r.log.String(), "cut") {
			t.Errorf("requests were cut")
		}
	})
}

// Log line, metrics and answer of a poll are the same in both ways.
func TestPollsAreToldOf(t *testing.T) {
	t.Parallel()
	told := func(parked string) map[string]string {
		s := redistest.Start(t)
		r := startReplica(t, s.URL(), "QST_LOG_SAMPLE=1", "QST_LOG_LEVEL=debug", "QST_PARK_POLLS="+parked)
		w := dialWire(t, r)
		w.send(longPath, "", "User-Agent: phone")
		waiter := waitForPoll(t, s, "c", "mailbox", "")
		push(t, r, "/v2/channels/c", `{"id":"1","when":"2026-01-02T03:04:05Z","body":"x"}`)
		a := w.answer()
		w.send(longPath+"&"+etag(a), "")
		waitForPoll(t, s, "c", "mailbox", waiter)
		_ = w.Close()
		pollsHeld(t, r, 0)
		all := make(map[string]string)
		for name, value := range scrape(t, r) {
			if !strings.HasPrefix(name, "qst_") || strings.Contains(name, "redis") || strings.Contains(name, "heard") || strings.Contains(name, "build") ||
				strings.Contains(name, "_sum") || strings.Contains(name, "_bucket") {
				continue
			}
			all[name] = fmt.Sprint(value)
		}
		for name, values := range a.Header {
			if name != "Date" && name != "Etag" {
				all["header "+name] = strings.Join(values, ",")
			}
		}
		all["body"] = a.Body
		return all
	}
	parked, ordinary := told("true"), told("false")
	for name := range ordinary {
		if parked[name] != ordinary[name] {
			t.Errorf("%s: parked %q, else %q", name, parked[name], ordinary[name])
		}
		delete(parked, name)
	}
	for name, value := range parked {
		t.Errorf("%s: parked %q, else none", name, value)
	}
}

// Of polls that came and went nothing is left: no file, no goroutine, no waiter.
func TestNothingIsLeftOfPolls(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL())
	files := func() int {
		all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", r.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	before, goroutines := files(), scrape(t, r)["go_goroutines"]
	const n = 300
	for round := range 3 {
		wires := make([]*wire, n)
		for i := range wires {
			wires[i] = dialWire(t, r)
			wires[i].send(fmt.Sprintf("/v2/channels/c%d-%d?format=json&long-polling=true", round, i), "")
		}
		pollsHeld(t, r, n)
		for i, w := range wires {
			if i%3 == 0 {
				push(t, r, fmt.Sprintf("/v2/channels/c%d-%d", round, i), `{"body":"x"}`)
				if a := w.answer(); len(a.messages(t)) != 1 {
					t.Errorf("%q", a.Body)
				}
			}
			_ = w.Close()
		}
		pollsHeld(t, r, 0)
	}
	const workers = 128 // stay
	eventually(t, "all is as before", func() error {
		http.DefaultClient.CloseIdleConnections()
		if f, g := files(), scrape(t, r)["go_goroutines"]; f > before+5 || g > goroutines+workers {
			return fmt.Errorf("%d files, %v goroutines; before %d and %v", f, g, before, goroutines)
		}
		return nil
	})
}
