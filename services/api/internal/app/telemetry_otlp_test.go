package app_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// collector receives what replicas export by OTLP over HTTP.
type collector struct {
	URL string

	mu      sync.Mutex
	spans   []tracedSpan
	metrics map[string]int64 // last sum of each counter, over its attributes, by service and name
}

// tracedSpan is one that a replica sent.
type tracedSpan struct {
	*trace.Span

	service string // OTEL_SERVICE_NAME of the replica
	scope   string
	attrs   map[string]string
}

func startCollector(t testing.TB) *collector {
	t.Helper()
	c := &collector{metrics: make(map[string]int64)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, r *http.Request) {
		receive(t, w, r, new(collectortrace.ExportTraceServiceRequest), c.takeSpans)
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, r *http.Request) {
		receive(t, w, r, new(collectormetrics.ExportMetricsServiceRequest), c.takeMetrics)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

func receive[T proto.Message](t testing.TB, w http.ResponseWriter, r *http.Request, message T, take func(T)) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // a replica that was killed while it sent
	}
	if err := proto.Unmarshal(body, message); err != nil {
		t.Errorf("%s of type %s: %v", r.URL.Path, r.Header.Get("Content-Type"), err)
		return
	}
	take(message)
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func (c *collector) takeSpans(r *collectortrace.ExportTraceServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rs := range r.GetResourceSpans() {
		service := values(rs.GetResource().GetAttributes())["service.name"]
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				c.spans = append(c.spans, tracedSpan{Span: s, service: service, scope: ss.GetScope().GetName(), attrs: values(s.GetAttributes())})
			}
		}
	}
}

func (c *collector) takeMetrics(r *collectormetrics.ExportMetricsServiceRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rm := range r.GetResourceMetrics() {
		service := values(rm.GetResource().GetAttributes())["service.name"]
		for _, sm := range rm.GetScopeMetrics() {
			for _, m := range sm.GetMetrics() {
				var sum int64
				for _, p := range m.GetSum().GetDataPoints() {
					sum += p.GetAsInt()
				}
				c.metrics[service+" "+m.GetName()] = sum
			}
		}
	}
}

// values are attributes by name, as text.
func values(attributes []*common.KeyValue) map[string]string {
	m := make(map[string]string, len(attributes))
	for _, a := range attributes {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			m[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			m[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *common.AnyValue_DoubleValue:
			m[a.GetKey()] = fmt.Sprint(v.DoubleValue)
		default:
			m[a.GetKey()] = fmt.Sprint(v)
		}
	}
	return m
}

// all returns the spans so far.
func (c *collector) all() []tracedSpan {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

// span waits for the span of a trace whose name starts so.
func (c *collector) span(t testing.TB, traceID, name string) tracedSpan {
	t.Helper()
	var found tracedSpan
	eventually(t, "span "+name+" of trace "+traceID, func() error {
		for _, s := range c.all() {
			if hex.EncodeToString(s.GetTraceId()) == traceID && strings.HasPrefix(s.GetName(), name) {
				found = s
				return nil
			}
		}
		return errors.New("not yet")
	})
	return found
}

// env is what makes a replica export to the collector, as a service of this name.
func (c *collector) env(service string, more ...string) []string {
	return append([]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
		"OTEL_SERVICE_NAME=" + service, "OTEL_BSP_SCHEDULE_DELAY=20",
		"OTEL_TRACES_SAMPLER=parentbased_always_on",
	}, more...)
}

// ids of traces and of the spans of their callers, for traceparent.
func traceID(n int) string             { return fmt.Sprintf("%032x", 0xabc0000+n) }
func callerID(n int) string            { return fmt.Sprintf("%016x", 0xdef0000+n) }
func sampled(n int) string             { return "Traceparent: 00-" + traceID(n) + "-" + callerID(n) + "-01" }
func unsampled(n int) string           { return "Traceparent: 00-" + traceID(n) + "-" + callerID(n) + "-00" }
func (s tracedSpan) id() string        { return hex.EncodeToString(s.GetSpanId()) }
func (s tracedSpan) parent() string    { return hex.EncodeToString(s.GetParentSpanId()) }
func (s tracedSpan) start() time.Time  { return time.Unix(0, int64(s.GetStartTimeUnixNano())) }
func (s tracedSpan) finish() time.Time { return time.Unix(0, int64(s.GetEndTimeUnixNano())) }

// links are the spans that it links to: "trace/span" each.
func (s tracedSpan) links() []string {
	var l []string
	for _, link := range s.GetLinks() {
		l = append(l, hex.EncodeToString(link.GetTraceId())+"/"+hex.EncodeToString(link.GetSpanId()))
	}
	return l
}

func (s tracedSpan) address() string { return hex.EncodeToString(s.GetTraceId()) + "/" + s.id() }

// has checks attributes.
func (s tracedSpan) has(t testing.TB, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if s.attrs[name] != value {
			t.Errorf("span %q: %s is %q, want %q; all: %v", s.GetName(), name, s.attrs[name], value, s.attrs)
		}
	}
}

