package app_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

const adminToken = "the-token-of-these-tests"

// withAuth is the environment of a replica that lets nobody in without a
// credential, and forgets what it knows of them soon.
func withAuth(env ...string) []string {
	return append([]string{"QST_AUTH=channels", "QST_ADMIN_TOKEN=" + adminToken, "QST_AUTH_CACHE=100ms"}, env...)
}

// admin asks the admin API.
func admin(t testing.TB, r *replica, method, path, body string, header ...string) answer {
	t.Helper()
	return do(t, method, r.Admin+"/admin/v1"+path, body, append([]string{"Authorization: Bearer " + adminToken}, header...)...)
}

// mustAdmin is admin, and expects a status.
func mustAdmin(t testing.TB, r *replica, status int, method, path, body string, header ...string) answer {
	t.Helper()
	a := admin(t, r, method, path, body, header...)
	if a.Status != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, a.Status, a.Body, status)
	}
	return a
}

// credential makes a credential and returns its header for HTTP Basic, and its id.
func credential(t testing.TB, r *replica, channel, body string) (header, id string) {
	t.Helper()
	a := mustAdmin(t, r, http.StatusCreated, "POST", "/channels/"+channel+"/credentials", body)
	var c struct{ ID, User, Secret string }
	if err := json.Unmarshal([]byte(a.Body), &c); err != nil {
		t.Fatal(err)
	}
	return basic(c.User, c.Secret), c.ID
}

func basic(user, secret string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+secret))
}

// Every credential at every endpoint with every method: what it is for, and
// nothing else.
func TestCredentialMatrix(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		mustAdmin(t, a, http.StatusCreated, "POST", "/channels", `{"name":"c"}`)
		mustAdmin(t, a, http.StatusCreated, "POST", "/channels", `{"name":"other"}`)
		paths := map[string]string{"gateway": "/v2/channels/c/gateway", "application": "/v2/channels/c/application", "mailbox": "/v2/channels/c"}
		methods := map[string]string{"push": "POST", "pull": "GET"}
		for _, endpoint := range []string{"gateway", "application", "mailbox"} {
			for _, rights := range []string{`["push"]`, `["pull"]`, `["pull","push"]`, `[]`} {
				header, _ := credential(t, a, "c", fmt.Sprintf(`{"endpoint":%q,"rights":%s}`, endpoint, rights))
				for e, path := range paths {
					for right, method := range methods {
						want := http.StatusForbidden
						if e == endpoint && (rights == "[]" || strings.Contains(rights, right)) {
							want = http.StatusOK
						}
						// The other replica has never heard of it.
						eventually(t, "the replica knows the credential", func() error {
							got := do(t, method, b.URL+path, `[]`, header)
							if got.Status == http.StatusUnauthorized {
								return fmt.Errorf("%v", got)
							}
							if got.Status != want {
								t.Errorf("%s%s at %s %s: %d, want %d", endpoint, rights, method, path, got.Status, want)
							}
							return nil
						})
					}
				}
				if got := do(t, "GET", b.URL+"/v2/channels/other/"+endpoint, "", header); got.Status == http.StatusOK {
					t.Errorf("the credential of one channel opens another: %v", got)
				}
			}
		}
	}, withAuth()...)
}

