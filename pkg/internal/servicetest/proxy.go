package servicetest

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// Proxy passes TCP connections on to one of several servers, and cuts them.
type Proxy struct {
	Addr string

	l       net.Listener
	targets []string
	budget  func(n int) int64
	cuts    atomic.Int64
	conns   sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool // nil: the proxy is closed
}

// StartProxy starts a proxy for targets, one after the other; one that can't be reached is
// passed over. The n-th connection (from 0) is cut by a reset as soon as budget(n)
// bytes have come through it, in both directions together; -1: it is not cut.
func StartProxy(tb testing.TB, budget func(n int) int64, targets ...string) *Proxy {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{Addr: l.Addr().String(), l: l, targets: targets, budget: budget, open: map[net.Conn]bool{}}
	p.conns.Go(p.accept)
	tb.Cleanup(p.close)
	return p
}

// URL returns the URL of an endpoint through the proxy.
func (p *Proxy) URL(endpoint string) string { return "http://" + p.Addr + "/v2/channels/" + endpoint }

// Cuts returns how many connections were cut.
func (p *Proxy) Cuts() int { return int(p.cuts.Load()) }

func (p *Proxy) close() {
	_ = p.l.Close()
	p.mu.Lock()
	for conn := range p.open {
		_ = conn.Close()
	}
	p.open = nil
	p.mu.Unlock()
	p.conns.Wait()
}

// track leaves it to close to close conn. It returns false, and closes conn, if that was done already.
func (p *Proxy) track(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		_ = conn.Close()
		return false
	}
	p.open[conn] = true
	return true
}

func (p *Proxy) forget(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, conn)
	_ = conn.Close()
}

func (p *Proxy) accept() {
	for n := 0; ; n++ {
		conn, err := p.l.Accept()
		if err != nil {
			return
		}
		if p.track(conn) {
			p.conns.Go(func() { p.serve(n, conn) })
		}
	}
}

func (p *Proxy) serve(n int, down net.Conn) {
	defer p.forget(down)
	var up net.Conn
	for i := range p.targets {
		var err error
		if up, err = new(net.Dialer).DialContext(context.Background(), "tcp", p.targets[(n+i)%len(p.targets)]); err == nil {
			break
		}
	}
	if up == nil || !p.track(up) {
		return
	}
	defer p.forget(up)

	var left atomic.Int64
	budget := p.budget(n)
	left.Store(budget)
	pass := func(dst, src net.Conn) {
		_, err := io.Copy(dst, &metered{src, &left, budget < 0})
		if errors.Is(err, errCut) {
			p.cuts.Add(1)
			reset(down)
			reset(up)
		}
		_ = dst.Close()
		_ = src.Close()
	}
	var back sync.WaitGroup
	back.Go(func() { pass(down, up) })
	pass(up, down)
	back.Wait()
}

// reset has the connection end by a reset when it is closed.
func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0) //nolint:forcetypeassert // of TCP listeners and dials
}

var errCut = errors.New("cut")

// metered reads until the budget that both directions share is used up.
type metered struct {
	r       io.Reader
	left    *atomic.Int64
	forever bool
}

func (m *metered) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if m.forever {
		return n, err
	}
	if left := m.left.Add(-int64(n)); left <= 0 {
		return max(n+int(left), 0), errCut
	}
	return n, err
}
