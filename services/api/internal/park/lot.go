package park

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/workers"
)

// lingering is how long a connection stays that is closed after its answer. Were it closed at
// once while the client still sends, the kernel would reset it, and the client might never see
// the answer. net/http does the same.
const lingering = 500 * time.Millisecond

// Lot is the parked connections of one server. It is the second listener of that server, which
// accepts from it the connections that come back: call [http.Server.Serve] with it. Closing it,
// as [http.Server.Shutdown] does, has each connection closed after its answer, and those that
// rest at once; [Lot.Shutdown] then waits for the answers.
type Lot struct {
	addr    net.Addr
	idle    time.Duration
	server  *http.Server
	workers *workers.Pool
	watch   *watch
	back    chan net.Conn // on the way to the server
	closing chan struct{}
	running sync.WaitGroup

	mu     sync.Mutex
	last   uint64
	conns  map[uint64]*Conn // those that are watched
	busy   int              // those of them that have not had their whole answer
	closed bool
	done   chan struct{} // closed when it is closed and nothing is busy
}

// New returns the lot of a server that listens at an address, and starts to watch; Shutdown ends
// that. The server's handler, IdleTimeout and ErrorLog hold for parked connections, too. The
// workers, which may be nil, serve what comes on them. The error is [errors.ErrUnsupported]
// where there is no epoll.
func New(addr net.Addr, server *http.Server, pool *workers.Pool) (*Lot, error) {
	w, err := newWatch()
	if err != nil {
		return nil, err
	}
	l := &Lot{
		addr: addr, idle: server.IdleTimeout, server: server, workers: pool, watch: w, back: make(chan net.Conn), closing: make(chan struct{}),
		conns: make(map[uint64]*Conn), done: make(chan struct{}),
	}
	l.running.Go(func() { w.run(l.report) })
	l.running.Go(l.settle)
	return l, nil
}

// Fits tells whether the connection of a request can be parked: a plain TCP connection that
// speaks HTTP/1.1, on which the request has come whole and has no body.
func Fits(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	_, tcp := local.(*net.TCPAddr)
	return tcp && r.TLS == nil && r.ProtoMajor == 1 && r.ProtoMinor == 1 && r.ContentLength == 0 && r.Header.Get("Expect") == ""
}

// Park takes a connection out of the hands of its server, whose handler is to return then. gone
// is called, at most once, when the client has gone or has closed its sending side; perhaps
// before Park returns. It must not block.
//
// After an error the connection is closed, unless the error is [http.ErrNotSupported]: then it
// is as it was. That is the error of a lot that is closed, too.
func (l *Lot) Park(w http.ResponseWriter, gone func()) (*Conn, error) {
	if served := responseOf(w); served != nil {
		return served.park(gone)
	}
	l.mu.Lock()
	if l.closed { // what closes it may have seen that nothing is busy: it would not wait for this one
		l.mu.Unlock()
		return nil, http.ErrNotSupported
	}
	l.busy++
	l.mu.Unlock()
	conn, buffers, err := http.NewResponseController(w).Hijack()
	if err != nil {
		l.notParked()
		return nil, err
	}
	c := &Conn{lot: l, gone: gone}
	if n := buffers.Reader.Buffered(); n > 0 {
		sent, _ := buffers.Reader.Peek(n) // that many are there
		c.early = bytes.Clone(sent)
	}
	switch conn := conn.(type) {
	case *net.TCPConn:
		c.tcp = conn
	case *resumed:
		c.tcp, c.early = conn.TCPConn, append(c.early, conn.early...)
	default:
		_ = conn.Close()
		l.notParked()
		return nil, fmt.Errorf("park: a connection of type %T", conn)
	}
	l.mu.Lock()
	l.last++
	c.token = l.last
	l.conns[c.token] = c
	l.mu.Unlock()
	if err := c.watch(closed); err != nil {
		c.Abort()
		return nil, fmt.Errorf("park: %w", err)
	}
	return c, nil
}

// notParked takes back that a connection was to be parked.
func (l *Lot) notParked() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free()
}

// report is told that something has happened to a connection.
func (l *Lot) report(token uint64) {
	l.mu.Lock()
	c := l.conns[token]
	if c == nil { // it was closed, or has gone back, meanwhile
		l.mu.Unlock()
		return
	}
	if c.state == held {
		gone := c.left()
		l.mu.Unlock()
		gone()
		return
	}
	if c.state == rests {
		c.timer.Stop()
		c.state = held
		l.busy++
		l.mu.Unlock()
		l.workers.Go(c.serve)
		return
	}
	l.forget(c)
	l.mu.Unlock()
	_ = c.tcp.Close() // its client has seen the answer
}

// forget ends the watch over a connection. l.mu is held.
func (l *Lot) forget(c *Conn) {
	if c.timer != nil {
		c.timer.Stop()
	}
	delete(l.conns, c.token)
	if c.state != rests {
		l.free()
	}
	c.state = over
}

// free counts one busy connection less. l.mu is held.
func (l *Lot) free() {
	if l.busy--; l.busy == 0 && l.closed {
		close(l.done)
	}
}

// giveBack has the server accept a connection.
func (l *Lot) giveBack(c *Conn) {
	var conn net.Conn = c.tcp
	if len(c.early) > 0 {
		conn = &resumed{c.tcp, c.early}
	}
	select {
	case l.back <- conn:
	case <-l.closing:
		_ = conn.Close()
	}
}

// Accept waits for a connection that comes back.
func (l *Lot) Accept() (net.Conn, error) {
	select {
	case c := <-l.back:
		return c, nil
	case <-l.closing:
		return nil, net.ErrClosed
	}
}

// Addr is the address that the connections came to.
func (l *Lot) Addr() net.Addr { return l.addr }

// Close closes the connections that rest, and has every other one closed after its answer. It
// does not wait.
func (l *Lot) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.closing)
	for _, c := range l.conns {
		if c.state == rests {
			l.forget(c)
			_ = c.tcp.Close()
		}
	}
	if l.busy == 0 {
		close(l.done)
	}
	return nil
}

// Shutdown closes the lot and waits until every parked request has been answered. When ctx ends
// before, it cuts the connections that are left, and returns the error of ctx.
func (l *Lot) Shutdown(ctx context.Context) error {
	_ = l.Close() // never fails
	var err error
	select {
	case <-l.done:
	case <-ctx.Done():
		if err = ctx.Err(); l.cut() == 0 {
			err = nil // both at once
		}
	}
	l.watch.close()
	l.running.Wait()
	return err
}

// cut closes every connection, and returns how many there were.
func (l *Lot) cut() int {
	l.mu.Lock()
	var gone []func()
	n := len(l.conns)
	for _, c := range l.conns {
		if c.state == held {
			gone = append(gone, c.left())
		}
		l.forget(c)
		_ = c.tcp.Close()
	}
	l.mu.Unlock()
	for _, f := range gone {
		f()
	}
	return n
}

// NetConn returns the connection itself.
func (r *resumed) NetConn() net.Conn { return r.TCPConn }

// resumed is a connection on which the client has sent something of its next request before it
// had the answer to the last one.
type resumed struct {
	*net.TCPConn
	early []byte
}

// Read reads what came early, and then from the connection.
func (r *resumed) Read(p []byte) (int, error) {
	if len(r.early) == 0 {
		return r.TCPConn.Read(p)
	}
	n := copy(p, r.early)
	if r.early = r.early[n:]; len(r.early) == 0 {
		r.early = nil
	}
	return n, nil
}
