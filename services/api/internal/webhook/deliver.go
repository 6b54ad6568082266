package webhook

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/queuestatetransfer/qst/pkg/qst"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// errLapsed is returned when it is not certain any more that the lease is this worker's.
var errLapsed = errors.New("this worker was not heard in time: whether it has the queue is looked at again")

// noAnswer is what metrics call a request that there was no answer to.
const noAnswer = "no_answer"

func outcomeOf(o string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", o)))
}

// maxPlainAnswer bounds the body of an answer that has no replies: some of it is kept for an
// operator to see, the rest is read so that the connection serves again.
const maxPlainAnswer = 64 << 10

// deliver waits for messages and sends a batch. It returns nil when there was none.
func (d *delivery) deliver(requests context.Context) error {
	got, err := d.read(waitFor)
	if err != nil || len(got.Payloads) == 0 {
		return err
	}
	host := d.host
	if !d.w.hosts.try(host) {
		got = queue.Delivery{} // nobody holds a batch that waits for its turn
		ctx, done := d.interruptible()
		err := d.w.hosts.acquire(ctx, host)
		done()
		if err != nil {
			return d.ctx.Err() // else it was a poke
		}
		if got, err = d.read(0); err != nil || len(got.Payloads) == 0 {
			d.w.hosts.release(host, unused, 0)
			return err
		}
	}
	to, pause := unused, time.Duration(0)
	defer func() { d.w.hosts.release(host, to, pause) }()

	body, err := qst.AppendFromCanonical(nil, d.format, got.Payloads)
	if err != nil {
		return fmt.Errorf("queue %s of channel %s holds what is not a message as the service writes them", d.name.Kind, d.name.Channel)
	}
	id := batchID(d.key.Name, got, body)
	n := len(got.Payloads)
	checked := time.Now()
	d.repeat = n
	// Before it is sent: a worker that takes over sends the same.
	if err := d.note(d.ctx, fieldSize, n, fieldBatch, id); err != nil {
		return err
	}
	if !d.w.pulse.holds(checked) {
		return errLapsed
	}
	a := d.send(requests, id, "messages", body, got)
	if requests.Err() != nil && !a.whole() {
		return requests.Err() // it was cut: nothing is known, and it comes again
	}
	to, pause = a.outcome(), min(a.retryAfter, d.w.opts.RetryAfterMax)
	return d.settle(requests, id, got, a)
}

// batchID is a batch's webhook-id: where its messages stand, and a digest of the queue and of what
// is sent. So the same id is the same bytes of the same queue, whatever happened to Redis meanwhile (an epoch would be another one
// then).
func batchID(name string, got queue.Delivery, body []byte) string {
	digest := sha256.Sum256(append([]byte(name+"\n"), body...))
	return fmt.Sprintf("%s-%s-%x", got.FirstID(), got.ETag.ID, digest[:8])
}

// read reads the batch that was sent and not taken, or else the next one. It waits for one, until
// a poke at the latest.
func (d *delivery) read(wait time.Duration) (queue.Delivery, error) {
	n := d.repeat
	if n == 0 {
		n = d.window
	}
	ctx, done := d.interruptible()
	defer done()
	got, err := d.w.opts.Queues.Pull(ctx, d.name, d.caller, queue.Request{
		Processed: queue.UpTo(d.etag), Max: n, Wait: wait, Fence: d.lease.fence,
	})
	if err != nil {
		if ctx.Err() != nil {
			return queue.Delivery{}, d.ctx.Err() // nil: it was a poke
		}
		return queue.Delivery{}, err
	}
	d.etag = nil // it is confirmed
	return got, nil
}

// send makes one try.
func (d *delivery) send(ctx context.Context, id, what string, body []byte, got queue.Delivery) reply {
	w := d.w
	header := map[string]string{"QST-Channel": d.name.Channel, "QST-Queue": string(d.name.Kind), "QST-Webhook": what}
	if w.opts.Tracing {
		var span trace.Span
		ctx, span = w.opts.Tracer.Start(ctx, "POST "+string(d.name.Kind), trace.WithSpanKind(trace.SpanKindProducer),
			trace.WithLinks(telemetry.Links(got.Traces)...), trace.WithAttributes(
				attribute.String("qst.channel", d.name.Channel), telemetry.Queue(d.name.Kind),
				attribute.Int("messaging.batch.message_count", len(got.Payloads)), attribute.String("server.address", d.host),
			))
		defer span.End()
		header["traceparent"] = telemetry.Traceparent(ctx)
		if header["traceparent"] == "" {
			delete(header, "traceparent")
		}
	}
	limit := int64(maxPlainAnswer)
	if d.hook.Replies {
		limit = w.opts.MaxReplies
	}
	a := w.opts.Client.send(ctx, Target{
		URL: d.hook.PushURL, User: d.hook.User, Password: d.hook.Keys.Password,
		Keys: d.hook.Signing(time.Now()), Timeout: time.Duration(d.hook.Timeout),
	}, request{id: id, contentType: d.format.MediaType(), body: body, header: header, maxAnswer: limit})
	trace.SpanFromContext(ctx).SetAttributes(attribute.Int("http.response.status_code", a.status))
	o := noAnswer
	if a.status > 0 {
		o = a.verdict().String()
	}
	w.opts.Metrics.WebhookRequests.Add(ctx, 1, outcomeOf(o))
	w.opts.Metrics.WebhookDuration.Record(ctx, a.took.Seconds(), outcomeOf(o))
	return a
}

