package client

import (
	"context"
	"slices"
	"sync"
)

// Checkpoint is how far the handling of a queue has come. The zero value is its beginning.
type Checkpoint struct {
	// URL is that of the endpoint whose queue this is a place in: in another one it
	// means nothing, and would have messages passed over there that were never handled.
	URL string

	// ETag stands for the last message of the last batch that was handled whole.
	// The next poll brings it, and so confirms that batch.
	ETag string

	// Handled are the messages that were handled and that the service may deliver
	// once more nevertheless. They are those of the batch that ETag stands for, until
	// the service is known to have heard of it; or, from the next batch on, those of
	// that one, of which no ETag can tell the service, as an ETag stands for a whole
	// batch. So they are never more than the messages of an answer or two.
	Handled []Digest

	// Complete: Handled are those of the batch that ETag stands for. Once the service
	// knows that ETag they can't come again, and a message that is equal to one of them
	// is a new one. A Store that does not keep this loads false, and such a message is
	// passed over.
	Complete bool
}

// equal reports whether two checkpoints are the same.
func (p Checkpoint) equal(other Checkpoint) bool {
	return p.URL == other.URL && p.ETag == other.ETag && p.Complete == other.Complete && slices.Equal(p.Handled, other.Handled)
}

// Digest identifies a message by all that is in it; see [qst.Message.Digest].
type Digest = [16]byte

// Store keeps the place in one queue. A loop of [Client.Pull] loads it once, and
// saves it each time the loop's body is done with what it was given. What was
// saved last must be what is loaded next, whenever the program dies: between the
// two a message is handled a second time.
//
// A store belongs to one queue, and to one loop at a time.
type Store interface {
	// Load returns what was saved last, or the zero Checkpoint. It should fail while another
	// loop uses the store, in whatever program.
	Load(ctx context.Context) (Checkpoint, error)

	// Save returns when the place is as safe as the store makes it. It may not keep or
	// change p.Handled. Its context does not end with that of the loop: what was
	// handled has to be saved also when the loop is told to end.
	Save(ctx context.Context, p Checkpoint) error

	// Release says that the loop that called Load has ended.
	Release()
}

// MemoryStore is a Store that lasts as long as the program. A program that starts again
// is given the batch that it had in hand again, from its start. The zero value is
// ready for use.
type MemoryStore struct {
	mu    sync.Mutex
	saved Checkpoint
}

// Load returns what was saved last. It can't fail.
func (m *MemoryStore) Load(context.Context) (Checkpoint, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return clone(m.saved), nil
}

// Save keeps p. It can't fail.
func (m *MemoryStore) Save(_ context.Context, p Checkpoint) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.saved = clone(p)
	return nil
}

// Release does nothing.
func (m *MemoryStore) Release() {}

func clone(p Checkpoint) Checkpoint {
	p.Handled = slices.Clone(p.Handled)
	return p
}
