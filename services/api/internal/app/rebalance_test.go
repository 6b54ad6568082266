package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// Polls that wait on the replicas that there are, are spread again when others
// join: each comes to hold its share, and no message is lost or comes twice for that.
func TestHandover(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	start := func() *replica { return startReplica(t, s.URL(), "QST_REBALANCE_PERCENT=25") }
	replicas := []*replica{start()}

	// Clients behind a load balancer that spreads connections: each stays with its
	// replica until that closes the connection.
	const clients = 60
	var balancer struct {
		sync.Mutex
		replicas []*replica
		next     int
	}
	balancer.replicas = replicas
	connect := func() *replica {
		balancer.Lock()
		defer balancer.Unlock()
		balancer.next++
		return balancer.replicas[balancer.next%len(balancer.replicas)]
	}
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	var got [clients]atomic.Pointer[string] // the ids that came, joined
	var early atomic.Int32                  // polls that were answered empty without being told to reconnect
	for i := range clients {
		got[i].Store(new(string))
		all.Go(func() {
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			r, last := connect(), ""
			for ctx.Err() == nil {
				a, err := try(ctx, client, "GET", fmt.Sprintf("%s/v2/channels/c%d?format=json&long-polling=true&%s", r.URL, i, last), "")
				if err != nil {
					continue // the test is over
				}
				if a.Header.Get("ETag") != "" {
					last = etag(a)
				}
				switch {
				case a.Close:
					r = connect()
				case a.Body == "[]":
					early.Add(1)
				}
				var messages []struct{ ID string }
				if err := json.Unmarshal([]byte(a.Body), &messages); err != nil {
					t.Errorf("channel c%d: %d %s", i, a.Status, a.Body)
					return
				}
				for _, m := range messages {
					ids := *got[i].Load() + " " + m.ID
					got[i].Store(&ids)
				}
			}
		})
	}
	spread := func(most int) {
		t.Helper()
		eventually(t, "the polls are spread", func() error {
			held, total := make([]int, len(replicas)), 0
			for i, r := range replicas {
				held[i] = int(scrape(t, r)["qst_polls_held"])
				total += held[i]
			}
			for _, n := range held {
				if total < clients || n > most {
					return fmt.Errorf("held: %v", held)
				}
			}
			return nil
		})
	}
	spread(clients)
	for i := range 2 {
		replicas = append(replicas, start())
		balancer.Lock()
		balancer.replicas = replicas
		balancer.Unlock()
		for c := range clients {
			push(t, replicas[0], fmt.Sprintf("/v2/channels/c%d", c), fmt.Sprintf(`{"id":"%d","body":"x"}`, i))
		}
		share := float64(clients / len(replicas))
		spread(int(share + 2*math.Sqrt(share)))
	}
	for c := range clients {
		eventually(t, "messages arrive", func() error {
			if ids := *got[c].Load(); strings.TrimSpace(ids) != "0 1" {
				return fmt.Errorf("channel c%d: %q", c, ids)
			}
			return nil
		})
	}
	if n := early.Load(); n > 0 {
		t.Errorf("%d polls were answered early over connections that stay", n)
	}
	if scrape(t, replicas[0])["qst_polls_handed_over_total"] == 0 {
		t.Error("the metrics say that nothing was handed over")
	}
}
