package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// naive is a small server, in memory, as somebody might write it on a Sunday.
type naive struct {
	fault string

	mu     sync.Mutex
	queues map[string]*naiveQueue
	known  map[string]bool // queue, and what is in the message
	epoch  int
}

type naiveQueue struct {
	epoch     int
	msgs      []qst.Message
	confirmed int // all of them are counted from the queue's beginning
	delivered int
	answers   []int         // where they ended
	poll      chan struct{} // closed when the poll that hangs is superseded
	news      chan struct{} // closed at a push
}

func (n *naive) queue(path, method string) *naiveQueue {
	name := strings.TrimSuffix(path, "/")
	switch channel, party, _ := strings.Cut(strings.TrimPrefix(name, "/v2/channels/"), "/"); {
	case party == "":
	case n.fault == "gateway and application share a queue":
		name = channel + "/shared"
	case (party == "gateway") == (method == http.MethodPost):
		name = channel + "/inbound"
	default:
		name = channel + "/outbound"
	}
	q := n.queues[name]
	if q == nil {
		n.epoch++
		q = &naiveQueue{epoch: n.epoch, news: make(chan struct{})}
		n.queues[name] = q
	}
	return q
}

func (n *naive) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	switch r.Method {
	case http.MethodPost:
		n.push(w, r)
	case http.MethodGet:
		n.pull(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		problem(w, http.StatusMethodNotAllowed, "only GET and POST")
	}
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "detail": detail})
}

