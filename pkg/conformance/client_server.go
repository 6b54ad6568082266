package conformance

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// incident is what happens to one request instead of, or beside, a right answer.
type incident struct {
	status int    // an answer of this status, and nothing else happens
	body   string // of that answer
	header http.Header

	unheard bool // the connection ends before anything happens
	lost    bool // all happens, and the connection ends before the answer
	cut     int  // all happens, and this many percent of the answer arrive; see cutOff
	ends    bool // what is cut has no length: its end looks like the end
	empty   bool // a pull is answered empty

	answer func(h http.Header, body string) string // changes a right answer
	after  func(s *scripted)                       // what happens behind it, under the lock
}

// scripted is the server of a case: one endpoint with a queue to pull from and one to push
// into, both as the contract has them, save for what the script says.
type scripted struct {
	url            string
	user, password string

	listener net.Listener
	server   *http.Server
	serving  sync.WaitGroup
	ctx      context.Context //nolint:containedctx // that of the case

	mu     sync.Mutex
	script map[string][]incident // by method, for its first requests
	counts map[string]int
	seen   []string // requests and answers
	times  map[string][]time.Time
	wrong  []string

	stored []message
	known  map[string]bool
	bodies map[string]int // that were pushed, and how often

	queue     []message
	confirmed int
	delivered int
	issued    map[string]int // ETags, and where they stand
	tag       func(n int) string
	news      chan struct{}
}

const scriptedPath = "/v2/channels/acme+1@example.org/gateway"

func startScripted(ctx context.Context) (*scripted, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &scripted{
		url: "http://" + l.Addr().String() + scriptedPath, listener: l, ctx: ctx,
		counts: map[string]int{}, times: map[string][]time.Time{}, known: map[string]bool{}, bodies: map[string]int{},
		issued: map[string]int{}, news: make(chan struct{}),
		tag: func(n int) string { return fmt.Sprintf(`"e16097d2cf25c83b-%d"`, n) },
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	s.serving.Go(func() { _ = s.server.Serve(l) })
	return s, nil
}

func (s *scripted) close() {
	_ = s.server.Close()
	s.serving.Wait()
}

// fill puts a JSON batch into the queue that is pulled from, and returns it.
func (s *scripted) fill(batch string) []message {
	l, err := parseJSON(batch)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", batch, err))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, l...)
	close(s.news)
	s.news = make(chan struct{})
	return l
}

// follow has the server do as the script says, by method and then by request.
func (s *scripted) follow(script map[string][]incident) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = script
}

func (s *scripted) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[method]
}

// complain notes what a request should not have; under the lock.
func (s *scripted) complain(format string, args ...any) {
	s.wrong = append(s.wrong, excerpt(fmt.Sprintf(format, args...), 500))
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.counts[r.Method]
	s.counts[r.Method]++
	s.times[r.Method] = append(s.times[r.Method], time.Now())
	var in incident
	if script := s.script[r.Method]; n < len(script) {
		in = script[n]
	}
	if in.after != nil {
		defer in.after(s)
	}
	plain, err := unzipped(r, string(body))
	if err != nil {
		s.complain("a body that is no gzip: %v", err)
	}
	note := fmt.Sprintf("> %s %s\n", r.Method, r.URL.RequestURI())
	for _, name := range []string{"Content-Type", "Accept", "If-None-Match"} {
		if v := r.Header.Get(name); v != "" {
			note += "> " + name + ": " + v + "\n"
		}
	}
	if plain != "" {
		note += ">\n> " + excerpt(plain, 300) + "\n"
	}
	a := s.respond(r, plain, in)
	s.seen = append(s.seen, note+"< "+a.note())
	a.write(w)
}

