package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// proxy passes requests on, with its fault.
type proxy struct {
	options
	next   *httputil.ReverseProxy
	seen   atomic.Int64 // messages
	done   atomic.Int64 // faults
	start  sync.Once    // of what happens once
	failed chan error

	mu   sync.Mutex
	held map[string][]qst.Message // by path: a message that is to come after the next one
	sent map[string][]qst.Message // by path and ETag: a message that is to come again once that is confirmed

	pulls  context.Context //nolint:containedctx // of all pulls: cancelling it cuts them
	cut    context.CancelFunc
	opened chan struct{} // closed: pulls may pass. Changes under mu.
}

func newProxy(o options) *proxy {
	p := &proxy{
		options: o, failed: make(chan error, 1),
		held: map[string][]qst.Message{}, sent: map[string][]qst.Message{}, opened: make(chan struct{}),
	}
	close(p.opened)
	p.pulls, p.cut = context.WithCancel(context.Background())
	p.next = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "service" },
		// As many idle connections as there are polls: what comes next are as many again.
		Transport:      &http.Transport{DialContext: dialer(o.targets), MaxIdleConnsPerHost: 10_000, DisableCompression: true},
		ModifyResponse: p.answer,
		// A client retries on 502: what it is told when the replica has been killed.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	return p
}

// added is the key of the context's value that says how many messages a push had
// more, or fewer, when it came in than when it went on.
type added struct{}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		p.pull(w, r)
		return
	}
	p.start.Do(func() { go p.strike() })
	if p.fault != "drop" && p.fault != "reorder" {
		p.next.ServeHTTP(w, r)
		return
	}
	format, batch, err := read(r.Header, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	changed := p.spoil(r.URL.Path, batch)
	if len(batch) > 0 && len(changed) == 0 {
		w.Header().Set("Content-Type", format.MediaType())
		_, _ = w.Write(qst.AppendResult(nil, format, qst.Result{Accepted: len(batch)})) //nolint:gosec // a number
		return
	}
	r = r.WithContext(context.WithValue(r.Context(), added{}, len(batch)-len(changed)))
	r.Header.Del("Content-Encoding")
	r.Header.Set("Content-Type", format.MediaType())
	body := qst.Append(nil, format, changed)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	p.next.ServeHTTP(w, r)
}

// spoil returns what goes on of a batch.
func (p *proxy) spoil(path string, batch []qst.Message) []qst.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	var l, last []qst.Message
	if len(batch) > 0 {
		last = p.held[path] // of an earlier push
		delete(p.held, path)
	}
	for _, m := range batch {
		victim := p.seen.Add(1)%p.every == 0
		switch {
		case !victim:
			l = append(append(l, m), last...)
			last = nil
		case p.fault == "drop":
			p.done.Add(1)
		default:
			p.done.Add(1)
			if len(l) > 0 {
				l = append(l[:len(l)-1], m, l[len(l)-1])
			} else {
				last = append(last, m)
			}
		}
	}
	if len(last) > 0 {
		p.held[path] = last
	}
	return l
}

// pull passes a pull on when the gate is open, and cuts it when it closes.
func (p *proxy) pull(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	opened := p.opened
	p.mu.Unlock()
	select {
	case <-opened:
	case <-r.Context().Done():
		return
	}
	p.mu.Lock()
	pulls := p.pulls
	p.mu.Unlock()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(pulls, cancel)()
	p.next.ServeHTTP(w, r.WithContext(ctx))
}

// answer changes an answer on its way back.
func (p *proxy) answer(r *http.Response) error {
	if r.StatusCode != http.StatusOK {
		return nil
	}
	if n, ok := r.Request.Context().Value(added{}).(int); ok && n != 0 {
		return corrected(r, n)
	}
	if r.Request.Method != http.MethodGet || p.fault != "double" {
		return nil
	}
	format, batch, err := read(r.Header, r.Body)
	if err != nil {
		return err
	}
	path := r.Request.URL.Path
	p.mu.Lock()
	defer p.mu.Unlock()
	confirmed := path + " " + r.Request.URL.Query().Get("etag")
	again := p.sent[confirmed]
	delete(p.sent, confirmed)
	for _, m := range batch {
		if p.seen.Add(1)%p.every == 0 {
			key := path + " " + r.Header.Get("ETag")
			p.sent[key] = append(p.sent[key], m)
		}
	}
	p.done.Add(int64(len(again)))
	replace(r, qst.Append(nil, format, append(again, batch...)))
	return nil
}

// corrected makes the answer to a push say n messages more than it does.
func corrected(r *http.Response, n int) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	format, _, err := qst.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	result, err := qst.DecodeResult(format, body)
	if err != nil {
		return err
	}
	result.Accepted += n
	replace(r, qst.AppendResult(nil, format, result))
	return nil
}

func replace(r *http.Response, body []byte) {
	_ = r.Body.Close()
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Length", strconv.Itoa(len(body)))
}

func read(h http.Header, body io.Reader) (qst.Format, []qst.Message, error) {
	if h.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(body)
		if err != nil {
			return 0, nil, err
		}
		body = unzipped
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return 0, nil, err
	}
	format, charset, err := qst.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return 0, nil, err
	}
	batch, err := qst.Decode(format, charset, text, qst.Limits{})
	return format, batch, err
}

// gathering is how long messages gather before Redis is wiped: at the rates of the
// scenarios, dozens.
const gathering = 1500 * time.Millisecond

// strike does what happens once.
func (p *proxy) strike() {
	if p.fault != "wipe" && p.fault != "kill" {
		return
	}
	<-time.After(p.after)
	if p.fault == "wipe" {
		gate := make(chan struct{})
		p.mu.Lock()
		p.opened = gate
		p.cut()
		p.pulls, p.cut = context.WithCancel(context.Background())
		p.mu.Unlock()
		defer close(gate)
		<-time.After(gathering)
		if err := wipe(p.redis); err != nil {
			p.failed <- fmt.Errorf("wiping Redis: %w", err)
			return
		}
	}
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		p.failed <- fmt.Errorf("killing the replica: %w", err)
		return
	}
	p.done.Add(1)
}

func wipe(address string) error {
	conn, err := net.DialTimeout("tcp", address, 5*time.Second) //nolint:noctx // it has a time-out
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("FLUSHALL\r\n")); err != nil {
		return err
	}
	answer := make([]byte, 64)
	n, err := conn.Read(answer)
	if err == nil && !strings.HasPrefix(string(answer[:n]), "+OK") {
		err = fmt.Errorf("FLUSHALL: %s", answer[:n])
	}
	return err
}
