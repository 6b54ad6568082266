package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// What is pushed is brought to the URL, in order, signed, and confirmed: nobody else pulls it.
func TestWebhook(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	app := startReceiver(t)
	gateway, application := webhookChannel(t, api, "c", app.URL+"/in?token=x", `"user":"u","password":"a-password"`)
	deliverAs(t, api, "c", gateway, "1", "2") // before there is a worker
	worker := startWorker(t, s.URL())
	got := app.await(1)
	if want := []string{"1", "2"}; !slices.Equal(got[0].ids(), want) {
		t.Errorf("got %v, want %v", got[0].ids(), want)
	}
	h := got[0].Header
	if user, password, _ := (&http.Request{Header: h}).BasicAuth(); user != "u" || password != "a-password" {
		t.Errorf("credentials %q %q", user, password)
	}
	if h.Get("Content-Type") != "application/json" || h.Get("QST-Channel") != "c" || h.Get("QST-Queue") != "inbound" || h.Get("QST-Webhook") != "messages" ||
		!strings.HasPrefix(h.Get("User-Agent"), "QST-Webhooks/") {
		t.Errorf("header %v", h)
	}
	deliverAs(t, api, "c", gateway, "3") // into the delivery that waits
	if got := app.await(2); !slices.Equal(got[1].ids(), []string{"3"}) || got[1].ID == got[0].ID {
		t.Errorf("got %v", got[1])
	}
	queueHolds(t, api, "c", 0)

	// Nobody else may pull.
	a := do(t, "GET", api.URL+"/v2/channels/c/application", "", application)
	if a.Status != http.StatusForbidden || !strings.Contains(a.Body, "webhook") {
		t.Errorf("a pull: %d %s, want 403 that speaks of the webhook", a.Status, a.Body)
	}
	if shown := showWebhook(t, api, "c"); shown.Delivery.State != "well" || shown.Delivery.Worker == "" {
		t.Errorf("shown %+v", shown)
	}
	for _, secret := range []string{webhookSecret, "a-password"} {
		if a := mustAdmin(t, api, 200, "GET", "/channels/c/queues/inbound/webhook", ""); strings.Contains(a.Body, secret) {
			t.Error("a secret is shown")
		}
		if strings.Contains(worker.log.String()+api.log.String(), secret) {
			t.Error("a secret is logged")
		}
	}

	// XML, from now on.
	setWebhook(t, api, "c", app.URL, `"format":"xml"`)
	deliverAs(t, api, "c", gateway, "4")
	if got := app.await(3); !strings.HasPrefix(got[2].Body, "<messages><message id=\"4\"") || !strings.HasPrefix(got[2].Header.Get("Content-Type"), "text/xml") {
		t.Errorf("got %v", got[2])
	}
	queueHolds(t, api, "c", 0)

	// Without a webhook the queue is for those who pull.
	mustAdmin(t, api, http.StatusNoContent, "DELETE", "/channels/c/queues/inbound/webhook", "")
	deliverAs(t, api, "c", gateway, "5")
	a = do(t, "GET", api.URL+"/v2/channels/c/application?format=json", "", application)
	if a.Status != http.StatusOK || ids(t, a) != "5" {
		t.Errorf("a pull: %d %s", a.Status, a.Body)
	}
	worker.terminate()
	if code := worker.exitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := s.Client().HLen(t.Context(), "qst:workers").Val(); n != 0 {
		t.Errorf("%d workers are known still", n)
	}
}

var errNotYet = errors.New("not yet")

// queueHolds waits until an inbound queue holds so many messages.
func queueHolds(t testing.TB, r *replica, channel string, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d messages in the queue", n), func() error {
		a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/"+channel+"/queues/inbound", "")
		if !strings.Contains(a.Body, fmt.Sprintf(`"messages":%d,`, n)) {
			return fmt.Errorf("%s", a.Body)
		}
		return nil
	})
}

// A poll that is held when a webhook is given is told so, and one that is held by nobody's fault
// takes nothing.
func TestWebhookEndsPolls(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true", "QST_AUTH_CACHE=5m")...)
	mustAdmin(t, api, http.StatusCreated, "POST", "/channels", `{"name":"c"}`)
	gateway, _ := credential(t, api, "c", `{"endpoint":"gateway"}`)
	application, _ := credential(t, api, "c", `{"endpoint":"application"}`)
	deliverAs(t, api, "c", gateway, "1")
	first := do(t, "GET", api.URL+"/v2/channels/c/application?format=json", "", application)
	done := make(chan answer, 1)
	go func() {
		a, err := try(t.Context(), http.DefaultClient, "GET", api.URL+"/v2/channels/c/application?long-polling=true&"+etag(first), "", application)
		if err != nil {
			t.Error(err)
		}
		done <- a
	}()
	waitForPoll(t, s, "c", "inbound", "")
	app := startReceiver(t)
	setWebhook(t, api, "c", app.URL, "")
	if a := within(t, done); a.Status != http.StatusForbidden {
		t.Errorf("the poll: %d %s, want 403", a.Status, a.Body)
	}
	startWorker(t, s.URL())
	deliverAs(t, api, "c", gateway, "2")
	if got := app.await(1); !slices.Equal(got[0].ids(), []string{"2"}) {
		t.Errorf("got %v", got[0].ids())
	}
}
