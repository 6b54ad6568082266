package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestPullMaxAndNoConfirm(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	call{stdin: "a\nb\nc\nd\n"}.qst(t, "push", "--url", url).wantOK(t)
	count := func(args ...string) int {
		return strings.Count(command(t, append([]string{"pull", "--url", url}, args...)...).wantOK(t).out, "\n")
	}
	if n := count("--no-confirm"); n != 4 {
		t.Errorf("seen %d", n)
	}
	if n := count("--max", "3"); n != 3 {
		t.Errorf("pulled %d", n)
	}
	if n := count("--no-confirm"); n != 1 {
		t.Errorf("%d are left", n)
	}
	if n := count(); n != 1 {
		t.Errorf("pulled %d", n)
	}
	if n := count(); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestPullTable(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	call{stdin: `{"from":"sms://1","to":"sms://2","when":"now","subject":"s","body":"x\n\u001b[2Jy\u202e","p":["1","2"]}`}.
		qst(t, "push", "--url", url).wantOK(t)
	person := call{tty: true}
	got := person.qst(t, "pull", "--no-confirm", "--url", url).wantOK(t).out
	want := "\x1b[2mWHEN                  FROM                  TO                    MESSAGE\n\x1b[0m" +
		"now                   sms://1               sms://2               s  x\\n\\x1b[2Jy\\u202e  \x1b[2mp=1,2\x1b[0m\n"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	person.env = map[string]string{"NO_COLOR": "1"}
	if got := person.qst(t, "pull", "--url", url).wantOK(t).out; strings.Contains(got, "\x1b") {
		t.Errorf("NO_COLOR: %q", got)
	}
}

// endAfter ends a context when so many lines were written.
type endAfter struct {
	bytes.Buffer

	lines int
	end   func()
}

func (w *endAfter) Write(p []byte) (int, error) {
	if w.lines -= bytes.Count(p, []byte("\n")); w.lines <= 0 {
		w.end()
	}
	return w.Buffer.Write(p)
}

func TestPullFollow(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	state := filepath.Join(t.TempDir(), "place")
	for _, text := range []string{"a\nb\n", "c\n"} {
		call{stdin: text}.qst(t, "push", "--url", url).wantOK(t)
		ctx, cancel := context.WithCancel(t.Context())
		out := &endAfter{lines: strings.Count(text, "\n"), end: cancel}
		var stderr bytes.Buffer
		term := terminal{in: strings.NewReader(""), out: out, err: &stderr, env: func(string) string { return "" }}
		if code := run(ctx, term, []string{"pull", "--follow", "--url", url, "--state", state}); code != exitOK {
			t.Fatalf("exit code %d: %s", code, stderr.String())
		}
		if got := strings.Count(out.String(), "\n"); got != strings.Count(text, "\n") {
			t.Errorf("%q: got %s", text, out.String())
		}
	}
}

// What could not be written is not confirmed.
func TestPullIntoAClosedPipe(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	command(t, "push", "--url", url, "--body", "x").wantOK(t)
	term := terminal{in: strings.NewReader(""), out: closedPipe{}, err: new(bytes.Buffer), env: func(string) string { return "" }}
	if code := run(t.Context(), term, []string{"pull", "--url", url}); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if out := command(t, "pull", "--url", url).wantOK(t).out; strings.Count(out, "\n") != 1 {
		t.Errorf("left: %s", out)
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, context.DeadlineExceeded }

// A state file and a relay's directory have one user at a time, and none after it was killed.
func TestStateInUse(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	patient, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	dir := t.TempDir()
	place := filepath.Join(dir, "place")
	for _, c := range []struct{ holder, other []string }{
		{
			[]string{"pull", "--url", s.URL("one"), "--follow", "--state", place},
			[]string{"pull", "--url", s.URL("one"), "--state", place},
		},
		{
			[]string{"relay", s.URL("two"), s.URL("three"), "--state", dir},
			[]string{"relay", s.URL("two"), s.URL("three"), "--state", dir, "--once"},
		},
	} {
		holder := exec.CommandContext(t.Context(), program, c.holder...)
		if err := holder.Start(); err != nil {
			t.Fatal(err)
		}
		lock := place
		if c.holder[0] == "relay" {
			lock = filepath.Join(dir, "forward")
		}
		for { // until it has it
			if content, _ := os.ReadFile(lock + ".lock"); bytes.HasSuffix(content, []byte("\n")) {
				break
			}
			if err := patient.Err(); err != nil {
				t.Fatal(err)
			}
			runtime.Gosched()
		}
		command(t, c.other...).wantCode(t, exitFailed, fmt.Sprintf("%s is in use by process %d on ", lock, holder.Process.Pid))
		if err := holder.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = holder.Wait() // its error is the signal
		command(t, c.other...).wantOK(t)
	}
}

// A state file of another queue, or of another program, is refused as it is.
func TestStateOfSomethingElse(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	place := filepath.Join(t.TempDir(), "place")
	for _, channel := range []string{"one", "two"} {
		command(t, "push", "--url", s.URL(channel), "--body", "x").wantOK(t)
	}
	command(t, "pull", "--url", s.URL("one"), "--state", place).wantOK(t)
	command(t, "pull", "--url", s.URL("two"), "--state", place).wantCode(t, exitUsage, "it is one in "+s.URL("one"))
	if err := os.WriteFile(place, []byte("shopping list\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "pull", "--url", s.URL("two"), "--state", place).wantCode(t, exitUsage, "not a place in a queue")
	if content, err := os.ReadFile(place); err != nil || string(content) != "shopping list\n" {
		t.Errorf("%s, %v", content, err)
	}
}
