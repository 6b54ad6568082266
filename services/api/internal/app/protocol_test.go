package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/conformance"
	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// The wire contract: the public conformance suite, whose cases know nothing of this
// service, on each kind of Redis and with two replicas; with and without credentials.
func TestProtocol(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		conforms(t, conformance.Target{URL: a.URL, Second: b.URL, Limits: defaultLimits})
	})
	t.Run("sentinel, polls wait in their handlers", func(t *testing.T) {
		t.Parallel()
		url := startSentinel(t)
		a, b := startReplica(t, url, "QST_PARK_POLLS=false"), startReplica(t, url, "QST_PARK_POLLS=false")
		conforms(t, conformance.Target{URL: a.URL, Second: b.URL}, withoutLimits...)
	})
	t.Run("credentials", func(t *testing.T) {
		t.Parallel()
		granted := func(t *testing.T, a, b *replica) {
			t.Helper()
			conforms(t, conformance.Target{URL: a.URL, Second: b.URL, Grant: granting(t, a)}, withoutLimits...)
		}
		onEachRedis(t, granted, withAuth()...)
		t.Run("sentinel", func(t *testing.T) {
			t.Parallel()
			url := startSentinel(t)
			granted(t, startReplica(t, url, withAuth()...), startReplica(t, url, withAuth()...))
		})
	})
}

// withoutLimits are all levels but that of limits, which are the same on each Redis.
var withoutLimits = []conformance.Level{conformance.Wiki, conformance.Contract, conformance.Version1, conformance.Reports}

// Small limits; all of them on one service.
func TestProtocolLimits(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		conforms(t, conformance.Target{URL: a.URL, Second: b.URL, Limits: conformance.ServerLimits{
			PushBytes: 9000, PushMessages: 6, MessageBytes: 2000, QueueMessages: 20, PullBytes: 1500, LongPoll: time.Second,
		}}, conformance.Limits)
		testFullBytes(t, a, b)
		testChannelCalledGateway(t, a, b)
	}, "QST_PUSH_MAX_BYTES=9000", "QST_PUSH_MAX_MESSAGES=6", "QST_MESSAGE_MAX_BYTES=2000",
		"QST_QUEUE_MAX_MESSAGES=20", "QST_QUEUE_MAX_BYTES=8000", "QST_PULL_MAX_BYTES=1500", "QST_LONG_POLL_MAX=1s")
}

// defaultLimits are those of a service that nobody configured, as far as a test comes
// to them.
var defaultLimits = conformance.ServerLimits{PushBytes: 1 << 20, PushMessages: 1000, MessageBytes: 64 << 10}

// conforms runs the suite, or the levels that are named.
func conforms(t *testing.T, target conformance.Target, levels ...conformance.Level) {
	t.Helper()
	if target.Second == target.URL {
		target.Second = ""
	}
	target.Patience = patience
	cases := conformance.Select(conformance.Cases(), nil, levels...)
	r, err := conformance.Run(t.Context(), cases, target, 8, func(r conformance.Result) {
		if r.Verdict == conformance.Failed {
			t.Errorf("%s\nholds to: %s\n%s\n%s", r.Name, r.Holds, strings.Join(r.Why, "\n"), strings.Join(r.Exchanges, "\n\n"))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d passed, %d failed, %d skipped, in %.1f s", r.Passed, r.Failed, r.Skipped, r.Seconds)
	if r.Passed < len(cases)*9/10 || target.Grant != nil && target.Second != "" && r.Skipped > 0 {
		t.Errorf("only %d of %d cases passed, %d were skipped", r.Passed, len(cases), r.Skipped)
	}
}

// granting makes the channels of cases, and their credentials, by the admin API of a
// replica.
func granting(t *testing.T, r *replica) func(ctx context.Context, c conformance.Channel) (conformance.Logins, error) {
	t.Helper()
	post := func(ctx context.Context, path, body string, into any) error {
		a, err := try(ctx, http.DefaultClient, "POST", r.Admin+"/admin/v1"+path, body, "Authorization: Bearer "+adminToken, typeJSON)
		if err != nil {
			return err
		}
		if a.Status != http.StatusCreated {
			return fmt.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
		return json.Unmarshal([]byte(a.Body), into)
	}
	return func(ctx context.Context, c conformance.Channel) (l conformance.Logins, err error) {
		var made struct{ Secret string }
		if err := post(ctx, "/channels", fmt.Sprintf(`{"name":%q,"settings":{"report_states":%v}}`, c.Name, c.Reports), &made); err != nil {
			return l, err
		}
		for endpoint, secret := range map[string]*string{"gateway": &l.Gateway, "application": &l.Application, "mailbox": &l.Mailbox} {
			if err := post(ctx, "/channels/"+c.Name+"/credentials", fmt.Sprintf(`{"endpoint":%q,"user":%q}`, endpoint, c.User), &made); err != nil {
				return l, err
			}
			*secret = made.Secret
		}
		return l, nil
	}
}

// startSentinel starts a Redis and a Sentinel that knows it, and returns what QST_REDIS_URL
// takes.
func startSentinel(t *testing.T) string {
	t.Helper()
	host, port, err := net.SplitHostPort(redistest.Start(t).Addr)
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, "sentinel monitor m %s %s 1\n", host, port), 0o600); err != nil {
		t.Fatal(err)
	}
	return redistest.StartSentinel(t, conf).MasterURL("m")
}