// respond makes the answer; under the lock.
func (s *scripted) respond(r *http.Request, body string, in incident) reply {
	if in.unheard {
		return reply{none: true}
	}
	if r.URL.Path != scriptedPath {
		s.complain("the path %q, want %q", r.URL.Path, scriptedPath)
		return problemReply(http.StatusNotFound, "no such URL")
	}
	user, password, ok := r.BasicAuth()
	if s.user != "" && !ok { // a client may wait to be asked
		a := problemReply(http.StatusUnauthorized, "credentials are missing")
		a.header.Set("WWW-Authenticate", `Basic realm="qst", charset="UTF-8"`)
		return a
	}
	if s.user != "" && (user != s.user || password != s.password) {
		s.complain("the credentials %q, want %q", user+":"+password, s.user+":"+s.password)
	}
	if in.status > 0 {
		a := problemReply(in.status, "as the script has it")
		if in.body != "" {
			a.body = in.body
		}
		for name, v := range in.header {
			a.header[name] = v
		}
		return a
	}
	var a reply
	switch r.Method {
	case http.MethodPost:
		a = s.push(r, body)
	case http.MethodGet:
		a = s.pull(r, in)
	default:
		s.complain("the method %s", r.Method)
		return problemReply(http.StatusMethodNotAllowed, "GET or POST")
	}
	a.header.Set("Cache-Control", "no-store")
	if in.answer != nil {
		a.body = in.answer(a.header, a.body)
	}
	a.none, a.cut, a.ends = a.none || in.lost, in.cut, in.ends
	return a
}

// push stores what is new.
func (s *scripted) push(r *http.Request, body string) reply {
	s.bodies[body]++
	batch, isXML, err := parseBody(r, body)
	if err != nil {
		s.complain("a push that is no batch: %v", err)
		return problemReply(http.StatusBadRequest, "no batch")
	}
	if len(batch) > 1000 || len(body) > 1<<20 {
		s.complain("a batch of %d messages and %d bytes", len(batch), len(body))
		return problemReply(http.StatusRequestEntityTooLarge, "too large")
	}
	accepted := 0
	for _, m := range batch {
		key := fmt.Sprintf("%q", m.inXML())
		if m.fields["id"] != "" && s.known[key] {
			continue
		}
		s.known[key] = true
		s.stored = append(s.stored, m)
		accepted++
	}
	a := reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}}
	a.body = fmt.Sprintf(`{"accepted":%d,"duplicates":%d}`, accepted, len(batch)-accepted)
	if isXML {
		a.header.Set("Content-Type", "text/xml; charset=utf-8")
		a.body = fmt.Sprintf(`<result accepted="%d" duplicates="%d"/>`, accepted, len(batch)-accepted)
	}
	return a
}

// pull confirms, waits and gives.
func (s *scripted) pull(r *http.Request, in incident) reply {
	q := s.query(r)
	a := reply{status: http.StatusOK, header: http.Header{}}
	good := false
	if q.etag != "" {
		n, ok := s.issued[q.etag]
		if !ok {
			s.complain("the ETag %q, which the server has not given", q.etag)
		}
		good = ok
		a.header.Set("QST-Confirmed", strconv.Itoa(max(n-s.confirmed, 0)))
		s.confirmed = max(s.confirmed, n)
	}
	if q.wait > 0 && q.max > 0 && s.confirmed >= len(s.queue) && !in.empty && !in.lost && in.cut == 0 {
		s.hold(r.Context(), q.wait)
	}
	var batch []message
	if q.max > 0 && !in.empty {
		batch = s.queue[s.confirmed:min(len(s.queue), s.confirmed+q.max)]
	}
	if end := s.confirmed + len(batch); len(batch) > 0 {
		s.delivered = max(s.delivered, end)
		e := s.tag(end)
		s.issued[bare(e)] = end
		a.header.Set("ETag", e)
	} else if good {
		a.header.Set("ETag", s.tag(s.issued[q.etag]))
	}
	if q.json {
		a.header.Set("Content-Type", "application/json")
		a.body = encodeJSON(batch)
	} else {
		a.header.Set("Content-Type", "text/xml; charset=utf-8")
		a.body = encodeXML(batch)
	}
	return a
}

// bare is an ETag without what proxies add.
func bare(e string) string { return strings.Trim(strings.TrimPrefix(e, "W/"), `"`) }

// hold waits for messages, without the lock; never for long, as it is no poll that is
// tested.
func (s *scripted) hold(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(min(wait, 200*time.Millisecond))
	defer timer.Stop()
	news := s.news
	s.mu.Unlock()
	defer s.mu.Lock()
	select {
	case <-news:
	case <-timer.C:
	case <-ctx.Done():
	case <-s.ctx.Done():
	}
}
