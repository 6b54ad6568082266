package conformance_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/conformance"
	"github.com/queuestatetransfer/qst/pkg/internal/servicetest"
)

var service servicetest.Binary

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "qst-conformance")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if service, err = servicetest.Build(dir); err != nil {
		panic(err)
	}
	return m.Run()
}

// start starts a service and returns a target that is it. Its limits are those of a
// service nobody configured.
func start(t *testing.T) conformance.Target {
	t.Helper()
	s := service.Start(t, "embedded")
	return conformance.Target{
		URL:    "http://" + s.Addr,
		Limits: conformance.ServerLimits{PushBytes: 1 << 20, PushMessages: 1000, MessageBytes: 64 << 10},
	}
}

// report fails the test with what failed.
func report(t *testing.T, r conformance.Result) {
	t.Helper()
	if r.Verdict == conformance.Failed {
		t.Errorf("%s: %s\nholds to: %s\n%s", r.Name, strings.Join(r.Why, "\n"), r.Holds, strings.Join(r.Exchanges, "\n\n"))
	}
}

func TestService(t *testing.T) {
	t.Parallel()
	r, err := conformance.Run(t.Context(), conformance.Cases(), start(t), 8, func(r conformance.Result) { report(t, r) })
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d passed, %d failed, %d skipped, in %.1f s", r.Passed, r.Failed, r.Skipped, r.Seconds)
	if r.Passed < 400 {
		t.Errorf("only %d cases passed", r.Passed)
	}
}

// No two cases have the same name, and each holds to a sentence that is there.
func TestSentences(t *testing.T) {
	t.Parallel()
	var texts []string
	for _, file := range []string{"../../docs/protocol.md", "testdata/wiki.txt"} {
		text, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, words(string(text)))
	}
	seen := map[string]bool{}
	check := func(name string, level conformance.Level, holds string) {
		if seen[name] {
			t.Errorf("two cases are called %q", name)
		}
		seen[name] = true
		text := texts[0]
		if level == conformance.Wiki {
			text = texts[1]
		}
		if holds == "" || !strings.Contains(text, words(holds)) {
			t.Errorf("%s holds to what is not written: %q", name, holds)
		}
	}
	for _, c := range conformance.Cases() {
		check(c.Name, c.Level, c.Holds)
	}
	if len(seen) < 400 {
		t.Errorf("%d server cases", len(seen))
	}
	clear(seen)
	for _, c := range conformance.ClientCases() {
		check(c.Name, c.Level, c.Holds)
	}
	if len(seen) < 60 {
		t.Errorf("%d client cases", len(seen))
	}
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }
