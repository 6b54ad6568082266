package app_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// What people do who try the service by hand, and what they are told.
func TestFirstTry(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth("QST_RETENTION=3d")...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"acme.phone","settings":{"retention":"1d12h"}}`)
	app, _ := credential(t, r, "acme.phone", `{"endpoint":"application"}`)
	gate, _ := credential(t, r, "acme.phone", `{"endpoint":"gateway"}`)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels/acme.phone/credentials", `{"endpoint":"gateway","user":"phone","secret":"brought-from-the-field"}`)
	phone := basic("phone", "brought-from-the-field")
	gateway, application := "/v2/channels/acme.phone/gateway", "/v2/channels/acme.phone/application"

	t.Run("front pages", func(t *testing.T) {
		for url, want := range map[string]string{r.URL + "/": "/v2/channels/{channel}/gateway", r.Admin + "/": "/console"} {
			a := do(t, "GET", url, "")
			if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") || !strings.Contains(a.Body, want) || !strings.Contains(a.Body, "QST ") {
				t.Errorf("%s: %v", url, a)
			}
			if strings.Contains(a.Body, "%!") || strings.Contains(a.Body, "QST_ADMIN_TOKEN") {
				t.Errorf("%s: %s", url, a.Body)
			}
		}
		if a := do(t, "POST", r.URL+"/", "x"); a.Status != http.StatusMethodNotAllowed || !strings.Contains(a.Body, "does not take this method") || !strings.Contains(a.Header.Get("Allow"), "GET") {
			t.Errorf("%v, want 405", a)
		}
		for path, want := range map[string]string{
			"/v2/channel/acme.phone/gateway":    "GET / says which URLs there are",
			"/v2/channels/acme.phone/gatway":    `a channel has the endpoints \"gateway\" and \"application\"`,
			"/v2/channels/acme.phone/gateway/x": `a channel has the endpoints`,
		} {
			if a := do(t, "GET", r.URL+path, "", gate); a.Status != http.StatusNotFound || !strings.Contains(a.Body, want) {
				t.Errorf("%s: %v", path, a)
			}
		}
	})
	t.Run("a channel's name", func(t *testing.T) {
		const want = "a channel's name is 1 to 128 characters of"
		if a := do(t, "GET", r.URL+"/v2/channels/a%20b/gateway", "", gate); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, want) {
			t.Errorf("%v", a)
		}
		if a := mustAdmin(t, r, http.StatusBadRequest, "POST", "/channels", `{"name":"a b"}`); !strings.Contains(a.Body, want) {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("curl's content type", func(t *testing.T) {
		const curl = "Content-Type: application/x-www-form-urlencoded"
		for body, want := range map[string]string{
			`{"to":"+1","body":"hi"}`:                                "add -H 'Content-Type: application/json'",
			"<messages><message><body>x</body></message></messages>": "add -H 'Content-Type: text/xml'",
			"hi": "add -H 'Content-Type: text/xml'",
		} {
			if a := do(t, "POST", r.URL+gateway, body, curl, gate); a.Status != http.StatusUnsupportedMediaType || !strings.Contains(a.Body, want) {
				t.Errorf("%s: %v", body, a)
			}
		}
		if a := do(t, "POST", r.URL+gateway, `{"body":"x"}`, "Content-Type: text/plain", gate); a.Status != http.StatusUnsupportedMediaType || strings.Contains(a.Body, "curl") {
			t.Errorf("%v", a)
		}
	})
	t.Run("slashes", func(t *testing.T) {
		for _, path := range []string{"/" + gateway, "///" + gateway, "//v2/channels/acme%2Ephone/gateway"} {
			if a := do(t, "POST", r.URL+path, `{"id":"`+path+`","body":"x"}`, typeJSON, gate); a.Status != http.StatusOK {
				t.Errorf("%s: %v", path, a)
			}
		}
		if a := do(t, "GET", r.URL+"//v1/acme/qst/outgoing", "", phone); a.Status != http.StatusOK {
			t.Errorf("%v", a)
		}
		if l := do(t, "GET", r.URL+"/"+application+"?format=json", "", app).messages(t); len(l) != 3 {
			t.Errorf("%v", l)
		}
	})
	t.Run("a plus that was not encoded", func(t *testing.T) {
		for sent, want := range map[string]string{"+85512345678": "+85512345678", "sms://+855": "sms://+855", "%2B855": "+855", "012%20345": "012 345", "sms://": "sms://"} {
			do(t, "GET", r.URL+"/v1/acme/qst/setaddress?address="+sent, "", phone)
			if a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/acme.phone", ""); !strings.Contains(a.Body, `"number":"`+want+`"`) {
				t.Errorf("%s: %s", sent, a.Body)
			}
		}
	})
	t.Run("a parameter of a list", func(t *testing.T) {
		a := mustAdmin(t, r, http.StatusBadRequest, "GET", "/channels?state=bad", "")
		if !strings.Contains(a.Body, `is not one of any, waiting_unpolled, push_only,`) {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("days", func(t *testing.T) {
		if a := mustAdmin(t, r, http.StatusOK, "GET", "/channels/acme.phone", ""); !strings.Contains(a.Body, `"retention":"`+(36*time.Hour).String()+`"`) {
			t.Errorf("%s", a.Body)
		}
	})
	t.Run("a purge of another number", func(t *testing.T) {
		mustAdmin(t, r, http.StatusConflict, "DELETE", "/channels/acme.phone/queues/inbound/messages?count=77", "")
		eventually(t, "the log to say what was wrong", func() error {
			if !strings.Contains(r.log.String(), `"reason":"conflict"`) {
				return errors.New("it does not yet")
			}
			return nil
		})
	})
}