// Without a credential, with a wrong one, for a channel that isn't: one answer.
func TestStrangersSeeOneAnswer(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth()...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"known"}`)
	good, _ := credential(t, r, "known", `{"endpoint":"mailbox"}`)
	if a := do(t, "GET", r.URL+"/v2/channels/known", "", good); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	var answers []string
	for _, channel := range []string{"known", "unknown"} {
		for _, header := range []string{"X: y", basic("known", "wrong-secret-of-24-characters"), basic("", ""), "Authorization: Basic !", "Authorization: Bearer x"} {
			for _, method := range []string{"GET", "POST"} {
				a := do(t, method, r.URL+"/v2/channels/"+channel, `[{"body":"x"}]`, header)
				a.Header.Del("Date")
				answers = append(answers, fmt.Sprint(a.Status, a.Header, a.Body))
			}
		}
	}
	for _, a := range answers {
		if a != answers[0] {
			t.Errorf("a stranger can tell\n%s\nfrom\n%s", answers[0], a)
		}
	}
	if !strings.HasPrefix(answers[0], "401 ") || !strings.Contains(answers[0], `[Basic realm="qst"]`) {
		t.Error(answers[0])
	}
}

// A credential takes another one's place without one refused request; the old
// one ends when it is revoked, everywhere.
func TestRotation(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	a, b := startReplica(t, s.URL(), withAuth()...), startReplica(t, s.URL(), withAuth()...)
	mustAdmin(t, a, http.StatusCreated, "POST", "/channels", `{"name":"c"}`)
	old, oldID := credential(t, a, "c", `{"endpoint":"gateway"}`)
	use := func(r *replica, header string) int {
		return do(t, "POST", r.URL+"/v2/channels/c/gateway", "[]", header).Status
	}
	for _, r := range []*replica{a, b} {
		eventually(t, "the first one works", func() error { return status(use(r, old), http.StatusOK) })
	}
	next, _ := credential(t, a, "c", `{"endpoint":"gateway"}`)
	for _, r := range []*replica{a, b} {
		eventually(t, "the next one works", func() error {
			if got := use(r, old); got != http.StatusOK {
				t.Fatalf("the old one is refused before it is revoked: %d", got)
			}
			return status(use(r, next), http.StatusOK)
		})
	}
	mustAdmin(t, a, http.StatusNoContent, "DELETE", "/channels/c/credentials/"+oldID, "")
	for _, r := range []*replica{a, b} {
		eventually(t, "the old one ends", func() error {
			if got := use(r, next); got != http.StatusOK {
				t.Fatalf("the next one: %d", got)
			}
			return status(use(r, old), http.StatusUnauthorized)
		})
	}
}

func status(got, want int) error {
	if got != want {
		return fmt.Errorf("status %d, want %d", got, want)
	}
	return nil
}

// Secrets are shown once, and never again: not in a list, not in a log, not in
// Redis.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "bootstrap.yaml")
	const brought = "brought-along-by-an-operator"
	if err := os.WriteFile(file, []byte(`
channels:
- name: c
  note: from the file
  labels: {country: kh}
  settings: {queue_max_messages: 5, retention: 1h}
  credentials:
  - {id: phone, endpoint: gateway, user: phone, secret: `+brought+`}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	env := withAuth("QST_BOOTSTRAP_FILE="+file, "QST_LOG_LEVEL=debug")
	r := startReplica(t, s.URL(), env...)
	startReplica(t, s.URL(), env...) // once more makes no difference
	if a := do(t, "POST", r.URL+"/v2/channels/c/gateway", `[{"from":"the-sender-of-it","body":"the-text-of-it"}]`, basic("phone", brought)); a.Status != http.StatusOK {
		t.Fatal(a)
	}
	made := mustAdmin(t, r, http.StatusCreated, "POST", "/channels/c/credentials", `{"endpoint":"application"}`)
	var c struct{ Secret string }
	_ = json.Unmarshal([]byte(made.Body), &c)
	if len(c.Secret) < 22 { // 128 bits in base64
		t.Fatalf("secret %q", c.Secret)
	}
	do(t, "GET", r.URL+"/v2/channels/c/application", "", basic("c", c.Secret))
	do(t, "GET", r.URL+"/v2/channels/c/application", "", basic("c", "a-wrong-guess-of-somebody"))

	list := mustAdmin(t, r, http.StatusOK, "GET", "/channels/c/credentials", "").Body
	client := s.Client()
	redis := ""
	for _, key := range client.Keys(t.Context(), "*:c:*").Val() {
		redis += fmt.Sprint(client.HGetAll(t.Context(), key).Val())
	}
	log := r.log.String()
	for _, secret := range []string{brought, c.Secret, adminToken, "a-wrong-guess-of-somebody", "the-text-of-it", "the-sender-of-it"} {
		for where, text := range map[string]string{"list": list, "Redis": redis, "log": log} {
			if strings.Contains(text, secret) {
				t.Errorf("%q is in the %s:\n%s", secret, where, text)
			}
		}
	}
	if !strings.Contains(list, `"id":"phone"`) || !strings.Contains(redis, "from the file") {
		t.Errorf("the bootstrap file did not arrive: %s\n%s", list, redis)
	}
}

