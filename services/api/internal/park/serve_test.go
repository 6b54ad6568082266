package park

import (
	"bufio"
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"reflect"
	"testing"
)

// FuzzRequest: what is served from where its connection rests is what net/http would have served, and read
// the same way.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET /v2/channels/c HTTP/1.1\r\nHost: localhost:8080\r\n\r\n",
		"GET /v2/channels/c?long-polling=true HTTP/1.1\r\nHost: q.example\r\nIf-None-Match: \"a\"\r\nIf-None-Match: \"b\"\r\nConnection: close\r\n\r\n",
		"GET http://other/v2 HTTP/1.1\r\nHost: q.example\r\n\r\n",
		"GET //x/%2f?a=%zz HTTP/1.1\r\nhost: [::1]\r\nX:\r\nAuthorization: Basic YTpi\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\r\n\r\n",
		"GET / HTTP/1.0\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
		"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a HTTP/1.1\nHost: a\n\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /a HTTP/1.1\nHost: a\n\nPOST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n",
		"GET /# HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, sent []byte) {
		b := &buffer{lines: bufio.NewReaderSize(nil, bufferSize)}
		n := copy(b.bytes[:], sent)
		got := b.request(n)
		if got == nil {
			return // the server reads it
		}
		want := readByServer(t, sent[:n])
		if want == nil {
			t.Fatalf("net/http refuses %q", sent[:n])
		}
		type read struct {
			Method, URI, Host, Proto string
			Header                   http.Header
			Close                    bool
			URL                      any
		}
		of := func(r *http.Request) read {
			return read{r.Method, r.RequestURI, r.Host, r.Proto, r.Header, r.Close, *r.URL}
		}
		if g, w := of(got), of(want); !reflect.DeepEqual(g, w) {
			t.Fatalf("%q:\nhere %+v\nthere %+v", sent[:n], g, w)
		}
	})
}

// readByServer returns what a server's handler is given; nil: it is not called.
func readByServer(t *testing.T, sent []byte) *http.Request {
	client, conn := net.Pipe()
	var read *http.Request // the first
	n := 0
	s := &http.Server{ //nolint:gosec // of a test
		ErrorLog: log.New(io.Discard, "", 0),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n++; n == 1 {
				read = r.Clone(context.Background())
			}
			w.Header().Set("X-Served", r.Method)
		}),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(&single{conn: conn, done: make(chan struct{})})
	}()
	answers := make(chan struct{})
	go func() { defer close(answers); _, _ = io.Copy(io.Discard, client) }()
	_, _ = client.Write(append(sent[:len(sent):len(sent)], "GET /the-last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"...))
	<-answers // the server has ended the connection
	_ = client.Close()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	<-served
	if n != 2 && !(n == 1 && read.Close) { // and the last
		return nil
	}
	return read
}

// single is a listener with one connection.
type single struct {
	conn net.Conn
	done chan struct{}
}

// Accept returns the connection, and then waits for Close.
func (s *single) Accept() (net.Conn, error) {
	if c := s.conn; c != nil {
		s.conn = nil
		return c, nil
	}
	<-s.done
	return nil, net.ErrClosed
}

// Close ends Accept.
func (s *single) Close() error {
	select {
	case <-s.done:
	default:
		close(s.done)
	}
	return nil
}

// Addr is nobody's.
func (s *single) Addr() net.Addr { return &net.TCPAddr{} }
