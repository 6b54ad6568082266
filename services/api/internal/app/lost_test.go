package app_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// pushAgain pushes JSON until it is taken, as a client does that is answered 503.
func pushAgain(t *testing.T, r *replica, path, body string, header ...string) {
	t.Helper()
	eventually(t, "a push is taken", func() error {
		a := do(t, "POST", r.URL+path, body, append(header, "Content-Type: application/json")...)
		if a.Status != http.StatusServiceUnavailable && a.Status != http.StatusOK {
			t.Fatalf("push: %v", a)
		}
		return status(a.Status, http.StatusOK)
	})
}

// Redis is emptied under two replicas that serve, again and again: clients of what the bootstrap file names
// are answered 503 for a moment, and never 401, and then everything is as at first start.
func TestRedisIsEmptied(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "bootstrap.yaml")
	text := "channels:\n- name: c\n  credentials:\n  - {id: g, user: u, secret: a-secret-long-enough-for-this, endpoint: mailbox}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"QST_AUTH=channels", "QST_BOOTSTRAP_FILE=" + file}
	a, b := startReplica(t, s.URL(), env...), startReplica(t, s.URL(), env...)
	const basic = "Authorization: Basic dTphLXNlY3JldC1sb25nLWVub3VnaC1mb3ItdGhpcw==" // u:a-secret-long-enough-for-this
	push := func(r *replica, id string) answer {
		return do(t, "POST", r.URL+"/v2/channels/c", `{"id":"`+id+`","body":"x"}`, basic, "Content-Type: application/json")
	}
	for round := range 3 {
		if err := s.Client().FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		taken, served := map[*replica]bool{}, 0
		eventually(t, "both serve again", func() error {
			for _, r := range []*replica{a, b} {
				served++
				switch a := push(r, fmt.Sprint(round, "-", served)); a.Status {
				case http.StatusOK:
					taken[r] = true
				case http.StatusServiceUnavailable:
					taken[r] = false
				default:
					t.Fatalf("%v", a)
				}
			}
			if !taken[a] || !taken[b] {
				return fmt.Errorf("%v", taken)
			}
			return nil
		})
		if got := do(t, "GET", b.URL+"/v2/channels/c?format=json", "", basic); got.Status != http.StatusOK || len(got.messages(t)) == 0 {
			t.Fatalf("%v", got)
		}
	}
	a.waitReady()
	if !strings.Contains(a.log.String()+b.log.String(), "REDIS HAS LOST ITS DATA") {
		t.Error("nobody says so")
	}
	if a := do(t, "POST", a.URL+"/v2/channels/other", `{"body":"x"}`, basic); a.Status != http.StatusUnauthorized {
		t.Fatalf("a channel that never was: %v", a)
	}
}
