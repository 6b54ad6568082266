// Command soak keeps a running service under a constant load and accounts for every
// message, while someone upgrades, scales and kills the service (.ci/e2e).
//
// On each of its channels a gateway pushes numbered messages and an application
// long-polls for them, each of them as the protocol has a client do: what may pass
// is tried again, unchanged. GET /stop on -listen ends the pushing, waits for what
// is still under way, and answers with the account; GET / answers with it as it is.
//
// The account is right if nothing was lost, nothing came twice or out of order, and
// no answer was one that a client must treat as final.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

const (
	// requestTimeout is over the longest poll with a margin: then the answer is lost.
	requestTimeout = 70 * time.Second
	// pollWait is short, so that polls move to new replicas within the test.
	pollWait = "20"
	// arrival is how long messages that are under way at the end may take.
	arrival = 90 * time.Second
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s := &soak{sent: map[string]time.Time{}}
	flag.StringVar(&s.url, "url", "http://localhost:8080", "where the service is")
	flag.StringVar(&s.secret, "secret", "", "of the credentials, with the channel's name for the user")
	channels := flag.Int("channels", 10, "their names are soak-0, soak-1, …")
	rate := flag.Float64("rate", 100, "messages a second, over all channels")
	flag.IntVar(&s.batch, "batch", 5, "messages in a push")
	listen := flag.String("listen", ":8082", "where the account is given")
	flag.Parse()
	err := s.run(ctx, *channels, *rate, *listen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

type soak struct {
	url, secret string
	batch       int

	mu      sync.Mutex
	account account
	sent    map[string]time.Time // by id: the first try; what has not come yet
	times   []time.Duration      // from first try to arrival
}

// account is what there is to tell.
type account struct {
	Pushed     int            `json:"pushed"`      // messages answered 200
	Delivered  int            `json:"delivered"`   // messages that came
	Missing    int            `json:"missing"`     // messages tried, that have not come
	Doubled    int            `json:"doubled"`     // messages that came again
	Disordered int            `json:"disordered"`  // messages that came before an earlier one
	Final      int            `json:"final"`       // answers that a client must not try again after
	Retried    map[string]int `json:"retried"`     // answers that it may, by what they were
	LongestGap string         `json:"longest_gap"` // the longest without a push answered 200
	P50        string         `json:"p50"`         // from first try to arrival
	P99        string         `json:"p99"`
	Max        string         `json:"max"`
	Problems   []string       `json:"problems,omitempty"` // the first of them

	lastOK  time.Time
	gap     time.Duration
	stopped bool
}

func (s *soak) run(ctx context.Context, channels int, rate float64, listen string) error {
	pushing, stopPushing := context.WithCancel(ctx)
	pulling, stopPulling := context.WithCancel(ctx)
	defer stopPushing()
	defer stopPulling()
	var pushers, pullers sync.WaitGroup
	run := strconv.FormatInt(time.Now().UnixNano(), 36)
	every := time.Duration(float64(s.batch*channels) / rate * float64(time.Second))
	s.account.Retried = map[string]int{}
	for i := range channels {
		name := "soak-" + strconv.Itoa(i)
		pushers.Go(func() { s.push(pushing, ctx, name, run, every, time.Duration(i)*every/time.Duration(channels)) })
		pullers.Go(func() { s.pull(pulling, name, run) })
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { s.tell(w) })
	mux.HandleFunc("GET /stop", func(w http.ResponseWriter, r *http.Request) {
		stopPushing()
		pushers.Wait()
		s.mu.Lock()
		s.account.stopped = true
		s.mu.Unlock()
		for deadline := time.Now().Add(arrival); s.missing() > 0 && time.Now().Before(deadline) && r.Context().Err() == nil; {
			pause(ctx, 50*time.Millisecond)
		}
		s.tell(w)
	})
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	err := server.ListenAndServe()
	stopPushing()
	stopPulling()
	pushers.Wait()
	pullers.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *soak) missing() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent)
}

func (s *soak) tell(w io.Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account
	a.Missing = len(s.sent)
	if gap := time.Since(a.lastOK); !a.stopped && gap > a.gap {
		a.gap = gap
	}
	a.LongestGap = a.gap.Round(time.Millisecond).String()
	if n := len(s.times); n > 0 {
		sorted := slices.Sorted(slices.Values(s.times))
		at := func(q float64) string { return sorted[int(q*float64(n-1))].Round(100 * time.Microsecond).String() }
		a.P50, a.P99, a.Max = at(.5), at(.99), at(1)
	}
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		text = []byte(err.Error())
	}
	_, _ = fmt.Fprintf(w, "%s\n", text) // if it can't be written, whoever asked has gone
}

