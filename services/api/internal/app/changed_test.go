package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// A change of a channel that was made is answered as made, also if its queues can't follow it at once: an operator who
// is told that it failed would make it again, by a revision that has gone.
func TestChangeWhoseSecondStepFails(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), withAuth()...)
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", `{"name":"c"}`)
	header, _ := credential(t, r, "c", `{"user":"u","endpoint":"mailbox","rights":["push","pull"]}`)
	if a := do(t, "POST", r.URL+"/v2/channels/c", `{"body":"x"}`, header, "Content-Type: application/json"); a.Status != http.StatusOK {
		t.Fatalf("%v", a)
	}
	c := s.Client()
	keys := c.Keys(t.Context(), "qst:*:q:c:mailbox:meta").Val()
	if len(keys) != 1 {
		t.Fatalf("%v", keys)
	}
	if err := c.Rename(t.Context(), keys[0], keys[0]+":away").Err(); err != nil {
		t.Fatal(err)
	}
	c.Set(t.Context(), keys[0], "a key of the wrong type", 0) // what the second step fails on
	a := mustAdmin(t, r, http.StatusOK, "PATCH", "/channels/c", `{"settings":{"retention":"1h"}}`, "If-Match: *")
	if !strings.Contains(a.Body, `"1h0m0s"`) {
		t.Fatalf("%v", a)
	}
	if err := c.Rename(t.Context(), keys[0]+":away", keys[0]).Err(); err != nil {
		t.Fatal(err)
	}
	a = mustAdmin(t, r, http.StatusOK, "GET", "/channels/c", "")
	if !strings.Contains(a.Body, `"1h0m0s"`) {
		t.Fatalf("%v", a)
	}
	if !strings.Contains(r.log.String(), "a changed retention is followed later") {
		t.Errorf("nobody says that the queues do not follow: %s", r.log)
	}
}
