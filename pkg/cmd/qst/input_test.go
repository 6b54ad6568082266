package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/client"
)

// In a loop that reads, a variable that is empty does not have push read what the loop has
// still to read.
func TestEmptyBodyIsNoStandardInput(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	got := pushedAs(t, url, "+85512000001\n+85512000002\n", "--to", "sms://1", "--body", "", "--id", "1")
	if strings.Count(got, "\n") != 1 || strings.Contains(got, "+855") {
		t.Errorf("pushed %s", got)
	}
}

// An input without messages is no success.
func TestInputsWithoutMessages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ format, stdin, want string }{
		{"auto", "", "there are no messages"},
		{"auto", "\n\r\n", "there are no messages"},
		{"lines", "", "there are no messages"},
		{"json", "", "there are no messages"},
		{"csv", "", "there are no messages"},
		{"csv", "to,body\n", "there are no messages"},
		{"csv", "sms://838383,Hello\n", "names no column that is a field"},
		{"csv", "sms://838383,Hello\nsms://838384,Hello\n", "names no column that is a field"},
		{"csv", "sms://838383;Hello\rsms://838384;Hello\r", "names no column that is a field"},
	} {
		r := call{stdin: c.stdin}.qst(t, "push", "--url", nowhere, "--timeout", "1s", "--input", c.format)
		if r.code != exitUsage || !strings.Contains(r.stderr, c.want) {
			t.Errorf("%s %q: exit code %d: %s", c.format, c.stdin, r.code, r.stderr)
		}
	}
}

// Lines end as the machine that wrote them ends them.
func TestLineEnds(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	when := "2026-01-02T03:04:05Z"
	for name, c := range map[string]struct{ format, stdin, want string }{
		"csv":           {"csv", "id,body\r1,a\r2,b\r", `{"id":"1","when":"` + when + `","body":"a"}` + "\n" + `{"id":"2","when":"` + when + `","body":"b"}` + "\n"},
		"csv without":   {"csv", "id,body\r1,a", `{"id":"1","when":"` + when + `","body":"a"}` + "\n"},
		"windows":       {"csv", "id,body\r\n1,a\r\n", `{"id":"1","when":"` + when + `","body":"a"}` + "\n"},
		"cr in a field": {"csv", "id,body\n1,a\rb\n", `{"id":"1","when":"` + when + `","body":"a\rb"}` + "\n"},
	} {
		if got := pushedAs(t, s.URL(strings.ReplaceAll(name, " ", "-")), c.stdin, "--input", c.format, "--when", when); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if got := pushedAs(t, s.URL("lines"), "a\rb\rc"); strings.Count(got, "\n") != 3 {
		t.Errorf("lines: %q", got)
	}
}

// A line of CSV from a program that goes on is pushed when it is there.
func TestCSVFromAPipe(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	in, input := io.Pipe()
	ended := make(chan int, 1)
	var out, stderr bytes.Buffer
	go func() {
		ended <- run(t.Context(), terminal{in: in, out: &out, err: &stderr, env: func(string) string { return "" }}, []string{"push", "--url", url, "--input", "csv"})
	}()
	pulled := newClient(t, url)
	for i, text := range []string{"id;body\n1;x\n", "2;x\n"} {
		if _, err := io.WriteString(input, text); err != nil {
			t.Fatal(err)
		}
		for msg, err := range pulled.Pull(t.Context(), client.PullOptions{Limit: 1}) {
			if err != nil || msg.ID != fmt.Sprint(i+1) {
				t.Fatalf("%+v, %v", msg, err)
			}
		}
	}
	_ = input.Close()
	if code := <-ended; code != exitOK || out.String() != "2 accepted, 0 duplicates\n" {
		t.Errorf("exit code %d: %s%s", code, out.String(), stderr.String())
	}
}
