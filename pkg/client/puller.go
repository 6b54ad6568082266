package client

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

const (
	// maxMessages is the most that a service gives in an answer.
	maxMessages = 1000
	// defaultMessages is what it gives a client that does not say.
	defaultMessages = 100

	// quick is how soon the answer to a long poll comes that did not wait: the service
	// holds no more polls, or is shutting down. It takes milliseconds.
	quick = time.Second
	// quickMost bounds the pause after such answers. Messages wait for that long.
	quickMost = 5 * time.Second

	// maxIgnored is how many polls in a row may be answered with the very messages that they
	// confirm. One is a storage that was set back; some more give a network a chance
	// that is being repaired: the pauses in between add up to about ten seconds.
	maxIgnored = 8

	// confirmTimeout bounds the last requests of a loop whose context has ended, or whose
	// body has left it: the program wants to go, and nothing is lost without them.
	confirmTimeout = 5 * time.Second

	// once is how long withRetry goes on where one attempt is enough.
	once = time.Nanosecond
)

// puller is the state of one loop.
type puller struct {
	c          *Client
	opts       PullOptions
	checkpoint Checkpoint // as it is in the store

	release func() // gives the store back

	max       int  // messages to ask for: opts.Max, or less where answers are cut
	given     int  // messages that were handled
	confirmed bool // the service has answered a poll that brought checkpoint.ETag
	settled   bool // it has said that it knows checkpoint.ETag, and has not been asked for messages since
	mute      bool // it can't say that
}

// delivery is an answer with messages that were not handled yet.
type delivery struct {
	fresh []qst.Message
	known []Digest // the messages of the answer that were handled
	etag  string
}

func (c *Client) newPuller(ctx context.Context, opts PullOptions) (*puller, error) {
	p := &puller{c: c, opts: opts, confirmed: true, release: func() {}}
	if opts.Max < 0 || opts.Max > maxMessages || opts.Limit < 0 {
		return p, fmt.Errorf("%w: pulling at most %d, %d at once", errOption, opts.Limit, opts.Max)
	}
	if opts.Max == 0 {
		p.opts.Max = defaultMessages
	}
	if opts.Store == nil {
		p.opts.Store = new(MemoryStore)
	}
	p.max = p.opts.Max
	var err error
	if p.checkpoint, err = p.opts.Store.Load(ctx); err != nil {
		return p, fmt.Errorf("loading the checkpoint: %w", err)
	}
	p.release = p.opts.Store.Release
	if u := p.checkpoint.URL; u != "" && u != c.URL() {
		return p, fmt.Errorf("%w: it is one in %s, not in %s", ErrCheckpoint, u, c.URL())
	}
	switch n := p.partly(); {
	case n > 0:
		// The loop before ended in the middle of a batch. What it had handled is asked for
		// first, by itself: so there is an ETag for it, and it is confirmed.
		p.max = min(n, p.opts.Max)
	case p.checkpoint.URL != "":
		// The next message may be what it ended with. That one is tried alone: if it ends
		// this loop too, no other was delivered with it.
		p.max = 1
	}
	return p, nil
}

// ErrCheckpoint ends a pull whose store has a checkpoint of another queue. If it is the same one,
// at a new address, have the store know it by that: in a [FileStore] the URL is on the
// first line.
var ErrCheckpoint = errors.New("the stored checkpoint is not one of this queue")

func (p *puller) done() bool { return p.opts.Limit > 0 && p.given >= p.opts.Limit }

