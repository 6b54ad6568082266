package conformance_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/conformance"
)

// wrong is a proxy that makes a wrong server of the right one. It has the case that is
// about it.
type wrong struct {
	name, caught string

	request func(r *http.Request, body string) string  // the body that is passed on
	answer  func(r *http.Response, body string) string // the body that is passed back
	instead func(w http.ResponseWriter, r *http.Request) bool
}

func header(name, value string) func(r *http.Response, body string) string {
	return func(r *http.Response, body string) string {
		r.Header.Set(name, value)
		return body
	}
}

// of limits a change of answers to those of a method with a status.
func of(method string, status int, change func(r *http.Response, body string) string) func(r *http.Response, body string) string {
	return func(r *http.Response, body string) string {
		if r.Request.Method == method && r.StatusCode == status {
			return change(r, body)
		}
		return body
	}
}

func replaced(old, with string) func(r *http.Response, body string) string {
	return func(_ *http.Response, body string) string { return strings.ReplaceAll(body, old, with) }
}

func status(n int) func(r *http.Response, body string) string {
	return func(r *http.Response, body string) string {
		r.StatusCode = n
		return regexp.MustCompile(`"status":\d+`).ReplaceAllString(body, `"status":`+strconv.Itoa(n))
	}
}

// query changes the query of GETs.
func query(change func(q url.Values)) func(r *http.Request, body string) string {
	return func(r *http.Request, body string) string {
		if r.Method == http.MethodGet {
			q := r.URL.Query()
			change(q)
			r.URL.RawQuery = q.Encode()
		}
		return body
	}
}

// pushed changes the text of pushes.
func pushed(change func(body string) string) func(r *http.Request, body string) string {
	return func(r *http.Request, body string) string {
		if r.Method == http.MethodPost && r.Header.Get("Content-Encoding") == "" {
			return change(body)
		}
		return body
	}
}

func path(change func(path string) string) func(r *http.Request, body string) string {
	return func(r *http.Request, body string) string {
		r.URL.Path, r.URL.RawPath = change(r.URL.Path), ""
		return body
	}
}

// Each wrong server fails the case that is about it.
func TestWrongServers(t *testing.T) {
	t.Parallel()
	right := start(t)
	cases := conformance.Cases()
	for _, w := range wrongServers() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			i := slices.IndexFunc(cases, func(c conformance.Case) bool { return c.Name == w.caught })
			if i < 0 {
				t.Fatalf("there is no case %q", w.caught)
			}
			report(t, cases[i].Run(t.Context(), right))
			target := right
			target.URL, target.Patience = w.start(t, right.URL), 5*time.Second
			r := cases[i].Run(t.Context(), target)
			if r.Verdict != conformance.Failed || strings.Contains(strings.Join(r.Why, " "), "the case itself") {
				t.Errorf("%q is not found by %q: %v", w.name, w.caught, r.Why)
			}
		})
	}
}

// start starts the proxy.
func (f wrong) start(t *testing.T, target string) string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(u) },
		ModifyResponse: func(r *http.Response) error {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return err
			}
			_ = r.Body.Close()
			if f.answer != nil {
				body = []byte(f.answer(r, string(body)))
			}
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			r.Header.Set("Content-Length", strconv.Itoa(len(body)))
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.instead != nil && f.instead(w, r) {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		text := string(body)
		if f.request != nil {
			text = f.request(r, text)
		}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		r.TransferEncoding = nil
		p.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}
