package client_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// answering returns a client of a server that gives each connection the bytes of
// wire and closes it.
func answering(t *testing.T, f qst.Format, wire func() string) *client.Client {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var server sync.WaitGroup
	server.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(newReader(conn)); err == nil {
				_, _ = io.WriteString(conn, wire())
			}
			_ = conn.Close()
		}
	})
	t.Cleanup(func() { _ = l.Close(); server.Wait() })
	c, err := client.New("http://"+l.Addr().String(), client.WithFormat(f), client.WithRetry(time.Millisecond, time.Millisecond, time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// An answer that is cut after any byte is never taken for one, whichever way its end
// is told; and when it is whole it is taken.
func TestAnswersCutAtEveryByte(t *testing.T) {
	msgs := []qst.Message{{ID: "1", Body: "eins"}, {ID: "2", Subject: "zwei"}}
	for _, f := range []qst.Format{qst.JSON, qst.XML} {
		batch := string(qst.Append(nil, f, msgs))
		result := string(qst.AppendResult(nil, f, qst.Result{Accepted: 1, Duplicates: 1}))
		head := "200 OK\r\nContent-Type: " + f.MediaType() + "\r\nETag: \"e\"\r\n"
		framings := map[string]func(body string) string{
			"length": func(b string) string { return fmt.Sprintf("HTTP/1.1 %sContent-Length: %d\r\n\r\n%s", head, len(b), b) },
			"chunked": func(b string) string {
				return fmt.Sprintf("HTTP/1.1 %sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", head, len(b), b)
			},
			"close": func(b string) string { return "HTTP/1.0 " + head + "\r\n" + b },
		}
		for name, framing := range framings {
			t.Run(name+"/"+f.String(), func(t *testing.T) {
				var wire string
				c := answering(t, f, func() string { return wire })
				pull, push := framing(batch), framing(result)
				var unavailable *client.UnavailableError
				for n := range len(pull) {
					wire = pull[:n]
					// The end of the last chunk's line may be missing: the body is whole without.
					if b, err := c.Poll(t.Context(), client.PollRequest{}); !errors.As(err, &unavailable) {
						t.Errorf("poll cut after %d of %d bytes: %v, %v", n, len(pull), b, err)
					}
				}
				wire = pull
				if b, err := c.Poll(t.Context(), client.PollRequest{}); err != nil || len(b.Messages) != 2 || b.ETag != `"e"` {
					t.Errorf("whole poll: %v, %v", b, err)
				}
				for n := range len(push) {
					wire = push[:n]
					if r, err := c.Push(t.Context(), msgs...); !errors.As(err, &unavailable) {
						t.Errorf("push cut after %d of %d bytes: %v, %v", n, len(push), r, err)
					}
				}
				wire = push
				if r, err := c.Push(t.Context(), msgs...); err != nil || r != (qst.Result{Accepted: 1, Duplicates: 1}) {
					t.Errorf("whole push: %v, %v", r, err)
				}
			})
		}
	}
}

// Where answers are cut after so many bytes, smaller ones come through.
func TestPullAsksForLessWhereAnswersAreCut(t *testing.T) {
	q := newFakeQueue(100)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q.ServeHTTP(&cutWriter{ResponseWriter: w}, r)
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(l) })
	t.Cleanup(func() { _ = server.Close(); serving.Wait() })
	c, err := client.New("http://"+l.Addr().String(), client.WithRetry(time.Millisecond, 2*time.Millisecond, 0))
	if err != nil {
		t.Fatal(err)
	}
	got, err := take(c, client.PullOptions{UntilEmpty: true}, 0)
	if want := bodies(0, 100); err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got %v, %v", got, err)
	}
}

// cutWriter cuts an answer at 300 bytes.
type cutWriter struct{ http.ResponseWriter }

func (w *cutWriter) Write(p []byte) (int, error) {
	if len(p) <= 300 {
		return w.ResponseWriter.Write(p)
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(p)))
	_, _ = w.ResponseWriter.Write(p[:300])
	panic(http.ErrAbortHandler)
}