// push is a gateway. A batch that was begun is brought to its end after stop.
func (s *soak) push(stop, ctx context.Context, channel, run string, every, offset time.Duration) {
	pause(stop, offset)
	for n := 0; stop.Err() == nil; n += s.batch {
		next := time.Now().Add(every)
		messages := make([]qst.Message, s.batch)
		s.mu.Lock()
		for i := range messages {
			id := fmt.Sprintf("%s-%s-%d", run, channel, n+i)
			messages[i] = qst.Message{ID: id, From: "sms://85512345678", To: "sms://2020", Body: "message " + strconv.Itoa(n+i)}
			s.sent[id] = time.Now()
		}
		s.mu.Unlock()
		body := qst.AppendJSON(nil, messages)
		for ctx.Err() == nil {
			if _, ok := s.request(ctx, http.MethodPost, channel, "/gateway", body); ok {
				s.mu.Lock()
				s.account.Pushed += len(messages)
				if now := time.Now(); s.account.lastOK.IsZero() {
					s.account.lastOK = now
				} else {
					s.account.gap, s.account.lastOK = max(s.account.gap, now.Sub(s.account.lastOK)), now
				}
				s.mu.Unlock()
				break
			}
			pause(ctx, 200*time.Millisecond)
		}
		pause(stop, time.Until(next))
	}
}

// pull is an application.
func (s *soak) pull(ctx context.Context, channel, run string) {
	etag, next, mine := "", 0, run+"-"+channel+"-"
	for ctx.Err() == nil {
		a, ok := s.request(ctx, http.MethodGet, channel, "/application?format=json&long-polling=true&wait="+pollWait+"&etag="+etag, nil)
		if !ok {
			pause(ctx, 200*time.Millisecond)
			continue
		}
		messages, err := qst.Decode(qst.JSON, "", a.body, qst.Limits{})
		if err != nil {
			s.problem(func(c *account) { c.Final++ }, "an answer that is none: "+err.Error())
			continue
		}
		now := time.Now()
		for _, m := range messages {
			number, isMine := strings.CutPrefix(m.ID, mine)
			if !isMine {
				continue // an earlier run's
			}
			n, _ := strconv.Atoi(number)
			s.mu.Lock()
			began, waited := s.sent[m.ID]
			delete(s.sent, m.ID)
			if waited {
				s.account.Delivered++
				s.times = append(s.times, now.Sub(began))
			}
			s.mu.Unlock()
			switch {
			case !waited:
				s.problem(func(c *account) { c.Doubled++ }, m.ID+" came again")
			case n != next:
				s.problem(func(c *account) { c.Disordered++ }, fmt.Sprintf("%s came when %d was next", m.ID, next))
			}
			next = n + 1
		}
		if tag, ok := qst.ParseETag(a.etag); ok {
			etag = strings.Trim(tag.String(), `"`)
		}
	}
}

func (s *soak) problem(count func(*account), text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	count(&s.account)
	if len(s.account.Problems) < 10 {
		s.account.Problems = append(s.account.Problems, time.Now().UTC().Format(time.TimeOnly)+" "+text)
	}
}

type answer struct {
	body []byte
	etag string
}

// request tells whether it was answered 200. What it was otherwise is counted: as
// something that may pass, or as final.
func (s *soak) request(ctx context.Context, method, channel, rest string, body []byte) (a answer, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+"/v2/channels/"+channel+rest, bytes.NewReader(body))
	if err != nil {
		s.problem(func(c *account) { c.Final++ }, err.Error())
		return a, false
	}
	if body != nil {
		req.Header.Set("Content-Type", qst.JSON.MediaType())
	}
	if s.secret != "" {
		req.SetBasicAuth(channel, s.secret)
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		a.etag = resp.Header.Get("ETag")
		a.body, err = io.ReadAll(resp.Body)
	}
	switch {
	case err != nil && (errors.Is(ctx.Err(), context.Canceled)):
		return a, false // told to stop
	case err != nil:
		s.retried(method + " " + cause(err))
		return a, false
	case resp.StatusCode == http.StatusOK:
		return a, true
	case resp.StatusCode >= http.StatusInternalServerError, resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusRequestTimeout:
		s.retried(method + " " + resp.Status)
		return a, false
	default:
		s.problem(func(c *account) { c.Final++ }, method+" "+resp.Status+": "+string(a.body))
		return a, false
	}
}

func (s *soak) retried(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account.Retried[why]++
}

// cause says in a word why a request had no answer.
func cause(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "timed out"
	default:
		return "failed: " + err.Error()
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
