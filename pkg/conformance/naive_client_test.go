package conformance_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/conformance"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// clientFaults are what the naive client may do wrong, each with a case that is about it.
var clientFaults = map[string]string{
	"gives no ids":                          "push/without an id, unheard: it is given one before it is sent",
	"tries once":                            "push/500: again",
	"gives up at 503":                       "push/503: again",
	"does not hear Retry-After":             "push/503 with Retry-After: not before",
	"tries what is refused again":           "push/400: discarded",
	"goes on after 401":                     "push/401: stopped",
	"takes any 200":                         "push/200 of a page that is not the server's: again",
	"follows redirects":                     "push/302: a push does not become a pull",
	"has one batch for all":                 "push/2500 messages, in batches of a thousand at the most",
	"counts messages, not bytes":            "push/2 MB, in batches of 1 MiB at the most",
	"leaves out a batch that fails":         "push/503 to the second batch: order is kept",
	"says nothing of credentials":           "push/credentials",
	"trims what it pushes":                  "push/as it is: white space around",
	"has floats for numbers":                "push/as it is: a number's digits",
	"keeps the ETag of a push":              "push/a push's ETag, of a server that is wrong, is not brought to a pull",
	"confirms nothing":                      "pull/one message",
	"confirms what it then fails to handle": "pull/message 3 of 5 fails: it is not confirmed",
	"writes ETags into URLs as they are":    "pull/an ETag of what URLs reserve",
	"reads JSON whatever comes":             "pull/XML, whatever was asked for",
	"takes an error for an empty queue":     "pull/503 at first, three times",
	"takes what is cut for empty":           "pull/an answer of which 50% arrive",
	"handles each id once":                  "pull/the same id with other content",
	"forgets its place":                     "pull/a restart after the last confirmation was lost",
	"goes on after 403":                     "pull/403: stopped",
}

// naiveClient is a client of 150 lines.
type naiveClient struct {
	fault    string
	task     conformance.Task
	http     http.Client
	lastPush string
}

