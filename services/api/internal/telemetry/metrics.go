package telemetry

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// Build says what program this is.
type Build struct{ Version, Commit, Date string }

// Metrics are the service's instruments. Attributes are few and bounded: the
// queue (inbound, outbound, mailbox), an outcome; never a channel, of which there
// may be a million.
type Metrics struct {
	Accepted     metric.Int64Counter // queue
	Duplicate    metric.Int64Counter // queue
	Forgotten    metric.Int64Counter // queue; digests
	Delivered    metric.Int64Counter // queue; for the first time
	Redelivered  metric.Int64Counter // queue
	Confirmed    metric.Int64Counter // queue
	Expired      metric.Int64Counter // queue
	Lapsed       metric.Int64Counter // queue; past their validity
	DeadLettered metric.Int64Counter // queue
	DeadDropped  metric.Int64Counter // queue
	Reports      metric.Int64Counter // state; reports of what became of messages
	Purged       metric.Int64Counter // queue; by operators, also with their channel
	Requeued     metric.Int64Counter // queue; dead messages put back by operators
	Recovered    metric.Int64Counter // queue; confirmed without a delivery that Redis remembers
	Refused      metric.Int64Counter // method, reason; requests, not messages
	Guesses      metric.Int64Counter // of, outcome; wrong credentials
	BytesIn      metric.Int64Counter // queue; bodies as they came
	BytesOut     metric.Int64Counter // queue; bodies as they went

	Request   metric.Float64Histogram // method, outcome; without the time a poll was held
	Held      metric.Float64Histogram // outcome; the time a poll was held
	Wake      metric.Float64Histogram // from the push to the answer of the poll that waited for it
	ToDeliver metric.Float64Histogram // queue; from push to first delivery
	ToConfirm metric.Float64Histogram // queue; from push to confirmation

	Redis     metric.Float64Histogram // outcome; round trips of pushes and pulls
	LostTouch metric.Int64Counter     // readers that lost their connection to Redis

	HandedOver metric.Int64Counter // polls answered for another replica to hold them

	WebhookRequests metric.Int64Counter     // outcome
	WebhookDuration metric.Float64Histogram // outcome

	meter metric.Meter
}

