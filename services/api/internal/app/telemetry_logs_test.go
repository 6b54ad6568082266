package app_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// events are the log lines of a replica that has ended or said all that a test
// asked for.
func events(t testing.TB, r *replica) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(r.log.String()) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("not JSON: %q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// requests are the events of requests to channels.
func requests(t testing.TB, r *replica) []map[string]any {
	t.Helper()
	return slices.DeleteFunc(events(t, r), func(e map[string]any) bool { return e["msg"] != "request" || e["channel"] == nil })
}

// One event a request, with everything there is to tell of it.
func TestOneWideEventARequest(t *testing.T) {
	t.Parallel()
	s, c := redistest.Start(t), startCollector(t)
	r := startReplica(t, s.URL(), c.env("a", "QST_LOG_SAMPLE=1")...)
	const path = "/v2/channels/c"
	header := []string{"Content-Type: application/json", sampled(7)}
	do(t, "POST", r.URL+path+"/gateway", `[{"id":"1","body":"x"},{"id":"1","body":"x"},{"id":"2","body":"x"}]`, header...)
	got := do(t, "GET", r.URL+path+"/application?format=json", "", header...)
	again := do(t, "GET", r.URL+path+"/application?format=json", "", header...)
	do(t, "GET", r.URL+path+"/application?format=json&long-polling=true&wait=0.01&"+etag(got), "", header...)
	do(t, "POST", r.URL+path+"/gateway", `[{"id":`, header...)
	do(t, "GET", r.URL+path+"?max=x", "", header...)
	do(t, "DELETE", r.URL+path, "", header...)
	r.exitAfterDrain()

	common := map[string]any{"level": "INFO", "channel": "c", "trace_id": traceID(7)}
	inbound := map[string]any{"endpoint": "application", "queue": "inbound", "route": "/v2/channels/{channel}/application", "method": "GET", "status": 200.0}
	want := []map[string]any{
		{"method": "POST", "status": 200.0, "route": "/v2/channels/{channel}/gateway", "endpoint": "gateway", "queue": "inbound", "accepted": 2.0, "duplicates": 1.0, "bytes_in": 67.0},
		with(inbound, map[string]any{"outcome": "messages", "delivered": 2.0, "redelivered": 0.0, "confirmed": 0.0, "bytes_out": float64(len(got.Body)), "held_ms": 0.0}),
		with(inbound, map[string]any{"outcome": "messages", "delivered": 2.0, "redelivered": 2.0, "confirmed": 0.0, "bytes_out": float64(len(again.Body)), "held_ms": 0.0}),
		with(inbound, map[string]any{"outcome": "empty", "delivered": 0.0, "redelivered": 0.0, "confirmed": 2.0, "bytes_out": 2.0}),
		{"method": "POST", "status": 400.0, "reason": "malformed", "bytes_in": 7.0, "endpoint": "gateway"},
		{"method": "GET", "status": 400.0, "reason": "bad_request", "endpoint": "mailbox"},
		{"method": "DELETE", "status": 405.0, "reason": "bad_request"},
	}
	events := requests(t, r)
	if len(events) != len(want) {
		t.Fatalf("%d events, want one for each of %d requests:\n%s", len(events), len(want), r.log)
	}
	spans := map[any]bool{}
	for i, e := range events {
		for name, value := range with(common, want[i]) {
			if e[name] != value {
				t.Errorf("event %d: %s is %v, want %v: %v", i, name, e[name], value, e)
			}
		}
		if service, ok := e["service_ms"].(float64); !ok || service <= 0 {
			t.Errorf("event %d: service_ms %v", i, e["service_ms"])
		}
		spans[e["span_id"]] = true
	}
	if held, ok := events[3]["held_ms"].(float64); !ok || held <= 0 {
		t.Errorf("of a poll that was held: held_ms %v", events[3]["held_ms"])
	}
	if len(spans) != len(want) {
		t.Errorf("span ids: %v", spans)
	}
}

func with(a, b map[string]any) map[string]any {
	m := maps.Clone(a)
	maps.Copy(m, b)
	return m
}

// What went well is sampled; what did not is logged always, and nothing of it is
// for probes.
func TestLogSampling(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	for sample, want := range map[int]int{1: 50, 10: 5, 1000: 0} {
		t.Run(fmt.Sprint(sample), func(t *testing.T) {
			t.Parallel()
			r := startReplica(t, s.URL(), fmt.Sprint("QST_LOG_SAMPLE=", sample), "QST_LOG_REFUSED=1000")
			path := fmt.Sprintf("%s/v2/channels/c%d", r.URL, sample)
			for range 50 {
				do(t, "GET", path, "")
				do(t, "GET", path+"?max=x", "")
				do(t, "GET", r.Admin+"/healthz", "")
				do(t, "GET", r.Admin+"/metrics", "")
			}
			r.exitAfterDrain()
			counts := map[float64]int{}
			for _, e := range events(t, r) {
				if e["msg"] == "request" {
					status, _ := e["status"].(float64)
					counts[status]++
				}
			}
			if counts[200] != want || counts[400] != 50 || len(counts) > 2 {
				t.Errorf("events by status: %v; want %d of 200 and 50 of 400", counts, want)
			}
		})
	}
}

// Words that only messages, their addresses and secrets have. Each is somewhere
// else in a message or a request.
const (
	wordBody, wordSubject, wordFrom, wordTo = "zanzibar", "quagmire", "sms://5550199", "sms://4636777"
	wordProperty, wordValue, wordWhen       = "wombatish", "xylophonic", "yesteryearly"
	wordSecret, wordUser, wordETag          = "a-secret-of-32-characters-at-least", "somebodys-user", "etaggish-nonsense"
	wordID                                  = "idiosyncratic"
)

func private() []string {
	return []string{wordBody, wordSubject, "5550199", "4636777", wordProperty, wordValue, wordWhen, wordSecret, wordUser, wordETag, wordID, adminToken}
}

// Nothing of a message, of its addresses or of a secret is in logs, spans or
// metrics: not of what goes well, not of what is refused with a detail that quotes
// it, not of what is broken in Redis.
func TestNothingPrivateIsTold(t *testing.T) {
	t.Parallel()
	s, c := redistest.Start(t), startCollector(t)
	r := startReplica(t, s.URL(), c.env("a", withAuth("QST_LOG_SAMPLE=1", "QST_LOG_LEVEL=debug", "QST_METRICS_TOP_QUEUES=5", "QST_MAX_DELIVERIES=3", "OTEL_METRIC_EXPORT_INTERVAL=50")...)...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"c"}`)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels/c/credentials", fmt.Sprintf(`{"endpoint":"mailbox","user":%q,"secret":%q}`, wordUser, wordSecret))
	url, auth := r.URL+"/v2/channels/c", basic(wordUser, wordSecret)
	json := func(fields string) string {
		return fmt.Sprintf(`[{"id":%q,"from":%q,"to":%q,"when":%q,"subject":%q,"body":%q,%q:%q%s}]`,
			wordID, wordFrom, wordTo, wordWhen, wordSubject, wordBody, wordProperty, wordValue, fields)
	}
	n := 0
	ask := func(status int, method, target, body string, header ...string) answer {
		t.Helper()
		n++
		var got answer
		eventually(t, "the replica knows its channel", func() error {
			got = do(t, method, target, body, append(header, auth, sampled(n))...)
			if n == 1 && got.Status == http.StatusUnauthorized {
				return fmt.Errorf("%v", got)
			}
			return nil
		})
		if got.Status != status {
			t.Fatalf("%s %s %q: %v, want %d", method, target, body, got, status)
		}
		return got
	}
	quoted := 0 // answers whose detail quotes something private
	refused := func(status int, method, target, body string, header ...string) {
		t.Helper()
		got := ask(status, method, target, body, header...)
		if slices.ContainsFunc(private(), func(word string) bool { return strings.Contains(got.Body, word) }) {
			quoted++
		}
	}
	const asJSON, asXML = "Content-Type: application/json", "Content-Type: text/xml"
	ask(200, "POST", url, json(""), asJSON)
	ask(200, "POST", url, json(""), asJSON) // a duplicate
	got := ask(200, "GET", url+"?format=json", "")
	ask(200, "GET", url+"?etag="+wordETag, "", "If-None-Match: "+wordETag)
	ask(200, "GET", url+"?format=json&long-polling=true&wait=0.01&"+etag(got), "")

	refused(400, "POST", url, json(`,"`+wordProperty+`":"`+wordValue+`"`), asJSON)      // the same key twice
	refused(400, "POST", url, json(`,"`+wordProperty+`2":{"`+wordValue+`":1}`), asJSON) // an object
	refused(400, "POST", url, `[{"body":"`+wordBody+`", `+wordProperty+`}]`, asJSON)
	refused(400, "POST", url, `[{"body":"`+wordBody+`"} `+wordValue, asJSON)
	refused(400, "POST", url, `<messages><message `+wordProperty+`="`+wordValue+`"/></messages>`, asXML)
	refused(400, "POST", url, `<messages><message><`+wordProperty+`>`+wordBody+`</`+wordProperty+`></message></messages>`, asXML)
	refused(400, "POST", url, `<messages><message><property name="body" value="`+wordValue+`"/><body>&`+wordSubject+`;</body></message></messages>`, asXML)
	refused(400, "POST", url, `<`+wordBody+`/>`, asXML)
	refused(415, "POST", url, `<?xml version="1.0" encoding="`+wordValue+`"?><messages/>`, asXML)
	refused(415, "POST", url, json(""), "Content-Type: text/"+wordValue)
	refused(415, "POST", url, json(""), asJSON, "Content-Encoding: "+wordValue)
	refused(400, "GET", url+"?format="+wordValue, "")
	refused(400, "GET", url+"?max="+wordValue, "")
	refused(400, "GET", url+"?wait="+wordValue, "")
	refused(401, "GET", url, "", basic(wordUser, wordSecret+"!"), "X-Ignored: "+wordValue)
	if quoted < 10 {
		t.Errorf("only %d answers quote what they refuse: this test tests little", quoted)
	}

	// Dead, purged and peeked at.
	ask(200, "POST", url, json(`,"n":2`), asJSON)
	ask(200, "POST", url, `[{"body":"proof"},{"body":"proof"},{"body":"proof"},{"body":"proof"}]`, asJSON)
	for range 3 {
		ask(200, "GET", url+"?max=1", "")
	}
	for range 2 {
		proof := ask(200, "GET", url+"?max=1", "")
		ask(200, "GET", url+"?max=1&"+etag(proof), "")
	}
	for rest := ask(200, "GET", url, ""); strings.Contains(rest.Body, "<body>"); { // the service believes the client to be stuck
		rest = ask(200, "GET", url+"?"+etag(rest), "")
	}
	if dead := mustAdmin(t, r, 200, "GET", "/channels/c/queues/mailbox/dead", ""); !strings.Contains(dead.Body, `"id"`) {
		t.Errorf("there is no dead letter: %s", dead.Body)
	}
	mustAdmin(t, r, 200, "GET", "/channels/c/queues/mailbox/messages", "")
	mustAdmin(t, r, 400, "POST", "/channels/c/credentials", `{"secret":"`+wordSecret+`","`+wordProperty+`":"`+wordValue+`"}`)

	// What stands in Redis is no message: an error of ours, logged with its cause.
	client := s.Client()
	stream := client.Keys(t.Context(), "qst:*:q:c:mailbox").Val()
	if len(stream) != 1 {
		t.Fatal(stream)
	}
	for i, broken := range []string{
		`{"` + wordProperty + `":{"` + wordValue + `":1}}`, `{"body":7,"` + wordProperty + `":"` + wordValue + `"}`, wordBody,
		`{"` + wordProperty + `":"` + wordValue, `{"` + wordProperty + `":"` + wordValue + `"} ` + wordBody, `{"` + wordProperty + `" "` + wordValue + `"}`,
	} {
		client.XAdd(t.Context(), &redis.XAddArgs{Stream: stream[0], Values: []any{fmt.Sprint(i), broken}})
		ask(500, "GET", url, "")
		mustAdmin(t, r, 200, "DELETE", "/channels/c/queues/mailbox/messages?count=1", "")
	}

	told := map[string]string{"a scrape": do(t, "GET", r.Admin+"/metrics", "").Body}
	c.span(t, traceID(n), "GET ")
	r.exitAfterDrain()
	told["the log"] = r.log.String()
	var spans strings.Builder
	for _, s := range c.all() {
		fmt.Fprintln(&spans, s.Span)
	}
	told["a span"] = spans.String()
	for where, text := range told {
		for _, word := range private() {
			if i := strings.Index(text, word); i >= 0 {
				t.Errorf("%q is in %s: %s", word, where, text[max(0, i-300):min(len(text), i+100)])
			}
		}
	}
	// What there is to tell was told.
	if n := strings.Count(told["the log"], `"reason":"internal"`); n != 6 {
		t.Errorf("%d internal errors in the log, want 6:\n%s", n, told["the log"])
	}
	for _, want := range []string{"mailbox", "malformed", "error.type"} {
		if !strings.Contains(told["a span"]+told["the log"], want) {
			t.Errorf("nothing tells of %s", want)
		}
	}
}
