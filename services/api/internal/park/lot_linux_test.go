package park_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/park"
	"github.com/queuestatetransfer/qst/services/api/internal/workers"
)

// patience bounds every wait; it is far above what anything takes.
const patience = 30 * time.Second

// parked is a request whose handler has returned.
type parked struct {
	path string
	conn *park.Conn
	last bool
	gone chan struct{}
}

// answer writes an answer, whole.
func (p *parked) answer(body string) {
	w := p.conn.Respond(p.last)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(http.StatusOK)
	_, _ = io.WriteString(w, body)
	w.Finish()
}

// server parks every request below /wait, and answers others with their path.
type server struct {
	t       testing.TB
	lot     *park.Lot
	http    *http.Server
	address string
	parked  chan *parked
}

func serve(t testing.TB, idle time.Duration) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pool := workers.New(2)
	s := &server{t: t, address: l.Addr().String(), parked: make(chan *parked, 100)}
	s.http = &http.Server{Handler: http.HandlerFunc(s.handle), ReadHeaderTimeout: patience, IdleTimeout: idle}
	lot, err := park.New(l.Addr(), s.http, pool)
	if err != nil {
		t.Fatal(err)
	}
	s.lot = lot
	var serving sync.WaitGroup
	for _, l := range []net.Listener{l, lot} {
		serving.Go(func() {
			if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				t.Errorf("serving: %v", err)
			}
		})
	}
	t.Cleanup(func() {
		_ = s.http.Close()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = lot.Shutdown(ctx)
		serving.Wait()
		pool.Close()
	})
	return s
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/panic" {
		panic("as asked")
	}
	if !strings.HasPrefix(r.URL.Path, "/wait") {
		_, _ = io.WriteString(w, r.URL.Path)
		return
	}
	if !park.Fits(r) {
		_, _ = io.WriteString(w, "does not fit")
		return
	}
	p := &parked{path: r.URL.Path, last: r.Close, gone: make(chan struct{})}
	var err error
	if p.conn, err = s.lot.Park(w, func() { close(p.gone) }); err != nil {
		s.t.Errorf("parking: %v", err)
		return
	}
	s.parked <- p
}

func (s *server) next() *parked {
	s.t.Helper()
	select {
	case p := <-s.parked:
		return p
	case <-time.After(patience):
		s.t.Fatal("no request was parked")
		return nil
	}
}

// client is a connection, read as HTTP.
type client struct {
	*net.TCPConn
	t  testing.TB
	in *bufio.Reader
}

func (s *server) dial() *client {
	s.t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &client{c.(*net.TCPConn), s.t, bufio.NewReader(c)}
}

func (c *client) send(paths ...string) {
	c.t.Helper()
	var b strings.Builder
	for _, path := range paths {
		fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	}
	if _, err := io.WriteString(c, b.String()); err != nil {
		c.t.Fatal(err)
	}
}

// expect reads an answer.
func (c *client) expect(body string) *http.Response {
	c.t.Helper()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		c.t.Fatalf("in place of %q: %v", body, err)
	}
	b, err := io.ReadAll(r.Body)
	if err != nil || string(b) != body || r.StatusCode != http.StatusOK {
		c.t.Fatalf("%d %q, %v; want %q", r.StatusCode, b, err, body)
	}
	return r
}

// ends expects that the server closes the connection.
func (c *client) ends() {
	c.t.Helper()
	if b, err := io.ReadAll(c.in); len(b) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
		c.t.Fatalf("%q, %v; want the end", b, err)
	}
}

func within(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s: not in %v", what, patience)
	}
}

func eventually(t testing.TB, what string, f func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for err := f(); err != nil; err = f() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A panic of what answers ends the connection of the request, and nothing else.
func TestPanicEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	s.http.ErrorLog = log.New(io.Discard, "", 0)
	other := s.dial()
	other.send("/wait/other")
	waits := s.next()

	c := s.dial()
	c.send("/wait")
	go s.next().answer("1")
	c.expect("1")
	c.send("/panic") // served from where the connection rests
	c.ends()

	c = s.dial()
	c.send("/wait")
	p := s.next()
	go func() {
		w := p.conn.Respond(false)
		defer w.Finish()
		_, _ = io.WriteString(w, "half of it")
		panic("as asked")
	}()
	c.ends()

	go waits.answer("2")
	other.expect("2")
}

