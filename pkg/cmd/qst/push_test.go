package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
)

// pushedAs pushes with args and stdin, and returns what is then in the queue.
func pushedAs(t *testing.T, url, stdin string, args ...string) string {
	t.Helper()
	call{stdin: stdin}.qst(t, append([]string{"push", "--url", url}, args...)...).wantOK(t)
	return command(t, "pull", "--url", url).wantOK(t).out
}

func TestPushAndPull(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"flags": {
			args: []string{"--id", "1", "--from", "a", "--to", "b", "--when", "2026-01-02T03:04:05Z", "--subject", "s", "--body", "x y", "--property", "p=1=2", "--property", "q="},
			want: `{"id":"1","from":"a","to":"b","when":"2026-01-02T03:04:05Z","subject":"s","body":"x y","p":"1=2","q":""}`,
		},
		"lines": {
			stdin: "one\r\n\ntwo", args: []string{"--to", "b", "--when", "2026-01-02T03:04:05Z"},
			want: `{"to":"b","when":"2026-01-02T03:04:05Z","body":"one"}` + "\n" + `{"to":"b","when":"2026-01-02T03:04:05Z","body":"two"}`,
		},
		"json": {
			stdin: `[{"id":"1","when":"w","body":"x","n":1.10}]` + "\n" + `{"id":"2","when":"w","to":"c","body":"y"} [] `, args: []string{"--to", "b", "--gzip"},
			want: `{"id":"1","to":"b","when":"w","body":"x","n":1.10}` + "\n" + `{"id":"2","to":"c","when":"w","body":"y"}`,
		},
		"xml": {
			stdin: ` <messages><message id="1" when="w"><body>x</body><property name="a" value="1"/></message></messages>`, args: []string{"--property", "a=2", "--property", "b=3"},
			want: `{"id":"1","when":"w","body":"x","a":"1","b":"3"}`,
		},
		"csv": {
			stdin: "\ufeffid,to,when,body,colour\n1,b,w,\"x, \"\"y\"\"\",red\n2,,w,z,\n", args: []string{"--input", "csv", "--to", "c"},
			want: `{"id":"1","to":"b","when":"w","body":"x, \"y\"","colour":"red"}` + "\n" + `{"id":"2","to":"c","when":"w","body":"z"}`,
		},
		"csv of a spreadsheet": {
			stdin: "\ufeffid;when; body\r\n1;w;\"a, b\r\nc\"\r\n", args: []string{"--input", "csv"},
			want: `{"id":"1","when":"w","body":"a, b\nc"}`,
		},
		"csv with tabs": {
			stdin: "id\twhen\tbody\n1\tw\ttabs\n", args: []string{"--input", "csv"},
			want: `{"id":"1","when":"w","body":"tabs"}`,
		},
		"marked json": {
			stdin: "\ufeff{\"id\":\"1\",\"when\":\"w\",\"body\":\"marked\"}",
			want:  `{"id":"1","when":"w","body":"marked"}`,
		},
		"marked lines": {
			stdin: "\ufeffx", args: []string{"--when", "2026-01-02T03:04:05Z", "--property", "p=1"},
			want: `{"when":"2026-01-02T03:04:05Z","body":"x","p":"1"}`,
		},
		"xml in UTF-16": {
			stdin: "\xff\xfe" + strings.Join(strings.Split(`<messages><message id="1" when="w"><body>wide</body></message></messages>`, ""), "\x00") + "\x00",
			want:  `{"id":"1","when":"w","body":"wide"}`,
		},
		"no messages": {stdin: "[]"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.TrimSuffix(pushedAs(t, url, c.stdin, c.args...), "\n")
			if strings.HasSuffix(name, "lines") { // their ids are random
				got = regexp.MustCompile(`"id":"[^"]*",`).ReplaceAllString(got, "")
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestPushCounts(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	args := []string{"push", "--url", url, "--id", "1", "--body", "x"}
	if r := command(t, args...).wantOK(t); r.out != "{\"accepted\":1,\"duplicates\":0}\n" {
		t.Errorf("got %s", r.out)
	}
	if r := (call{tty: true}).qst(t, args...).wantOK(t); r.out != "0 accepted, 1 duplicates\n" {
		t.Errorf("got %s", r.out)
	}
}

// A long input goes in chunks, with progress for a person, and the message that is
// refused is named by its place in the whole.
func TestPushLongInput(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded", "QST_MESSAGE_MAX_BYTES=200", "QST_REDIS_TIMEOUT=30s") // a slow machine is not what is tested
	var lines strings.Builder
	for i := range 2500 {
		fmt.Fprintln(&lines, i)
	}
	r := call{stdin: lines.String(), tty: true}.qst(t, "push", "--url", s.URL("box")).wantOK(t)
	if r.out != "2500 accepted, 0 duplicates\n" || !strings.Contains(r.stderr, " messages, ") {
		t.Errorf("got %q and %q", r.out, r.stderr)
	}
	lines.WriteString(strings.Repeat("x", 300) + "\nnever\n")
	r = call{stdin: lines.String()}.qst(t, "push", "--url", s.URL("other"))
	if r.code != exitRefused || !strings.Contains(r.stderr, "2500 messages are stored") || !strings.Contains(r.stderr, "message 2501 ") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	if out := command(t, "pull", "--url", s.URL("other")).wantOK(t).out; strings.Count(out, "\n") != 2500 {
		t.Errorf("%d messages", strings.Count(out, "\n"))
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	box := s.URL("box")
	secret := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(secret, []byte("nonsense = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code  int
		stdin string
		args  []string
	}{
		{exitOK, "", []string{"--help"}},
		{exitOK, "", []string{"--version"}},
		{exitUsage, "", []string{"nonsense"}},
		{exitUsage, "", []string{"push", "--nonsense"}},
		{exitUsage, "", []string{"push", "x"}},
		{exitUsage, "", []string{"push", "--body", "x"}},
		{exitUsage, "", []string{"push", "--body", "x", "--url", "nonsense"}},
		{exitUsage, "", []string{"push", "--url", box, "--property", "x", "--body", "x"}},
		{exitUsage, "x", []string{"push", "--url", box, "--id", "x"}},
		{exitUsage, "x", []string{"push", "--url", box, "--input", "yaml"}},
		{exitUsage, "[{]", []string{"push", "--url", box}},
		{exitUsage, "<messages>", []string{"push", "--url", box}},
		{exitUsage, "caf\xe9", []string{"push", "--url", box}},
		{exitUsage, "\xff\xfeh\x00i\x00", []string{"push", "--url", box, "--input", "lines"}},
		{exitUsage, "body\ncaf\xe9\n", []string{"push", "--url", box, "--input", "csv"}},
		{exitUsage, "body,caf\xe9\nx,y\n", []string{"push", "--url", box, "--input", "csv"}},
		{exitUsage, "Body\nx\n", []string{"push", "--url", box, "--input", "csv"}},
		{exitUsage, "body,,\nx,y,z\n", []string{"push", "--url", box, "--input", "csv"}},
		{exitUsage, "body,body\nx,y\n", []string{"push", "--url", box, "--input", "csv"}},
		{exitUsage, "body,to\nx\n", []string{"push", "--url", box, "--input", "csv"}},
		{exitUsage, "", []string{"push", "--url", box, "--body", "caf\xe9"}},
		{exitUsage, "{\"body\":\"caf\xe9\"}", []string{"push", "--url", box}},
		{exitUsage, "", []string{"pull", "--url", box, "--output", "yaml"}},
		{exitUsage, "", []string{"pull", "--url", box, "--wait", "soon"}},
		{exitUsage, "", []string{"pull", "--url", box, "--max", "-1"}},
		{exitUsage, "", []string{"pull", "--url", box, "--follow", "--no-confirm"}},
		{exitUsage, "", []string{"pull", "--profile", "nonsense"}},
		{exitUsage, "", []string{"pull", "--config", secret, "--profile", "x"}},
		{exitUsage, "", []string{"pull", "--url", box, "--password-file", "/nonsense"}},
		{exitUsage, "", []string{"relay", box}},
		{exitUsage, "", []string{"relay", box, box}},
		{exitUsage, "", []string{"relay", "--both", "--state", t.TempDir(), box, s.URL("other")}},
		{exitRefused, "", []string{"push", "--url", box, "--body", strings.Repeat("x", 70000)}},
		{exitStopped, "", []string{"pull", "--url", s.URL("box/nonsense")}},
		{exitFailed, "", []string{"pull", "--url", "http://127.0.0.1:1/", "--no-confirm"}},
	} {
		if r := (call{stdin: c.stdin}).qst(t, c.args...); r.code != c.code || (c.code == exitOK) == (r.stderr != "") {
			t.Errorf("qst %q: exit code %d, want %d: %.300s", c.args, r.code, c.code, r.stderr)
		}
	}
}

// pushing runs a push whose input is written while it runs.
func pushing(ctx context.Context, t *testing.T, url string) (input *io.PipeWriter, ended <-chan result) {
	t.Helper()
	in, input := io.Pipe()
	t.Cleanup(func() { _ = in.Close() })
	end := make(chan result, 1)
	go func() {
		var out, stderr bytes.Buffer
		code := run(ctx, terminal{in: in, out: &out, err: &stderr, env: func(string) string { return "" }}, []string{"push", "--url", url})
		end <- result{code, out.String(), stderr.String()}
	}()
	return input, end
}

// What comes is pushed when it comes, and not when there is enough of it.
var slowInputStored = regexp.MustCompile(`[23] messages are stored; then: `)

func TestPushOfASlowInput(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	patient, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	ctx, cancel := context.WithCancel(patient)
	defer cancel()
	input, ended := pushing(ctx, t, s.URL("slow"))
	pulled := newClient(t, s.URL("slow"))
	for i := range 3 {
		if _, err := fmt.Fprintln(input, i); err != nil {
			t.Fatal(err)
		}
		for msg, err := range pulled.Pull(patient, client.PullOptions{Limit: 1}) {
			if err != nil || msg.Body != fmt.Sprint(i) {
				t.Fatalf("%+v, %v", msg, err)
			}
		}
	}
	// A signal ends it while it waits for more; or for the answer to the last push, whose
	// message was pulled already.
	cancel()
	if r := <-ended; r.code != exitFailed || !slowInputStored.MatchString(r.stderr) {
		t.Errorf("%+v", r)
	}

	input, ended = pushing(patient, t, s.URL("broken"))
	if _, err := io.WriteString(input, "a\nb\nc\xff\nd\n"); err != nil {
		t.Fatal(err)
	}
	if r := <-ended; r.code != exitUsage || !strings.Contains(r.stderr, "2 messages are stored; then: ") || !strings.Contains(r.stderr, "line 3") {
		t.Errorf("%+v", r)
	}
}
