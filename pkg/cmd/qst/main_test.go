package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/internal/servicetest"
)

var (
	service servicetest.Binary
	program string // qst itself, for tests that kill it
)

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "qst-test")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if service, err = servicetest.Build(dir); err != nil {
		panic(err)
	}
	program = filepath.Join(dir, "qst")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	return m.Run()
}

// call is a call of qst.
type call struct {
	stdin string
	tty   bool              // a person is there
	typed string            // what the person types
	env   map[string]string // HOME is a directory without a configuration unless it is given
}

// result is what came of it.
type result struct {
	code        int
	out, stderr string
}

// qst calls the command.
func (c call) qst(t *testing.T, args ...string) result {
	t.Helper()
	return c.qstUntil(t.Context(), t, args...)
}

func (c call) qstUntil(ctx context.Context, t *testing.T, args ...string) result {
	t.Helper()
	home := t.TempDir()
	var out, stderr bytes.Buffer
	term := terminal{
		in: strings.NewReader(c.stdin + c.typed), out: &out, err: &stderr,
		inTTY: c.tty && c.stdin == "", outTTY: c.tty, errTTY: c.tty,
		env: func(name string) string {
			v, ok := c.env[name]
			switch {
			case !ok && name == "HOME":
				return home
			case !ok && name == "QSTC_OUTPUT" && !c.tty:
				return "json" // for a program
			default:
				return v
			}
		},
	}
	code := run(ctx, term, args)
	return result{code: code, out: out.String(), stderr: stderr.String()}
}

// command calls the command for a program, without an environment.
func command(t *testing.T, args ...string) result {
	t.Helper()
	return call{}.qst(t, args...)
}

// wantOK fails the test if r is not a success.
func (r result) wantOK(t *testing.T) result {
	t.Helper()
	if r.code != exitOK {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	return r
}
