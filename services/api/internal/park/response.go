package park

import (
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Response writes the answer to a parked request. It is an [http.ResponseWriter] for answers
// that say how long they are: one without a Content-Length ends with its connection.
type Response struct {
	conn   *Conn
	header http.Header
	head   []byte // made, and not written yet: it goes together with the body
	made   bool
	left   int64 // bytes of the body that are to come
	last   bool  // the connection's last one
	err    error
}

// Respond returns the writer of the answer; last says that the client has asked for the
// connection to be closed after it. [Response.Finish] must be called.
func (c *Conn) Respond(last bool) *Response {
	return &Response{conn: c, header: make(http.Header), last: last}
}

// Header returns the header.
func (r *Response) Header() http.Header { return r.header }

// SetWriteDeadline bounds how long the client may take to receive the answer.
func (r *Response) SetWriteDeadline(t time.Time) error { return r.conn.tcp.SetWriteDeadline(t) }

// WriteHeader makes the status line and the header.
func (r *Response) WriteHeader(status int) {
	if r.made {
		return
	}
	r.made = true
	length, err := strconv.ParseInt(r.header.Get("Content-Length"), 10, 64)
	if r.left = length; err != nil {
		r.last = true
	}
	select {
	case <-r.conn.lot.closing:
		r.last = true
	default:
	}
	if r.last {
		r.header.Set("Connection", "close")
	}
	r.last = r.header.Get("Connection") == "close"
	r.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	r.head = fmt.Appendf(r.head, "HTTP/1.1 %03d %s\r\n", status, http.StatusText(status))
	_ = r.header.Write((*appender)(&r.head)) // into memory
	r.head = append(r.head, "\r\n"...)
}

// appender appends what is written to it.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// together is up to how many bytes of a body are copied behind the head, rather than passed to
// the kernel beside it.
const together = 4 << 10

// Write writes the body, or a part of it.
func (r *Response) Write(body []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.err != nil {
		return 0, r.err
	}
	var n int64
	head := int64(len(r.head))
	if len(body) <= together {
		var written int
		written, r.err = r.conn.tcp.Write(append(r.head, body...))
		n = int64(written)
	} else {
		both := net.Buffers{r.head, body}
		n, r.err = both.WriteTo(r.conn.tcp)
	}
	r.head = nil
	n = max(0, n-head)
	r.left -= n
	return int(n), r.err
}

// Finish ends the answer, and has the connection wait for the client's next request. An answer
// that is not whole ends with its connection.
func (r *Response) Finish() {
	if len(r.head) > 0 {
		_, _ = r.Write(nil) // the error stays
	}
	switch {
	case !r.made || r.err != nil || r.left > 0:
		r.conn.Abort()
	case r.last:
		r.conn.close()
	default:
		r.conn.next()
	}
}
