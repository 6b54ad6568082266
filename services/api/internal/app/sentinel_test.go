package app_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// Redis fails over: pushes and pulls are answered 503 for a while, then everything
// is as it was, and a poll that was held hears of the next message.
func TestFailOver(t *testing.T) {
	t.Parallel()
	master := redistest.Start(t)
	host, port, err := net.SplitHostPort(master.Addr)
	if err != nil {
		t.Fatal(err)
	}
	redistest.Start(t, "--replicaof", host+" "+port)
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	text := fmt.Sprintf("sentinel monitor m %s %s 1\nsentinel down-after-milliseconds m 500\nsentinel failover-timeout m 5000\n", host, port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := redistest.StartSentinel(t, conf)

	r := startReplica(t, sentinel.MasterURL("m"), "QST_REDIS_TIMEOUT=1s", "QST_REDIS_MIN_REPLICAS=1", "QST_LONG_POLL_MAX=1h")
	eventually(t, "the replica has the message", func() error { // QST_REDIS_MIN_REPLICAS
		return status(do(t, "POST", r.URL+"/v2/channels/c", `{"id":"1","body":"x"}`).Status, http.StatusOK)
	})
	first := pull(t, r, "/v2/channels/c")
	held := longPoll(t, r, "/v2/channels/idle")
	waitForPoll(t, master, "idle", "mailbox", "")
	// Sentinel must know the replica before it can choose it.
	eventually(t, "Sentinel knows the replica", func() error {
		list, err := sentinel.Client().Do(t.Context(), "sentinel", "replicas", "m").Slice()
		if err == nil && len(list) == 0 {
			err = fmt.Errorf("none")
		}
		return err
	})

	master.Kill()
	eventually(t, "the service is back", func() error {
		return status(do(t, "GET", r.URL+"/v2/channels/c", "").Status, http.StatusOK)
	})
	if a := pull(t, r, "/v2/channels/c"); ids(t, a) != "1" {
		t.Fatalf("after the fail-over: %v", a)
	}
	if a := pull(t, r, "/v2/channels/c", etag(first)); a.Header.Get("QST-Confirmed") != "1" {
		t.Fatalf("the ETag from before: %v", a)
	}
	eventually(t, "a push is accepted", func() error {
		a := do(t, "POST", r.URL+"/v2/channels/idle", `{"id":"2","body":"x"}`)
		// There is no replica left to have it, so this can't be a 200; but it is stored.
		return status(a.Status, http.StatusServiceUnavailable)
	})
	switch a := within(t, held); a.Status {
	case http.StatusOK:
		if ids(t, a) != "2" {
			t.Fatalf("the held poll: %v", a)
		}
	case http.StatusServiceUnavailable: // it looked at the wrong moment, and says so
		if a := pull(t, r, "/v2/channels/idle"); ids(t, a) != "2" {
			t.Fatalf("after its 503: %v", a)
		}
	default:
		t.Fatalf("the held poll: %v", a)
	}
}
