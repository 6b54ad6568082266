package app_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// send opens a connection of its own and writes text to it, byte for byte.
func send(t *testing.T, r *replica, text string) net.Conn {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// A request whose body stops arriving, or hardly arrives, is answered within
// QST_REQUEST_TIMEOUT, whatever it asks for: nobody holds a connection with it.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), "QST_REQUEST_TIMEOUT=300ms")
	for name, c := range map[string]struct {
		request, header, body string
		status                int
	}{
		"nothing":              {"POST /v2/channels/c", "Content-Length: 500", "", 503},
		"a part":               {"POST /v2/channels/c", "Content-Length: 500", `[{"body":"x"},`, 503},
		"gzip":                 {"POST /v2/channels/c", "Content-Length: 500\r\nContent-Encoding: gzip", "\x1f\x8b", 503},
		"chunks":               {"POST /v2/channels/c", "Transfer-Encoding: chunked", "1\r\n[\r\n", 503},
		"bad channel":          {"POST /v2/channels/-x", "Content-Length: 500", "", 400},
		"no such page":         {"POST /nope", "Content-Length: 500", "", 404},
		"method":               {"DELETE /v2/channels/c", "Content-Length: 500", "", 405},
		"too large":            {"POST /v2/channels/c", "Content-Length: 50000000", "", 413},
		"no credentials":       {"POST /v1/a/qst/incoming", "Content-Length: 500", "", 401},
		"a pull with a body":   {"GET /v2/channels/c", "Content-Length: 500", "x", 503},
		"a poll with a body":   {"GET /v2/channels/c?long-polling=true", "Content-Length: 500", "", 503},
		"an unknown encoding":  {"POST /v2/channels/c", "Content-Length: 500\r\nContent-Encoding: br", "", 415},
		"two encodings":        {"POST /v2/channels/c", "Content-Length: 500\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip", "", 415},
		"the version 1 report": {"POST /v1/a/qst/outgoing", "Content-Length: 500\r\n" + basic("u", "p"), "", 503},
	} {
		for _, trickles := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, trickles=%v", name, trickles), func(t *testing.T) {
				t.Parallel()
				conn := send(t, r, c.request+" HTTP/1.1\r\nHost: x\r\n"+c.header+"\r\n\r\n"+c.body)
				if trickles && !strings.Contains(c.header, "chunked") {
					done := make(chan struct{})
					t.Cleanup(func() { <-done })
					tick := time.NewTicker(50 * time.Millisecond)
					go func() {
						defer close(done)
						defer tick.Stop()
						for range 450 { // fewer than it says
							if _, err := io.WriteString(conn, " "); err != nil {
								return
							}
							<-tick.C
						}
					}()
				}
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if resp.StatusCode != c.status {
					t.Errorf("%s, want %d", resp.Status, c.status)
				}
				_ = conn.Close()
			})
		}
	}
}

// A client that asks before it sends is refused at once, before it has sent: nobody
// waits for a body that does not come.
func TestRefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), "QST_REQUEST_TIMEOUT=1h")
	for request, want := range map[string]string{
		"POST /v2/channels/c HTTP/1.1\r\nContent-Length: 50000000":                           "413",
		"POST /v2/channels/-x HTTP/1.1\r\nContent-Length: 5":                                 "400",
		"POST /v1/a/qst/incoming HTTP/1.1\r\nContent-Length: 5":                              "401",
		"POST /v2/channels/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Encoding: br": "415",
	} {
		conn := send(t, r, request+"\r\nHost: x\r\nExpect: 100-continue\r\n\r\n")
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "HTTP/1.1 "+want) {
			t.Errorf("%q: %q, %v; want %s", request, line, err, want)
		}
	}
}

// The time for a body is not the time for what is done with it: a poll that came
// with a body is held for as long as any, and its client's going is noticed.
func TestPollWithABody(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), "QST_REQUEST_TIMEOUT=100ms")
	conn := send(t, r, "GET /v2/channels/c?format=json&long-polling=true HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	waiter := waitForPoll(t, s, "c", "mailbox", "")
	// Longer than the time-out, by what takes that long.
	stalled := send(t, r, "POST /v2/channels/other HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReader(stalled), nil); err != nil { //nolint:bodyclose // its connection is closed
		t.Fatal(err)
	}
	push(t, r, "/v2/channels/c", `{"id":"1","body":"x"}`)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || !strings.Contains(string(body), `"id":"1"`) {
		t.Fatalf("%s %q %v", resp.Status, body, err)
	}
	gone := send(t, r, "GET /v2/channels/c?long-polling=true&etag="+resp.Header.Get("ETag")+" HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
	waitForPoll(t, s, "c", "mailbox", waiter)
	_ = gone.Close()
	eventually(t, "the poll is given up", func() error {
		if n := scrape(t, r)["qst_polls_held"]; n > 0 {
			return fmt.Errorf("%v polls", n)
		}
		return nil
	})
}

// A client that closes its side of the connection has gone, as far as anyone can
// tell. It is not told 200: for one with a wrong password that would be a lie.
func TestHalfClosedClientHearsNothing(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL())
	conn := rawPoll(t, r, "/v2/channels/c")
	defer conn.Close()
	waitForPoll(t, s, "c", "mailbox", "")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(conn); len(got) > 0 || err != nil && !errors.Is(err, io.EOF) {
		t.Fatalf("%q, %v", got, err)
	}
	// It is known for what it is.
	eventually(t, "the metrics tell", func() error {
		if sum(scrape(t, r), "qst_request_duration_seconds_count", `outcome="client_gone"`) != 1 {
			return errors.New("not counted")
		}
		return nil
	})
}

// A poll that was let in before its credential was revoked gets nothing that came
// after.
func TestRevokedWhilePolling(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), withAuth()...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"c"}`)
	old, id := credential(t, r, "c", `{"endpoint":"application"}`)
	gateway, _ := credential(t, r, "c", `{"endpoint":"gateway"}`)
	got := make(chan answer, 1)
	go func() {
		a, err := try(t.Context(), http.DefaultClient, "GET", r.URL+"/v2/channels/c/application?format=json&long-polling=true", "", old)
		if err != nil {
			a.Body = err.Error()
		}
		got <- a
	}()
	waitForPoll(t, s, "c", "inbound", "")
	mustAdmin(t, r, http.StatusNoContent, "DELETE", "/channels/c/credentials/"+id, "")
	eventually(t, "the credential is not good any more", func() error {
		if a := do(t, "GET", r.URL+"/v2/channels/c/application", "", old); a.Status != http.StatusUnauthorized {
			return errors.New(a.Body)
		}
		return nil
	})
	if a := do(t, "POST", r.URL+"/v2/channels/c/gateway", `{"id":"1","body":"x"}`, gateway); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	if a := within(t, got); a.Status != http.StatusUnauthorized || strings.Contains(a.Body, `"id"`) {
		t.Fatalf("the poll: %+v", a)
	}
	next, _ := credential(t, r, "c", `{"endpoint":"application"}`)
	eventually(t, "the next one gets the message", func() error {
		a := do(t, "GET", r.URL+"/v2/channels/c/application?format=json", "", next)
		if a.Status != http.StatusOK || ids(t, a) != "1" {
			return errors.New(a.Body)
		}
		return nil
	})
}
