package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// scrape returns every series of a replica's /metrics with its value.
func scrape(t testing.TB, r *replica) map[string]float64 {
	t.Helper()
	series := make(map[string]float64)
	for line := range strings.Lines(do(t, "GET", r.Admin+"/metrics", "").Body) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if _, twice := series[line[:i]]; twice {
			t.Errorf("twice in one scrape: %s", line)
		}
		series[line[:i]] = value
	}
	return series
}

// metricName is the name of a series' metric.
func metricName(series string) string {
	name, _, _ := strings.Cut(series, "{")
	return name
}

// sum adds up the series of a metric that have these labels (`name="value"`).
func sum(series map[string]float64, name string, labels ...string) float64 {
	total := 0.0
	for s, v := range series {
		if metricName(s) != name {
			continue
		}
		if !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(s, l) }) {
			total += v
		}
	}
	return total
}

// load is what a load did, by its own count.
type load struct {
	mu     sync.Mutex
	counts map[string]int // PromQL → what it must give
}

func (l *load) add(query string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[query] += n
}

// The queries whose results a load predicts.
const (
	qAccepted    = `sum(qst_messages_accepted_total)`
	qDuplicate   = `sum(qst_messages_duplicate_total)`
	qDelivered   = `sum(qst_messages_delivered_total)`
	qRedelivered = `sum(qst_messages_redelivered_total)`
	qConfirmed   = `sum(qst_messages_confirmed_total)`
	qDead        = `sum(qst_messages_dead_total)`
	qDepth       = `max(qst_queues_messages)`
	qToDeliver   = `sum(qst_message_delivery_duration_seconds_count)`
	qToConfirm   = `sum(qst_message_confirmation_duration_seconds_count)`
	qPushes      = `sum(qst_request_duration_seconds_count{method="POST",outcome="ok"})`
	qPulls       = `sum(qst_request_duration_seconds_count{method="GET",outcome="ok"})`
	qBytesIn     = `sum(qst_push_size_bytes_total)`
	qBytesOut    = `sum(qst_pull_size_bytes_total)`
	qChannels    = `max(qst_channels)`
	qReady       = `sum(qst_ready)`
)

func qRefused(method, reason string) string {
	return fmt.Sprintf(`sum(qst_requests_refused_total{method="%s",reason="%s"})`, method, reason)
}

// request sends one request and counts it.
func (l *load) request(ctx context.Context, method, target, body string, header ...string) (answer, error) {
	a, err := try(ctx, http.DefaultClient, method, target, body, header...)
	if err != nil {
		return a, err
	}
	if method == http.MethodPost {
		l.add(qBytesIn, len(body))
	}
	if a.Status == http.StatusOK {
		l.add(map[string]string{http.MethodPost: qPushes, http.MethodGet: qPulls}[method], 1)
		if method == http.MethodGet {
			l.add(qBytesOut, len(a.Body))
		}
	}
	return a, nil
}

// refused sends what must be refused so.
func (l *load) refused(ctx context.Context, status int, reason, method, target, body string, header ...string) error {
	a, err := l.request(ctx, method, target, body, header...)
	if err == nil && a.Status != status {
		err = fmt.Errorf("%s %s: %d %s, want %d", method, target, a.Status, a.Body, status)
	}
	l.add(qRefused(method, reason), 1)
	return err
}

func (l *load) push(ctx context.Context, target, body string) error {
	a, err := l.request(ctx, http.MethodPost, target, body, "Content-Type: application/json")
	if err != nil || a.Status != http.StatusOK {
		return fmt.Errorf("push: %v %w", a, err)
	}
	var result struct{ Accepted, Duplicates int }
	if err := json.Unmarshal([]byte(a.Body), &result); err != nil {
		return err
	}
	l.add(qAccepted, result.Accepted)
	l.add(qDepth, result.Accepted)
	l.add(qDuplicate, result.Duplicates)
	return nil
}

// pull pulls, and counts what came; seen are the ids that came before.
func (l *load) pull(ctx context.Context, target string, seen map[string]bool, query string) (answer, error) {
	a, err := l.request(ctx, http.MethodGet, target+"?format=json&max=40&"+query, "")
	if err != nil || a.Status != http.StatusOK {
		return a, fmt.Errorf("pull: %v %w", a, err)
	}
	var messages []struct{ ID string }
	if err := json.Unmarshal([]byte(a.Body), &messages); err != nil {
		return a, err
	}
	for _, m := range messages {
		if seen[m.ID] {
			l.add(qRedelivered, 1)
			continue
		}
		seen[m.ID] = true
		l.add(qDelivered, 1)
		l.add(qToDeliver, 1)
	}
	confirmed, _ := strconv.Atoi(a.Header.Get("QST-Confirmed"))
	l.add(qConfirmed, confirmed)
	l.add(qToConfirm, confirmed)
	l.add(qDepth, -confirmed)
	return a, nil
}