// A request that would be parked when the lot is closed stays with its server, which waits for it.
func TestParkAfterClose(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	entered, parks := make(chan struct{}), make(chan struct{})
	failed := make(chan error, 1)
	s.http.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-parks
		_, err := s.lot.Park(w, func() {})
		failed <- err
		_, _ = io.WriteString(w, "by the server")
	})
	c := s.dial()
	c.send("/late")
	within(t, "the request", entered)
	ended := make(chan error, 1)
	go func() { ended <- s.http.Shutdown(t.Context()) }()
	if _, err := s.lot.Accept(); !errors.Is(err, net.ErrClosed) { // returns when the lot is closed
		t.Fatal(err)
	}
	close(parks)
	if err := <-failed; !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("%v", err)
	}
	c.expect("by the server")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := s.lot.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// What is flushed is with the client before the answer's end.
func TestFlush(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	c := s.dial()
	c.send("/wait")
	p, seen := s.next(), make(chan struct{})
	go func() {
		w := p.conn.Respond(false)
		defer w.Finish()
		w.Header().Set("Content-Length", "2")
		_, _ = io.WriteString(w, "a")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-seen
		_, _ = io.WriteString(w, "b")
	}()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 1)
	if _, err := io.ReadFull(r.Body, got); err != nil || string(got) != "a" {
		t.Fatalf("%q, %v", got, err)
	}
	close(seen)
	if rest, err := io.ReadAll(r.Body); err != nil || string(rest) != "b" {
		t.Fatalf("%q, %v", rest, err)
	}
	c.send("/wait")
	go s.next().answer("next")
	c.expect("next")
}

// A connection serves one request after another, parked or not.
func TestNextRequest(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	c := s.dial()
	for i := range 5 {
		path := fmt.Sprintf("/wait/%d", i)
		c.send(path)
		p := s.next()
		body := strings.Repeat("x", i*i*i*i*1000)
		go p.answer(p.path + body)
		r := c.expect(path + body)
		if r.Close || r.Header.Get("Date") == "" {
			t.Errorf("header %v", r.Header)
		}
		c.send("/now")
		c.expect("/now")
	}
}

// What a client sends before it has its answer is served after it: sent with the first request,
// or while that is parked.
func TestEarlyRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	c := s.dial()
	c.send("/wait/1", "/now", "/wait/2", "/wait/3")
	p := s.next()
	c.send("/wait/4", "/end")
	p.answer("1")
	c.expect("1")
	c.expect("/now")
	for _, want := range []string{"/wait/2", "/wait/3", "/wait/4"} {
		p := s.next()
		p.answer(p.path)
		c.expect(want)
	}
	c.expect("/end")
}

// A client that goes away is noticed: also one that has sent more before, and one that only
// closes its sending side. Nothing is written to it any more.
func TestClientGoes(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	for name, leave := range map[string]func(*client){
		"closes":                 func(c *client) { _ = c.Close() },
		"closes after a byte":    func(c *client) { _, _ = c.Write([]byte("G")); _ = c.Close() },
		"closes after a request": func(c *client) { c.send("/wait/more"); _ = c.Close() },
		"resets":                 func(c *client) { _ = c.SetLinger(0); _ = c.Close() },
		"closes one side":        func(c *client) { _ = c.CloseWrite() },
	} {
		c := s.dial()
		c.send("/wait")
		p := s.next()
		leave(c)
		within(t, name, p.gone)
		p.conn.Abort()
		p.conn.Abort() // does nothing
		if name == "closes one side" {
			c.ends()
		}
	}
}

// A client that asks for its connection to be closed sees all of the answer and then the end,
// also if it has sent more.
func TestConnectionClose(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	c := s.dial()
	if _, err := io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	p := s.next()
	c.send("/now")
	p.answer("the answer")
	if r := c.expect("the answer"); !r.Close {
		t.Errorf("header %v", r.Header)
	}
	c.ends()
}

// An answer whose length nobody said ends with its connection; one that is cut short is seen to
// be, and one that was never begun is none.
func TestUnfinishedAnswers(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)

	c := s.dial()
	c.send("/wait")
	w := s.next().conn.Respond(false)
	long := strings.Repeat("x", 5000)
	_, _ = io.WriteString(w, "no ")
	_, _ = io.WriteString(w, "length")
	_, _ = io.WriteString(w, long)
	w.Finish()
	if r := c.expect("no length" + long); !r.Close {
		t.Errorf("header %v", r.Header)
	}

	c = s.dial()
	c.send("/wait")
	w = s.next().conn.Respond(false)
	w.Header().Set("Content-Length", "100")
	w.WriteHeader(http.StatusOK)
	w.Finish()
	r, err := http.ReadResponse(c.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a cut answer: %v", err)
	}

	c = s.dial()
	c.send("/wait")
	s.next().conn.Respond(false).Finish()
	c.ends()
}

