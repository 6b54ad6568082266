package gateway

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Gateway sends and receives texts.
type Gateway interface {
	// Send hands a text to the gateway, and returns when the gateway has it as safely as
	// it can. A text with Again set may have been handed over before, by a
	// bridge that died in the middle: a gateway that can tell passes it over.
	//
	// A *RejectedError says that this text will never be sent. After any
	// other error the same text is tried again.
	Send(ctx context.Context, t Text) error

	// Run watches the gateway until ctx ends, and tells the bridge of what it receives and
	// of what becomes of texts.
	Run(ctx context.Context, b *Bridge) error
}

// Text is a message on its way to the gateway.
type Text struct {
	Key        string // 32 hexadecimal digits, another one for each message
	ID         string // the message's
	From       string // a number or a name, "" if the message has none
	To         string // a number, with a + if the message's had one
	Body       string // subject and body, joined as version 1 joins them
	Begun      time.Time
	ValidUntil time.Time // zero: for ever
	Again      bool      // it may have been handed over before
}

// RejectedError says that a text will never be sent.
type RejectedError struct {
	Code   string // for qst-code: one word
	Reason string // for people
}

func (e *RejectedError) Error() string { return e.Code + ": " + e.Reason }

// ErrDouble is what Send returns when the gateway took a text with Again set and can't
// tell if it had it before. The text counts as handed over.
var ErrDouble = errors.New("handed over, maybe a second time")

// Bridge moves texts between a channel and a gateway.
type Bridge struct {
	settings Settings
	client   *client.Client
	gateway  Gateway
	log      *slog.Logger
	metrics  *metrics
	spool    *spool
	journal  *journal
	store    *client.FileStore
	lock     *client.FileStore // of the state directory

	advancing sync.Mutex // held from reading an entry of the journal to writing it
}

// New opens the bridge's state directory. Close it after Run.
func New(s Settings, c *client.Client, g Gateway, log *slog.Logger) (*Bridge, error) {
	s = s.withDefaults()
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.State, 0o700); err != nil {
		return nil, err
	}
	b := &Bridge{settings: s, client: c, gateway: g, log: log, metrics: &metrics{}}
	// Before anything of the directory is touched: who holds it is its only bridge.
	b.lock = client.NewFileStore(filepath.Join(s.State, "bridge"))
	if _, err := b.lock.Load(context.Background()); err != nil {
		return nil, err
	}
	b.store = client.NewFileStore(filepath.Join(s.State, "outbound"))
	var err error
	if b.spool, err = openSpool(s.State, s.SpoolMax); err == nil {
		b.journal, err = openJournal(filepath.Join(s.State, "journal"))
	}
	if err != nil {
		b.lock.Release()
		return nil, err
	}
	return b, nil
}

// Close gives up the state directory.
func (b *Bridge) Close() error {
	defer b.lock.Release()
	return b.journal.close()
}

// grace is what a push or a hand-over has to finish once the bridge is told to end: one
// that is cut may have been done, and is then done again.
const grace = 10 * time.Second