// Buckets of durations, in seconds.
var (
	fast = metric.WithExplicitBucketBoundaries(.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
	// slow reaches from a wake to the two weeks that a message may wait.
	slow = metric.WithExplicitBucketBoundaries(.001, .005, .01, .05, .1, .5, 1, 5, 15, 60, 300, 900, 3600, 6*3600, 24*3600, 7*24*3600)
	hold = metric.WithExplicitBucketBoundaries(.1, .5, 1, 5, 10, 20, 30, 40, 45, 50, 60, 120)
)

// NewMetrics makes the instruments.
func NewMetrics(meter metric.Meter, build Build) (*Metrics, error) {
	m := &Metrics{meter: meter}
	var errs []error
	counter := func(dst *metric.Int64Counter, name, unit, description string) {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		*dst = c
		errs = append(errs, err)
	}
	histogram := func(dst *metric.Float64Histogram, name, description string, buckets metric.HistogramOption) {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description), buckets)
		*dst = h
		errs = append(errs, err)
	}
	counter(&m.Accepted, "qst.messages.accepted", "", "Messages stored.")
	counter(&m.Duplicate, "qst.messages.duplicate", "", "Messages pushed again within the deduplication window, and not stored twice.")
	counter(&m.Forgotten, "qst.digests.forgotten", "", "Digests forgotten before the deduplication window was over, as a queue had too many (QST_QUEUE_MAX_DIGESTS).")
	counter(&m.Delivered, "qst.messages.delivered", "", "Messages delivered for the first time.")
	counter(&m.Redelivered, "qst.messages.redelivered", "", "Deliveries of messages that had been delivered before.")
	counter(&m.Confirmed, "qst.messages.confirmed", "", "Messages confirmed by an ETag.")
	counter(&m.Expired, "qst.messages.expired", "", "Messages dropped because they were older than the retention.")
	counter(&m.Lapsed, "qst.messages.lapsed", "", "Messages dropped because they were not valid any more (qst-ttl, qst-valid-until, a channel's inbound_ttl and outbound_ttl).")
	counter(&m.DeadLettered, "qst.messages.dead", "", "Messages that became dead letters after too many deliveries.")
	counter(&m.DeadDropped, "qst.messages.dead.dropped", "", "Dead letters dropped, as they were too many, too large or too old (QST_DEAD_MAX_MESSAGES, QST_DEAD_MAX_BYTES, QST_DEAD_RETENTION).")
	counter(&m.Reports, "qst.reports", "", "Reports of what became of messages, by state; other: a state of the phone's own.")
	counter(&m.Purged, "qst.messages.purged", "", "Messages taken out of queues by operators.")
	counter(&m.Requeued, "qst.messages.requeued", "", "Dead messages put back by operators.")
	counter(&m.Recovered, "qst.messages.recovered", "", "Messages confirmed without a delivery that Redis remembers: it has lost history, and an ETag said what had been processed.")
	counter(&m.Refused, "qst.requests.refused", "", "Pushes (POST) and pulls (GET) that were not answered 200, by reason.")
	counter(&m.Guesses, "qst.credentials.wrong", "", "Wrong credentials, of channels and of the admin API: compared, turned away because there were too many, or given up by their clients.")
	counter(&m.BytesIn, "qst.push.size", "By", "Bytes of pushed batches, decompressed.")
	counter(&m.BytesOut, "qst.pull.size", "By", "Bytes of pulled batches.")
	counter(&m.LostTouch, "qst.redis.readers.lost", "", "Times that a reader of wakes lost touch with Redis; a replica has one, and in a Cluster one for each partition.")
	counter(&m.HandedOver, "qst.polls.handed_over", "", "Polls answered early, empty, for their clients to go to a replica that joined.")
	counter(&m.WebhookRequests, "qst.webhook.requests", "", "Requests of webhooks: taken (2xx), again (may pass), refused (this batch), stopped (until an operator resumes the webhook), no_answer.")
	histogram(&m.WebhookDuration, "qst.webhook.duration", "Time from the beginning of a webhook's request to the end of its answer.", fast)
	histogram(&m.Request, "qst.request.duration", "Time to serve a push or a pull, without the time that a poll was held.", fast)
	histogram(&m.Held, "qst.poll.held.duration", "Time that a poll was held.", hold)
	histogram(&m.Wake, "qst.poll.wake.duration", "Time from a push to the reading of its message for the poll that waited for it.", fast)
	histogram(&m.ToDeliver, "qst.message.delivery.duration", "Time from push to first delivery.", slow)
	histogram(&m.ToConfirm, "qst.message.confirmation.duration", "Time from push to confirmation.", slow)
	histogram(&m.Redis, "qst.redis.duration", "Time of a round trip to Redis, with the wait for a connection.", fast)

	_, err := meter.Int64ObservableGauge("qst.build.info", metric.WithDescription("What program this is; always 1."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(1, metric.WithAttributes(
				attribute.String("version", build.Version), attribute.String("commit", build.Commit), attribute.String("goversion", runtime.Version()),
			))
			return nil
		}))
	return m, errors.Join(append(errs, err)...)
}

// outcomes are the attributes of round trips to Redis.
var outcomes = map[bool]metric.MeasurementOption{
	true:  metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "ok"))),
	false: metric.WithAttributeSet(attribute.NewSet(attribute.String("outcome", "error"))),
}

// ObserveRedis records how long a round trip to Redis took, and how it ended.
func (m *Metrics) ObserveRedis(took time.Duration, err error) {
	m.Redis.Record(context.Background(), took.Seconds(), outcomes[err == nil])
}

// Totals are figures over all queues. Every replica reads the same from Redis:
// take their max, not their sum.
type Totals struct {
	Messages, Bytes int64
	Dead            int64         // dead letters
	OldestAge       time.Duration // 0: no queue holds a message
	Channels        int64
	Webhooks        int64 // queues with one
	Active          []Active
	Unwell          []Unwell
	Top             []TopQueue
}

// Active is how many channels a client has pushed into or pulled from within a time.
type Active struct {
	Within   time.Duration
	Channels int64
}