func naiveClientWith(fault string) conformance.Client {
	n := &naiveClient{fault: fault}
	n.http.Transport = &http.Transport{DisableKeepAlives: true}
	if fault != "follows redirects" {
		n.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	return func(ctx context.Context, task conformance.Task) conformance.Outcome {
		n.task = task
		if len(task.Messages) > 0 {
			return conformance.Outcome{Ending: n.push(ctx)}
		}
		return n.pull(ctx)
	}
}

// ask makes a request until it is answered by 200, or by what ends it.
func (n *naiveClient) ask(ctx context.Context, method, query, body string, good func(h http.Header, body string) error) conformance.Ending {
	for try := 1; ; try++ {
		r, err := http.NewRequestWithContext(ctx, method, n.task.URL+query, strings.NewReader(body))
		if err != nil {
			return conformance.Broken
		}
		r.Header.Set("Content-Type", "application/json")
		if n.task.User != "" && n.fault != "says nothing of credentials" {
			r.SetBasicAuth(n.task.User, n.task.Password)
		}
		pause := 10 * time.Millisecond
		resp, err := n.http.Do(r)
		if err == nil {
			var text []byte
			text, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil && n.fault == "takes what is cut for empty" {
				text, err = []byte("[]"), nil
			}
			switch s := resp.StatusCode; {
			case err != nil:
			case s == 200 && (n.fault == "takes any 200" || good(resp.Header, string(text)) == nil):
				return conformance.Done
			case s == 200:
			case (s == 401 || s == 403) && n.fault != fmt.Sprintf("goes on after %d", s):
				return conformance.Stopped
			case (s == 400 || s == 413 || s == 415) && n.fault != "tries what is refused again":
				return conformance.Refused
			case s == 503 && n.fault == "takes an error for an empty queue":
				return conformance.Done
			case s == 503 && n.fault == "gives up at 503", s >= 300 && s < 400:
				return conformance.Broken
			}
			if after, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n.fault != "does not hear Retry-After" {
				pause = time.Duration(after) * time.Second
			}
		}
		if n.fault == "tries once" || try > 20 || ctx.Err() != nil {
			return conformance.Broken
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
}

func (n *naiveClient) push(ctx context.Context) conformance.Ending {
	var batch []string
	size, ending := 0, conformance.Done
	flush := func() {
		if len(batch) == 0 || ending != conformance.Done {
			return
		}
		got := n.ask(ctx, http.MethodPost, "", "["+strings.Join(batch, ",")+"]", func(h http.Header, body string) error {
			n.lastPush = h.Get("ETag")
			_, err := qst.DecodeResult(qst.JSON, []byte(body))
			return err
		})
		if n.fault == "leaves out a batch that fails" && len(n.task.Messages) > 1000 {
			got = conformance.Done
		}
		batch, size, ending = nil, 0, got
	}
	for i, m := range n.task.Messages {
		switch n.fault {
		case "trims what it pushes":
			m = strings.ReplaceAll(m, `"  x`, `"x`)
		case "has floats for numbers":
			var v map[string]any
			_ = json.Unmarshal([]byte(m), &v)
			b, _ := json.Marshal(v)
			m = string(b)
		case "leaves out a batch that fails":
			if i == 1000 {
				n.task.Messages[i] = n.task.Messages[0]
			}
			m = n.task.Messages[i]
		}
		if !strings.Contains(m, `"id":`) && n.fault != "gives no ids" {
			m = `{"id":"` + rand.Text() + `",` + m[1:]
		}
		if len(batch) == 1000 && n.fault != "has one batch for all" || size+len(m) > 1_000_000 && n.fault != "counts messages, not bytes" {
			flush()
		}
		batch, size = append(batch, m), size+len(m)+1
	}
	flush()
	return ending
}

func (n *naiveClient) pull(ctx context.Context) (out conformance.Outcome) {
	var place struct {
		ETag string
		Last []string
	}
	if text, err := os.ReadFile(n.task.State); err == nil && n.fault != "forgets its place" {
		_ = json.Unmarshal(text, &place)
	}
	save := func() { // where there is no file to keep, the next run knows less
		text, _ := json.Marshal(place)
		_ = os.WriteFile(n.task.State, text, 0o600)
	}
	if n.fault == "keeps the ETag of a push" {
		place.ETag = n.lastPush
	}
	seen := map[string]bool{}
	for {
		most := min(n.task.Max-len(out.Messages), 100)
		query := fmt.Sprintf("?format=json&long-polling=%v&max=%d", most > 0, most)
		if place.ETag != "" && n.fault != "confirms nothing" {
			tag := url.QueryEscape(place.ETag)
			if n.fault == "writes ETags into URLs as they are" {
				tag = strings.NewReplacer(`"`, "%22", "#", "%23").Replace(place.ETag)
			}
			query += "&etag=" + tag
		}
		var batch []qst.Message
		var tag string
		out.Ending = n.ask(ctx, http.MethodGet, query, "", func(h http.Header, body string) (err error) {
			format := qst.JSON
			if strings.Contains(h.Get("Content-Type"), "xml") && n.fault != "reads JSON whatever comes" {
				format = qst.XML
			}
			batch, err = qst.Decode(format, "", []byte(body), qst.NoLimits())
			tag = h.Get("ETag")
			return errors.Join(err, ctx.Err())
		})
		if n.fault == "takes what is cut for empty" && len(batch) == 0 && most > 0 {
			out.Ending = conformance.Broken
		}
		if out.Ending != conformance.Done || most <= 0 || n.fault == "takes an error for an empty queue" && len(batch) == 0 {
			return out
		}
		if n.fault == "confirms what it then fails to handle" && len(batch) > 0 {
			n.ask(ctx, http.MethodGet, "?max=0&etag="+url.QueryEscape(tag), "", func(http.Header, string) error { return nil })
		}
		var now []string
		for _, m := range batch {
			line := string(qst.AppendJSON(nil, []qst.Message{m}))
			line = line[1 : len(line)-1]
			if i := slices.Index(place.Last, line); i >= 0 {
				place.Last = slices.Delete(place.Last, i, i+1)
				now = append(now, line)
				continue
			}
			if len(out.Messages)+1 == n.task.Fail {
				place.Last = append(place.Last, now...)
				save()
				out.Ending = conformance.Broken
				return out
			}
			now = append(now, line)
			if n.fault == "handles each id once" && seen[m.ID] {
				continue
			}
			seen[m.ID] = true
			out.Messages = append(out.Messages, line)
		}
		if len(batch) > 0 {
			place.ETag, place.Last = tag, now
			save()
		}
	}
}

// Each fault of the naive client fails the case that is about it; without one the client
// passes them all.
func TestNaiveClient(t *testing.T) {
	t.Parallel()
	cases := conformance.ClientCases()
	for fault, name := range clientFaults {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(cases, func(c conformance.ClientCase) bool { return c.Name == name })
			if i < 0 {
				t.Fatalf("there is no case %q", name)
			}
			report(t, cases[i].Run(t.Context(), naiveClientWith(""), time.Minute))
			if r := cases[i].Run(t.Context(), naiveClientWith(fault), 5*time.Second); r.Verdict != conformance.Failed {
				t.Errorf("%q is not found by %q", fault, name)
			}
		})
	}
}

// A client that does nothing, and says that it has, passes no case.
func TestEachClientCaseCanFail(t *testing.T) {
	t.Parallel()
	for name, client := range map[string]conformance.Client{
		"done": func(context.Context, conformance.Task) conformance.Outcome {
			return conformance.Outcome{Ending: conformance.Done}
		},
		"refused": func(context.Context, conformance.Task) conformance.Outcome {
			return conformance.Outcome{Ending: conformance.Refused}
		},
		"stopped": func(context.Context, conformance.Task) conformance.Outcome {
			return conformance.Outcome{Ending: conformance.Stopped}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := conformance.RunClient(t.Context(), conformance.ClientCases(), client, time.Second, 8, func(r conformance.Result) {
				if r.Verdict == conformance.Passed {
					t.Errorf("%s passes", r.Name)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
