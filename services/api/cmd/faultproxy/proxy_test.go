package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// mailbox is a service with one queue: it keeps the bodies of pushes, and answers
// every pull with what it was given.
type mailbox struct {
	mu     sync.Mutex
	pushed []string
	pull   string
	etag   string
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		w.Header().Set("ETag", m.etag)
		_, _ = io.WriteString(w, m.pull)
		return
	}
	body, _ := io.ReadAll(r.Body)
	m.pushed = append(m.pushed, string(body))
	_, _ = io.WriteString(w, `{"accepted":`+string('0'+byte(strings.Count(string(body), `"body"`)))+`,"duplicates":0}`)
}

func ask(t *testing.T, method, url, body string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", method, resp.StatusCode, text, err)
	}
	return string(text)
}

func start(t *testing.T, fault string) (*mailbox, string) {
	t.Helper()
	service := new(mailbox)
	behind := httptest.NewServer(service)
	t.Cleanup(behind.Close)
	proxy := httptest.NewServer(newProxy(options{targets: []string{behind.Listener.Addr().String()}, fault: fault, every: 3}))
	t.Cleanup(proxy.Close)
	return service, proxy.URL + "/v2/channels/c"
}

func messages(bodies string) string {
	var l []string
	for _, b := range bodies {
		l = append(l, `{"body":"`+string(b)+`"}`)
	}
	return "[" + strings.Join(l, ",") + "]"
}

// Every third message is the victim; whoever pushes is told that all is well.
func TestPush(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fault, pushes, pushed string }{
		{"none", "ab cde f", "ab cde f"},
		{"drop", "abcd", "abd"},
		{"drop", "ab c d", "ab d"},
		{"reorder", "abcd", "acbd"},
		{"reorder", "ab c d e", "ab dc e"},
	} {
		service, url := start(t, tt.fault)
		for push := range strings.FieldsSeq(tt.pushes) {
			want := `{"accepted":` + string('0'+byte(len(push))) + `,"duplicates":0}`
			if got := ask(t, http.MethodPost, url, messages(push)); got != want {
				t.Errorf("%s: pushing %s is answered %s, want %s", tt.fault, push, got, want)
			}
		}
		var want []string
		for push := range strings.FieldsSeq(tt.pushed) {
			want = append(want, messages(push))
		}
		if got := strings.Join(service.pushed, " "); got != strings.Join(want, " ") {
			t.Errorf("%s: %s arrives as %s, want %s", tt.fault, tt.pushes, got, want)
		}
	}
}

// What was confirmed comes again, once.
func TestDouble(t *testing.T) {
	t.Parallel()
	service, url := start(t, "double")
	service.pull, service.etag = messages("abcd"), `"1"`
	if got := ask(t, http.MethodGet, url, ""); got != service.pull {
		t.Errorf("the first answer is %s", got)
	}
	service.pull = "[]"
	for _, want := range []string{messages("c"), "[]"} {
		if got := ask(t, http.MethodGet, url+"?etag=%221%22", ""); got != want {
			t.Errorf("the next answer is %s, want %s", got, want)
		}
	}
}
