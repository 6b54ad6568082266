package redistest

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The user that [Server.URL] names if servers have a user with the least rights.
const (
	leastUser     = "qst"
	leastPassword = "a-long-password"
)

// everywhere tells whether all servers have that user.
func everywhere() bool { return os.Getenv("QST_TEST_REDIS_ACL") != "" }

var leastRule = regexp.MustCompile(`(?m)^    user (` + leastUser + ` on >` + leastPassword + ` .*)$`)

// LeastRights returns the arguments of [Start] and [StartCluster] for servers whose URL names a user
// that may do what docs/operations.md says, and no more. The test fails if Redis refused that
// user anything. With QST_TEST_REDIS_ACL in the environment, all servers are such.
func LeastRights(tb testing.TB) []string {
	tb.Helper()
	text, err := os.ReadFile("../../../../docs/operations.md") // packages with tests lie as deep, all of them
	if err != nil {
		tb.Fatal(err)
	}
	found := leastRule.FindSubmatch(text)
	if found == nil {
		tb.Fatal("docs/operations.md has no rule for the service's user of Redis")
	}
	return append([]string{"--user"}, strings.Fields(string(found[1]))...)
}

func withRights(tb testing.TB, args []string) []string {
	tb.Helper()
	if everywhere() && !slices.Contains(args, "--user") {
		return append(LeastRights(tb), args...)
	}
	return args
}

// limited tells whether the server's URL names the user with the least rights.
func (s *Server) limited() bool {
	return slices.Contains(s.args(s), "--user")
}

// Refused returns what Redis refused the user with the least rights since it started, but for CONFIG
// GET, which the service can do without: docs/operations.md says so.
func (s *Server) Refused(ctx context.Context) ([]string, error) {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, DialTimeout: refusedWait, ReadTimeout: refusedWait, MaxRetries: -1, ContextTimeoutEnabled: true})
	defer func() { _ = c.Close() }()
	log, err := c.ACLLog(ctx, -1).Result()
	var refused []string
	for _, l := range log {
		if l.Username == leastUser && l.Object != "config|get" {
			refused = append(refused, fmt.Sprintf("%s: %s (%s, %d times)", l.Reason, l.Object, l.Context, l.Count))
		}
	}
	return refused, err
}

// ForgetRefused forgets what Redis has refused, after a test that was refused something on purpose.
func (s *Server) ForgetRefused() {
	s.tb.Helper()
	if err := s.Client().ACLLogReset(s.tb.Context()).Err(); err != nil {
		s.tb.Fatalf("ACL LOG RESET: %v", err)
	}
}

// refusedWait bounds the question to a server that may be frozen.
const refusedWait = 2 * time.Second

// checkRefused fails the test if Redis refused something. What a server that is gone or frozen
// has refused is not known.
func (s *Server) checkRefused() {
	if !s.limited() {
		return
	}
	refused, _ := s.Refused(context.Background())
	for _, r := range refused {
		s.tb.Errorf("%s refused the service, whose rights are those of docs/operations.md: %s", s.Addr, r)
	}
}
