package app_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// api --check says what a replica would refuse, and starts nothing.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	for file, text := range map[string]string{good: "channels:\n  - name: box\n", bad: "channels:\n  - nam: box\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Nobody listens at that Redis: it is not asked.
	const redis = "QST_REDIS_URL=redis://:s3cret@127.0.0.1:1"
	for _, c := range []struct {
		args string
		env  []string
		code int
		want string
	}{
		{"--check", []string{redis}, 0, "the configuration is good"},
		{"--check", []string{"QST_REDIS_URL=embedded", "QST_BOOTSTRAP_FILE=" + good}, 0, "the configuration is good"},
		{"--check", nil, 2, "QST_REDIS_URL"},
		{"--check", []string{redis, "QST_MAX_POLS=1"}, 2, "QST_MAX_POLLS"},
		{"--check", []string{redis, "QST_BOOTSTRAP_FILE=" + bad}, 2, "line 2"},
		{"--check", []string{redis, "QST_BOOTSTRAP_FILE=" + dir + "/none"}, 2, "none"},
		{"--check", []string{"QST_REDIS_URL=redis://127.0.0.1:1?no_such=1"}, 2, "QST_REDIS_URL"},
		{"check", []string{redis}, 2, `"check"`},
		{"--help", nil, 0, "-check"},
		{"--chek", nil, 2, "-chek"},
		{"--chek", nil, 2, "api --help lists the flags and the variables"},
	} {
		cmd := exec.CommandContext(t.Context(), program, c.args)
		cmd.Env = c.env
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		code := 0
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			code = exit.ExitCode()
		} else if err != nil {
			t.Fatal(err)
		}
		if code != 0 && strings.Count(out.String(), "\n") > 3 {
			t.Errorf("api %s: %d lines carry away what is wrong", c.args, strings.Count(out.String(), "\n"))
		}
		if code != c.code || !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), "s3cret") {
			t.Errorf("api %s with %v: exit code %d, want %d with %q:\n%.2000s", c.args, c.env, code, c.code, c.want, out.String())
		}
	}
}
