package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// Each transcript in testdata/version1, played against the service.
func TestVersion1Transcripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/version1/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			onEachRedis(t, func(t *testing.T, a, b *replica) {
				for i, exchange := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
					play(t, []*replica{a, b}[i%2], exchange)
				}
			})
		})
	}
}

// play sends what a transcript's ">" lines say and holds the answer against "<".
func play(t *testing.T, r *replica, exchange string) {
	t.Helper()
	var sent, want []string
	for line := range strings.Lines(exchange) {
		line = strings.TrimRight(line, "\n")
		switch mark, rest, _ := strings.Cut(line, " "); mark {
		case ">":
			sent = append(sent, rest)
		case "<":
			want = append(want, rest)
		default:
			t.Fatalf("a line that is neither > nor <: %q", line)
		}
	}
	method, path, _ := strings.Cut(sent[0], " ")
	headers, body := split(sent[1:])
	got := do(t, method, r.URL+path, body, headers...)
	status, _ := strconv.Atoi(want[0])
	wantHeaders, wantBody := split(want[1:])
	if got.Status != status {
		t.Fatalf("%s: %d %s, want %d", sent[0], got.Status, got.Body, status)
	}
	for _, h := range wantHeaders {
		name, value, _ := strings.Cut(h, ": ")
		if value == "none" {
			value = ""
		}
		if got.Header.Get(name) != value {
			t.Fatalf("%s: %s is %q, want %q", sent[0], name, got.Header.Get(name), value)
		}
	}
	if wantBody != "" && got.Body != wantBody {
		t.Fatalf("%s:\n%s\nwant\n%s", sent[0], got.Body, wantBody)
	}
	if strings.Contains(path, "/v1/") && got.Status == http.StatusOK && strings.ContainsAny(got.Header.Get("ETag"), `"/`) {
		t.Fatalf("%s: a phone would not know its own ETag in %q", sent[0], got.Header.Get("ETag"))
	}
}

// split takes lines apart into headers and what follows the empty line.
func split(lines []string) (headers []string, body string) {
	for i, line := range lines {
		if line == "" {
			return lines[:i], strings.Join(lines[i+1:], "\n")
		}
	}
	return lines, ""
}

// A phone on version 1 with credentials; what it reports of messages reaches the
// operator, and the application where the channel is set up for it.
func TestVersion1States(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth()...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"acme.phone","settings":{"report_states":true}}`)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels/acme.phone/credentials", `{"endpoint":"gateway","user":"phone","secret":"brought-from-the-field"}`)
	app, _ := credential(t, r, "acme.phone", `{"endpoint":"application"}`)
	phone := basic("phone", "brought-from-the-field")
	for _, header := range []string{"X: y", basic("phone", "not-from-the-field-at-all"), basic("other", "brought-from-the-field")} {
		if a := do(t, "GET", r.URL+"/v1/acme/qst/outgoing", "", header); a.Status != http.StatusUnauthorized || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %v", header, a)
		}
	}
	for range 2 { // it says it twice: that is no news
		if a := do(t, "POST", r.URL+"/v1/acme/qst/outgoing", `{"confirmed":["m1"],"failed":["m2"]}`, phone); a.Status != http.StatusOK {
			t.Fatal(a)
		}
	}
	do(t, "GET", r.URL+"/v1/acme/qst/setaddress?address=sms://85512345678", "", phone)

	got := do(t, "GET", r.URL+"/v2/channels/acme.phone/application?format=json", "", app)
	var told []string
	for _, m := range got.messages(t) {
		told = append(told, fmt.Sprint(m["qst-message"], " ", m["qst-status"]))
	}
	if strings.Join(told, ", ") != "m1 confirmed, m2 failed" {
		t.Errorf("the application is told %v", told)
	}
	var list struct {
		States []struct{ Message, State string }
	}
	a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/acme.phone/states?limit=2", "")
	if err := json.Unmarshal([]byte(a.Body), &list); err != nil || len(list.States) != 2 || list.States[0].State != "failed" {
		t.Errorf("states: %s", a.Body)
	}
	if a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/acme.phone", ""); !strings.Contains(a.Body, `"number":"sms://85512345678"`) {
		t.Errorf("address: %s", a.Body)
	}
}
