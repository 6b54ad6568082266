package access

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

const secret = "sixteen-characters-or-more"

// open returns a gate, and the store behind it, with the channel "c" that has one
// credential for its mailbox.
func open(t *testing.T) (*Gate, *Store, *redistest.Server) {
	t.Helper()
	s := redistest.Start(t)
	runner := storage.NewRunner(s.Service(), storage.RunnerOptions{Timeout: 10 * time.Second})
	t.Cleanup(runner.Close)
	store := NewStore(runner, s.Service(), storage.NewLayout("qst", 4, false), 10*time.Second)
	if _, err := store.Create(t.Context(), Channel{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := store.AddCredential(t.Context(), "c", NewCredential{ID: "k", Endpoint: Mailbox, Secret: secret}); err != nil {
		t.Fatal(err)
	}
	return NewGate(store, time.Hour, func(Guess, string) {}), store, s
}

func attempt(secret string) Attempt {
	return Attempt{Channel: "c", Endpoint: Mailbox, Right: Push, User: "c", Secret: secret, Given: true, Address: "192.0.2.1"}
}

// Once a channel is known, admitting costs Redis nothing; what is not known while
// Redis is away is not refused, but unavailable.
func TestAdmitFromMemory(t *testing.T) {
	t.Parallel()
	g, _, s := open(t)
	if _, err := g.Admit(t.Context(), attempt(secret)); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if _, err := g.Admit(t.Context(), attempt(secret)); err != nil {
		t.Errorf("from memory: %v", err)
	}
	other := attempt(secret)
	other.Channel = "other"
	if _, err := g.Admit(t.Context(), other); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("not in memory: %v", err)
	}
}

func TestExpiredCredential(t *testing.T) {
	t.Parallel()
	g, store, _ := open(t)
	soon := time.Now().Add(time.Hour)
	if _, _, err := store.AddCredential(t.Context(), "c", NewCredential{Endpoint: Mailbox, Secret: "another-one-that-expires", Expires: &soon}); err != nil {
		t.Fatal(err)
	}
	p, err := g.pass(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.check(attempt("another-one-that-expires"), soon.Add(-time.Second)); err != nil {
		t.Errorf("before: %v", err)
	}
	if err := p.check(attempt("another-one-that-expires"), soon); !errors.Is(err, ErrUnknown) {
		t.Errorf("after: %v", err)
	}
}

// Without a credential a request is refused at once, and costs Redis nothing.
func TestMissingCredential(t *testing.T) {
	t.Parallel()
	g, _, s := open(t)
	s.Kill()
	a := attempt("")
	a.Given = false
	if _, err := g.Admit(t.Context(), a); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
}

func TestTooManyCredentials(t *testing.T) {
	t.Parallel()
	_, store, _ := open(t)
	var err error
	n := 1
	for err == nil {
		_, _, err = store.AddCredential(t.Context(), "c", NewCredential{Endpoint: Mailbox})
		if err == nil {
			n++
		}
	}
	if !errors.Is(err, ErrTooMany) || n != maxCredentials {
		t.Errorf("%d credentials, then %v", n, err)
	}
}

func TestInvalid(t *testing.T) {
	t.Parallel()
	_, store, _ := open(t)
	over, zero := int64(1)<<41, int64(0)
	for name, c := range map[string]Channel{
		"name":     {Name: "a:b"},
		"no name":  {},
		"label":    {Name: "x", Labels: map[string]string{"a b": "c"}},
		"bytes":    {Name: "x", Settings: Settings{QueueMaxBytes: &over}},
		"messages": {Name: "x", Settings: Settings{QueueMaxMessages: &zero}},
	} {
		if _, err := store.Create(t.Context(), c); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	past := time.Now().Add(-time.Second)
	for name, n := range map[string]NewCredential{
		"endpoint": {Endpoint: "door"},
		"right":    {Endpoint: Mailbox, Rights: []Right{"own"}},
		"short":    {Endpoint: Mailbox, Secret: "fifteen-letters"},
		"colon":    {Endpoint: Mailbox, User: "a:b"},
		"expired":  {Endpoint: Mailbox, Expires: &past},
		"id":       {Endpoint: Mailbox, ID: "a/b"},
	} {
		if _, _, err := store.AddCredential(t.Context(), "c", n); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Pages, whatever their size, are the whole list in order.
func TestListPages(t *testing.T) {
	t.Parallel()
	_, store, _ := open(t)
	const channels = 1000
	for i := range channels {
		if _, err := store.Create(t.Context(), Channel{Name: fmt.Sprintf("n%04d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{1, 7, 64, 500, 999, 1000} {
		next, n := "", 0
		for first := true; first || next != ""; first = false {
			page, err := store.List(t.Context(), Query{Prefix: "n", After: next, Limit: limit})
			if err != nil || len(page.Channels) > limit {
				t.Fatal(len(page.Channels), err)
			}
			for _, c := range page.Channels {
				if want := fmt.Sprintf("n%04d", n); c.Name != want {
					t.Fatalf("limit %d: %s, want %s", limit, c.Name, want)
				}
				n++
			}
			next = page.Next
		}
		if n != channels {
			t.Fatalf("limit %d: %d of %d channels", limit, n, channels)
		}
	}
}

// A bootstrap file is wrong before anything starts, or not at all; what is said of
// it shows none of what stands in it.
func TestLoadBootstrap(t *testing.T) {
	t.Parallel()
	load := func(text string) (Bootstrap, error) {
		file := filepath.Join(t.TempDir(), "b.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadBootstrap(file)
	}
	const head = "channels:\n- name: c\n  credentials:\n  - "
	for name, text := range map[string]string{
		"no secret":       head + "{id: k, endpoint: mailbox}",
		"short secret":    head + "{id: k, endpoint: mailbox, secret: my-secret}",
		"wrong endpoint":  head + "{id: k, endpoint: my-secret-of-the-phone, secret: sixteen-characters-or-more}",
		"unknown key":     head + "{id: k, endpoint: mailbox, my-secret-of-the-phone: x}",
		"secret as date":  head + "{id: k, endpoint: mailbox, expires: my-secret-of-the-phone}",
		"secret as list":  head + "my-secret-of-the-phone",
		"no YAML":         "channels: [my-secret-of-the-phone",
		"no such channel": "channels:\n- name: a b",
	} {
		_, err := load(text)
		if err == nil || name != "wrong endpoint" && strings.Contains(err.Error(), "my-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := load(head + "{id: k2, endpoint: mailbox, secret: sixteen-characters-or-more, expires: 2001-01-01T00:00:00Z}")
	if err != nil {
		t.Fatalf("an expired credential: %v", err)
	}
	_, store, _ := open(t)
	if err := store.Apply(t.Context(), b); err != nil {
		t.Fatalf("an expired credential: %v", err)
	}
	if r, err := store.Get(t.Context(), "c"); err != nil || len(r.Credentials) != 1 {
		t.Errorf("%+v, %v", r.Credentials, err)
	}
}
