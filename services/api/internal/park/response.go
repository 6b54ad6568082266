package park

import (
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"
)

// Response writes the answer to a request on a parked connection. It is an
// [http.ResponseWriter]; an answer of more than 4 KiB has to say its length, or ends with its
// connection.
type Response struct {
	conn   *Conn
	header http.Header
	status int    // 0: there is none yet
	body   []byte // what is written together with the head, by Finish
	sent   bool   // the head has been
	left   int64  // bytes of the body that are to come
	last   bool   // the connection's last one
	parked bool   // it is another Response that answers
	err    error
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
	if t.IsZero() && r.status != 0 && !r.sent {
		return nil
	}
	return r.conn.tcp.SetWriteDeadline(t)
}

// WriteHeader sets the status. The header is written with the body.
func (r *Response) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

// head makes the status line and the header, with room for more.
func (r *Response) head(more int) []byte {
	length, err := strconv.ParseInt(r.header.Get("Content-Length"), 10, 64)
	if r.left = length; err != nil {
		r.last = true
	}
	select {
	case <-r.conn.lot.closing:
		r.last = true
	default:
	}
	said := r.header.Get("Connection") == "close"
	const usual = 300
	b := make(appender, 0, usual+more)
	b = fmt.Appendf(b, "HTTP/1.1 %03d %s\r\n", r.status, http.StatusText(r.status))
	_ = r.header.Write(&b) // into memory
	// As net/http has them: what the server adds is last.
	b = time.Now().UTC().AppendFormat(append(b, "Date: "...), http.TimeFormat)
	if r.last && !said {
		b = append(b, "\r\nConnection: close"...)
	}
	r.last, r.sent = r.last || said, true
	return append(b, "\r\n\r\n"...)
}

// appender appends what is written to it.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// WriteString is for what writes strings.
func (a *appender) WriteString(s string) (int, error) {
	*a = append(*a, s...)
	return len(s), nil
}

// together is up to how many bytes of a body are kept until the answer is finished.
const together = 4 << 10

// Write writes the body, or a part of it.
func (r *Response) Write(body []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.err != nil {
		return 0, r.err
	}
	if !r.sent && len(r.body)+len(body) <= together {
		r.body = append(r.body, body...)
		return len(body), nil
	}
	var all net.Buffers
	if !r.sent {
		all = net.Buffers{append(r.head(len(r.body)), r.body...)}
		r.left -= int64(len(r.body))
	}
	r.left -= int64(len(body))
	if all = append(all, body); r.err == nil {
		_, r.err = all.WriteTo(r.conn.tcp)
	}
	if r.err != nil {
		return 0, r.err
	}
	return len(body), nil
}

// FlushError writes what there is of the answer.
func (r *Response) FlushError() error {
	r.WriteHeader(http.StatusOK)
	if !r.sent && r.err == nil {
		all := append(r.head(len(r.body)), r.body...)
		r.left -= int64(len(r.body))
		_, r.err = r.conn.tcp.Write(all)
	}
	return r.err
}

// Finish ends the answer, and has the connection wait for the client's next request. An answer
// that is not whole ends with its connection. It is to be deferred: a panic of what writes the answer ends
// the connection alone, as with [http.Server].
func (r *Response) Finish() {
	if p := recover(); p != nil {
		r.conn.Abort()
		if to := r.conn.lot.server.ErrorLog; to != nil && p != http.ErrAbortHandler { //nolint:errorlint // as net/http compares it
			to.Printf("park: panic answering %s: %v\n%s", r.conn.tcp.RemoteAddr(), p, debug.Stack())
		}
		return
	}
	if r.parked {
		return
	}
	if r.status != 0 && !r.sent {
		if r.header.Get("Content-Length") == "" {
			r.header.Set("Content-Length", strconv.Itoa(len(r.body)))
		}
		_ = r.FlushError()                           // kept
		_ = r.conn.tcp.SetWriteDeadline(time.Time{}) // fails if the connection is closed
	}
	switch {
	case !r.sent || r.err != nil || r.left > 0:
		r.conn.Abort()
	case r.last:
		r.conn.close()
	default:
		r.conn.next()
	}
}

// responseOf returns the Response that a handler's writer is, or is wrapped around; nil: none.
func responseOf(w http.ResponseWriter) *Response {
	for {
		switch t := w.(type) {
		case *Response:
			return t
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return nil
		}
	}
}

// park parks the connection again.
func (r *Response) park(gone func()) (*Conn, error) {
	c := r.conn
	r.parked = true
	c.lot.mu.Lock()
	c.gone = gone
	c.lot.mu.Unlock()
	if err := c.watch(closed); err != nil {
		c.Abort()
		return nil, fmt.Errorf("park: %w", err)
	}
	return c, nil
}
