package park

import (
	"bufio"
	"bytes"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/http/httpguts"
)

// bufferSize is up to how long a request is that is served here.
const bufferSize = 4 << 10

// buffer is what it takes to read a request.
type buffer struct {
	bytes [bufferSize]byte
	in    bytes.Reader
	lines *bufio.Reader
}

var buffers = sync.Pool{New: func() any { return &buffer{lines: bufio.NewReaderSize(nil, bufferSize)} }}

// serve serves the request that a client has sent on a connection that rested. A plain GET, as
// polls are, goes to the server's handler from here. Anything else goes to the server, with what
// has been read of it: this is no second HTTP server, but a shorter way for a poll that comes
// again.
func (c *Conn) serve() {
	b := buffers.Get().(*buffer) //nolint:forcetypeassert // of the pool's New
	n, err := c.tcp.Read(b.bytes[:])
	if err != nil || n == 0 {
		buffers.Put(b)
		c.Abort() // its client has gone
		return
	}
	r := b.request(n)
	if r == nil {
		c.early = bytes.Clone(b.bytes[:n])
		buffers.Put(b)
		c.lot.mu.Lock()
		live := c.state == held
		if live {
			c.lot.forget(c)
		}
		c.lot.mu.Unlock()
		if live {
			c.lot.giveBack(c)
		}
		return
	}
	buffers.Put(b)
	r.RemoteAddr = c.tcp.RemoteAddr().String()
	// It does not end when the client goes, until the request is parked: what a handler does
	// before that takes no longer than it takes to notice.
	r = r.WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, c.tcp.LocalAddr()))
	w := c.Respond(r.Close)
	defer w.Finish()
	c.lot.server.Handler.ServeHTTP(w, r)
}

// request reads a request that is served here, from the first n bytes; nil: it is another one.
func (b *buffer) request(n int) *http.Request {
	text := b.bytes[:n]
	if !bytes.HasPrefix(text, []byte("GET /")) || bytes.Index(text, []byte("\r\n\r\n")) != n-len("\r\n\r\n") {
		return nil // not whole, or more than one
	}
	b.in.Reset(text)
	b.lines.Reset(&b.in)
	r, err := http.ReadRequest(b.lines)
	if b.lines.Buffered() > 0 || b.in.Len() > 0 {
		return nil // more follows what a bare line feed has ended
	}
	if err != nil || r.ProtoMajor != 1 || r.ProtoMinor != 1 || r.ContentLength != 0 || len(r.TransferEncoding) > 0 || !plainHost(r.Host) {
		return nil
	}
	for name, values := range r.Header {
		switch name {
		case "Content-Length", "Transfer-Encoding", "Expect", "Upgrade", "Trailer", "Te", "Http2-Settings":
			return nil
		}
		if !httpguts.ValidHeaderFieldName(name) || slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) }) {
			return nil
		}
	}
	return r
}

// plainHost tells whether a Host is what it usually is.
func plainHost(host string) bool {
	return host != "" && !strings.ContainsFunc(host, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune(".-_:[]", c)
	})
}
