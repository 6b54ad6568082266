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
	conn    *Conn
	header  http.Header
	made    bool
	pending []byte // the head, and a short body: they are written together, by Finish
	left    int64  // bytes of the body that are to come
	last    bool   // the connection's last one
	err     error
}

// Respond returns the writer of the answer; last says that the client has asked for the
// connection to be closed after it. [Response.Finish] must be called.
func (c *Conn) Respond(last bool) *Response {
	return &Response{conn: c, header: make(http.Header), last: last}
}

// Header returns the header.
func (r *Response) Header() http.Header { return r.header }

// SetWriteDeadline bounds how long the client may take to receive the answer. What is still to
// be written keeps its deadline when that is lifted.
func (r *Response) SetWriteDeadline(t time.Time) error {
	if t.IsZero() && len(r.pending) > 0 {
		return nil
	}
	return r.conn.tcp.SetWriteDeadline(t)
}

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
	r.pending = fmt.Appendf(r.pending, "HTTP/1.1 %03d %s\r\n", status, http.StatusText(status))
	_ = r.header.Write((*appender)(&r.pending)) // into memory
	r.pending = append(r.pending, "\r\n"...)
}

// appender appends what is written to it.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// together is up to how many bytes are kept until the answer is finished.
const together = 4 << 10

// Write writes the body, or a part of it.
func (r *Response) Write(body []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.err != nil {
		return 0, r.err
	}
	r.left -= int64(len(body))
	if len(r.pending)+len(body) <= together {
		r.pending = append(r.pending, body...)
		return len(body), nil
	}
	all := net.Buffers{r.pending, body}
	r.pending = nil
	if _, r.err = all.WriteTo(r.conn.tcp); r.err != nil {
		return 0, r.err
	}
	return len(body), nil
}

// Finish ends the answer, and has the connection wait for the client's next request. An answer
// that is not whole ends with its connection.
func (r *Response) Finish() {
	if len(r.pending) > 0 && r.err == nil {
		_, r.err = r.conn.tcp.Write(r.pending)
		_ = r.conn.tcp.SetWriteDeadline(time.Time{}) // fails if the connection is closed
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
