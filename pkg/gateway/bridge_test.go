package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/internal/servicetest"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

var service servicetest.Binary

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
	return m.Run()
}

// fake is a gateway that crashes where a test wants it to.
type fake struct {
	mu    sync.Mutex
	taken []gateway.Text
	tells bool // it can tell what it has

	before, after func(gateway.Text) error // taking a text
	run           func(context.Context, *gateway.Bridge) error
}

func (f *fake) Send(_ context.Context, t gateway.Text) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.before != nil {
		if err := f.before(t); err != nil {
			return err
		}
	}
	has := false
	for _, had := range f.taken {
		has = has || had.Key == t.Key
	}
	if t.Again && f.tells && has {
		return nil
	}
	f.taken = append(f.taken, t)
	if f.after != nil {
		if err := f.after(t); err != nil {
			return err
		}
	}
	if t.Again && !f.tells {
		return gateway.ErrDouble
	}
	return nil
}

func (f *fake) Run(ctx context.Context, b *gateway.Bridge) error {
	if f.run != nil {
		return f.run(ctx, b)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (f *fake) bodies() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, t := range f.taken {
		all = append(all, t.Body)
	}
	return strings.Join(all, " ")
}

type world struct {
	app  *client.Client
	gate string
	state
}

type state struct{ dir string }

func newWorld(t *testing.T) *world {
	t.Helper()
	s := service.Start(t, "embedded")
	app, err := client.New(s.URL("c/application"))
	if err != nil {
		t.Fatal(err)
	}
	return &world{app: app, gate: s.URL("c/gateway"), state: state{t.TempDir()}}
}

// bridge runs a bridge until stop is called or it ends.
func (w *world) bridge(t *testing.T, g gateway.Gateway, settings gateway.Settings) (stop func() error) {
	t.Helper()
	c, err := client.New(w.gate, client.WithWait(200*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	settings.State = w.dir
	b, err := gateway.New(settings, c, g, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() {
			cancel()
			result = errors.Join(<-ended, b.Close())
		})
		return result
	}
	t.Cleanup(func() { _ = stop() })
	return stop
}

func (w *world) push(t *testing.T, bodies ...string) {
	t.Helper()
	for _, body := range bodies {
		if _, err := w.app.Push(t.Context(), qst.Message{ID: "id-" + body, To: "sms://1", Body: body}); err != nil {
			t.Fatal(err)
		}
	}
}

// pull returns the next n messages for the application.
func (w *world) pull(t *testing.T, n int) []qst.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var all []qst.Message
	for m, err := range w.app.Pull(ctx, client.PullOptions{Limit: n}) {
		if err != nil {
			t.Fatalf("after %d of %d messages: %v", len(all), n, err)
		}
		all = append(all, m)
	}
	return all
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// receive returns what comes through a channel.
func receive[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(time.Minute):
		t.Fatal("waited in vain")
	}
	return v
}

// crash is a disk that fails, as a process that dies is seen from outside: the text is not
// marked, or not confirmed.
func crash(t *testing.T, path string) (repair func()) {
	t.Helper()
	if err := os.Rename(path, path+".away"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := os.MkdirAll(filepath.Join(path, "in-the-way"), 0o700); err != nil {
		t.Error(err)
	}
	return func() {
		_ = os.RemoveAll(path)
		_ = os.Rename(path+".away", path)
	}
}

// The four points at which a bridge can die, on a gateway that can tell what it has and on one
// that can't.
func TestCrashPoints(t *testing.T) {
	t.Parallel()
	errCrash := fmt.Errorf("%w: the gateway's disk is gone", gateway.ErrNotHanded)
	for _, test := range []struct {
		name  string
		crash func(w *world, f *fake, dying chan<- struct{}) (repair func())
		tells string // what a gateway has that can tell
		blind string // what one has that can't
	}{
		{"before handing over", func(_ *world, f *fake, dying chan<- struct{}) func() {
			f.before = func(gateway.Text) error { dying <- struct{}{}; return errCrash }
			return func() { f.before = nil }
		}, "a b", "a b"},
		{"after handing over", func(_ *world, f *fake, dying chan<- struct{}) func() {
			f.after = func(gateway.Text) error { dying <- struct{}{}; return errors.New("no answer") }
			return func() { f.after = nil }
		}, "a b", "a a b"},
		{"before confirming", func(w *world, f *fake, dying chan<- struct{}) func() {
			var repair func()
			f.after = func(gateway.Text) error {
				repair = crash(t, filepath.Join(w.dir, "outbound.new"))
				dying <- struct{}{}
				return nil
			}
			return func() { f.after = nil; repair() }
		}, "a b", "a b"},
	} {
		for _, tells := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, tells %v", test.name, tells), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.push(t, "a", "b")
				f := &fake{tells: tells}
				dying := make(chan struct{}, 100)
				repair := test.crash(w, f, dying)
				stop := w.bridge(t, f, gateway.Settings{})
				receive(t, dying)
				_ = stop()
				repair()
				w.bridge(t, f, gateway.Settings{})
				want := test.blind
				if tells {
					want = test.tells
				}
				until(t, want, func() bool { return f.bodies() == want })
			})
		}
	}
}