// Run moves texts until ctx ends, or something is wrong that does not pass by itself:
// the credentials, the disk. The error is never nil.
func (b *Bridge) Run(ctx context.Context) error {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	finishing, end := outlive(running, grace)
	defer end()
	var parts sync.WaitGroup
	start := func(name string, f func() error) {
		parts.Go(func() {
			if err := f(); err != nil && running.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("outbound", func() error { return b.outbound(running, finishing) })
	start("inbound", func() error { return b.spool.push(running, finishing, b.client, b.metrics) })
	start("gateway", func() error { return b.gateway.Run(running, b) })
	start("journal", func() error { return b.tidy(running) })
	start("metrics", func() error { return b.serve(running) })
	parts.Wait()
	return context.Cause(running)
}

// outbound hands what the channel has for the gateway over, one text after the other.
func (b *Bridge) outbound(ctx, finishing context.Context) error {
	for m, err := range b.client.Pull(ctx, client.PullOptions{Store: b.store, Max: b.settings.Batch}) {
		if err != nil {
			return err
		}
		if err := b.hand(ctx, finishing, m); err != nil {
			return err
		}
	}
	return nil
}

// hand does all that has to be done for a message before it is confirmed.
func (b *Bridge) hand(ctx, finishing context.Context, m qst.Message) error {
	digest := m.Digest()
	key := hex.EncodeToString(digest[:])
	e, known := b.journal.get(key)
	if known && e.Status != handing {
		b.metrics.passedOver.Add(1)
		return nil
	}
	t, rejected := b.text(key, m)
	t.Again = known
	if known {
		t.Begun = e.Begun
	}
	if !known {
		t.Begun = time.Now()
		if err := b.journal.put(entry{Key: key, ID: m.ID, To: t.To, Status: handing, Begun: t.Begun, At: t.Begun}); err != nil {
			return err
		}
	}
	var err error
	if rejected != nil {
		err = rejected
	} else {
		err = b.withRetry(ctx, finishing, t)
	}
	if r, ok := errors.AsType[*RejectedError](err); ok {
		b.log.WarnContext(ctx, "a text can't be sent", "id", m.ID, "code", r.Code, "reason", r.Reason)
		event := Event{Status: Rejected, Code: r.Code, At: t.Begun, Last: true}
		switch r.Code {
		case codeExpired:
			event.Status = Expired
		case codeLate:
			event.Status = Unknown
		}
		return b.reportWithRetry(ctx, key, event)
	}
	if errors.Is(err, ErrDouble) {
		b.log.WarnContext(ctx, "handed over, maybe a second time: the gateway can't tell", "id", m.ID)
		b.metrics.possibleDoubles.Add(1)
		err = nil
	}
	if err != nil {
		return err
	}
	b.metrics.handed.Add(1)
	b.metrics.lastHanded.Store(time.Now().Unix())
	// A report may have come before the hand-over returned.
	return b.advance(key, func(e *entry) { e.Status = handed })
}

// The codes of a text whose time is over: one that was not handed over, and one that
// may have been.
const codeExpired, codeLate = "validity", "validity-late"

// text returns what of a message the gateway gets, or says why it can't.
func (b *Bridge) text(key string, m qst.Message) (Text, error) {
	t := Text{Key: key, ID: m.ID, Body: m.Body}
	if m.Subject != "" {
		t.Body = m.Subject
		if m.Body != "" {
			t.Body += " - " + m.Body
		}
	}
	if from, ok := Number(m.From); ok {
		t.From = from
	}
	var ok bool
	if t.To, ok = Number(m.To); !ok {
		t.To = ""
		return t, &RejectedError{Code: "address", Reason: fmt.Sprintf("to %q is no telephone number", m.To)}
	}
	if until := Property(&m, "qst-valid-until"); until != "" {
		at, err := time.Parse(time.RFC3339, until)
		if err != nil {
			return t, &RejectedError{Code: "valid-until", Reason: fmt.Sprintf("qst-valid-until %q is no time as RFC 3339 has it", until)}
		}
		t.ValidUntil = at
	}
	if t.Body == "" {
		return t, &RejectedError{Code: "empty", Reason: "the message has neither subject nor body"}
	}
	if n := units(t.Body); n > b.settings.MaxLength {
		return t, &RejectedError{Code: "length", Reason: fmt.Sprintf("the text has %d characters, of at most %d (max-length)", n, b.settings.MaxLength)}
	}
	return t, nil
}

// units counts a text's UTF-16 units, of which an emoji has two.
func units(s string) (n int) {
	for _, r := range s {
		if n++; r > 0xffff {
			n++
		}
	}
	return n
}

// withRetry hands a text over, as often as it takes.
func (b *Bridge) withRetry(ctx, finishing context.Context, t Text) error {
	pause := 200 * time.Millisecond
	for {
		if !t.ValidUntil.IsZero() && time.Now().After(t.ValidUntil) {
			if t.Again {
				return &RejectedError{Code: codeLate, Reason: "it was valid until " + t.ValidUntil.Format(time.RFC3339) + ", and may have been handed over before"}
			}
			return &RejectedError{Code: codeExpired, Reason: "it was valid until " + t.ValidUntil.Format(time.RFC3339)}
		}
		err := b.gateway.Send(finishing, t)
		if _, rejected := errors.AsType[*RejectedError](err); err == nil || rejected || errors.Is(err, ErrDouble) {
			return err
		}
		if errors.Is(err, ErrBusy) {
			if err := wait(ctx, busyPause); err != nil {
				return err
			}
			continue
		}
		b.metrics.failures.Add(1)
		b.log.WarnContext(ctx, "the gateway did not take a text; trying again", "id", t.ID, "pause", pause, "error", err)
		if err := wait(ctx, pause); err != nil {
			return err
		}
		pause = min(2*pause, b.settings.RetryMax.Duration)
		if !errors.Is(err, ErrNotHanded) {
			t.Again = true
		}
	}
}

// ErrNotHanded is wrapped by errors of Send after which the gateway surely does not have
// the text.
var ErrNotHanded = errors.New("not handed over")

// ErrBusy is what Send returns, and does nothing, while the gateway has enough to do.
var ErrBusy = errors.New("the gateway has enough to do")

// busyPause is how long a busy gateway is left alone.
const busyPause = 100 * time.Millisecond

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outlive returns a context that ends d after parent does, or when end is called.
func outlive(parent context.Context, d time.Duration) (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	var late sync.WaitGroup
	late.Go(func() {
		select {
		case <-ctx.Done():
			return
		case <-parent.Done():
		}
		if wait(ctx, d) == nil {
			cancel()
		}
	})
	return ctx, func() { cancel(); late.Wait() }
}