// A push, the delivery and the confirmation of its messages, by three replicas'
// worth of clients, are three traces; links join them.
func TestTraceOfAMessage(t *testing.T) {
	t.Parallel()
	s, c := redistest.Start(t), startCollector(t)
	a, b := startReplica(t, s.URL(), c.env("a")...), startReplica(t, s.URL(), c.env("b")...)
	const channel = "/v2/channels/c"
	ask := func(r *replica, method, path, body string, header ...string) answer {
		t.Helper()
		got := do(t, method, r.URL+channel+path, body, append(header, "Content-Type: application/json")...)
		if got.Status != http.StatusOK {
			t.Fatal(got)
		}
		return got
	}
	ask(a, "POST", "/gateway", `[{"id":"1","body":"x"},{"id":"2","body":"x"}]`, sampled(1))
	ask(a, "POST", "/gateway", `[{"id":"3","body":"x"}]`, unsampled(2))
	ask(a, "POST", "/gateway", `[{"id":"4","body":"x"}]`, sampled(3))
	got := ask(b, "GET", "/application?format=json", "", sampled(4))
	if ids(t, got) != "1 2 3 4" {
		t.Fatal(got)
	}
	ask(b, "GET", "/application?format=json&"+etag(got), "", sampled(5))

	server := c.span(t, traceID(1), "POST /v2/channels/{channel}/gateway")
	if server.parent() != callerID(1) || server.GetKind() != trace.Span_SPAN_KIND_SERVER || server.service != "a" {
		t.Errorf("server span: %v", server)
	}
	server.has(t, map[string]string{
		"http.request.method": "POST", "http.route": "/v2/channels/{channel}/gateway", "http.response.status_code": "200",
		"url.path": "/v2/channels/c/gateway", "url.scheme": "http",
	})
	messaging := map[string]string{
		"messaging.system": "qst", "messaging.destination.name": "c", "qst.queue": "inbound",
	}
	check := func(s tracedSpan, kind trace.Span_SpanKind, parent tracedSpan, operation, count string, links ...string) {
		t.Helper()
		if s.GetKind() != kind || s.parent() != parent.id() || s.service != parent.service {
			t.Errorf("span: %v", s)
		}
		if fmt.Sprint(s.links()) != fmt.Sprint(links) {
			t.Errorf("%s links to %v, want %v", s.GetName(), s.links(), links)
		}
		want := maps.Clone(messaging)
		want["messaging.operation.type"], want["messaging.operation.name"], want["messaging.batch.message_count"] = operation, operation, count
		s.has(t, want)
	}
	send := c.span(t, traceID(1), "send inbound")
	check(send, trace.Span_SPAN_KIND_PRODUCER, server, "send", "2")
	later := c.span(t, traceID(3), "send inbound")

	pulled := c.span(t, traceID(4), "GET /v2/channels/{channel}/application")
	if pulled.service != "b" || pulled.parent() != callerID(4) {
		t.Errorf("server span: %v", pulled)
	}
	check(c.span(t, traceID(4), "receive inbound"), trace.Span_SPAN_KIND_CONSUMER, pulled, "receive", "4", send.address(), later.address())
	confirmed := c.span(t, traceID(5), "GET ")
	check(c.span(t, traceID(5), "settle inbound"), trace.Span_SPAN_KIND_CLIENT, confirmed, "settle", "4", send.address(), later.address())

	// That is all there is: none of the push that was not sampled, none of probes,
	// none of Redis.
	a.exitAfterDrain()
	b.exitAfterDrain()
	names := map[string]int{}
	for _, s := range c.all() {
		names[s.GetName()]++
		if hex.EncodeToString(s.GetTraceId()) == traceID(2) {
			t.Errorf("a span of a trace that is not sampled: %v", s)
		}
		if s.GetStatus().GetCode() == trace.Status_STATUS_CODE_ERROR {
			t.Errorf("an error: %v", s)
		}
	}
	want := map[string]int{
		"POST /v2/channels/{channel}/gateway": 2, "send inbound": 2,
		"GET /v2/channels/{channel}/application": 2, "receive inbound": 1, "settle inbound": 1,
	}
	if !maps.Equal(names, want) {
		t.Errorf("spans: %v, want %v", names, want)
	}
}

// exitAfterDrain stops a replica in order: what it has not exported yet, it does now.
func (r *replica) exitAfterDrain() {
	r.t.Helper()
	r.terminate()
	if code := r.exitCode(); code != 0 {
		r.t.Errorf("exit code %d", code)
	}
}

