package app_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// A replica is killed in the middle of a push storm: what was answered 200 comes
// out, in order.
func TestKilledReplicaLosesNothing(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	victim, other := startReplica(t, s.URL()), startReplica(t, s.URL())

	const senders, killAfter, after = 4, 200, 100
	var accepted [senders][]string
	var count atomic.Int64
	var g sync.WaitGroup
	for i := range senders {
		g.Go(func() {
			target := victim
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d", i, n)
				body := fmt.Sprintf(`[{"id":"%s-a","body":"x"},{"id":"%s-b","body":"x"}]`, id, id)
				a, err := try(t.Context(), http.DefaultClient, "POST", target.URL+"/v2/channels/c"+strconv.Itoa(i), body)
				switch {
				case t.Context().Err() != nil:
					return
				case err != nil: // not known: send it again, elsewhere
					target = other
					n--
				case a.Status == http.StatusOK:
					accepted[i] = append(accepted[i], id+"-a", id+"-b")
					if count.Add(1) == killAfter {
						go victim.kill()
					}
					if count.Load() > killAfter+after && target == other {
						return
					}
				}
			}
		})
	}
	g.Wait()
	for i := range senders {
		path := "/v2/channels/c" + strconv.Itoa(i)
		got := drain(t, other, path)
		if strings.Join(got, " ") != strings.Join(accepted[i], " ") {
			t.Errorf("channel %d: accepted %v\ngot %v", i, accepted[i], got)
		}
	}
}

// drain pulls and confirms until a queue is empty, and returns the ids.
func drain(t testing.TB, r *replica, path string) []string {
	t.Helper()
	var got []string
	tag := "max=1000"
	for {
		a := pull(t, r, path, "max=1000", tag)
		l := a.messages(t)
		if len(l) == 0 {
			return got
		}
		for _, m := range l {
			got = append(got, fmt.Sprint(m["id"]))
		}
		tag = etag(a)
	}
}

// Redis is away: 503 in bounded time, never an empty answer; and it heals.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]struct{ away, back func(s *redistest.Server) }{
		"stopped": {(*redistest.Server).Shutdown, (*redistest.Server).Restart},
		"killed":  {(*redistest.Server).Kill, (*redistest.Server).Restart},
		"frozen":  {(*redistest.Server).Freeze, (*redistest.Server).Thaw},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, "--appendfsync", "always")
			r := startReplica(t, s.URL(), "QST_REDIS_TIMEOUT=500ms")
			push(t, r, "/v2/channels/c", `{"id":"1","body":"x"}`)
			first := pull(t, r, "/v2/channels/c")
			held := longPoll(t, r, "/v2/channels/idle")
			waitForPoll(t, s, "idle", "mailbox", "")

			f.away(s)
			for range 3 {
				for _, a := range []answer{
					do(t, "POST", r.URL+"/v2/channels/c", `{"id":"2","body":"x"}`),
					do(t, "GET", r.URL+"/v2/channels/c", ""),
					do(t, "GET", r.URL+"/v2/channels/c?long-polling=true", ""),
				} {
					if a.Status != http.StatusServiceUnavailable || a.Header.Get("Retry-After") == "" {
						t.Fatalf("Redis is away: %v", a)
					}
					if strings.Contains(a.Body, "redis") || strings.Contains(a.Body, "127.0.0.1") {
						t.Fatalf("the answer shows the inside: %s", a.Body)
					}
				}
			}
			if status := r.readyz(); status != http.StatusServiceUnavailable {
				t.Fatalf("readyz: %d", status)
			}
			if a := do(t, "GET", r.Admin+"/healthz", ""); a.Status != http.StatusOK {
				t.Fatalf("healthz: %v", a)
			}

			f.back(s)
			eventually(t, "it heals", func() error {
				if a := do(t, "GET", r.URL+"/v2/channels/c", ""); a.Status != http.StatusOK {
					return fmt.Errorf("%v", a)
				}
				return nil
			})
			// What a frozen Redis was sent it may have run: then 2 is there already.
			push(t, r, "/v2/channels/c", `{"id":"2","body":"x"}`)
			if got := pull(t, r, "/v2/channels/c", etag(first)); got.Header.Get("QST-Confirmed") != "1" || ids(t, got) != "2" {
				t.Fatalf("afterwards: %v", got)
			}
			// The poll that was held all the while is answered, one way or the other,
			// or gets its message.
			push(t, r, "/v2/channels/idle", `{"id":"3","body":"x"}`)
			switch a := within(t, held); {
			case a.Status == http.StatusServiceUnavailable:
				a = pull(t, r, "/v2/channels/idle")
				if ids(t, a) != "3" {
					t.Fatalf("after its 503: %v", a)
				}
			case a.Status == http.StatusOK && ids(t, a) == "3":
			default:
				t.Fatalf("the held poll: %v", a)
			}
		})
	}
}

