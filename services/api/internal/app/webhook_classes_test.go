package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// webhookService is one replica and one worker, and a receiver that channel c's inbound queue goes to.
func webhookService(t *testing.T, more string, env ...string) (api *replica, app *receiver, gateway string) {
	t.Helper()
	s := redistest.Start(t)
	api = startReplica(t, s.URL(), withAuth(append(env, "QST_WEBHOOK_ALLOW_HTTP=true")...)...)
	app = startReceiver(t)
	gateway, _ = webhookChannel(t, api, "c", app.URL, more)
	startWorker(t, s.URL(), env...)
	return api, app, gateway
}

// What may pass is tried again: the same bytes with the same id, whatever came behind it meanwhile.
func TestWebhookTriesAgain(t *testing.T) {
	t.Parallel()
	api, app, gateway := webhookService(t, "")
	for i, status := range []int{500, 503, 404, 302, 429} {
		app.status(status)
		before := len(app.hooks())
		first, second := fmt.Sprintf("%d-a", i), fmt.Sprintf("%d-b", i)
		deliverAs(t, api, "c", gateway, first)
		app.await(before + 1)
		deliverAs(t, api, "c", gateway, second)
		got := app.await(before + 2)[before:]
		if got[0].Body != got[1].Body || got[0].ID != got[1].ID || !slices.Equal(got[0].ids(), []string{first}) {
			t.Errorf("after %d:\n%s %s\n%s %s", status, got[0].ID, got[0].Body, got[1].ID, got[1].Body)
		}
		eventually(t, "the failure shows", func() error {
			d := showWebhook(t, api, "c").Delivery
			if d.State != "failing" || d.Status != status || !strings.Contains(d.Answer, fmt.Sprintf("says %d", status)) || d.Failures == 0 || d.NextTry == "" {
				return fmt.Errorf("%+v", d)
			}
			return nil
		})
		app.status(200)
		queueHolds(t, api, "c", 0)
		all := app.hooks()
		if last := all[len(all)-1]; !slices.Equal(last.ids(), []string{second}) {
			t.Errorf("the last one has %v, want %s", last.ids(), second)
		}
		eventually(t, "it is well again", func() error {
			if d := showWebhook(t, api, "c").Delivery; d.State != "well" || d.Failures != 0 {
				return fmt.Errorf("%+v", d)
			}
			return nil
		})
	}
}

// Retry-After is honoured, up to the bound.
func TestWebhookRetryAfter(t *testing.T) {
	t.Parallel()
	api, app, gateway := webhookService(t, "", "QST_WEBHOOK_RETRY_AFTER_MAX=1h")
	app.status(503, "Retry-After: 600")
	deliverAs(t, api, "c", gateway, "1")
	app.await(1)
	eventually(t, "the next try is known", func() error {
		next, err := time.Parse(time.RFC3339, showWebhook(t, api, "c").Delivery.NextTry)
		if err != nil {
			return err
		}
		if wait := time.Until(next); wait < 9*time.Minute || wait > 11*time.Minute {
			t.Fatalf("the next try is in %s, want 10m", wait)
		}
		return nil
	})
	app.status(200)
	mustAdmin(t, api, http.StatusNoContent, "POST", "/channels/c/queues/inbound/webhook/resume", "")
	queueHolds(t, api, "c", 0) // an operator need not wait
}

// A batch that is refused goes out in smaller ones; a message that is refused alone becomes a dead
// letter, with what was said of it. Nothing else does, and order is kept.
func TestWebhookRefused(t *testing.T) {
	t.Parallel()
	for _, status := range []int{400, 413, 415} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			api, app, gateway := webhookService(t, "")
			poison := map[string]bool{"2": true, "7": true}
			var taken []string
			app.answers(func(w http.ResponseWriter, h hook) {
				if slices.ContainsFunc(h.ids(), func(id string) bool { return poison[id] }) {
					w.WriteHeader(status)
					fmt.Fprint(w, "not\nlike <this>")
					return
				}
				taken = append(taken, h.ids()...)
			})
			deliverAs(t, api, "c", gateway, "1", "2", "3", "4", "5", "6", "7", "8", "9")
			queueHolds(t, api, "c", 0)
			if want := []string{"1", "3", "4", "5", "6", "8", "9"}; !slices.Equal(taken, want) {
				t.Errorf("taken %v, want %v", taken, want)
			}
			var dead struct {
				Messages []struct {
					Status  int
					Answer  string
					Message struct{ ID string }
				}
			}
			if err := json.Unmarshal([]byte(mustAdmin(t, api, 200, "GET", "/channels/c/queues/inbound/dead", "").Body), &dead); err != nil {
				t.Fatal(err)
			}
			if len(dead.Messages) != 2 || dead.Messages[0].Message.ID != "2" || dead.Messages[1].Message.ID != "7" ||
				dead.Messages[0].Status != status || !strings.Contains(dead.Messages[0].Answer, "not like <this>") {
				t.Errorf("dead letters %+v", dead.Messages)
			}
		})
	}
}