// channel is one channel's life: messages pushed through one replica and again
// through the other, delivered, delivered again, confirmed but for the last batch;
// and what is refused.
func (l *load) channel(ctx context.Context, a, b *replica, name string, batches int) error {
	gateway, application := "/v2/channels/"+name+"/gateway", "/v2/channels/"+name+"/application"
	for i := range batches {
		var batch []string
		for j := range 40 {
			batch = append(batch, fmt.Sprintf(`{"id":"%s-%d-%d","from":"sms://1","body":"x"}`, name, i, j))
		}
		body := "[" + strings.Join(batch, ",") + "]"
		if err := l.push(ctx, a.URL+gateway, body); err != nil {
			return err
		}
		if i%3 == 0 {
			if err := l.push(ctx, b.URL+gateway, body); err != nil { // all of it duplicates
				return err
			}
		}
	}
	seen := make(map[string]bool)
	tag := ""
	for i := range batches {
		got, err := l.pull(ctx, b.URL+application, seen, tag)
		if err == nil && i%2 == 0 {
			got, err = l.pull(ctx, a.URL+application, seen, "") // the same again
		}
		if err != nil {
			return err
		}
		tag = etag(got)
	}
	const json, text = "Content-Type: application/json", "Content-Type: text/plain"
	for _, refuse := range []func() error{
		func() error {
			return l.refused(ctx, http.StatusBadRequest, "malformed", "POST", a.URL+gateway, `[{"id":`, json)
		},
		func() error {
			return l.refused(ctx, http.StatusBadRequest, "malformed", "POST", b.URL+gateway, `[{"id":"1"}]`, json)
		},
		func() error {
			return l.refused(ctx, http.StatusUnsupportedMediaType, "unsupported_type", "POST", a.URL+gateway, `x`, text)
		},
		func() error {
			return l.refused(ctx, http.StatusRequestEntityTooLarge, "too_large", "POST", b.URL+gateway, `[`+strings.Repeat(`{"body":"x"},`, 41)+`{"body":"x"}]`, json)
		},
		func() error {
			return l.refused(ctx, http.StatusServiceUnavailable, "full", "POST", b.URL+"/v2/channels/"+name+"-full", `[`+strings.Repeat(`{"body":"123456789012345678901234567890"},`, 39)+`{"body":"x"}]`, json)
		},
		func() error {
			return l.refused(ctx, http.StatusBadRequest, "bad_request", "GET", b.URL+application+"?max=x", "")
		},
		func() error { // not a channel's name
			return l.refused(ctx, http.StatusBadRequest, "bad_request", "GET", b.URL+"/v2/channels/-", "")
		},
	} {
		if err := refuse(); err != nil {
			return err
		}
	}
	l.add(qChannels, 2)
	return nil
}

// poison makes a message a dead letter: delivered, not confirmed, as often as it may be, while
// others are confirmed.
func (l *load) poison(ctx context.Context, a, b *replica, most int) error {
	const path = "/v2/channels/poison"
	l.add(qChannels, 1)
	if err := l.push(ctx, a.URL+path, `[{"id":"1","body":"x"},{"id":"2","body":"x"},{"id":"3","body":"x"}]`); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for i := range most {
		if _, err := l.pull(ctx, []*replica{a, b}[i%2].URL+path, seen, ""); err != nil {
			return err
		}
	}
	for range 2 {
		proof, err := l.pull(ctx, a.URL+path, seen, "")
		if err != nil {
			return err
		}
		if _, err := l.pull(ctx, b.URL+path, seen, etag(proof)); err != nil {
			return err
		}
	}
	l.add(qDead, 1)
	l.add(qDepth, -1)
	return nil
}

