package client

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// PullOptions say how to pull. The zero value waits for messages for ever.
type PullOptions struct {
	// Store keeps the place in the queue. nil: in memory, for this loop.
	Store Store

	// Max is the most messages to ask for at once, 1 to 1000; 0: 100.
	Max int

	// Limit ends the loop after this many messages, all of them confirmed; 0: none.
	Limit int

	// UntilEmpty ends the loop when the queue has no more messages, instead of waiting
	// for one.
	UntilEmpty bool
}

// Pull takes messages out of the queue, one by one in their order. The body of the loop
// handles them:
//
//	for msg, err := range c.Pull(ctx, client.PullOptions{Store: client.NewFileStore("place")}) {
//		if err != nil {
//			return err
//		}
//		if err := send(msg); err != nil {
//			return err // msg was not handled: the next Pull starts with it
//		}
//	}
//
// A message is handled when the body comes to its end or to a continue. Then that is
// saved in the Store, and when all messages of an answer are handled, the next poll
// confirms them. A body that leaves the loop (break, return, panic) has not handled
// the message it was given. To stop after a message that was, end the context.
//
// The messages before it were handled, and the service is told so: a handler that fails
// over one message does not have those before it delivered again. That is one attempt
// of at most 5 seconds. Where it fails, or the program is killed, the next loop of the
// same Store does it. A loop whose Store has a place begins with one message, and asks for
// twice as many each time, up to Max: if that message ends it again, no other was
// delivered with it.
//
// A message that comes again although it was handled (an answer was cut, a
// confirmation was lost, the program was restarted) is passed over. A handler runs
// twice for a message only if the program dies, or the Store fails, after the handler
// has finished and before the Store has it.
//
// Whatever may pass is waited out, for as long as it takes: a service that restarts, an
// answer that is cut, a network that is away. See [WithLogger] to hear of it.
// With UntilEmpty, the loop gives up as a push does (see [WithRetry]).
//
// An error comes as the last pair, with a zero message:
//   - ctx.Err(), wrapped, when the context has ended, between two messages.
//   - [*EndpointError]: wrong credentials or the wrong URL.
//   - [*RejectedError]: an option is out of the service's range.
//   - [*UnavailableError]: with UntilEmpty, when it gives up; with Limit, if the last
//     messages could not be confirmed.
//   - [ErrETag]: messages can't be confirmed through what is between here and the service.
//   - [ErrCheckpoint]: the Store has a place in another queue.
//   - what the Store returned, wrapped: [ErrInUse], say. If it could not save, the last message given was
//     handled, and will come again.
//
// A loop that comes to its end, or to that of its context, tells the service of what was
// handled if it does not know yet; after the context's end that takes at most 5 seconds.
func (c *Client) Pull(ctx context.Context, opts PullOptions) iter.Seq2[qst.Message, error] {
	return func(yield func(qst.Message, error) bool) {
		c.pull(ctx, opts, 1, func(msgs []qst.Message, err error) bool {
			if err != nil {
				return yield(qst.Message{}, err)
			}
			return yield(msgs[0], nil)
		})
	}
}

// PullBatches is Pull for a body that handles all messages of an answer in one go, in a
// database transaction, say. There is at least one. They are saved as handled
// together, when the body comes to its end, and none of them is before.
func (c *Client) PullBatches(ctx context.Context, opts PullOptions) iter.Seq2[[]qst.Message, error] {
	return func(yield func([]qst.Message, error) bool) {
		c.pull(ctx, opts, 0, yield)
	}
}

// pull gives the messages to yield, piece by piece; piece 0 is a whole answer.
func (c *Client) pull(ctx context.Context, opts PullOptions, piece int, yield func([]qst.Message, error) bool) {
	p, err := c.newPuller(ctx, opts)
	defer p.release()
	if err != nil {
		yield(nil, err)
		return
	}
	inBody := false
	defer func() {
		if inBody { // break, return, panic
			p.leave(ctx, once)
		}
	}()
	for err == nil && !p.done() {
		var d delivery
		if d, err = p.next(ctx); err != nil || len(d.fresh) == 0 {
			break
		}
		n := piece
		if n == 0 {
			n = len(d.fresh)
		}
		for msgs := range slices.Chunk(d.fresh, n) {
			if err = ended(ctx); err != nil {
				break
			}
			inBody = true
			if !yield(msgs, nil) {
				return
			}
			inBody = false
			if err = p.handled(ctx, &d, len(msgs)); err != nil {
				break
			}
		}
	}
	switch {
	case err == nil:
		err = p.confirm(ctx)
	case ctx.Err() != nil:
		p.leave(ctx, c.retry.giveUp)
	}
	if err != nil {
		yield(nil, err)
	}
}

func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("pulling: %w", err)
	}
	return nil
}