// Unwell is how many channels have something wrong with them.
type Unwell struct {
	State    string // what is wrong
	Channels int64
}

// TopQueue is one of the deepest or oldest queues.
type TopQueue struct {
	Channel, Queue string
	Messages       int64         // 0: not among the deepest
	OldestAge      time.Duration // 0: not among the oldest
}

// Pool is how the connections to Redis are.
type Pool struct{ Open, Idle, Waited, TimedOut int64 }

// InFlight is what the requests under way take of the replica.
type InFlight struct {
	Bytes, Max int64
	AtLimit    int // channels that have as many under way as they may
}

// Sources are what is looked up when the metrics are read.
type Sources struct {
	Serving   func() bool // requests are let in
	Polls     func() int
	PollsMost int // that this replica holds
	Pool      func() Pool
	InFlight  func() InFlight
	Totals    func(context.Context) (Totals, error)
}

// Observe reports what is looked up when the metrics are read.
func (m *Metrics) Observe(from Sources) error {
	var errs []error
	gauge := func(name, unit, description string) metric.Int64ObservableGauge {
		g, err := m.meter.Int64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return g
	}
	seconds := func(name, description string) metric.Float64ObservableGauge {
		g, err := m.meter.Float64ObservableGauge(name, metric.WithUnit("s"), metric.WithDescription(description))
		errs = append(errs, err)
		return g
	}
	sum := func(name, description string) metric.Int64ObservableCounter {
		c, err := m.meter.Int64ObservableCounter(name, metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	ready := gauge("qst.ready", "", "1 if this replica serves and Redis answers, else 0.")
	held := gauge("qst.polls.held", "", "Polls that this replica holds.")
	most := gauge("qst.polls.limit", "", "Polls that this replica holds at the most (QST_MAX_POLLS).")
	open := gauge("qst.redis.connections.open", "", "Connections to Redis for pushes and pulls.")
	idle := gauge("qst.redis.connections.idle", "", "Of these, those that nobody uses.")
	waited := sum("qst.redis.connections.waits", "Times that a request waited for a connection.")
	timedOut := sum("qst.redis.connections.timeouts", "Times that a request waited in vain.")
	inFlight := gauge("qst.in_flight.size", "By", "Memory that requests under way take, as the service reckons it.")
	inFlightMax := gauge("qst.in_flight.limit", "By", "Memory that they may take (QST_MAX_IN_FLIGHT).")
	atLimit := gauge("qst.channels.at_limit", "", "Channels that have as many requests under way on this replica as they may (QST_CHANNEL_MAX_REQUESTS).")
	messages := gauge("qst.queues.messages", "", "Messages in all queues of all channels. The same from every replica: take the max.")
	size := gauge("qst.queues.size", "By", "Bytes of the messages in all queues. The same from every replica: take the max.")
	dead := gauge("qst.queues.dead_letters", "", "Dead letters in all queues. The same from every replica: take the max.")
	oldest := seconds("qst.queues.oldest.age", "Age of the oldest message in any queue. The same from every replica: take the max.")
	webhooks := gauge("qst.webhooks", "", "Queues that have a webhook. The same from every replica: take the max.")
	channels := gauge("qst.channels", "", "Channels that there are. The same from every replica: take the max.")
	active := gauge("qst.channels.active", "", "Channels that a client has pushed into or pulled from within a time; some seconds late. The same from every replica: take the max.")
	unwell := gauge("qst.channels.unwell", "", "Channels that are not well, by what is wrong; a minute late. The same from every replica: take the max.")
	topMessages := gauge("qst.queue.messages", "", "Messages in each of the deepest queues (QST_METRICS_TOP_QUEUES).")
	topOldest := seconds("qst.queue.oldest.age", "Age of the oldest message in each of the queues that wait longest (QST_METRICS_TOP_QUEUES).")
	_, err := m.meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		o.ObserveInt64(held, int64(from.Polls()))
		o.ObserveInt64(most, int64(from.PollsMost))
		p := from.Pool()
		o.ObserveInt64(open, p.Open)
		o.ObserveInt64(idle, p.Idle)
		o.ObserveInt64(waited, p.Waited)
		o.ObserveInt64(timedOut, p.TimedOut)
		f := from.InFlight()
		o.ObserveInt64(inFlight, f.Bytes)
		o.ObserveInt64(inFlightMax, f.Max)
		o.ObserveInt64(atLimit, int64(f.AtLimit))
		t, err := from.Totals(ctx)
		o.ObserveInt64(ready, number(err == nil && from.Serving()))
		if err != nil {
			return nil //nolint:nilerr // no figure is better than a wrong one; that Redis is away shows elsewhere
		}
		o.ObserveInt64(messages, t.Messages)
		o.ObserveInt64(size, t.Bytes)
		o.ObserveInt64(dead, t.Dead)
		o.ObserveFloat64(oldest, t.OldestAge.Seconds())
		o.ObserveInt64(channels, t.Channels)
		o.ObserveInt64(webhooks, t.Webhooks)
		for _, h := range t.Active {
			o.ObserveInt64(active, h.Channels, metric.WithAttributes(attribute.String("within", within(h.Within))))
		}
		for _, u := range t.Unwell {
			o.ObserveInt64(unwell, u.Channels, metric.WithAttributes(attribute.String("state", u.State)))
		}
		for _, q := range t.Top {
			attributes := metric.WithAttributes(attribute.String("channel", q.Channel), Queue(q.Queue))
			if q.Messages > 0 {
				o.ObserveInt64(topMessages, q.Messages, attributes)
			}
			if q.OldestAge > 0 {
				o.ObserveFloat64(topOldest, q.OldestAge.Seconds(), attributes)
			}
		}
		return nil
	}, ready, held, most, open, idle, waited, timedOut, inFlight, inFlightMax, atLimit, messages, size, dead, oldest, channels, webhooks, active, unwell, topMessages, topOldest)
	return errors.Join(append(errs, err)...)
}

