package park

import (
	"net"
	"time"
)

// Conn is a parked connection.
type Conn struct {
	lot   *Lot
	tcp   *net.TCPConn
	early []byte // of the client's next request, what was read with the last one
	gone  func()

	token uint64
	// lot.mu guards these.
	state state
	until time.Time   // when a connection that rests or lingers is closed
	timer *time.Timer // that closes it
}

// state is a connection's, in the order in which it changes.
type state uint8

const (
	held    state = iota // its request waits, or is being answered
	rests                // its client has yet to send the next request
	lingers              // it has been closed, and its client has yet to see that
	over                 // it is the server's again, or closed
)

// left returns what is to be called as the client has gone; once. lot.mu is held.
func (c *Conn) left() func() {
	gone := c.gone
	if c.gone = nil; gone == nil {
		return func() {}
	}
	return gone
}

// next has the connection wait for its client's next request.
func (c *Conn) next() {
	l := c.lot
	l.mu.Lock()
	switch {
	case c.state != held:
		l.mu.Unlock()
	case l.closed:
		l.mu.Unlock()
		c.close()
	case len(c.early) > 0:
		l.forget(c)
		l.mu.Unlock()
		l.giveBack(c)
	default:
		c.state, c.gone = rests, nil
		l.free()
		c.expireIn(l.idle)
		l.mu.Unlock()
		c.wait(readable)
	}
}

// close closes the connection when its client has seen the answer, or has had time for it.
func (c *Conn) close() {
	l := c.lot
	l.mu.Lock()
	if c.state != held {
		l.mu.Unlock()
		return
	}
	c.state, c.gone = lingers, nil
	c.expireIn(lingering)
	l.mu.Unlock()
	_ = c.tcp.CloseWrite() // fails if the client has gone: then it is closed below
	c.wait(closed)
}

// expireIn has a connection closed that rests or lingers for too long. lot.mu is held.
func (c *Conn) expireIn(d time.Duration) {
	c.until = time.Now().Add(d)
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.expire)
	} else {
		c.timer.Reset(d)
	}
}

// expire closes a connection whose time to rest or to linger is over.
func (c *Conn) expire() {
	l := c.lot
	l.mu.Lock()
	// The timer may have fired while the client sent its next request.
	late := (c.state == rests || c.state == lingers) && !time.Now().Before(c.until)
	if late {
		l.forget(c)
	}
	l.mu.Unlock()
	if late {
		_ = c.tcp.Close()
	}
}

// Abort closes the connection at once: nothing is answered any more.
func (c *Conn) Abort() {
	l := c.lot
	l.mu.Lock()
	live := c.state != over
	if live {
		l.forget(c)
	}
	l.mu.Unlock()
	if live {
		_ = c.tcp.Close()
	}
}

// wait is watch for a connection of which nothing is lost.
func (c *Conn) wait(events uint32) {
	if c.watch(events) != nil {
		c.Abort() // it was closed meanwhile, or the kernel has no room: its client connects anew
	}
}

// watch has the lot told of events, once.
func (c *Conn) watch(events uint32) error {
	raw, err := c.tcp.SyscallConn()
	if err != nil {
		return err
	}
	return c.lot.watch.set(raw, events, c.token)
}