// Two operators don't overwrite each other, and limits hold at once where they
// are set.
func TestChannelSettings(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth()...)
	made := mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"c","settings":{"queue_max_messages":2}}`)
	mustAdmin(t, r, http.StatusConflict, "POST", "/channels", `{"name":"c"}`)
	header, _ := credential(t, r, "c", `{"endpoint":"mailbox"}`)
	push := func(body string) int { return do(t, "POST", r.URL+"/v2/channels/c", body, header).Status }
	if got := push(`[{"body":"1"},{"body":"2"},{"body":"3"}]`); got != http.StatusServiceUnavailable {
		t.Fatalf("three messages in a queue of two: %d", got)
	}
	tag := "If-Match: " + made.Header.Get("ETag")
	mustAdmin(t, r, http.StatusPreconditionRequired, "PATCH", "/channels/c", `{"note":"a"}`)
	changed := mustAdmin(t, r, http.StatusOK, "PATCH", "/channels/c", `{"settings":{"queue_max_messages":3}}`, tag)
	mustAdmin(t, r, http.StatusPreconditionFailed, "PATCH", "/channels/c", `{"note":"b"}`, tag)
	mustAdmin(t, r, http.StatusBadRequest, "PATCH", "/channels/c", `{"settings":{"queue_max_mesages":3}}`, "If-Match: *")
	eventually(t, "the change holds", func() error {
		return status(push(`[{"body":"1"},{"body":"2"},{"body":"3"}]`), http.StatusOK)
	})

	mustAdmin(t, r, http.StatusConflict, "DELETE", "/channels/c/queues/mailbox/messages?count=2", "")
	peek := mustAdmin(t, r, http.StatusOK, "GET", "/channels/c/queues/mailbox/messages?limit=2", "")
	if !strings.Contains(peek.Body, `"body":"1"`) || strings.Contains(peek.Body, `"body":"3"`) {
		t.Errorf("peek: %s", peek.Body)
	}
	purged := mustAdmin(t, r, http.StatusOK, "DELETE", "/channels/c/queues/mailbox/messages?count=3", "")
	if strings.TrimSpace(purged.Body) != `{"messages":3}` {
		t.Errorf("purged: %s", purged.Body)
	}
	if got := push(`[{"body":"4"}]`); got != http.StatusOK {
		t.Fatal(got)
	}
	mustAdmin(t, r, http.StatusPreconditionFailed, "DELETE", "/channels/c", "", tag)
	deleted := mustAdmin(t, r, http.StatusOK, "DELETE", "/channels/c", "", "If-Match: "+changed.Header.Get("ETag"))
	if strings.TrimSpace(deleted.Body) != `{"messages":1}` {
		t.Errorf("deleted: %s", deleted.Body)
	}
	// Also while the credential is still remembered, nothing can be stored any more.
	if got := push(`[{"body":"5"}]`); got != http.StatusUnauthorized {
		t.Fatalf("a push into a deleted channel: %d", got)
	}
	mustAdmin(t, r, http.StatusNotFound, "GET", "/channels/c", "")
}

// A phone's life signs, and dead messages.
func TestLifeSigns(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), withAuth("QST_MAX_DELIVERIES=1")...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"c"}`)
	phone, _ := credential(t, r, "c", `{"endpoint":"gateway"}`)
	app, _ := credential(t, r, "c", `{"endpoint":"application"}`)
	type party struct {
		Connected, Polling        bool
		Pushed, Pulled, Confirmed string
		Address                   string
		UserAgent                 string `json:"user_agent"`
	}
	look := func() (gateway, application party) {
		var c struct {
			Parties struct{ Gateway, Application party }
		}
		if err := json.Unmarshal([]byte(mustAdmin(t, r, http.StatusOK, "GET", "/channels/c", "").Body), &c); err != nil {
			t.Fatal(err)
		}
		return c.Parties.Gateway, c.Parties.Application
	}
	if g, a := look(); g.Connected || a.Connected {
		t.Errorf("never seen: %+v, %+v", g, a)
	}
	do(t, "POST", r.URL+"/v2/channels/c/gateway", `[{"id":"1","body":"x"}]`, phone, "User-Agent: phone/1.0")
	if g, a := look(); !g.Connected || g.Pushed == "" || g.UserAgent != "phone/1.0" || g.Address != "127.0.0.1" || a.Connected {
		t.Errorf("pushed: %+v, %+v", g, a)
	}
	got := do(t, "GET", r.URL+"/v2/channels/c/application?format=json", "", app)
	got = do(t, "GET", r.URL+"/v2/channels/c/application?format=json&"+etag(got), "", app)
	if got.Header.Get("QST-Confirmed") != "1" {
		t.Fatal(got)
	}
	if _, a := look(); !a.Connected || a.Pulled == "" || a.Confirmed == "" {
		t.Errorf("confirmed: %+v", a)
	}
	go func() {
		_, _ = try(t.Context(), http.DefaultClient, "GET", r.URL+"/v2/channels/c/gateway?long-polling=true", "", phone)
	}()
	waitForPoll(t, s, "c", "outbound", "")
	if g, _ := look(); !g.Polling {
		t.Errorf("polling: %+v", g)
	}

	// One delivery is all a message gets here.
	deadLetter(t, r, "/v2/channels/c/gateway", "/v2/channels/c/application", `{"id":"2","body":"poison"}`, []string{phone}, []string{app})
	var dead struct {
		Messages []struct {
			ID      string
			Message struct{ ID string }
		}
	}
	a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/c/queues/inbound/dead", "")
	if err := json.Unmarshal([]byte(a.Body), &dead); err != nil || len(dead.Messages) != 1 || dead.Messages[0].Message.ID != "2" {
		t.Fatalf("dead: %s", a.Body)
	}
	id := dead.Messages[0].ID
	mustAdmin(t, r, http.StatusNoContent, "POST", "/channels/c/queues/inbound/dead/"+id+"/requeue", "")
	mustAdmin(t, r, http.StatusNotFound, "POST", "/channels/c/queues/inbound/dead/"+id+"/requeue", "")
	if got := do(t, "GET", r.URL+"/v2/channels/c/application?format=json", "", app); ids(t, got) != "2" {
		t.Errorf("put back: %v", got)
	}
}