// 401, 403 and 410 stop a webhook until an operator says that it may go on.
func TestWebhookStops(t *testing.T) {
	t.Parallel()
	api, app, gateway := webhookService(t, "")
	for i, status := range []int{401, 403, 410} {
		app.status(status)
		before := len(app.hooks())
		deliverAs(t, api, "c", gateway, fmt.Sprintf("%d-a", i))
		app.await(before + 1)
		eventually(t, "it shows that it stopped", func() error {
			if d := showWebhook(t, api, "c").Delivery; d.State != "stopped" || d.Status != status {
				return fmt.Errorf("%+v", d)
			}
			return nil
		})
		deliverAs(t, api, "c", gateway, fmt.Sprintf("%d-b", i))
		app.status(200)
		if a := mustAdmin(t, api, 200, "GET", "/webhooks", ""); !strings.Contains(a.Body, `"channel":"c"`) || !strings.Contains(a.Body, `"state":"stopped"`) {
			t.Errorf("the list: %s", a.Body)
		}
		// A test shows whether it would go now, and delivers nothing.
		if a := mustAdmin(t, api, 200, "POST", "/channels/c/queues/inbound/webhook/test", ""); !strings.Contains(a.Body, `"status":200`) {
			t.Errorf("the test: %s", a.Body)
		}
		all := app.hooks()
		if n := len(all); n != before+2 || all[n-1].Body != "[]" || all[n-1].Header.Get("QST-Webhook") != "test" {
			t.Errorf("%d requests, want %d, the last one a test: %v", n, before+2, all[n-1])
		}
		queueHolds(t, api, "c", 2)
		mustAdmin(t, api, http.StatusNoContent, "POST", "/channels/c/queues/inbound/webhook/resume", "")
		queueHolds(t, api, "c", 0)
	}
}

// A secret is rotated: for a time both sign.
func TestWebhookSecrets(t *testing.T) {
	t.Parallel()
	api, app, gateway := webhookService(t, "")
	a := mustAdmin(t, api, 200, "POST", "/channels/c/queues/inbound/webhook/rotate", `{"keep":"1h"}`)
	var made struct{ Secret string }
	if err := json.Unmarshal([]byte(a.Body), &made); err != nil || made.Secret == "" {
		t.Fatalf("%v: %s", err, a.Body)
	}
	deliverAs(t, api, "c", gateway, "1")
	got := app.await(1)[0] // it is signed with the former one: the receiver has looked
	if !signedWith(got, made.Secret) || len(strings.Fields(got.Header.Get("webhook-signature"))) != 2 {
		t.Errorf("signatures %q: none by the new secret", got.Header.Get("webhook-signature"))
	}
	queueHolds(t, api, "c", 0)
	mustAdmin(t, api, 400, "POST", "/channels/c/queues/inbound/webhook/rotate", `{"secret":"whsec_short"}`)
	// A secret that is known to others does not sign any more.
	for body, both := range map[string]bool{`{"keep":"0s"}`: false, `{}`: true} {
		a = mustAdmin(t, api, 200, "POST", "/channels/c/queues/inbound/webhook/rotate", body)
		if strings.Contains(a.Body, "previous_secret_until") != both {
			t.Errorf("rotated with %s: %s", body, a.Body)
		}
	}
	mustAdmin(t, api, 400, "POST", "/channels/c/queues/inbound/webhook/rotate", `{"keep":"-1s"}`)
}

// Replies in the answer go into the other direction's queue, all or none, before the batch counts
// as taken.
func TestWebhookReplies(t *testing.T) {
	t.Parallel()
	api, app, gateway := webhookService(t, `"replies":true`)
	bodies := []string{`[{"id":"r","body":`, "ok", `[{"id":"r","body":"fine"},{"id":"r2","body":7}]`, `[{"id":"r","body":"fine"},{"body":"no id"}]`}
	at := 0
	app.answers(func(w http.ResponseWriter, _ hook) {
		if at == 0 { // says more than it sends
			w.Header().Set("Content-Length", "1000")
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, bodies[at])
		at = min(at+1, len(bodies)-1)
	})
	deliverAs(t, api, "c", gateway, "1")
	queueHolds(t, api, "c", 0)
	got := app.hooks()
	if len(got) != len(bodies) || got[0].ID != got[3].ID || got[0].Body != got[3].Body {
		t.Errorf("%d requests, want %d of the same: %v", len(got), len(bodies), got)
	}
	a := do(t, "GET", api.URL+"/v2/channels/c/gateway?format=json", "", gateway)
	if replies := a.messages(t); len(replies) != 2 || replies[0]["id"] != "r" || replies[1]["body"] != "no id" {
		t.Errorf("replies: %s", a.Body)
	}
	mustAdmin(t, api, 400, "PUT", "/channels/c/queues/mailbox/webhook", `{"push_url":"https://example.com","replies":true}`)
}

