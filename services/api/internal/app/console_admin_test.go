package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Operators find what is stuck without a channel's name; what they looked at is logged.
func TestOverview(t *testing.T) {
	t.Parallel()
	onEachRedis(t, func(t *testing.T, a, b *replica) {
		var overview struct {
			Messages, Bytes, Dead, Channels int64
			Oldest                          float64 `json:"oldest_age_seconds"`
			Status, Auth                    string
			Replicas                        []struct{ Replica string }
			Redis                           []struct {
				Used int64 `json:"used_bytes"`
			}
			Defaults struct {
				MaxDeliveries int `json:"max_deliveries"`
				Retention     string
			}
		}
		look := func() {
			t.Helper()
			if err := json.Unmarshal([]byte(mustAdmin(t, b, http.StatusOK, "GET", "/overview", "").Body), &overview); err != nil {
				t.Fatal(err)
			}
		}
		push(t, a, "/v2/channels/old/gateway", `[{"id":"1","from":"sms://1","body":"secret text"}]`)
		push(t, a, "/v2/channels/deep/application", "["+strings.Repeat(`{"body":"x"},`, 39)+`{"body":"y"}]`)
		deadLetter(t, b, "/v2/channels/poison/gateway", "/v2/channels/poison/application", `{"id":"bad","body":"x"}`, nil, nil)
		push(t, b, "/v2/channels/poison/gateway", `[{"id":"good","body":"x"}]`)

		if look(); overview.Messages != 42 || overview.Dead != 1 || overview.Channels != 3 || overview.Oldest <= 0 ||
			overview.Status != "ready" || overview.Auth != "none" || a != b && (len(overview.Redis) == 0 || overview.Redis[0].Used == 0) ||
			overview.Defaults.MaxDeliveries != 1 || overview.Defaults.Retention != "336h0m0s" {
			t.Errorf("overview: %+v", overview)
		}
		replicas := 2
		if a == b { // with the Redis inside
			replicas = 1
		}
		eventually(t, "the replicas are known", func() error {
			if look(); len(overview.Replicas) != replicas {
				return fmt.Errorf("%v", overview.Replicas)
			}
			return nil
		})

		for by, want := range map[string]string{
			"age":   "old:inbound:1:0 deep:outbound:40:0 poison:inbound:1:1",
			"depth": "deep:outbound:40:0 old:inbound:1:0 poison:inbound:1:1",
			"dead":  "poison:inbound:1:1",
		} {
			var top struct {
				Queues []struct {
					Channel, Queue string
					Messages, Dead int
				}
			}
			if err := json.Unmarshal([]byte(mustAdmin(t, b, http.StatusOK, "GET", "/queues/top?by="+by, "").Body), &top); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, q := range top.Queues {
				got = append(got, fmt.Sprintf("%s:%s:%d:%d", q.Channel, q.Queue, q.Messages, q.Dead))
			}
			if strings.Join(got, " ") != want {
				t.Errorf("by %s: %s, want %s", by, got, want)
			}
		}

		eventually(t, "who is silent is known", func() error {
			silent := mustAdmin(t, b, http.StatusOK, "GET", "/silent?limit=10", "").Body
			for _, channel := range []string{"old", "deep", "poison"} {
				if !strings.Contains(silent, fmt.Sprintf("%q", channel)) {
					return fmt.Errorf("%s", silent)
				}
			}
			return nil
		})

		details := mustAdmin(t, b, http.StatusOK, "GET", "/channels?details=true&prefix=poison", "").Body
		for _, want := range []string{`"name":"poison"`, `"parties":{`, `"queue":"inbound","messages":1,`, `"dead":1`} {
			if !strings.Contains(details, want) {
				t.Errorf("no %s in %s", want, details)
			}
		}

		hidden := mustAdmin(t, a, http.StatusOK, "GET", "/channels/old/queues/inbound/messages?text=false", "").Body
		if strings.Contains(hidden, "secret text") || !strings.Contains(hidden, `"from":"sms://1"`) {
			t.Errorf("without texts: %s", hidden)
		}
		var line struct{ Channel, Queue, List string }
		if a.log.find("messages looked at", &line) {
			t.Errorf("nobody looked: %+v", line)
		}
		mustAdmin(t, a, http.StatusOK, "GET", "/channels/old/queues/inbound/messages", "")
		eventually(t, "the look is logged", func() error {
			if !a.log.find("messages looked at", &line) || line.Channel != "old" || line.Queue != "inbound" || line.List != "messages" {
				return fmt.Errorf("%+v", line)
			}
			return nil
		})

		mustAdmin(t, a, http.StatusOK, "DELETE", "/channels/poison", "")
		if look(); overview.Dead != 0 || overview.Messages != 41 {
			t.Errorf("after the channel is deleted: %+v", overview)
		}
	}, "QST_ADMIN_TOKEN="+adminToken, "QST_MAX_DELIVERIES=1")
}