// The admin API is on the internal listener, for who has the token, and off
// without one.
func TestAdminIsGuarded(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r, off := startReplica(t, s.URL(), withAuth()...), startReplica(t, s.URL())
	for _, path := range []string{"/admin/v1/channels", "/admin/v1/channels/c", "/admin/v1/channels/c/queues/inbound/messages"} {
		for header, want := range map[string]int{
			"X: y": http.StatusUnauthorized, "Authorization: Bearer x": http.StatusUnauthorized,
			"Authorization: Basic " + adminToken: http.StatusUnauthorized, "Authorization: Bearer " + adminToken + "x": http.StatusUnauthorized,
		} {
			a := do(t, "GET", r.Admin+path, "", header)
			if a.Status != want || !strings.HasPrefix(a.Header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s %s: %v", path, header, a)
			}
		}
		if a := do(t, "GET", r.URL+path, "", "Authorization: Bearer "+adminToken); a.Status != http.StatusNotFound {
			t.Errorf("on the public listener: %v", a)
		}
		if a := do(t, "GET", off.Admin+path, "", "Authorization: Bearer "+adminToken); a.Status != http.StatusNotFound {
			t.Errorf("without a token: %v", a)
		}
	}
}

func TestListChannels(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth()...)
	var want []string
	for i := range 250 {
		name := fmt.Sprintf("phone-%03d", i)
		want = append(want, name)
		mustAdmin(t, r, http.StatusCreated, "POST", "/channels", fmt.Sprintf(`{"name":%q,"labels":{"odd":"%t"}}`, name, i%2 == 1))
	}
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"another"}`)
	list := func(query string) (names []string) {
		next := "/channels?" + query
		for next != "" {
			var page struct {
				Channels []struct{ Name string }
				Next     string
			}
			if err := json.Unmarshal([]byte(mustAdmin(t, r, http.StatusOK, "GET", next, "").Body), &page); err != nil {
				t.Fatal(err)
			}
			for _, c := range page.Channels {
				names = append(names, c.Name)
			}
			next = strings.TrimPrefix(page.Next, "/admin/v1")
		}
		return names
	}
	if got := list("limit=7&prefix=phone-"); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%v", got)
	}
	if got := list(""); len(got) != 251 || got[0] != "another" {
		t.Errorf("%v", got)
	}
	if got := list("prefix=phone-1&label=odd%3Dtrue&limit=10"); len(got) != 50 || got[0] != "phone-101" {
		t.Errorf("%v", got)
	}
}
