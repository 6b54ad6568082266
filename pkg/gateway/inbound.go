package gateway

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Receive takes a message that the gateway has received, and returns when it is on
// disk: the gateway may forget it. The message has an ID, the same each time that it is
// offered (see [ID]), and the same content.
func (b *Bridge) Receive(m qst.Message) error {
	fresh, err := b.spool.put(m)
	if fresh {
		b.metrics.received.Add(1)
	}
	return err
}

// ID returns an ID for a message that the gateway received, made of all that tells it
// from others: what the gateway calls it, when and from whom it came, and what it says.
func ID(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// IsKey tells whether a part of a file's name can be a [Text]'s Key.
func IsKey(s string) bool {
	key, err := hex.DecodeString(s)
	return err == nil && len(key) == 16
}

// ErrNotKnown is what Report returns for a text that this bridge did not hand over, or
// long ago.
var ErrNotKnown = errors.New("the journal has no such text")

// Report takes what the gateway says of a text, and returns when it is on disk. What is
// told twice, or says less than what is known, is passed over.
func (b *Bridge) Report(key string, event Event) error {
	e, ok := b.journal.get(key)
	if !ok {
		b.metrics.unmatched.Add(1)
		return ErrNotKnown
	}
	if event.Status.rank() <= e.Status.rank() {
		return nil
	}
	if b.settings.Reports == "all" || b.settings.Reports == "final" && event.Last {
		if _, err := b.spool.put(report(e.ID, key, event)); err != nil {
			return err
		}
	}
	b.metrics.report(event.Status)
	return b.advance(key, func(e *entry) { e.Status, e.Done = event.Status, event.Last })
}

// reportWithRetry is Report for one that the bridge itself has to make: while the spool is full
// it waits.
func (b *Bridge) reportWithRetry(ctx context.Context, key string, event Event) error {
	for {
		err := b.Report(key, event)
		if !errors.Is(err, ErrFull) {
			return err
		}
		if err := wait(ctx, time.Second); err != nil {
			return err
		}
	}
}

// Refer keeps what the gateway calls a text, for ByRef.
func (b *Bridge) Refer(key, ref string) error {
	return b.advance(key, func(e *entry) { e.Ref = ref })
}

// ByRef returns the key of the text to a number that the gateway calls ref.
func (b *Bridge) ByRef(to, ref string) (key string, ok bool) {
	e, ok := b.journal.byRef(to, ref)
	return e.Key, ok
}

// Unmatched counts a report of which the gateway does not say what text it is about.
func (b *Bridge) Unmatched() { b.metrics.unmatched.Add(1) }

// Refused counts a call that does not bring what the gateway's have.
func (b *Bridge) Refused() { b.metrics.strange.Add(1) }

// Open calls f with each text that was handed over and whose last report has not come.
func (b *Bridge) Open(f func(key string)) {
	_, open := b.journal.open(time.Now().Add(time.Hour))
	for _, e := range open {
		if e.Status != handing {
			f(e.Key)
		}
	}
}

// advance changes an entry. A status only goes up.
func (b *Bridge) advance(key string, change func(*entry)) error {
	b.advancing.Lock()
	defer b.advancing.Unlock()
	e, ok := b.journal.get(key)
	if !ok {
		return ErrNotKnown
	}
	before := e
	change(&e)
	if e.Status.rank() <= before.Status.rank() {
		e.Status = before.Status
	} else {
		e.At = time.Now()
	}
	if e == before {
		return nil
	}
	return b.journal.put(e)
}

// tidyEvery is how often the journal is looked through.
const tidyEvery = time.Minute

// tidy gives up texts of which the gateway says nothing any more, and forgets those that are
// done.
func (b *Bridge) tidy(ctx context.Context) error {
	for {
		now := time.Now()
		_, old := b.journal.open(now.Add(-b.settings.ReportWait.Duration))
		for _, e := range old {
			if e.Status == handing {
				continue // it is being tried
			}
			if err := b.reportWithRetry(ctx, e.Key, Event{Status: Unknown, Code: "report-wait", At: e.Begun, Last: true}); err != nil {
				return err
			}
		}
		b.journal.forget(now.Add(-b.settings.Remember.Duration))
		if err := wait(ctx, tidyEvery); err != nil {
			return err
		}
	}
}
