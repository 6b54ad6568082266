package storage

import (
	"context"
	"sync"
)

// Watch tells whether Redis still holds the data that a replica began with.
type Watch struct {
	guard Guard

	mu   sync.Mutex
	life string
}

// NewWatch returns a watch over the data behind a guard.
func NewWatch(g Guard) *Watch { return &Watch{guard: g} }

// Begin notes which data Redis holds, after [Guard.Prepare]. It returns ErrUnavailable.
func (w *Watch) Begin(ctx context.Context) error {
	life, err := w.read(ctx)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.life = life
	return nil
}

// Gone tells whether Redis answers and the data are gone, or others are in their place.
func (w *Watch) Gone(ctx context.Context) bool {
	life, err := w.read(ctx)
	if err != nil {
		return Lost(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return life != w.life
}

// read returns the name of the data's life: data that was lost and made anew have another one.
func (w *Watch) read(ctx context.Context) (string, error) {
	have, err := w.guard.read(ctx)
	return have[fieldLife], err
}
