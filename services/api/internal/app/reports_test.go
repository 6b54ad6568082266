package app_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// Reports of a push that is refused are not kept, however often it is tried: they are with the push that is taken.
func TestReportsOfARefusedPush(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth("QST_QUEUE_MAX_MESSAGES=1")...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"acme.phone"}`)
	gate, _ := credential(t, r, "acme.phone", `{"endpoint":"gateway"}`)
	for _, test := range []struct {
		body         string
		status, kept int
	}{
		{`[{"id":"1","body":"x"},{"id":"2","qst-message":"m1","qst-status":"sent"}]`, http.StatusServiceUnavailable, 0},
		{`[{"id":"1","body":"x"},{"id":"2","qst-message":"m1","qst-status":"sent"}]`, http.StatusServiceUnavailable, 0},
		{`{"id":"2","qst-message":"m1","qst-status":"sent"}`, http.StatusOK, 1},
	} {
		if a := do(t, "POST", r.URL+"/v2/channels/acme.phone/gateway", test.body, gate, typeJSON); a.Status != test.status {
			t.Fatalf("%s: %v", test.body, a)
		}
		if a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/acme.phone/states", ""); strings.Count(a.Body, `"m1"`) != test.kept {
			t.Errorf("%s: %s", test.body, a.Body)
		}
	}
}

// What a gateway reports in the answer to a webhook is kept like what it pushes.
func TestReportsInReplies(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	gateway := startReceiver(t)
	gateway.answers(func(w http.ResponseWriter, _ hook) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`[{"qst-message":"m1","qst-status":"sent"}]`))
	})
	mustAdmin(t, api, http.StatusCreated, "POST", "/channels", `{"name":"c"}`)
	app, _ := credential(t, api, "c", `{"endpoint":"application"}`)
	mustAdmin(t, api, http.StatusOK, "PUT", "/channels/c/queues/outbound/webhook", `{"push_url":"`+gateway.URL+`","replies":true,"secret":"`+webhookSecret+`"}`)
	startWorker(t, s.URL())
	if a := do(t, "POST", api.URL+"/v2/channels/c/application", `{"id":"m1","to":"sms://1","body":"x"}`, app, typeJSON); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	eventually(t, "the report is kept", func() error {
		if a := mustAdmin(t, api, http.StatusOK, "GET", "/channels/c/states", ""); strings.Count(a.Body, `"m1"`) != 1 {
			return errors.New(a.Body)
		}
		return nil
	})
}