// A webhook of the mode wake tells that there are messages, and no more: the application pulls.
func TestWebhookWakes(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	app := startReceiver(t)
	gateway, application := webhookChannel(t, api, "c", app.URL, `"mode":"wake"`)
	startWorker(t, s.URL())
	deliverAs(t, api, "c", gateway, "1", "2")
	got := app.await(1)
	if want := `{"channel":"c","queue":"inbound","messages":2}`; got[0].Body != want {
		t.Errorf("got %s, want %s", got[0].Body, want)
	}
	a := do(t, "GET", api.URL+"/v2/channels/c/application?format=json", "", application)
	if ids(t, a) != "1 2" {
		t.Errorf("pulled %s", a.Body)
	}
	// What comes when the application has not confirmed yet is told, too.
	deliverAs(t, api, "c", gateway, "3")
	if got := app.await(2); !strings.Contains(got[1].Body, `"messages":3`) || got[1].ID == got[0].ID {
		t.Errorf("got %s", got[1].Body)
	}
	do(t, "GET", api.URL+"/v2/channels/c/application?format=json&"+etag(a), "", application)
	app.status(500)
	deliverAs(t, api, "c", gateway, "4")
	app.await(4)
	app.status(200)
	eventually(t, "it is well again", func() error {
		if d := showWebhook(t, api, "c").Delivery; d.State != "well" {
			return fmt.Errorf("%+v", d)
		}
		return nil
	})
}

// A webhook is no way in: neither the admin API nor the worker takes an address that is not public.
func TestWebhookAddresses(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth()...)
	loose := startReplica(t, s.URL(), withAuth("QST_WEBHOOK_ALLOW_HTTP=true")...)
	app := startReceiver(t)
	mustAdmin(t, api, 201, "POST", "/channels", `{"name":"c"}`)
	for _, url := range []string{
		"", "http://example.com/", "ftp://example.com/", "https:///x", "https://user:secret@example.com/", "https://example.com/#x", "javascript:1", "/in", "https://exa mple.com/",
	} {
		a := mustAdmin(t, api, 400, "PUT", "/channels/c/queues/inbound/webhook", `{"push_url":"`+url+`"}`)
		if !strings.Contains(a.Body, "push_url") || strings.Contains(a.Body, "user:secret") {
			t.Errorf("%q: %s", url, a.Body)
		}
	}
	worker := startWorker(t, s.URL(), "QST_WEBHOOK_ALLOW_NETWORKS=")
	port := app.URL[strings.LastIndex(app.URL, ":"):]
	gateway, _ := credential(t, api, "c", `{"endpoint":"gateway"}`)
	deliverAs(t, api, "c", gateway, "1")
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1", "10.0.0.1", "169.254.169.254", "[fd00:ec2::254]", "[64:ff9b::a9fe:a9fe]",
	} {
		setWebhook(t, loose, "c", "http://"+host+port+"/", `"timeout":"5s"`)
		a := mustAdmin(t, loose, 200, "POST", "/channels/c/queues/inbound/webhook/test", "")
		if !strings.Contains(a.Body, `"status":0`) || !strings.Contains(a.Body, "not a public one") && !strings.Contains(a.Body, "no such host") && !strings.Contains(a.Body, "lookup") {
			t.Errorf("%s: %s", host, a.Body)
		}
	}
	// An allowed network does not allow http:.
	worker.terminate()
	worker.exitCode()
	startWorker(t, s.URL(), "QST_WEBHOOK_ALLOW_HTTP=false")
	setWebhook(t, loose, "c", app.URL, "")
	if a := mustAdmin(t, loose, 200, "POST", "/channels/c/queues/inbound/webhook/test", ""); !strings.Contains(a.Body, "not https") {
		t.Errorf("http: %s", a.Body)
	}
	if got := app.hooks(); len(got) > 0 {
		t.Errorf("the receiver was reached: %v", got)
	}
	queueHolds(t, api, "c", 1)
}

// Without a worker an operator is told so.
func TestWebhookWithoutWorker(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	api := startReplica(t, s.URL(), withAuth()...)
	mustAdmin(t, api, 201, "POST", "/channels", `{"name":"c"}`)
	setWebhook(t, api, "c", "https://example.com/", `"timeout":"1s"`)
	if d := showWebhook(t, api, "c").Delivery; d.State != "waiting" {
		t.Errorf("%+v", d)
	}
	a := mustAdmin(t, api, 503, "POST", "/channels/c/queues/inbound/webhook/test", "")
	if !strings.Contains(a.Body, "api webhooks") {
		t.Errorf("%s", a.Body)
	}
	for path, want := range map[string]int{"test": 404, "resume": 404, "rotate": 404} {
		mustAdmin(t, api, want, "POST", "/channels/c/queues/outbound/webhook/"+path, "{}")
	}
}
