package client_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// takeAll is a service that takes every batch; refuse may object first.
type takeAll struct {
	batches [][]qst.Message
	sizes   []int // of their bodies
	refuse  func(batch []qst.Message, body []byte) (status int)
}

func (s *takeAll) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f, charset, err := qst.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	batch, err := qst.Decode(f, charset, body, qst.Limits{})
	status := http.StatusOK
	if err != nil {
		status = http.StatusBadRequest
	} else if s.refuse != nil {
		status = s.refuse(batch, body)
	}
	if status != http.StatusOK {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"title":"x","detail":"because\u001b[31m of\nthis"}`))
		return
	}
	s.batches = append(s.batches, batch)
	s.sizes = append(s.sizes, len(body))
	w.Header().Set("Content-Type", f.MediaType())
	_, _ = w.Write(qst.AppendResult(nil, f, qst.Result{Accepted: len(batch)}))
}

func (s *takeAll) bodies() []string {
	var got []string
	for _, m := range slices.Concat(s.batches...) {
		got = append(got, m.Body)
	}
	return got
}

func numbered(n int) []qst.Message {
	msgs := make([]qst.Message, n)
	for i := range msgs {
		msgs[i].Body = fmt.Sprint(i)
	}
	return msgs
}

func TestPushSplitsByMessages(t *testing.T) {
	s := &takeAll{}
	result, err := newLocal(t, s, client.WithBatchLimits(100, 1<<20)).Push(t.Context(), numbered(250)...)
	if err != nil || result.Accepted != 250 || len(s.batches) != 3 || !slices.Equal(s.bodies(), bodies(0, 250)) {
		t.Errorf("%+v, %v, %d batches", result, err, len(s.batches))
	}
}

func TestPushSplitsByBytes(t *testing.T) {
	for _, f := range []qst.Format{qst.JSON, qst.XML} {
		s := &takeAll{}
		msgs := numbered(100)
		for i := range msgs {
			msgs[i].Subject = strings.Repeat("ä<&\"", i%40)
		}
		const most = 2000
		_, err := newLocal(t, s, client.WithFormat(f), client.WithBatchLimits(1000, most)).Push(t.Context(), msgs...)
		if err != nil || !slices.Equal(s.bodies(), bodies(0, 100)) {
			t.Fatal(err)
		}
		if largest := slices.Max(s.sizes); largest > most || largest < most*3/4 {
			t.Errorf("%v: batches of up to %d bytes; at most %d are allowed, and should be used", f, largest, most)
		}
	}
}

func TestPushSendsTooLargeMessagesAlone(t *testing.T) {
	s := &takeAll{}
	msgs := numbered(3)
	msgs[1].Subject = strings.Repeat("x", 3000)
	if _, err := newLocal(t, s, client.WithBatchLimits(1000, 2000)).Push(t.Context(), msgs...); err != nil || len(s.batches) != 3 {
		t.Errorf("%v, %d batches", err, len(s.batches))
	}
}

var uuid7 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestPushNamesMessagesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		s := &takeAll{refuse: func(batch []qst.Message, _ []byte) int {
			seen = append(seen, batch[1].ID)
			if len(seen) < 4 {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}}
		msgs := []qst.Message{{ID: "mine", Body: "x"}, {Body: "y"}, {Body: "z"}}
		if _, err := newLocal(t, s).Push(t.Context(), msgs...); err != nil {
			t.Fatal(err)
		}
		if len(slices.Compact(seen)) != 1 || !uuid7.MatchString(seen[0]) {
			t.Errorf("tried as %q", seen)
		}
		if msgs[0].ID != "mine" || msgs[1].ID != seen[0] || msgs[2].ID == msgs[1].ID {
			t.Errorf("IDs %q, %q, %q", msgs[0].ID, msgs[1].ID, msgs[2].ID)
		}
	})
}

// Whichever message it is, the ones before it are stored, and it is named.
func TestPushFindsTheMessageThatIsRefused(t *testing.T) {
	for _, status := range []int{400, 413} {
		for bad := range 20 {
			s := &takeAll{refuse: func(batch []qst.Message, _ []byte) int {
				if slices.ContainsFunc(batch, func(m qst.Message) bool { return m.Body == fmt.Sprint(bad) }) {
					return status
				}
				return http.StatusOK
			}}
			msgs := numbered(20)
			result, err := newLocal(t, s, client.WithBatchLimits(7, 1<<20)).Push(t.Context(), msgs...)
			var refused *client.RejectedError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			want := client.RejectedError{Status: status, Detail: "because [31m of this", Index: bad, Count: 1, ID: msgs[bad].ID}
			if *refused != want || result.Accepted != bad || !slices.Equal(s.bodies(), bodies(0, bad)) {
				t.Errorf("got %+v after %v; want %+v", *refused, s.bodies(), want)
			}
		}
	}
}

func TestPushHalvesWhatIsTooLargeForTheWay(t *testing.T) {
	s := &takeAll{refuse: func(_ []qst.Message, body []byte) int {
		if len(body) > 1000 {
			return http.StatusRequestEntityTooLarge
		}
		return http.StatusOK
	}}
	result, err := newLocal(t, s).Push(t.Context(), numbered(500)...)
	if err != nil || result.Accepted != 500 || !slices.Equal(s.bodies(), bodies(0, 500)) {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestPushDoesNotBlameMessagesForATypeThatIsRefused(t *testing.T) {
	tries := 0
	s := &takeAll{refuse: func([]qst.Message, []byte) int { tries++; return http.StatusUnsupportedMediaType }}
	_, err := newLocal(t, s).Push(t.Context(), numbered(5)...)
	var refused *client.RejectedError
	if !errors.As(err, &refused) || refused.Count != 5 || refused.Index != 0 || tries != 1 {
		t.Errorf("got %v after %d tries", err, tries)
	}
}

// Every status there could be has a class, and no message is given up but for
// the three that say so.
func TestPushStatusClasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for status := 201; status < 600; status++ {
			if status == http.StatusSwitchingProtocols || status == http.StatusNotModified {
				continue
			}
			tries := 0
			s := &takeAll{refuse: func([]qst.Message, []byte) int { tries++; return status }}
			_, err := newLocal(t, s).Push(t.Context(), qst.Message{Body: "x"})
			var (
				refused     *client.RejectedError
				stop        *client.EndpointError
				unavailable *client.UnavailableError
			)
			var ok bool
			switch {
			case status == 400, status == 413, status == 415:
				ok = errors.As(err, &refused) && tries == 1
			case status < 300, status == 408, status == 421, status == 425, status == 429, status >= 500:
				ok = errors.As(err, &unavailable) && unavailable.Status == status && tries > 5
			default:
				ok = errors.As(err, &stop) && stop.Status == status && tries == 1
			}
			if !ok {
				t.Errorf("status %d: %v after %d tries", status, err, tries)
			}
		}
	})
}

func TestPushHeedsRetryAfter(t *testing.T) {
	date := time.Date(2010, 1, 2, 3, 4, 5, 0, time.UTC) // far from any clock here
	for value, want := range map[string]time.Duration{
		"7":    7 * time.Second,
		"3600": 30 * time.Second, // as long as any pause may be
		date.Add(9 * time.Second).Format(http.TimeFormat): 9 * time.Second,
		date.Add(-time.Hour).Format(http.TimeFormat):      0,
		"soon": 0,
		"-5":   0,
	} {
		synctest.Test(t, func(t *testing.T) {
			first := true
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if first {
					first = false
					w.Header().Set("Retry-After", value)
					w.Header().Set("Date", date.Format(http.TimeFormat))
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				(&takeAll{}).ServeHTTP(w, r)
			})
			start := time.Now() // of the bubble: it moves only while all wait
			if _, err := newLocal(t, h, client.WithRetry(time.Millisecond, 30*time.Second, 0)).Push(t.Context(), qst.Message{Body: "x"}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took < want || took > want+time.Millisecond {
				t.Errorf("Retry-After: %s: tried again after %v, want %v", value, took, want)
			}
		})
	}
}

func TestPushAnswersThatAreNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, body := range []string{"", "<html>Log in to the airport's network</html>", "[]", `{"accepted":1,"duplicates":0}`, `{"accepted":2}`} {
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) })
			result, err := newLocal(t, h).Push(t.Context(), numbered(2)...)
			var unavailable *client.UnavailableError
			if !errors.As(err, &unavailable) || result != (qst.Result{}) {
				t.Errorf("%q: %+v, %v", body, result, err)
			}
		}
	})
}

func TestPushEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &takeAll{refuse: func(batch []qst.Message, _ []byte) int {
			if batch[0].Body != "0" {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		result, err := newLocal(t, s, client.WithBatchLimits(10, 1<<20)).Push(ctx, numbered(30)...)
		if !errors.Is(err, context.DeadlineExceeded) || result.Accepted != 10 {
			t.Errorf("%+v, %v", result, err)
		}
	})
}

func TestPushRequestTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		_, err := newLocal(t, h).Push(t.Context(), qst.Message{Body: "x"})
		var unavailable *client.UnavailableError
		if !errors.As(err, &unavailable) || unavailable.Status != 0 {
			t.Errorf("got %v", err)
		}
	})
}

func TestPushRequest(t *testing.T) {
	var got *http.Request
	var body []byte
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, _ = io.ReadAll(z)
		_, _ = io.WriteString(w, `<result accepted="1" duplicates="0"/>`)
	})
	c := newLocal(t, h, client.WithBasicAuth("ann", "s3cret"), client.WithGzip(), client.WithFormat(qst.XML))
	if _, err := c.Push(t.Context(), qst.Message{ID: "1", Body: "x"}); err != nil {
		t.Fatal(err)
	}
	user, password, _ := got.BasicAuth()
	if user != "ann" || password != "s3cret" || got.Header.Get("Content-Type") != qst.XML.MediaType() {
		t.Errorf("headers %v", got.Header)
	}
	if string(body) != `<messages><message id="1"><body>x</body></message></messages>` {
		t.Errorf("body %s", body)
	}
}

func TestNew(t *testing.T) {
	for _, bad := range []string{"", "qst.example.org/x", "ftp://x/y", "http:///x", "http://[::1", "https://u:secret@:%/"} {
		_, err := client.New(bad)
		if !errors.Is(err, client.ErrURL) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for i, opt := range []client.Option{
		client.WithRetry(0, 1, 1), client.WithRetry(2, 1, 1), client.WithRetry(1, 1, -1),
		client.WithBatchLimits(0, 1), client.WithBatchLimits(1, 0), client.WithWait(0),
	} {
		if _, err := client.New(endpoint, opt); err == nil {
			t.Errorf("option %d: no error", i)
		}
	}
	c, err := client.New("https://u:secret@qst.example.org/v2/channels/acme#x")
	if err != nil || c.URL() != "https://qst.example.org/v2/channels/acme" {
		t.Errorf("%v, %v", c, err)
	}
}

// A client of ours must not touch that of its caller.
func TestNewLeavesTheHTTPClientAlone(t *testing.T) {
	h := &http.Client{Timeout: time.Second}
	if _, err := client.New(endpoint, client.WithHTTPClient(h)); err != nil || h.Timeout != time.Second || h.CheckRedirect != nil {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://other.example.org/")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	_, err := newLocal(t, h).Push(t.Context(), qst.Message{Body: "x"})
	var stop *client.EndpointError
	if !errors.As(err, &stop) || stop.Location != "https://other.example.org/" {
		t.Errorf("got %v", err)
	}
}

// Over a line that lets no large request through in time, smaller ones get there.
func TestPushSendsLessWhereNothingIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &takeAll{}
		tries := 0
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if tries++; r.ContentLength > 2000 {
				<-r.Context().Done()
				return
			}
			s.ServeHTTP(w, r)
		})
		result, err := newLocal(t, h).Push(t.Context(), numbered(300)...)
		if err != nil || result.Accepted != 300 || tries > 60 {
			t.Errorf("%+v, %v after %d requests", result, err, tries)
		}
	})
}

// An answer that was not asked to be encoded can't be read; that is said, and that it
// is not the service's doing.
func TestAnswersThatAreEncodedUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("Accept-Encoding: %s", got)
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "??")
		})
		_, err := newLocal(t, h).Poll(t.Context(), client.PollRequest{})
		var unavailable *client.UnavailableError
		if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "encoded it (br)") {
			t.Errorf("got %v", err)
		}
	})
}