// The context of a push that is not sampled is not kept with its messages.
func TestUnsampledLeavesNoTrace(t *testing.T) {
	t.Parallel()
	s, c := redistest.Start(t), startCollector(t)
	r := startReplica(t, s.URL(), c.env("a")...)
	off := startReplica(t, s.URL())
	for i, p := range []struct {
		r           *replica
		traceparent string
	}{{r, unsampled(1)}, {off, sampled(2)}, {r, "Traceparent: 00-nonsense"}, {r, sampled(4)}} {
		if got := do(t, "POST", p.r.URL+"/v2/channels/c", fmt.Sprintf(`[{"id":"%d","body":"x"}]`, i), p.traceparent, "Content-Type: application/json"); got.Status != http.StatusOK {
			t.Fatal(got)
		}
	}
	redis := s.Client()
	streams := redis.Keys(t.Context(), "qst:*:q:c:mailbox").Val()
	if len(streams) != 1 {
		t.Fatal(streams)
	}
	var kept []string
	for i, e := range redis.XRange(t.Context(), streams[0], "-", "+").Val() {
		kept = append(kept, fmt.Sprint(i, e.Values["trace"] != nil))
	}
	// The third began a trace of its own.
	if fmt.Sprint(kept) != "[0 false 1 false 2 true 3 true]" {
		t.Errorf("which messages have a trace context: %v", kept)
	}
}

// The time that a poll is held is told, and is not the service's.
func TestTraceOfALongPoll(t *testing.T) {
	t.Parallel()
	s, c := redistest.Start(t), startCollector(t)
	a, b := startReplica(t, s.URL(), c.env("a")...), startReplica(t, s.URL(), c.env("b")...)
	poll := make(chan answer, 1)
	go func() {
		got, err := try(t.Context(), http.DefaultClient, "GET", b.URL+"/v2/channels/c?format=json&long-polling=true", "", sampled(1))
		if err != nil {
			got.Body = err.Error()
		}
		poll <- got
	}()
	waitForPoll(t, s, "c", "mailbox", "")
	do(t, "POST", a.URL+"/v2/channels/c", `[{"id":"1","body":"x"}]`, sampled(2), "Content-Type: application/json")
	if got := within(t, poll); ids(t, got) != "1" {
		t.Fatal(got)
	}
	server, received, send := c.span(t, traceID(1), "GET "), c.span(t, traceID(1), "receive "), c.span(t, traceID(2), "send ")
	if fmt.Sprint(received.links()) != fmt.Sprint([]string{send.address()}) {
		t.Errorf("links: %v", received.links())
	}
	var held time.Duration
	if _, err := fmt.Sscan(server.attrs["qst.poll.held"], new(float64)); err != nil {
		t.Fatalf("attributes of the server span: %v", server.attrs)
	}
	held, err := time.ParseDuration(server.attrs["qst.poll.held"] + "s")
	if err != nil || held <= 0 || held > server.finish().Sub(server.start()) {
		t.Errorf("held %v of %v: %v", held, server.finish().Sub(server.start()), err)
	}
	events := server.GetEvents()
	if len(events) != 1 || events[0].GetName() != "qst.poll.released" || values(events[0].GetAttributes())["qst.poll.held"] != server.attrs["qst.poll.held"] {
		t.Fatalf("events: %v", events)
	}
	// Receiving begins when the poll is released, and not when it came.
	released := time.Unix(0, int64(events[0].GetTimeUnixNano()))
	if !received.start().Equal(released) || released.Before(server.start().Add(held)) || received.finish().After(server.finish()) {
		t.Errorf("server %v to %v, held %v, released %v, receive %v to %v", server.start(), server.finish(), held, released, received.start(), received.finish())
	}
	// One span for the poll, however often its replica asked Redis meanwhile.
	b.exitAfterDrain()
	for _, s := range c.all() {
		if s.scope != server.scope || s.service == "b" && s.id() != server.id() && s.id() != received.id() {
			t.Errorf("another span: %v", s)
		}
	}
}

// The same instruments go out by OTLP.
func TestMetricsByOTLP(t *testing.T) {
	t.Parallel()
	s, c := redistest.Start(t), startCollector(t)
	r := startReplica(t, s.URL(), c.env("a", "OTEL_METRIC_EXPORT_INTERVAL=50")...)
	push(t, r, "/v2/channels/c", `[{"id":"1","body":"x"},{"id":"1","body":"x"},{"id":"2","body":"x"}]`)
	eventually(t, "the metrics arrive", func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.metrics["a qst.messages.accepted"] != 2 || c.metrics["a qst.messages.duplicate"] != 1 {
			return fmt.Errorf("%v", c.metrics)
		}
		return nil
	})
	if a := do(t, "GET", r.Admin+"/metrics", ""); !strings.Contains(a.Body, `qst_messages_accepted_total{queue="mailbox"} 2`) {
		t.Errorf("the scrape beside it: %s", a.Body)
	}
}

// Without a variable that asks for it nothing is sent, also if one half-asks.
func TestNothingIsExportedUnasked(t *testing.T) {
	t.Parallel()
	s, c := redistest.Start(t), startCollector(t)
	for _, env := range [][]string{
		{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_SDK_DISABLED=true"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none"},
	} {
		r := startReplica(t, s.URL(), append(env, "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_METRIC_EXPORT_INTERVAL=1", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")...)
		do(t, "POST", r.URL+"/v2/channels/c", `[{"id":"1","body":"x"}]`, sampled(1), "Content-Type: application/json")
		r.exitAfterDrain()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.spans)+len(c.metrics) > 0 {
		t.Errorf("%v, %v", c.spans, c.metrics)
	}
}