// The figures are the load's own, to the message, whichever replica did what.
func TestMetricsAreExact(t *testing.T) {
	t.Parallel()
	const maxDeliveries = 3
	s := redistest.Start(t)
	env := []string{"QST_PUSH_MAX_MESSAGES=40", "QST_QUEUE_MAX_BYTES=" + strconv.Itoa(80<<10), "QST_MAX_DELIVERIES=" + strconv.Itoa(maxDeliveries)}
	a, b := startReplica(t, s.URL(), env...), startReplica(t, s.URL(), env...)
	l := &load{counts: map[string]int{qReady: 2}}
	channels := 8
	batches := 12
	// A full queue each, before anything is counted against it.
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(4)
	for i := range channels {
		name := fmt.Sprintf("c%d", i)
		g.Go(func() error {
			for range 80 {
				a, err := l.request(ctx, "POST", a.URL+"/v2/channels/"+name+"-full", `[`+strings.Repeat(`{"body":"123456789012345678901234567890"},`, 39)+`{"body":"x"}]`, "Content-Type: application/json")
				if err != nil {
					return err
				}
				if a.Status == http.StatusServiceUnavailable {
					l.add(qRefused("POST", "full"), 1)
					break
				}
				l.add(qAccepted, 40)
				l.add(qDepth, 40)
			}
			return l.channel(ctx, a, b, name, batches)
		})
	}
	g.Go(func() error { return l.poison(ctx, a, b, maxDeliveries) })
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}

	// What must hold of the load itself: nothing is lost, and there was something of everything.
	stored := l.counts[qAccepted]
	if stored < 3000 || stored != l.counts[qConfirmed]+l.counts[qDead]+l.counts[qDepth] {
		t.Errorf("accepted %d, confirmed %d, dead %d, depth %d", stored, l.counts[qConfirmed], l.counts[qDead], l.counts[qDepth])
	}
	for query, n := range l.counts {
		if n == 0 {
			t.Errorf("%s: the load did none of it", query)
		}
	}

	series := [2]map[string]float64{scrape(t, a), scrape(t, b)}
	for _, query := range slices.Sorted(maps.Keys(l.counts)) {
		name, labels := parseQuery(query)
		got := sum(series[0], name, labels...)
		other := sum(series[1], name, labels...)
		if strings.HasPrefix(query, "sum") {
			got += other
		} else if got != other {
			t.Errorf("%s: %v by one replica, %v by the other", query, got, other)
		}
		if got != float64(l.counts[query]) {
			t.Errorf("%s: %v, want %d", query, got, l.counts[query])
		}
	}

	t.Run("promtool", func(t *testing.T) {
		t.Parallel()
		for _, r := range []*replica{a, b} {
			promtool(t, do(t, "GET", r.Admin+"/metrics", "").Body, "check", "metrics")
		}
	})
	t.Run("Prometheus", func(t *testing.T) {
		t.Parallel()
		p := startPrometheus(t, a, b)
		for query, want := range l.counts {
			eventually(t, "Prometheus gets the figures", func() error {
				got, err := p.value(t, query)
				if err == nil && got != float64(want) {
					err = fmt.Errorf("%s: %v, want %d", query, got, want)
				}
				return err
			})
		}
	})
}

// parseQuery takes one of the simple queries above apart.
func parseQuery(query string) (name string, labels []string) {
	_, inside, _ := strings.Cut(strings.TrimSuffix(query, ")"), "(")
	name, matchers, _ := strings.Cut(strings.TrimSuffix(inside, "}"), "{")
	if matchers != "" {
		labels = strings.Split(matchers, ",")
	}
	return name, labels
}

