package app_test

import (
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
