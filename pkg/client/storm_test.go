package client_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/internal/servicetest"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

var service servicetest.Binary

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "qst-client-test")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if service, err = servicetest.Build(dir); err != nil {
		panic(err)
	}
	return m.Run()
}

// stormMessages is how many messages the storm takes: QST_TEST_STORM, or few enough
// for a run of all tests. The full one is
//
//	QST_TEST_STORM=100000 go test -run TestStorm -timeout 30m ./pkg/client
func stormMessages(t *testing.T) int {
	t.Helper()
	v := os.Getenv("QST_TEST_STORM")
	if v == "" {
		return 5000
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("QST_TEST_STORM=%s is not a number of messages", v)
	}
	return n
}

// A pusher and a puller, each behind a network that cuts, while replicas and Redis are
// killed and the puller starts again from its file: all messages arrive, in
// their order, and each is handled once.
func TestStorm(t *testing.T) {
	t.Parallel()
	total := stormMessages(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Duration(total)*20*time.Millisecond)
	defer cancel()

	redis := servicetest.StartRedis(t)
	replicas := []*servicetest.Service{service.Start(t, redis.URL()), service.Start(t, redis.URL())}
	// Every 20th connection is cut early, the others some time later: those of a
	// client that keeps them would see no cut otherwise.
	proxy := servicetest.StartProxy(t, func(n int) int64 {
		if n%20 == 19 {
			return rand.Int64N(32 << 10)
		}
		return rand.Int64N(4 << 20)
	}, replicas[0].Addr, replicas[1].Addr)

	progress := make(chan int, total) // how many were handled
	var storm sync.WaitGroup
	defer storm.Wait()
	defer cancel()
	storm.Go(func() { pushAll(ctx, t, proxy.URL("storm/application"), total) })
	kills := 0
	storm.Go(func() { kills = killAround(ctx, t, progress, total, redis, replicas) })

	restarts := 0
	handled := 0 // in order, so this is all there is to know
	path := filepath.Join(t.TempDir(), "place")
	for handled < total {
		// Each round is a program that starts, handles some, and ends in the
		// middle of what it was given.
		lifetime := 1 + rand.IntN(min(total/5, 4000))
		c := stormClient(t, proxy.URL("storm/gateway"), rand.IntN(2) == 0)
		for msg, err := range c.Pull(ctx, client.PullOptions{Store: client.NewFileStore(path), Max: 1 + rand.IntN(300), Limit: total - handled}) {
			if err != nil {
				t.Fatalf("after %d of %d messages: %v", handled, total, err)
			}
			if msg.Body != strconv.Itoa(handled) {
				t.Fatalf("message %s after %d of %d", msg.Body, handled, total)
			}
			if lifetime--; lifetime < 0 {
				restarts++
				break
			}
			handled++
			progress <- handled
		}
	}
	storm.Wait()
	for msg, err := range stormClient(t, proxy.URL("storm/gateway"), false).Pull(ctx, client.PullOptions{Store: client.NewFileStore(path), UntilEmpty: true}) {
		t.Errorf("one more: %+v, %v", msg, err)
		break // it says enough
	}
	t.Logf("%d messages; %d kills, %d connections cut, %d restarts of the puller", total, kills, proxy.Cuts(), restarts)
}

// lossy loses every tenth answer, to which a cut at a random byte rarely comes: what was
// asked for has been done, and nobody knows.
type lossy struct{ http.RoundTripper }

var errLost = errors.New("the answer was lost")

func (l lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.RoundTripper.RoundTrip(r)
	if err != nil || rand.IntN(10) > 0 {
		return resp, err
	}
	_ = resp.Body.Close()
	return nil, errLost
}

// stormClient returns a client that is in a hurry. Without kept connections each
// request has one of its own to be cut.
func stormClient(t *testing.T, url string, keep bool) *client.Client {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented as one
	transport.DisableKeepAlives = !keep
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(url, client.WithHTTPClient(&http.Client{Transport: lossy{transport}}),
		client.WithRetry(10*time.Millisecond, 500*time.Millisecond, 0), client.WithWait(5*time.Second))
	if err != nil {
		t.Error(err)
	}
	return c
}

