package webhook

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// The example of Standard Webhooks' own libraries.
func TestSignature(t *testing.T) {
	t.Parallel()
	key, err := base64.StdEncoding.DecodeString("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	got := signature([][]byte{key, []byte("another")}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,"; !strings.HasPrefix(got, want) || len(got) != len(want)+44 {
		t.Errorf("%q, want %q and another one", got, want)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, a := range []string{
		"0.0.0.0", "0.1.2.3", "10.1.2.3", "100.100.100.200", "127.0.0.1", "127.255.255.254", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255",
		"192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "168.63.129.16",
		"::", "::1", "::127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "ff02::1",
	} {
		if public(netip.MustParseAddr(a), nil) {
			t.Errorf("%s counts as public", a)
		}
	}
	for _, a := range []string{"1.1.1.1", "8.8.8.8", "172.32.0.1", "192.169.0.1", "2606:4700::1111", "::ffff:8.8.8.8"} {
		if !public(netip.MustParseAddr(a), nil) {
			t.Errorf("%s does not count as public", a)
		}
	}
	allowed := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	if !public(netip.MustParseAddr("::ffff:10.1.1.1"), allowed) || public(netip.MustParseAddr("192.168.0.1"), allowed) {
		t.Error("the networks that are allowed are not those")
	}
	if public(netip.Addr{}, nil) {
		t.Error("no address counts as public")
	}
	for _, network := range []string{"unix", "udp4"} {
		if control(nil)(network, "8.8.8.8:53", nil) == nil {
			t.Errorf("%s is allowed", network)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0, "99999999999999999999": 0,
		"Thu, 26 Nov 2026 12:01:00 GMT": time.Minute, "Thu, 26 Nov 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {v}}, now); got != want {
			t.Errorf("%q: %s, want %s", v, got, want)
		}
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	for failures, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: time.Minute, 1 << 40: time.Minute} {
		if got := backoff(failures, time.Minute); got != want {
			t.Errorf("after %d: %s, want %s", failures, got, want)
		}
	}
}

// A host that fails takes fewer places, and then one now and then; the others' places stay free.
func TestHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHosts(10, 4, time.Minute)
		h.join("dead")
		h.join("well")
		defer h.leave("dead")
		defer h.leave("well")
		take := func(name string) (n int) {
			for h.try(name) {
				n++
			}
			return n
		}
		give := func(name string, n int, o outcome) {
			for range n {
				h.release(name, o, 0)
			}
		}
		for range 5 {
			give("well", take("well"), answered)
		}
		if n := take("well"); n != 4 {
			t.Errorf("a host that is well has %d places, want 4", n)
		}
		n := take("dead")
		if n != hostFirst {
			t.Errorf("a new host has %d places, want %d", n, hostFirst)
		}
		give("dead", n, failing)
		for i := n; i < hostFailures; i++ {
			if n := take("dead"); n != 1 {
				t.Fatalf("after %d failures it has %d places, want 1", i, n)
			}
			give("dead", 1, failing)
		}
		if n := take("dead"); n != 0 {
			t.Errorf("a dead host has %d places", n)
		}
		if used, open := h.figures(); used != 4 || open != 1 {
			t.Errorf("%d used, %d dead, want 4 and 1", used, open)
		}
		start := time.Now()
		if err := h.acquire(t.Context(), "dead"); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took <= 0 || took > time.Minute {
			t.Errorf("it is tried again after %s", took)
		}
		give("dead", 1, answered)
		if n := take("dead"); n == 0 {
			t.Error("a host that has answered has no place")
		}
	})
}

// A place that is given back goes to one that waits.
func TestHostsQueueUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHosts(1, 1, time.Minute)
		h.join("a")
		defer h.leave("a")
		if !h.try("a") {
			t.Fatal("no place")
		}
		got := make(chan error)
		go func() { got <- h.acquire(t.Context(), "a") }()
		synctest.Wait()
		h.release("a", unused, 0)
		if err := <-got; err != nil {
			t.Error(err)
		}
		h.release("a", answered, 0)
	})
}

// All workers reckon the same owner, each has its share, and few queues move when one joins.
func TestOwner(t *testing.T) {
	t.Parallel()
	const queues = 3000
	var three, four pulse
	live := map[string]int{"a": 0, "b": 0, "c": 0}
	if !three.heard(time.Now(), live) || three.heard(time.Now(), live) {
		t.Error("that workers join is not noticed, or noticed twice")
	}
	live["d"] = 0
	four.heard(time.Now(), live)
	share, moved := map[string]int{}, 0
	for i := range queues {
		name := "channel-" + strconv.Itoa(i) + ":inbound"
		before, after := three.owner(name), four.owner(name)
		share[after]++
		if before != after {
			moved++
			if after != "d" {
				t.Fatalf("%s moved from %s to %s", name, before, after)
			}
		}
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for n := range live {
			if !yield(n) {
				return
			}
		}
	}) {
		if n := share[name]; n < queues/4*8/10 || n > queues/4*12/10 {
			t.Errorf("%s has %d of %d", name, n, queues)
		}
	}
	if moved != share["d"] {
		t.Errorf("%d moved, and the new one has %d", moved, share["d"])
	}
}

// A worker that was not heard in time does not take its leases for good any more.
func TestPulse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p pulse
		if p.holds(time.Now()) {
			t.Error("it holds before it was heard")
		}
		p.heard(time.Now(), nil)
		sleep(t.Context(), time.Second)
		checked := time.Now()
		if !p.holds(checked) {
			t.Error("it does not hold though it was heard")
		}
		sleep(t.Context(), leaseTTL) // frozen
		if p.holds(checked) {
			t.Error("it holds though it was not heard")
		}
		p.heard(time.Now(), nil)
		if p.holds(checked) {
			t.Error("what it knew from before holds")
		}
		sleep(t.Context(), time.Second)
		if !p.holds(time.Now()) {
			t.Error("it does not hold anew")
		}
	})
}
