package httpapi

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/fair"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// Bounds are what requests may take of a replica.
type Bounds struct {
	Requests     int   // of a channel at a time
	Bytes        int64 // in memory, of all channels
	ChannelBytes int64 // of these, of one channel
}

// busyPatience is how long a request waits for a place among its channel's. Whoever
// floods a replica is slowed by it, too.
const busyPatience = time.Second

// places are what requests share, by channel. Nothing here is taken before a request's
// credentials have been found good.
type places struct {
	requests *fair.Limit
	slowed   *fair.Limit // requests that wait for their channel's rate
	bytes    *fair.Bytes
	decoding *fair.Limit   // one of each channel
	cores    chan struct{} // one for each that may be busy with large batches
}

func newPlaces(b Bounds) *places {
	return &places{
		requests: fair.NewLimit(b.Requests), slowed: fair.NewLimit(max(1, b.Requests/2)), bytes: fair.NewBytes(b.Bytes, b.ChannelBytes),
		decoding: fair.NewLimit(1),
		// One core is left for all the others, whatever the batches.
		cores: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)),
	}
}

// begin takes a place among a channel's requests. Whoever called it calls end.
func (a *API) begin(c echo.Context, channel string) error {
	ctx := c.Request().Context()
	if !a.places.requests.Enter(ctx, channel, busyPatience) {
		if err := ctx.Err(); err != nil {
			return err
		}
		return errBusy
	}
	eventOf(c).share = a.places.bytes.Share(channel)
	return nil
}

// end gives back what a request took: its answer is written.
func (a *API) end(c echo.Context, channel string) {
	eventOf(c).share.GiveBack()
	a.places.requests.Leave(channel)
}

// large is from how many bytes on a batch keeps a core busy for so long that others
// notice: a millisecond, or a few.
const large = 64 << 10

// compute runs what takes processor time for a batch of so many bytes. Large ones go one
// after the other within a channel, and leave a core to the others.
func (a *API) compute(ctx context.Context, channel string, bytes int, f func() error) error {
	if bytes < large {
		return f()
	}
	p := a.places
	if !p.decoding.Enter(ctx, channel, a.opts.RequestTimeout) {
		return errors.Join(ctx.Err(), errBusy)
	}
	defer p.decoding.Leave(channel)
	select {
	case p.cores <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.cores }()
	return f()
}

// Weights of an answer: how many times its messages' canonical form is in memory until it is
// sent. XML escapes a character with up to six.
const (
	jsonWeight = 2
	xmlWeight  = 6
)

// answerOf makes an answer of a delivery, in the memory that there is for it. If there is none,
// the delivery is given back.
func (a *API) answerOf(c echo.Context, n queue.Name, call queue.Caller, d queue.Delivery, f qst.Format, encode func() error) error {
	ctx, size := c.Request().Context(), 0
	for _, p := range d.Payloads {
		size += len(p)
	}
	weight := jsonWeight
	if f == qst.XML {
		weight = xmlWeight
	}
	err := errBusy
	if eventOf(c).share.Set(int64(weight * size)) {
		err = a.compute(ctx, n.Channel, size, encode)
	}
	if errors.Is(err, errBusy) || errors.Is(err, context.Canceled) {
		a.opts.Queues.GiveBack(ctx, n, call, d, 0)
	}
	return err
}

// InFlight tells what requests take now.
func (a *API) InFlight() telemetry.InFlight {
	return telemetry.InFlight{Bytes: a.places.bytes.Used(), Max: a.opts.Bounds.Bytes, AtLimit: a.places.requests.Full()}
}