// settle does with a batch what its answer says.
func (d *delivery) settle(ctx context.Context, id string, got queue.Delivery, a reply) error {
	n, v := len(got.Payloads), a.verdict()
	if v == taken && d.hook.Replies {
		if err := d.reply(ctx, id, a); err != nil {
			v, a = again, reply{status: a.status, err: fmt.Errorf("its replies: %w", err), retryAfter: a.retryAfter}
		}
	}
	switch {
	case v == taken:
		d.etag, d.repeat = got.ETag, 0
		d.window = min(2*max(d.window, n), d.hook.MaxMessages)
		d.well(a)
		return nil
	case v == refused && n > 1:
		d.repeat, d.window = 0, n/2
		d.later(d.last(a)...)
		return nil
	case v == refused:
		d.repeat, d.window = 0, 1
		d.later(d.last(a)...)
		err := d.w.opts.Queues.DeadLetter(ctx, d.name, d.caller, d.lease.fence, got.FirstID(), a.status, a.text())
		if errors.Is(err, queue.ErrNotFound) {
			return nil // an operator or the retention was faster
		}
		return err
	default:
		return d.ill(v, a)
	}
}

// last is the fields that say how the last try went, which took nothing.
func (d *delivery) last(a reply) []any {
	now := time.Now()
	d.state.Last, d.state.Status, d.state.Answer = now, a.status, a.text()
	return []any{fieldLast, ms(now), fieldStatus, a.status, fieldAnswer, d.state.Answer}
}

// well notes that something was taken.
func (d *delivery) well(a reply) {
	now := time.Now()
	failed := d.state.Failures > 0
	d.state.Last, d.state.Taken, d.state.Status, d.state.Answer = now, now, a.status, ""
	d.state.Failures, d.state.NextTry = 0, time.Time{}
	d.appear()
	d.later(fieldLast, ms(now), fieldTaken, ms(now), fieldStatus, a.status, fieldAnswer, "", fieldFailures, 0, fieldNextTry, "")
	if failed {
		d.w.log.InfoContext(d.ctx, "a webhook is well again", d.who()...)
	}
}

// ill notes that a try failed: when the next one is, or that there is none until an operator says so.
func (d *delivery) ill(v verdict, a reply) error {
	fields := d.last(a)
	d.state.Failures++
	fields = append(fields, fieldFailures, d.state.Failures)
	attrs := append(d.who(), slog.Int("status", a.status), slog.String("answer", d.state.Answer))
	if v == stop {
		d.state.Stopped = d.state.Last
		fields = append(fields, fieldStopped, ms(d.state.Stopped))
		d.w.log.ErrorContext(d.ctx, "a webhook has stopped until an operator resumes it", attrs...)
	} else {
		pause := jitter(backoff(d.state.Failures, d.w.opts.RetryMax))
		if a.retryAfter > 0 {
			pause = min(a.retryAfter, d.w.opts.RetryAfterMax) + jitter(firstPause)
		}
		d.state.NextTry = d.state.Last.Add(pause)
		fields = append(fields, fieldNextTry, ms(d.state.NextTry))
		level := slog.LevelDebug
		if d.state.Failures == 1 {
			level = slog.LevelWarn
		}
		d.w.log.Log(d.ctx, level, "a webhook failed and is tried again", attrs...)
	}
	d.appear()
	return d.note(context.WithoutCancel(d.ctx), fields...)
}

// who is how logs name a delivery. (Not the URL: its query may have a secret.)
func (d *delivery) who() []any {
	return []any{slog.String("channel", d.name.Channel), slog.String("queue", string(d.name.Kind)), slog.String("host", d.host)}
}