// WebhookFigures are those of a worker of webhooks.
type WebhookFigures struct{ Queues, Failing, Stopped, InFlight, HostsLeft int }

// ObserveWebhooks reports a worker's figures when the metrics are read.
func (m *Metrics) ObserveWebhooks(figures func() WebhookFigures) error {
	var errs []error
	gauge := func(name, description string) metric.Int64ObservableGauge {
		g, err := m.meter.Int64ObservableGauge(name, metric.WithDescription(description))
		errs = append(errs, err)
		return g
	}
	queues := gauge("qst.webhook.queues", "Queues whose webhooks this worker has.")
	failing := gauge("qst.webhook.queues.failing", "Of these, those whose last request failed; it is made again.")
	stopped := gauge("qst.webhook.queues.stopped", "Of these, those that were answered 401, 403 or 410: nothing is sent until an operator resumes the webhook.")
	inFlight := gauge("qst.webhook.requests.in_flight", "Requests of webhooks that are under way.")
	hosts := gauge("qst.webhook.hosts.dead", "Hosts that fail, and get one request now and then.")
	_, err := m.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		f := figures()
		o.ObserveInt64(queues, int64(f.Queues))
		o.ObserveInt64(failing, int64(f.Failing))
		o.ObserveInt64(stopped, int64(f.Stopped))
		o.ObserveInt64(inFlight, int64(f.InFlight))
		o.ObserveInt64(hosts, int64(f.HostsLeft))
		return nil
	}, queues, failing, stopped, inFlight, hosts)
	return errors.Join(append(errs, err)...)
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// within writes a time as people do: 1h, not 1h0m0s.
func within(d time.Duration) string {
	if d%time.Hour == 0 {
		return strconv.Itoa(int(d.Hours())) + "h"
	}
	return strconv.Itoa(int(d.Minutes())) + "m"
}

// Queue is the attribute that names a queue of any channel.
func Queue[T ~string](kind T) attribute.KeyValue { return attribute.String("queue", string(kind)) }

// Discard returns instruments that measure nothing, for tests.
func Discard() *Metrics {
	m, err := NewMetrics(noop.NewMeterProvider().Meter(scope), Build{})
	if err != nil {
		panic(err) // the instruments' names are constants
	}
	return m
}