func (n *naive) push(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	format := qst.JSON
	if strings.HasPrefix(strings.TrimSpace(string(body)), "<") {
		format = qst.XML
	}
	msgs, err := qst.Decode(format, "", body, qst.Limits{})
	if err != nil && n.fault == "the good messages of a bad batch are stored" {
		good, _, _ := strings.Cut(string(body), `,{"id":"100"}`)
		if some, err := qst.Decode(format, "", []byte(good+"]"), qst.Limits{}); err == nil {
			msgs = some
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	q := n.queue(r.URL.Path, http.MethodPost)
	var result qst.Result
	for i, m := range msgs {
		if n.isNew(q, m, i) {
			result.Accepted++
			if m.ID == "" {
				m.ID = fmt.Sprintf("00000000-0000-7000-8000-%012d", len(n.known)*1000+len(q.msgs))
			}
			if m.When == "" {
				m.When = "2026-01-01T00:00:00Z"
			}
			if n.fault == "the newest comes first" {
				q.msgs = slices.Insert(q.msgs, q.confirmed, m)
			} else {
				q.msgs = append(q.msgs, m)
			}
		} else {
			result.Duplicates++
		}
	}
	if n.fault == "ordered by id" {
		slices.SortStableFunc(q.msgs[q.confirmed:], func(a, b qst.Message) int { return strings.Compare(a.ID, b.ID) })
	}
	close(q.news)
	q.news = make(chan struct{})
	if err != nil {
		problem(w, http.StatusBadRequest, strings.TrimPrefix(err.Error(), "qst: "))
		return
	}
	if n.fault == "duplicates are told as accepted" {
		result = qst.Result{Accepted: len(msgs)}
	}
	w.Header().Set("Content-Type", format.MediaType())
	_, _ = w.Write(qst.AppendResult(nil, format, result))
}

func (n *naive) isNew(q *naiveQueue, m qst.Message, _ int) bool {
	if m.ID == "" && n.fault != "messages without an id are compared" || n.fault == "every message is new" {
		return true
	}
	if n.fault == "properties do not tell messages apart" {
		m.Properties = nil
	}
	key := fmt.Sprint(q.epoch, " ", m.Digest())
	switch n.fault {
	case "an id is known, whatever the content":
		key = fmt.Sprint(q.epoch, m.ID)
	case "a queue's memory is that of all":
		key = fmt.Sprint(m.Digest())
	case "what was confirmed is forgotten":
		for _, other := range q.msgs[q.confirmed:] {
			if other.ID == m.ID && other.Body == m.Body {
				return false
			}
		}
		return true
	}
	if n.known[key] {
		return false
	}
	n.known[key] = true
	return true
}

// confirm takes the messages up to the ETag, and returns how many; and whether it was one
// of the queue's.
func (n *naive) confirm(q *naiveQueue, etag string) (int, bool) {
	epoch, end, _ := strings.Cut(strings.Trim(etag, `"`), "-")
	e, err1 := strconv.Atoi(epoch)
	last, err2 := strconv.Atoi(end)
	good := err1 == nil && err2 == nil && last <= q.delivered && last >= 0
	switch n.fault {
	case "any ETag confirms all":
		last, good = q.delivered, true
	case "an ETag confirms what was not given":
		good = err1 == nil && err2 == nil && last <= len(q.msgs)
		q.delivered = max(q.delivered, last*btoi(good))
	case "an ETag confirms a whole answer or nothing":
		good = good && len(q.answers) > 0 && last == q.answers[len(q.answers)-1]
	}
	if e != q.epoch && n.fault != "any ETag confirms all" && n.fault != "an ETag of another queue is a good one" {
		good = false
	}
	if !good {
		return 0, false
	}
	confirmed := max(last-q.confirmed, 0)
	if n.fault == "an old ETag counts again" && confirmed == 0 {
		return last, true
	}
	q.confirmed += confirmed
	return confirmed, true
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (n *naive) pull(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	most, err := strconv.Atoi(query.Get("max"))
	if query.Has("max") && (err != nil || most < 1) {
		problem(w, http.StatusBadRequest, "max is not a number above 0")
		return
	}
	if !query.Has("max") {
		most = 100
	}
	wait := 50 * time.Second
	if s, err := strconv.Atoi(query.Get("wait")); err == nil {
		wait = min(wait, time.Duration(s)*time.Second)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	q := n.queue(r.URL.Path, http.MethodGet)
	etag, confirmed, good := query.Get("etag"), 0, false
	if etag == "" {
		etag = r.Header.Get("If-None-Match")
	}
	if etag != "" {
		confirmed, good = n.confirm(q, etag)
		w.Header().Set("QST-Confirmed", strconv.Itoa(confirmed))
	}
	mayGive := true
	if query.Get("long-polling") == "true" && n.fault != "polls are answered at once" && len(q.msgs) <= q.confirmed {
		ctx, cancel := context.WithTimeout(r.Context(), wait)
		defer cancel()
		mayGive = n.hold(ctx, q)
		if r.Context().Err() != nil {
			if n.fault == "a poll takes its messages when its client leaves" {
				news := q.news
				go func() {
					<-news
					n.mu.Lock()
					q.confirmed = len(q.msgs)
					n.mu.Unlock()
				}()
			}
			return
		}
	}
	var batch []qst.Message
	if mayGive {
		batch = q.msgs[q.confirmed:min(len(q.msgs), q.confirmed+min(most, 1000))]
	}
	end := q.confirmed + len(batch)
	q.delivered = max(q.delivered, end)
	if len(batch) > 0 {
		etag, good = fmt.Sprintf(`"%d-%d"`, q.epoch, end), true
		q.answers = append(q.answers, end)
	}
	if good {
		w.Header().Set("ETag", `"`+strings.Trim(etag, `"`)+`"`)
	}
	if n.fault == "given once" {
		q.confirmed = end
	}
	format := qst.XML
	if query.Get("format") == "json" {
		format = qst.JSON
	}
	w.Header().Set("Content-Type", format.MediaType())
	_, _ = w.Write(qst.Append(nil, format, batch))
}

// hold waits for messages, without the lock, and returns whether the poll may give any.
func (n *naive) hold(ctx context.Context, q *naiveQueue) bool {
	mine := make(chan struct{})
	if q.poll != nil && n.fault != "polls do not know of each other" {
		if n.fault == "an older poll is preferred to a younger" {
			return false
		}
		close(q.poll)
	}
	q.poll = mine
	for len(q.msgs) <= q.confirmed {
		news := q.news
		if n.fault == "polls are held to their end" {
			news = nil
		}
		n.mu.Unlock()
		select {
		case <-news:
		case <-mine:
		case <-ctx.Done():
		}
		n.mu.Lock()
		if q.poll != mine && n.fault != "polls do not know of each other" {
			return false
		}
		if ctx.Err() != nil {
			break
		}
	}
	q.poll = nil
	return true
}