// pushAll pushes messages whose bodies count from 0, in pushes of all sizes.
func pushAll(ctx context.Context, t *testing.T, url string, total int) {
	t.Helper()
	c := stormClient(t, url, false)
	for n := 0; n < total; {
		msgs := make([]qst.Message, min(1+rand.IntN(200), total-n))
		for i := range msgs {
			msgs[i].Body = strconv.Itoa(n + i)
		}
		result, err := c.Push(ctx, msgs...)
		if err != nil || result.Accepted+result.Duplicates != len(msgs) {
			t.Errorf("pushing: %+v, %v", result, err)
			return
		}
		n += len(msgs)
	}
}

// killAround kills something and starts it again, each time that a part of the
// messages was handled: a replica, the other replica, Redis.
func killAround(ctx context.Context, t *testing.T, progress <-chan int, total int, redis *servicetest.Redis, replicas []*servicetest.Service) (kills int) {
	t.Helper()
	every := min(max(total/8, 400), 3000)
	for next := every; next < total; next += every {
		for handled := 0; handled < next; {
			select {
			case handled = <-progress:
			case <-ctx.Done():
				return kills
			}
		}
		var err error
		switch kills % 3 {
		case 0, 1:
			replicas[kills%3].Kill()
			err = replicas[kills%3].Restart(ctx)
		default:
			redis.Kill()
			err = redis.Restart(ctx)
		}
		kills++
		if err != nil && ctx.Err() == nil {
			t.Errorf("starting again: %v", err)
			return kills
		}
	}
	return kills
}

// What a client is told by a replica that shuts down in order.
func TestPullThroughADrain(t *testing.T) {
	t.Parallel()
	redis := servicetest.StartRedis(t)
	one, other := service.Start(t, redis.URL()), service.Start(t, redis.URL())
	proxy := servicetest.StartProxy(t, func(int) int64 { return -1 }, one.Addr, other.Addr)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := stormClient(t, proxy.URL("drain"), true)
	if _, err := c.Push(ctx, numbered(1)...); err != nil {
		t.Fatal(err)
	}
	n := 0
	for msg, err := range c.Pull(ctx, client.PullOptions{Limit: 5, Max: 1}) {
		if err != nil || msg.Body != strconv.Itoa(n) {
			t.Fatalf("message %d: %+v, %v", n, msg, err)
		}
		n++
		if n == 2 {
			one.Stop()
		}
		if _, err := c.Push(ctx, qst.Message{Body: strconv.Itoa(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if n != 5 {
		t.Errorf("%d messages", n)
	}
}

// What each kind of message looks like at the other end.
func TestMessagesArriveAsTheyWereSent(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	msgs := []qst.Message{
		{ID: "1", From: "sms://1", To: "sms://2", When: "yesterday", Subject: "s", Body: " b\r\n\t", Properties: []qst.Property{
			{Name: "n", Values: []qst.Value{{Kind: qst.Number, Text: "12345678901234567890.10"}}},
			{Name: "a", Array: true, Values: []qst.Value{{Text: "x"}, {Kind: qst.Bool, Text: "true"}}},
		}},
		{ID: "2", Body: "\x00 日本 🎉"},
	}
	for _, opts := range [][]client.Option{nil, {client.WithGzip()}} {
		c, err := client.New(s.URL("exact"), opts...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Push(t.Context(), msgs...); err != nil {
			t.Fatal(err)
		}
	}
	c, err := client.New(s.URL("exact"))
	if err != nil {
		t.Fatal(err)
	}
	var got []qst.Message
	for msg, err := range c.Pull(t.Context(), client.PullOptions{UntilEmpty: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, msg)
	}
	if len(got) == 2 {
		got[1].When = "" // the service's
	}
	if a, b := fmt.Sprint(got), fmt.Sprint(msgs); a != b {
		t.Errorf("got  %s\nwant %s", a, b)
	}
}

func TestPushRefusedByTheService(t *testing.T) {
	t.Parallel()
	c, err := client.New(service.Start(t, "embedded", "QST_MESSAGE_MAX_BYTES=100").URL("refused"))
	if err != nil {
		t.Fatal(err)
	}
	msgs := numbered(10)
	msgs[6].Subject = string(make([]byte, 200))
	_, err = c.Push(t.Context(), msgs...)
	var refused *client.RejectedError
	if !errors.As(err, &refused) || refused.Index != 6 || refused.Status != http.StatusRequestEntityTooLarge || refused.Detail == "" {
		t.Errorf("got %v", err)
	}
}
