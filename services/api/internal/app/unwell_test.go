package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// What the watch has found is listed by its state, as it is documented, and counted; and a client
// that is answered 401 leaves the trace that the watch looks for.
func TestUnwellChannels(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	rdb, layout := s.Client(), storage.NewLayout("qst", 64, false)
	for _, p := range layout.Partitions() { // it is not the replica's turn to look yet
		if err := rdb.HSet(t.Context(), p.Watched(), "replica", "another").Err(); err != nil {
			t.Fatal(err)
		}
	}
	r := startReplica(t, s.URL(), withAuth("QST_UNWELL_CHANNEL=ops")...)
	c := newContract(t, r)
	for _, name := range []string{"a", "b", "well", "ops"} {
		c.ask("createChannel", 201, c.base(), fmt.Sprintf("{%q:%q}", "name", name), bearer, typeJSON)
	}
	since := time.UnixMilli(1_800_000_000_000).UTC()
	for member, channel := range map[string]string{"a quiet": "a", "b quiet": "b", "b stopped_401": "b", "gone quiet": "gone"} {
		if err := rdb.ZAdd(t.Context(), layout.Partition(channel).Unwell(), redis.Z{Score: float64(since.UnixMilli()), Member: member}).Err(); err != nil {
			t.Fatal(err)
		}
	}
	rdb.HSet(t.Context(), layout.Partition("a").UnwellCounts(), "quiet", 1)
	for query, want := range map[string]string{
		"state=any": "a: quiet; b: stopped_401 quiet", "state=stopped_401": "b: stopped_401 quiet", "state=superseding": "",
		"state=any&details=true": "a: quiet; b: stopped_401 quiet", "state=any&prefix=b": "b: stopped_401 quiet",
	} {
		var l struct {
			Channels []struct {
				Name   string
				Unwell []struct {
					State string
					Since time.Time
				}
				Queues []json.RawMessage
			}
		}
		c.decode(c.ask("listChannels", 200, c.base()+"?"+query, "", bearer), &l)
		var got []string
		for _, ch := range l.Channels {
			var states []string
			for _, u := range ch.Unwell {
				if states = append(states, u.State); !u.Since.Equal(since) {
					t.Errorf("%s: since %v", query, u.Since)
				}
			}
			got = append(got, ch.Name+": "+strings.Join(states, " "))
			if (len(ch.Queues) > 0) != strings.Contains(query, "details") {
				t.Errorf("%s: %d queues", query, len(ch.Queues))
			}
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	c.ask("listChannels", 400, c.base()+"?state=ill", "", bearer)
	if metrics := do(t, "GET", r.Admin+"/metrics", "").Body; !strings.Contains(metrics, `qst_channels_unwell{state="quiet"} 1`) || !strings.Contains(metrics, `qst_channels_unwell{state="push_only"} 0`) {
		t.Errorf("metrics: %s", metrics)
	}

	if a := do(t, "GET", r.URL+"/v2/channels/well/gateway", "", basic("well", "wrong")); a.Status != http.StatusUnauthorized {
		t.Fatal(a)
	}
	eventually(t, "the refusal is noted", func() error {
		refused := rdb.HGet(t.Context(), layout.Queue("well", "outbound").Activity(), "refused").Val()
		hints := rdb.ZRange(t.Context(), layout.Partition("well").Hints(), 0, -1).Val()
		if refused == "" || len(hints) != 1 {
			return fmt.Errorf("refused %q, hints %q", refused, hints)
		}
		return nil
	})
	if seen := rdb.ZScore(t.Context(), layout.Partition("well").LastSeen(), "well").Val(); seen != 0 {
		t.Error("who is refused counts as seen")
	}

	// It is the replica's turn: the application of the operators' channel is told.
	var v struct{ User, Secret string }
	c.decode(c.ask("createCredential", 201, c.base()+"/ops/credentials", `{"endpoint":"application"}`, bearer, typeJSON), &v)
	rdb.HSet(t.Context(), layout.Queue("well", "outbound").Activity(), "superseded", time.Now().UnixMilli())
	rdb.Del(t.Context(), layout.Partition("well").Watched())
	eventually(t, "the operators are told", func() error {
		a := do(t, "GET", r.URL+"/v2/channels/ops/application?format=json&long-polling=true", "", basic(v.User, v.Secret))
		for _, part := range []string{`"subject":"not well"`, `"qst-channel":"well"`, `"qst-state":"superseding"`, `"body":"well: superseding since `} {
			if !strings.Contains(a.Body, part) {
				return fmt.Errorf("%d %s", a.Status, a.Body)
			}
		}
		return nil
	})
}