// A client that does not take its answer in time is given up.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	c := s.dial()
	c.send("/wait")
	w := s.next().conn.Respond(false)
	_ = w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	body := make([]byte, 64<<20)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	if _, err := w.Write(body); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("writing: %v", err)
	}
	w.Finish()
	if b, err := io.ReadAll(c.in); len(b) >= len(body) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// A connection that rests for too long is closed.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := serve(t, 20*time.Millisecond)
	c := s.dial()
	c.send("/wait")
	s.next().answer("a")
	c.expect("a")
	c.ends()
}

// A server that shuts down closes what rests at once, and waits for what is parked, which is
// told to come back elsewhere.
func TestShutdown(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	resting, waiting, early := s.dial(), s.dial(), s.dial()
	resting.send("/wait/resting")
	s.next().answer("a")
	resting.expect("a")
	waiting.send("/wait")
	first := s.next()
	early.send("/wait", "/wait/next")
	second := s.next()

	ended := make(chan error, 1)
	if err := s.http.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- s.lot.Shutdown(t.Context()) }()
	resting.ends()
	for _, p := range []*parked{first, second} {
		select {
		case err := <-ended:
			t.Fatalf("it has not waited: %v", err)
		default:
		}
		p.answer("bye")
	}
	for _, c := range []*client{waiting, early} {
		if r := c.expect("bye"); !r.Close {
			t.Errorf("header %v", r.Header)
		}
		c.ends()
		_ = c.Close()
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}

// What is still parked when the time is over is cut, and told of it.
func TestShutdownCuts(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	c := s.dial()
	c.send("/wait")
	p := s.next()
	_ = s.http.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.lot.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("shutdown: %v", err)
	}
	within(t, "the handler is told", p.gone)
	p.answer("too late")
	c.ends()
	if err := s.lot.Shutdown(t.Context()); err != nil {
		t.Errorf("once more: %v", err)
	}
}

// What can't be parked is served in its handler.
func TestFits(t *testing.T) {
	t.Parallel()
	s := serve(t, patience)
	for _, request := range []string{
		"GET /wait HTTP/1.0\r\n\r\n",
		"GET /wait HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1",
		"GET /wait HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"GET /wait HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n",
	} {
		c := s.dial()
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		c.expect("does not fit")
	}
	secure := httptest.NewUnstartedServer(http.HandlerFunc(s.handle))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	for _, protocols := range [][]string{{"h2"}, {"http/1.1"}} {
		client := secure.Client()
		client.Transport.(*http.Transport).TLSClientConfig.NextProtos = protocols
		client.Transport.(*http.Transport).ForceAttemptHTTP2 = protocols[0] == "h2"
		r, err := client.Get(secure.URL + "/wait")
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(r.Body); string(b) != "does not fit" {
			t.Errorf("%v: %q", protocols, b)
		}
		_ = r.Body.Close()
		client.CloseIdleConnections()
	}
}

// Whatever ends a request, nothing is left of it: no file, no goroutine.
func TestNothingIsLeft(t *testing.T) {
	s := serve(t, patience)
	warm := s.dial()
	warm.send("/now")
	warm.expect("/now")
	files := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	filesBefore, goroutinesBefore := files(), runtime.NumGoroutine()
	for range 10 {
		clients := make([]*client, 100)
		for i := range clients {
			clients[i] = s.dial()
			clients[i].send("/wait")
		}
		for i := range clients {
			p := s.next()
			switch i % 3 {
			case 0:
				p.answer("a")
			case 1:
				p.last = true
				p.answer("a")
			case 2:
				p.conn.Abort()
			}
		}
		for _, c := range clients {
			_ = c.Close()
		}
	}
	eventually(t, "all is as before", func() error {
		if f, g := files(), runtime.NumGoroutine(); f > filesBefore || g > goroutinesBefore+2 { // workers stay
			return fmt.Errorf("%d files, %d goroutines; before %d and %d", f, g, filesBefore, goroutinesBefore)
		}
		return nil
	})
}