// A text whose validity ends while the gateway is busy is not sent, and the application hears that it
// has expired. (One whose validity ends before does not leave the service.)
func TestValidityEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := &fake{}
	ends := time.Now().Add(5 * time.Second).Truncate(time.Second)
	f.before = func(text gateway.Text) error {
		if text.Body == "late" && !text.ValidUntil.IsZero() && time.Now().Before(text.ValidUntil) {
			return gateway.ErrBusy
		}
		return nil
	}
	for _, m := range []qst.Message{
		{ID: "late", To: "sms://1", Body: "late", Properties: []qst.Property{{Name: "qst-valid-until", Values: []qst.Value{{Text: ends.Format(time.RFC3339)}}}}},
		{ID: "other", To: "sms://1", Body: "other"},
	} {
		if _, err := w.app.Push(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	w.bridge(t, f, gateway.Settings{})
	report := w.pull(t, 1)[0]
	if of, status := gateway.Property(&report, "qst-message"), gateway.Property(&report, "qst-status"); of != "late" || status != "expired" {
		t.Errorf("%s: %s", of, status)
	}
	until(t, "the next text", func() bool { return f.bodies() == "other" })
}

// After confirming nothing comes again: another bridge on the same directory goes on.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := &fake{}
	stop := w.bridge(t, f, gateway.Settings{})
	w.push(t, "a")
	until(t, "a", func() bool { return f.bodies() == "a" })
	if err := stop(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.push(t, "b")
	w.bridge(t, f, gateway.Settings{})
	until(t, "b", func() bool { return f.bodies() == "a b" })
	c, err := client.New(w.gate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.New(gateway.Settings{State: w.dir}, c, f, slog.New(slog.DiscardHandler)); !errors.Is(err, client.ErrInUse) {
		t.Errorf("a second bridge: %v", err)
	}
}

// Reports are told once, in their order, and never take back what is known.
func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Date(2026, 11, 26, 7, 30, 0, 0, time.UTC)
	f := &fake{}
	done := make(chan error, 1)
	f.run = func(ctx context.Context, b *gateway.Bridge) error {
		until(t, "a", func() bool { return f.bodies() == "a" })
		key := f.taken[0].Key
		var err error
		for _, e := range []gateway.Event{
			{Status: gateway.Sent, At: at},
			{Status: gateway.Sent, At: at},
			{Status: gateway.Failed, Code: strings.Repeat("é", 200), At: at, Last: true},
			{Status: gateway.Sent, At: at},
		} {
			err = errors.Join(err, b.Report(key, e))
		}
		if unknown := b.Report("nothing", gateway.Event{Status: gateway.Sent}); !errors.Is(unknown, gateway.ErrNotKnown) {
			t.Errorf("an unknown text: %v", unknown)
		}
		done <- err
		<-ctx.Done()
		return ctx.Err()
	}
	w.bridge(t, f, gateway.Settings{})
	w.push(t, "a")
	if err := receive(t, done); err != nil {
		t.Fatal(err)
	}
	got := w.pull(t, 2)
	for i, status := range []string{"sent", "failed"} {
		m := got[i]
		if m.Subject != status || gateway.Property(&m, "qst-status") != status || gateway.Property(&m, "qst-message") != "id-a" || m.When != "2026-11-26T07:30:00Z" {
			t.Errorf("report %d: %+v", i, m)
		}
	}
	if code := gateway.Property(&got[1], "qst-code"); code != strings.Repeat("é", 128) {
		t.Errorf("code %q", code)
	}
	for m, err := range w.app.Pull(t.Context(), client.PullOptions{UntilEmpty: true}) {
		t.Errorf("more: %+v, %v", m, err)
		break // the first one says enough
	}
}

// A message that is offered again before the service has it is one message; a full spool is
// an error; and what the service will never take becomes a dead letter.
func TestReceive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := make(chan struct{})
	f := &fake{run: func(ctx context.Context, b *gateway.Bridge) error {
		for _, m := range []qst.Message{
			{ID: "1", Body: "one"}, {ID: "1", Body: "one"}, {ID: "2", Subject: strings.Repeat("x", 100_000)}, {ID: "3", Body: "three"},
		} {
			if err := b.Receive(m); err != nil {
				t.Error(err)
			}
		}
		close(done)
		<-ctx.Done()
		return ctx.Err()
	}}
	stop := w.bridge(t, f, gateway.Settings{})
	if got := w.pull(t, 2); got[0].Body != "one" || got[1].Body != "three" {
		t.Errorf("%+v", got)
	}
	until(t, "the refused message", func() bool {
		files, _ := os.ReadDir(filepath.Join(w.dir, "spool-refused"))
		return len(files) == 1
	})
	receive(t, done)
	_ = stop()

	w.gate = "http://127.0.0.1:1/v2/channels/c/gateway" // nobody there
	w.dir = t.TempDir()
	full := make(chan error, 1)
	f.run = func(ctx context.Context, b *gateway.Bridge) error {
		_ = b.Receive(qst.Message{ID: "1", Body: "one"})
		full <- b.Receive(qst.Message{ID: "2", Body: "two"})
		<-ctx.Done()
		return ctx.Err()
	}
	w.bridge(t, f, gateway.Settings{SpoolMax: 1})
	if err := receive(t, full); !errors.Is(err, gateway.ErrFull) {
		t.Errorf("a full spool: %v", err)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"sms://+85512345678": "+85512345678", "SMS:4455": "4455", "tel:+855-12-34 (56) 78": "+85512345678", " 012.345 ": "012345",
		"": "", "+": "", "sms://": "", "sms://bank": "", "mailto:a@b": "", "1+2": "", "sms://123456789012345678901": "",
	} {
		got, ok := gateway.Number(address)
		if !ok {
			got = ""
		}
		if got != want {
			t.Errorf("%q: %q", address, got)
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("sms://+85512345678")
	f.Fuzz(func(t *testing.T, address string) {
		number, ok := gateway.Number(address)
		if !ok {
			return
		}
		if strings.Trim(strings.TrimPrefix(number, "+"), "0123456789") != "" || len(number) > 21 {
			t.Errorf("%q", number)
		}
		if again, ok := gateway.Number(gateway.Address(number)); !ok || again != number {
			t.Errorf("%q became %q", number, again)
		}
	})
}
