package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/internal/servicetest"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

func newClient(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(url, client.WithRetry(10*time.Millisecond, time.Second, 0))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func numbered(from, to int) []qst.Message {
	var msgs []qst.Message
	for i := from; i < to; i++ {
		msgs = append(msgs, qst.Message{Body: strconv.Itoa(i)})
	}
	return msgs
}

func TestRelayOnce(t *testing.T) {
	t.Parallel()
	// What the centre takes is smaller than what the branch takes.
	branch, centre := service.Start(t, "embedded"), service.Start(t, "embedded", "QST_MESSAGE_MAX_BYTES=1000")
	phone, app := newClient(t, branch.URL("phone/gateway")), newClient(t, centre.URL("branch/application"))
	msgs := numbered(0, 50)
	msgs[20].Subject = strings.Repeat("x", 2000)
	msgs[30].Properties = []qst.Property{{Name: "n", Values: []qst.Value{{Kind: qst.Number, Text: "1.10"}}}}
	if _, err := phone.Push(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	if _, err := app.Push(t.Context(), qst.Message{ID: "1", Body: "down"}); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(t.TempDir(), "new", "state")
	command(t, "relay", "--once", "--both", "--state", state, branch.URL("phone/application"), centre.URL("branch/gateway")).wantOK(t)

	n := 0
	for got, err := range app.Pull(t.Context(), client.PullOptions{UntilEmpty: true}) {
		if n == 20 {
			n++ // was refused
		}
		if err != nil || got.Body != strconv.Itoa(n) || got.ID != msgs[n].ID || fmt.Sprint(got.Properties) != fmt.Sprint(msgs[n].Properties) {
			t.Errorf("message %d: %+v, %v", n, got, err)
		}
		n++
	}
	if n != 50 {
		t.Errorf("%d messages", n)
	}
	refused, err := os.ReadFile(filepath.Join(state, "forward-refused.jsonl"))
	if err != nil || strings.Count(string(refused), "\n") != 1 || !strings.Contains(string(refused), msgs[20].ID) {
		t.Errorf("refused: %s, %v", refused, err)
	}
	down, err := phone.Poll(t.Context(), client.PollRequest{})
	if err != nil || len(down.Messages) != 1 || down.Messages[0].Body != "down" {
		t.Errorf("down: %+v, %v", down, err)
	}
	left, err := newClient(t, branch.URL("phone/application")).Poll(t.Context(), client.PollRequest{})
	if err != nil || len(left.Messages) != 0 {
		t.Errorf("left at the branch: %+v, %v", left, err)
	}
}

// A proxy's own 400 is no verdict on a message: the relay ends, and keeps it.
func TestRelayDoesNotBelieveAProxy(t *testing.T) {
	t.Parallel()
	from := service.Start(t, "embedded")
	to := proxyTo(t, from.Addr, misbehaviour{status: 400})
	if _, err := newClient(t, from.URL("a")).Push(t.Context(), numbered(0, 3)...); err != nil {
		t.Fatal(err)
	}
	if r := command(t, "relay", "--once", "--state", t.TempDir(), from.URL("a"), to+"/v2/channels/b"); r.code != exitRefused {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	if left, err := newClient(t, from.URL("a")).Poll(t.Context(), client.PollRequest{}); err != nil || len(left.Messages) != 3 {
		t.Errorf("left: %+v, %v", left, err)
	}
}

// Both ways, with the relay, the services and Redis killed at random, over connections that
// are cut: everything arrives once, in order. QST_TEST_STORM sets how many messages
// go each way.
func TestRelayStorm(t *testing.T) {
	t.Parallel()
	total := 1500
	if n, err := strconv.Atoi(os.Getenv("QST_TEST_STORM")); err == nil {
		total = n
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute+time.Duration(total)*40*time.Millisecond)
	defer cancel()
	redis := servicetest.StartRedis(t)
	branch, centre := service.Start(t, redis.URL(), "QST_REDIS_PREFIX=branch"), service.Start(t, redis.URL(), "QST_REDIS_PREFIX=centre")
	budget := func(int) int64 { return rand.Int64N(256 << 10) }
	wanBranch, wanCentre := servicetest.StartProxy(t, budget, branch.Addr), servicetest.StartProxy(t, budget, centre.Addr)

	var storm sync.WaitGroup
	defer storm.Wait()
	defer cancel()
	progress := make(chan int, 2*total)
	storm.Go(func() {
		killRelays(ctx, t, progress, total,
			[]string{"relay", "--both", "--wait", "2s", "--state", t.TempDir(), wanBranch.URL("phone/application"), wanCentre.URL("branch/gateway")},
			redis, branch, centre)
	})
	var ways sync.WaitGroup
	for _, way := range [][2]string{
		{branch.URL("phone/gateway"), centre.URL("branch/application")},
		{centre.URL("branch/application"), branch.URL("phone/gateway")},
	} {
		from, to := newClient(t, way[0]), newClient(t, way[1])
		storm.Go(func() {
			for n := 0; n < total; n += 100 {
				if _, err := from.Push(ctx, numbered(n, min(n+100, total))...); err != nil {
					t.Errorf("pushing: %v", err)
				}
			}
		})
		ways.Go(func() {
			n := 0
			for msg, err := range to.Pull(ctx, client.PullOptions{Limit: total}) {
				if err != nil || msg.Body != strconv.Itoa(n) {
					t.Errorf("message %d: %+v, %v", n, msg, err)
					return
				}
				n++
				progress <- n
			}
		})
	}
	ways.Wait()
	cancel()
	storm.Wait()
	ending, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	for _, url := range []string{branch.URL("phone/gateway"), centre.URL("branch/application")} {
		for msg, err := range newClient(t, url).Pull(ending, client.PullOptions{UntilEmpty: true}) {
			t.Errorf("more at %s: %+v, %v", url, msg, err)
			break // the first one says enough
		}
	}
}

// killRelays runs relays one after the other, each until a part of the messages has
// arrived, and kills a service or Redis with it now and then.
func killRelays(ctx context.Context, t *testing.T, progress <-chan int, total int, args []string, redis *servicetest.Redis, services ...*servicetest.Service) {
	t.Helper()
	arrived := 0
	for kills := 0; ctx.Err() == nil; kills++ {
		cmd := exec.CommandContext(ctx, program, args...)
		if err := cmd.Start(); err != nil {
			t.Errorf("starting a relay: %v", err)
			return
		}
		for until := arrived + 1 + rand.IntN(min(total/3, 3000)); arrived < until && ctx.Err() == nil; {
			select {
			case <-progress: // of either way
				arrived++
			case <-ctx.Done():
			}
		}
		sig := syscall.SIGKILL
		if kills%3 == 2 {
			sig = syscall.SIGTERM
		}
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
		if ctx.Err() != nil {
			return
		}
		var err error
		switch kills % 4 {
		case 0, 1:
			services[kills%2].Kill()
			err = services[kills%2].Restart(ctx)
		case 2:
			redis.Kill()
			err = redis.Restart(ctx)
		}
		if err != nil && ctx.Err() == nil {
			t.Errorf("starting again: %v", err)
			return
		}
	}
}