// next polls until there are messages that were not handled yet. With UntilEmpty it
// returns none if there are none.
func (p *puller) next(ctx context.Context) (delivery, error) {
	giveUp := time.Duration(0)
	if p.opts.UntilEmpty {
		giveUp = p.c.retry.giveUp
	}
	idle, ignored := 0, 0 // answers in a row that came at once and brought us no further; that ignored our ETag
	for {
		var b polled
		var began time.Time
		err := p.c.withRetry(ctx, "poll", giveUp, func() (err error) {
			began = time.Now()
			b, err = p.poll(ctx)
			return err
		})
		if err != nil {
			return delivery{}, err
		}
		d := p.dropHandled(b.Batch)
		if len(d.known) > 0 && p.checkpoint.Complete {
			// They are equal to messages that the poll confirmed. Either that was not heard
			// and they are those again, or it was and they are new.
			switch ok, err := p.acknowledged(ctx, giveUp, b); {
			case err != nil:
				return delivery{}, err
			case ok:
				d = delivery{fresh: b.Messages, etag: b.ETag}
			case p.settled:
				continue // now what comes is new
			}
		}
		p.settled = false
		if len(d.fresh) > 0 || len(b.Messages) == 0 && p.opts.UntilEmpty {
			return d, nil
		}
		if len(b.Messages) > 0 {
			// All of them were handled: their ETag says so. The digests stay, for the
			// service may not hear of it.
			if b.ETag != p.checkpoint.ETag {
				idle, ignored = 0, 0
				if p.partly() == len(d.known) {
					// The next one is what the loop before ended with, maybe not by its will.
					p.max = 1
				}
				if err := p.save(ctx, p.passed(d)); err != nil {
					return delivery{}, err
				}
				continue
			}
			if ignored++; ignored == maxIgnored {
				return delivery{}, fmt.Errorf("%w: %d polls confirmed messages, and got the same ones again", ErrETag, ignored)
			}
		}
		if time.Since(began) >= quick {
			idle = 0
			continue
		}
		if err := sleep(ctx, min(p.c.retry.pause(idle, 0, 0), quickMost)); err != nil {
			return delivery{}, ended(ctx)
		}
		idle++
	}
}

// poll makes one poll. After one that failed it asks for half as many messages: a
// connection that is cut after some time or some bytes still lets a few through.
func (p *puller) poll(ctx context.Context) (polled, error) {
	req := PollRequest{ETag: p.checkpoint.ETag, Max: p.max}
	if p.opts.Limit > 0 {
		req.Max = min(req.Max, p.opts.Limit-p.given)
	}
	if !p.opts.UntilEmpty {
		req.Wait = p.c.wait
	}
	b, err := p.c.poll(ctx, receive, req, strconv.Itoa(req.Max))
	if err != nil {
		p.settled = false
		p.max = max(p.max/2, 1)
		return b, err
	}
	p.max = min(2*p.max, p.opts.Max)
	p.confirmed = true
	return b, nil
}

// dropHandled takes out of a batch what was handled already. Content decides: an ID alone
// does not name a message, phones count from 1 again when they restart.
func (p *puller) dropHandled(b Batch) delivery {
	handled := make(map[Digest]int, len(p.checkpoint.Handled))
	for _, digest := range p.checkpoint.Handled {
		handled[digest]++
	}
	d := delivery{etag: b.ETag}
	for i := range b.Messages {
		digest := b.Messages[i].Digest()
		if handled[digest] > 0 {
			handled[digest]--
			d.known = append(d.known, digest)
			continue
		}
		d.fresh = append(d.fresh, b.Messages[i])
	}
	return d
}

// handled saves that the next n fresh messages were handled.
//
// What was handled before and is not in this answer is forgotten: messages come in
// their order, so behind one that was not handled there is none that was.
func (p *puller) handled(ctx context.Context, d *delivery, n int) error {
	for i := range n {
		d.known = append(d.known, d.fresh[i].Digest())
	}
	d.fresh = d.fresh[n:]
	p.given += n
	next := Checkpoint{URL: p.c.URL(), ETag: p.checkpoint.ETag, Handled: d.known}
	if len(d.fresh) == 0 {
		next.ETag, next.Complete = d.etag, true
	}
	return p.save(ctx, next)
}

func (p *puller) save(ctx context.Context, next Checkpoint) error {
	if next.equal(p.checkpoint) {
		return nil
	}
	if err := p.opts.Store.Save(context.WithoutCancel(ctx), next); err != nil {
		return fmt.Errorf("saving the place in the queue: %w", err)
	}
	if next.ETag != p.checkpoint.ETag {
		p.confirmed, p.settled = false, false
	}
	p.checkpoint = next
	return nil
}
