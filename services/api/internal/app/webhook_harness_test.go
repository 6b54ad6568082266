package app_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// startWorker starts a worker of webhooks that may reach receivers of the test's, and waits until
// it works.
func startWorker(t testing.TB, redisURL string, env ...string) *replica {
	t.Helper()
	w := launch(t, []string{"webhooks"}, redisURL, append([]string{
		"QST_AUTH=channels", "QST_WEBHOOK_ALLOW_HTTP=true", "QST_WEBHOOK_ALLOW_NETWORKS=127.0.0.0/8", "QST_WEBHOOK_RETRY_MAX=1s",
	}, env...)...)
	w.waitReady()
	return w
}

// webhookSecret is the secret of the tests' webhooks.
const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

// hook is a request that a receiver got.
type hook struct {
	ID, Body string
	Header   http.Header
	gone     <-chan struct{} // closed when nobody waits for the answer any more
}

// ids returns the ids of the messages in it.
func (h hook) ids() []string {
	var list []struct{ ID string }
	if json.Unmarshal([]byte(h.Body), &list) != nil {
		return nil
	}
	ids := make([]string, len(list))
	for i, m := range list {
		ids[i] = m.ID
	}
	return ids
}

// receiver is an application that a webhook brings messages to.
type receiver struct {
	*httptest.Server

	t      testing.TB
	mu     sync.Mutex
	answer func(w http.ResponseWriter, h hook)
	got    []hook
}

// startReceiver starts a receiver that answers 200.
func startReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{t: t}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.CloseClientConnections)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // cut
	}
	h := hook{ID: req.Header.Get("webhook-id"), Body: string(body), Header: req.Header, gone: req.Context().Done()}
	if !signedWith(h, webhookSecret) {
		r.t.Errorf("a request without a good signature: %v", h)
	}
	r.mu.Lock()
	r.got = append(r.got, h)
	answer := r.answer
	r.mu.Unlock()
	if answer != nil {
		answer(w, h)
	}
}

// answers has the receiver answer otherwise from now on.
func (r *receiver) answers(f func(w http.ResponseWriter, h hook)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

// status has the receiver answer with a status from now on.
func (r *receiver) status(status int, header ...string) {
	r.answers(func(w http.ResponseWriter, _ hook) {
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "says %d", status)
	})
}

func (r *receiver) hooks() []hook {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]hook(nil), r.got...)
}

// await waits until the receiver has got n requests, and returns all it has.
func (r *receiver) await(n int) (got []hook) {
	r.t.Helper()
	eventually(r.t, fmt.Sprintf("%d requests", n), func() error {
		if got = r.hooks(); len(got) < n {
			return fmt.Errorf("%d requests", len(got))
		}
		return nil
	})
	return got
}

// signedWith tells whether a request has a signature by a secret, as Standard Webhooks has it.
func signedWith(h hook, secret string) bool {
	want := signWith(secret, h.ID, h.Header.Get("webhook-timestamp"), h.Body)
	for signature := range strings.FieldsSeq(h.Header.Get("webhook-signature")) {
		if signature == want {
			return true
		}
	}
	return false
}

// signWith returns the signature of a request by a secret.
func signWith(secret, id, timestamp, body string) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return "" // by nothing
	}
	mac := hmac.New(sha256.New, key)
	_, _ = io.WriteString(mac, id+"."+timestamp+"."+body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// webhookChannel makes a channel with a webhook on its inbound queue, and returns the header of
// its gateway and the one of its application.
func webhookChannel(t testing.TB, r *replica, channel, url, more string) (gateway, application string) {
	t.Helper()
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"`+channel+`"}`)
	gateway, _ = credential(t, r, channel, `{"endpoint":"gateway"}`)
	application, _ = credential(t, r, channel, `{"endpoint":"application"}`)
	setWebhook(t, r, channel, url, more)
	return gateway, application
}

func setWebhook(t testing.TB, r *replica, channel, url, more string) {
	t.Helper()
	if more != "" {
		more = "," + more
	}
	mustAdmin(t, r, http.StatusOK, "PUT", "/channels/"+channel+"/queues/inbound/webhook",
		`{"push_url":"`+url+`","secret":"`+webhookSecret+`"`+more+`}`)
}

// status is what the admin API says of a webhook.
type webhookShown struct {
	PushURL  string `json:"push_url"`
	Mode     string
	Delivery struct {
		State, Worker string
		Status        int    `json:"last_status"`
		Answer        string `json:"last_answer"`
		Failures      int
		NextTry       string `json:"next_try"`
	}
}

func showWebhook(t testing.TB, r *replica, channel string) (s webhookShown) {
	t.Helper()
	a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/"+channel+"/queues/inbound/webhook", "")
	if err := json.Unmarshal([]byte(a.Body), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// deliver pushes messages with these ids, as the gateway.
func deliverAs(t testing.TB, r *replica, channel, auth string, ids ...string) {
	t.Helper()
	var list []string
	for _, id := range ids {
		list = append(list, `{"id":"`+id+`","body":"text of `+id+`"}`)
	}
	a := do(t, "POST", r.URL+"/v2/channels/"+channel+"/gateway", "["+strings.Join(list, ",")+"]", auth)
	if a.Status != http.StatusOK {
		t.Fatalf("push: %d %s", a.Status, a.Body)
	}
}

// startBusyWorker starts a worker, and has it deliver a message.
func startBusyWorker(t testing.TB, s *redistest.Server) *replica {
	t.Helper()
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	app := startReceiver(t)
	gateway, _ := webhookChannel(t, api, "pushed", app.URL, "")
	w := startWorker(t, s.URL())
	deliverAs(t, api, "pushed", gateway, "1")
	queueHolds(t, api, "pushed", 0)
	return w
}