// The number of series says nothing of how many channels there are, nor of what
// clients think up.
func TestCardinalityIsFlat(t *testing.T) {
	t.Parallel()
	const top = 3
	most := 10_000
	if raceEnabled {
		most = 1000
	}
	r := startReplica(t, redistest.Start(t).URL(), fmt.Sprint("QST_METRICS_TOP_QUEUES=", top))
	use := func(from, to int) {
		t.Helper()
		g, ctx := errgroup.WithContext(t.Context())
		g.SetLimit(16)
		for i := from; i < to; i++ {
			g.Go(func() error {
				channel := fmt.Sprintf("%s/v2/channels/phone-%d", r.URL, i)
				depth := max(1, i%97)
				for _, q := range []struct{ method, target, body string }{
					{"POST", channel + "/gateway", "[" + strings.Repeat(`{"body":"x"},`, depth-1) + `{"body":"x"}]`},
					{"POST", channel, `[{"body":"x"}]`},
					{"GET", channel + "/application?max=1000", ""},
					{"GET", channel + "/gateway?long-polling=true&wait=0.01", ""},
					{"POST", channel + "/gateway", "!"},
					{"GET", fmt.Sprintf("%s?max=x%d", channel, i), ""},
					{fmt.Sprint("METHOD", i), channel, ""},
					{"DELETE", channel, ""},
					{"GET", fmt.Sprintf("%s/v2/channels/phone-%d/nonsense-%d", r.URL, i, i), ""},
				} {
					if _, err := try(ctx, http.DefaultClient, q.method, q.target, q.body, "Content-Type: application/json"); err != nil {
						return err
					}
				}
				return nil
			})
		}
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	count := func() (bounded []string, named int) {
		t.Helper()
		for s := range scrape(t, r) {
			switch metricName(s) {
			case "qst_queue_messages", "qst_queue_oldest_age_seconds":
				named++
			default:
				if strings.Contains(s, "phone-") || strings.Contains(s, "METHOD") {
					t.Errorf("a series for what a client named: %s", s)
				}
				bounded = append(bounded, s)
			}
		}
		slices.Sort(bounded)
		return bounded, named
	}
	use(0, 10)
	before, _ := count()
	for from := 10; from < most; from += most / 4 {
		use(from, min(most, from+most/4))
		if _, named := count(); named > 2*top {
			t.Errorf("%d series of single queues, want at most %d", named, 2*top)
		}
	}
	after, named := count()
	if !slices.Equal(before, after) {
		t.Errorf("after 10 channels\n%s\nafter %d\n%s", strings.Join(before, "\n"), most, strings.Join(after, "\n"))
	}
	if named == 0 {
		t.Error("no queue is named, though QST_METRICS_TOP_QUEUES is set")
	}
	if got := scrape(t, r)["qst_channels"]; got != float64(most) {
		t.Errorf("qst_channels %v, want %d", got, most)
	}
}

// A replica says that it is not ready: while it drains, and while Redis is away.
// Then it shows no figures of the queues rather than wrong ones.
func TestReadyMetric(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), "QST_REDIS_TIMEOUT=200ms")
	gone := startReplica(t, s.URL(), "QST_DRAIN_DELAY=10m")
	want := func(r *replica, ready float64, figures bool) {
		t.Helper()
		eventually(t, "the replica says how it is", func() error {
			series := scrape(t, r)
			_, has := series["qst_queues_messages"]
			if got, ok := series["qst_ready"]; !ok || got != ready || has != figures {
				return fmt.Errorf("qst_ready %v (%v), figures %v", got, ok, has)
			}
			return nil
		})
	}
	want(r, 1, true)
	gone.terminate()
	want(gone, 0, true)
	s.Kill()
	want(r, 0, false)
	if series := scrape(t, r); sum(series, "qst_redis_readers_lost_total") == 0 {
		eventually(t, "the readers notice", func() error {
			if n := sum(scrape(t, r), "qst_redis_readers_lost_total"); n == 0 {
				return fmt.Errorf("readers lost: %v", n)
			}
			return nil
		})
	}
	s.Restart()
	want(r, 1, true)
}

// Channels that were active are counted once, whichever replica saw them;
// one that only a stranger asked for is none.
func TestChannelsActive(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL())
	for range 2 {
		other := startReplica(t, s.URL())
		for i := range 5 {
			push(t, other, fmt.Sprintf("/v2/channels/c%d/gateway", i), `{"body":"x"}`)
			pull(t, other, fmt.Sprintf("/v2/channels/never-%d/gateway", i))
		}
		pull(t, other, "/v2/channels/c0/application")
		other.exitAfterDrain() // it writes down what it saw
	}
	series := scrape(t, r)
	if series["qst_channels"] != 5 {
		t.Errorf("channels: %v", series["qst_channels"])
	}
	for _, within := range []string{"15m", "1h", "24h"} {
		if got := series[`qst_channels_active{within="`+within+`"}`]; got != 5 {
			t.Errorf("active within %s: %v, want 5", within, got)
		}
	}
	// Two hours later, by what Redis has.
	client := s.Client()
	for _, key := range client.Keys(t.Context(), "qst:*:last_seen").Val() {
		for _, z := range client.ZRangeWithScores(t.Context(), key, 0, -1).Val() {
			if z.Member != "c0" {
				client.ZIncrBy(t.Context(), key, -float64(2*time.Hour/time.Millisecond), fmt.Sprint(z.Member))
			}
		}
	}
	series = scrape(t, r)
	for within, want := range map[string]float64{"15m": 1, "1h": 1, "24h": 5} {
		if got := series[`qst_channels_active{within="`+within+`"}`]; got != want {
			t.Errorf("active within %s: %v, want %v", within, got, want)
		}
	}
}