// A wake that gets lost with Redis's memory of who waits is made up for.
func TestHeldPollSurvivesLostWaiters(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL())
	held := longPoll(t, r, "/v2/channels/c")
	waitForPoll(t, s, "c", "mailbox", "")
	c := s.Client()
	if err := c.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	pushAgain(t, r, "/v2/channels/c", `{"id":"1","body":"x"}`)
	if a := within(t, held); ids(t, a) != "1" {
		t.Fatalf("%v", a)
	}
}

func TestLostScripts(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL())
	for i := range 3 {
		if err := s.Client().ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		push(t, r, "/v2/channels/c", fmt.Sprintf(`{"id":"%d","body":"x"}`, i))
		if err := s.Client().ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		if got := len(pull(t, r, "/v2/channels/c").messages(t)); got != i+1 {
			t.Fatalf("%d messages of %d", got, i+1)
		}
	}
}

// Out of memory: pushes are refused whole, pulls and confirmations go on, and
// make room again.
func TestRedisOutOfMemory(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	file := filepath.Join(t.TempDir(), "bootstrap.yaml")
	if err := os.WriteFile(file, []byte("channels: [{name: b, credentials: [{id: k, endpoint: gateway, secret: at-least-16-characters}]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	bootstrap := "QST_BOOTSTRAP_FILE=" + file
	r := startReplica(t, s.URL(), "QST_QUEUE_MAX_BYTES=1GiB", bootstrap, "QST_ADMIN_TOKEN="+adminToken)
	c := s.Client()
	push(t, r, "/v2/channels/c", `{"id":"0","body":"x"}`)
	if err := c.ConfigSet(t.Context(), "maxmemory", "12mb").Err(); err != nil {
		t.Fatal(err)
	}
	body := strconv.Quote(strings.Repeat("x", 60_000))
	accepted := 1
	for {
		var batch []string
		for i := range 10 {
			batch = append(batch, fmt.Sprintf(`{"id":"%d","body":%s}`, accepted+i, body))
		}
		a := do(t, "POST", r.URL+"/v2/channels/c", "["+strings.Join(batch, ",")+"]")
		if a.Status == http.StatusServiceUnavailable {
			break
		}
		if a.Status != http.StatusOK || accepted > 1000 {
			t.Fatalf("push %d: %v", accepted, a)
		}
		accepted += len(batch)
	}
	if a := do(t, "GET", r.URL+"/v2/channels/other?long-polling=true&wait=0.1", ""); a.Status != http.StatusOK {
		t.Fatalf("a poll of an empty queue: %v", a)
	}
	if status := r.readyz(); status != http.StatusOK { // or nobody could confirm, and make room
		t.Fatalf("readyz: %d", status)
	}
	mustAdmin(t, r, http.StatusOK, "GET", "/queues/top", "")
	// Not one byte more is taken while another replica starts.
	if err := c.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	startReplica(t, s.URL(), bootstrap)
	if err := c.ConfigSet(t.Context(), "maxmemory", "12mb").Err(); err != nil {
		t.Fatal(err)
	}
	for i, id := range drain(t, r, "/v2/channels/c") {
		if id != strconv.Itoa(i) {
			t.Fatalf("message %d is %s", i, id)
		}
		accepted--
	}
	if accepted != 0 {
		t.Fatalf("%d messages lost", accepted)
	}
	push(t, r, "/v2/channels/c", `{"id":"again","body":"x"}`)
}

// Everything is restarted, Redis too: messages, what was delivered, ETags and
// deduplication are as before.
func TestRestartOfEverything(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--appendfsync", "always")
	r := startReplica(t, s.URL())
	push(t, r, "/v2/channels/c", `[{"id":"1","body":"x"},{"id":"2","body":"x"},{"id":"3","body":"x"}]`)
	first := pull(t, r, "/v2/channels/c", "max=2")
	r.kill()
	s.Kill()
	s.Restart()
	r = startReplica(t, s.URL())
	if a := do(t, "POST", r.URL+"/v2/channels/c", `{"id":"3","body":"x"}`); a.Body != `{"accepted":0,"duplicates":1}` {
		t.Fatalf("deduplication: %v", a)
	}
	if a := pull(t, r, "/v2/channels/c"); ids(t, a) != "1 2 3" {
		t.Fatalf("without the ETag: %v", a)
	}
	if a := pull(t, r, "/v2/channels/c", etag(first)); ids(t, a) != "3" || a.Header.Get("QST-Confirmed") != "2" {
		t.Fatalf("with the ETag: %v", a)
	}
}

// An ETag of a queue that was lost confirms nothing in the one made anew.
func TestETagOfALostQueue(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL())
	push(t, r, "/v2/channels/c", `{"id":"1","body":"x"}`)
	old := pull(t, r, "/v2/channels/c")
	if err := s.Client().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	pushAgain(t, r, "/v2/channels/c", `{"id":"2","body":"x"}`)
	pull(t, r, "/v2/channels/c")
	if a := pull(t, r, "/v2/channels/c", etag(old)); ids(t, a) != "2" || a.Header.Get("QST-Confirmed") != "0" {
		t.Fatalf("%v", a)
	}
}

// The service starts while Redis is away, says so, and serves when it comes.
func TestStartsBeforeRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	s.Kill()
	r := launchReplica(t, s.URL())
	if a := do(t, "POST", r.URL+"/v2/channels/c", `{"body":"x"}`); a.Status != http.StatusServiceUnavailable {
		t.Fatalf("%v", a)
	}
	s.Restart()
	r.waitReady()
	push(t, r, "/v2/channels/c", `{"body":"x"}`)
}

