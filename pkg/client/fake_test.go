package client_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// endpoint is a URL for clients whose transport goes nowhere.
const endpoint = "http://qst.test/v2/channels/acme/gateway"

// local is a transport that calls a handler, so that a test in a synctest bubble
// has no network and no real time.
type local struct{ http.Handler }

func (l local) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return w.Result(), nil
}

// newLocal returns a client of a handler.
func newLocal(t *testing.T, h http.Handler, opts ...client.Option) *client.Client {
	t.Helper()
	opts = append([]client.Option{client.WithHTTPClient(&http.Client{Transport: local{h}})}, opts...)
	c, err := client.New(endpoint, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// fakeQueue is the protocol's pulling side in memory.
type fakeQueue struct {
	mu        sync.Mutex
	msgs      []qst.Message
	confirmed int
	delivered int
	ignored   bool     // it never sees an ETag
	old       bool     // it does not know max=0
	polls     []string // the ETag of each
	asked     []int    // max of each
}

func newFakeQueue(n int) *fakeQueue {
	q := &fakeQueue{}
	for i := range n {
		q.msgs = append(q.msgs, qst.Message{ID: strconv.Itoa(i % 3), Body: strconv.Itoa(i)}) // IDs repeat
	}
	return q
}

func (q *fakeQueue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q.mu.Lock()
	defer q.mu.Unlock()
	etag := r.FormValue("etag")
	q.polls = append(q.polls, etag)
	most := 100
	if v := r.FormValue("max"); v != "" {
		most, _ = strconv.Atoi(v)
	}
	q.asked = append(q.asked, most)
	if most == 0 && q.old {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var n int
	good := false
	before := q.confirmed
	if _, err := fmt.Sscanf(etag, `"e-%d"`, &n); err == nil && n <= q.delivered && !q.ignored {
		good = true
		q.confirmed = max(q.confirmed, n)
	}
	if etag != "" && !q.ignored && !q.old {
		w.Header().Set("QST-Confirmed", strconv.Itoa(q.confirmed-before))
	}
	end := min(q.confirmed+most, len(q.msgs))
	q.delivered = max(q.delivered, end)
	w.Header().Set("Content-Type", "application/json")
	if end > q.confirmed {
		w.Header().Set("ETag", fmt.Sprintf(`"e-%d"`, end))
	} else if good {
		w.Header().Set("ETag", etag)
	}
	if v, err := strconv.ParseFloat(r.FormValue("wait"), 64); err == nil && end == q.confirmed && most > 0 {
		timer := time.NewTimer(time.Duration(v * float64(time.Second)))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
	}
	_, _ = w.Write(qst.AppendJSON(nil, q.msgs[q.confirmed:end]))
}

func (q *fakeQueue) state() (confirmed, polls int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.confirmed, len(q.polls)
}

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReader(r) }
