package httpapi

import (
	"context"
	"errors"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// Suspend has requests for channels answered 503 until Serve, as before the first Serve: Redis has
// lost its data.
func (a *API) Suspend() { a.phase.CompareAndSwap(serving, starting) }

// orStarting returns errStarting in place of an error that says that there is no such channel, if
// that is because Redis has lost its data: a client that is answered 401 stops for good.
func (a *API) orStarting(ctx context.Context, err error) error {
	if !errors.Is(err, access.ErrUnknown) && !errors.Is(err, queue.ErrUnknownChannel) {
		return err
	}
	if a.phase.Load() == starting || a.opts.Gone(ctx) {
		return errStarting
	}
	return err
}