func TestRefusesUnsuitableRedis(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		args []string
		env  []string
		says string
	}{
		"evicts":     {args: []string{"--maxmemory-policy", "allkeys-lru"}, says: "noeviction"},
		"partitions": {env: []string{"QST_REDIS_PARTITIONS=32"}, says: "QST_REDIS_PARTITIONS=64"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, c.args...)
			s.Client().HSet(ctx, "qst:layout", "version", 2, "partitions", 64)
			r := launchReplica(t, s.URL(), c.env...)
			if code := r.exitCode(); code != 1 || !strings.Contains(r.log.String(), c.says) {
				t.Fatalf("exit code %d, log %s", code, r.log)
			}
		})
	}
}

func TestWarnsOfNoPersistence(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, "--appendonly", "no")
	r := startReplica(t, "redis://"+s.Addr) // as a user who may ask for Redis's configuration
	if !strings.Contains(r.log.String(), "PERSISTENCE IS OFF") {
		t.Fatal(r.log)
	}
}

// A body that stops arriving is answered with what makes a client send it again.
func TestCutBodyMayBeSentAgain(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), "QST_REQUEST_TIMEOUT=300ms")
	pr, pw := io.Pipe()
	defer pw.Close()
	go func() { _, _ = io.WriteString(pw, `[{"body":"x"},`) }()
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/v2/channels/c", pr)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusServiceUnavailable {
		t.Fatal(resp.Status)
	}
	if a := pull(t, r, "/v2/channels/c"); a.Body != "[]" {
		t.Fatalf("half a batch: %v", a)
	}
}

// QST_REDIS_MIN_REPLICAS: no 200 without the replicas.
func TestMinReplicas(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), "QST_REDIS_MIN_REPLICAS=1", "QST_REDIS_TIMEOUT=1s")
	if a := do(t, "POST", r.URL+"/v2/channels/c", `{"id":"1","body":"x"}`); a.Status != http.StatusServiceUnavailable {
		t.Fatalf("without a replica: %v", a)
	}
	host, port, _ := strings.Cut(s.Addr, ":")
	redistest.Start(t, "--replicaof", host+" "+port)
	eventually(t, "the replica follows", func() error {
		a := do(t, "POST", r.URL+"/v2/channels/c", `{"id":"1","body":"x"}`)
		if a.Status != http.StatusOK {
			return errors.New(a.Body)
		}
		return nil
	})
	if a := pull(t, r, "/v2/channels/c"); ids(t, a) != "1" {
		t.Fatalf("sent again until it was there, it is there %v", a)
	}
}
