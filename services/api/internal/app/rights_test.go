package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/conformance"
	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// A user of Redis with the rights of docs/operations.md is enough for all that the service does: the
// tour of its API and its webhooks, version 1 and its reports, on one Redis and a Cluster. Redis
// refuses it nothing. `make acl` runs all tests so, those of what is done now and then (sweeping) too.
func TestLeastRights(t *testing.T) {
	t.Parallel()
	t.Run("standalone", func(t *testing.T) {
		t.Parallel()
		limited(t, []*redistest.Server{redistest.Start(t, redistest.LeastRights(t)...)})
	})
	t.Run("cluster", func(t *testing.T) {
		t.Parallel()
		limited(t, redistest.StartCluster(t, 3, redistest.LeastRights(t)...), "QST_REDIS_CLUSTER=true")
	})
}

func limited(t *testing.T, servers []*redistest.Server, env ...string) {
	t.Helper()
	url := servers[0].URL()
	if !strings.Contains(url, "@") {
		t.Fatalf("%s names no user", url)
	}
	env = withAuth(append(env, "QST_METRICS_TOP_QUEUES=3")...)
	small, r := startReplica(t, url, append(env, "QST_PUSH_MAX_BYTES=10KiB", "QST_QUEUE_MAX_MESSAGES=100")...), startReplica(t, url, env...)
	newContract(t, small).tour(servers[0], env...)
	conforms(t, conformance.Target{URL: r.URL, Grant: granting(t, r)}, conformance.Version1, conformance.Reports)

	scrape(t, r)

	for _, s := range servers {
		refused, err := s.Refused(t.Context())
		if err != nil || len(refused) > 0 {
			t.Errorf("%s refused %v, %v", s.Addr, refused, err)
		}
	}

	// What is not in the rule is refused, and would have been seen.
	c := servers[0].Service()
	for _, command := range []string{"set qst:x 1", "flushall", "keys *", "hset other:x f v", "acl list", "config set maxmemory 1", "client list", "publish c m"} {
		var args []any
		for word := range strings.FieldsSeq(command) {
			args = append(args, word)
		}
		if err := c.Do(t.Context(), args...).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%s: %v, want NOPERM", command, err)
		}
	}
	if refused, err := servers[0].Refused(t.Context()); err != nil || len(refused) == 0 {
		t.Errorf("refused: %v, %v", refused, err)
	}
	servers[0].ForgetRefused()
}

// No right is given for which there is no use: each is a command that a script or a call of the
// Redis client sends, or that the client itself does.
func TestLeastRightsAreUsed(t *testing.T) {
	t.Parallel()
	var sources strings.Builder
	for _, pattern := range []string{"*/*.go", "*/lua/*.lua", "*/lua/lib/*.lua"} {
		files, err := filepath.Glob("../" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") || strings.HasPrefix(f, "../redistest") {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			sources.Write(text)
		}
	}
	// Of the client itself: a database's number, and what it asks a Cluster.
	own := map[string]bool{"select": true, "asking": true, "command": true, "cluster|slots": true}
	rights := 0
	for _, word := range redistest.LeastRights(t) {
		right, ok := strings.CutPrefix(word, "+")
		if !ok {
			continue
		}
		rights++
		command, sub, _ := strings.Cut(right, "|")
		used := regexp.MustCompile(fmt.Sprintf(`(?i)\.%[1]s%[2]s(N|Ext|Args|MinID|WithScores)*\(|['"]%[1]s['"]`, command, sub))
		if !own[right] && !used.MatchString(sources.String()) {
			t.Errorf("docs/operations.md gives the right %s, for which there is no use", right)
		}
	}
	if rights < 40 {
		t.Errorf("only %d rights", rights)
	}
}
