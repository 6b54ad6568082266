package app_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// A firewall that forgets connections which were idle, and says so to nobody, costs no request: the
// first burst after a quiet time is answered as any other, and nothing of it goes into the hole.
func TestIdleConnectionsThatAreDropped(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	// Far longer than a reader of wakes is silent (2 s), and than a connection may be idle.
	f := startFirewall(t, s.Addr, 6*time.Second)
	url := strings.Replace(s.URL(), s.Addr, f.addr, 1) + "?conn_max_idle_time=1s"
	r := startReplica(t, url, "QST_ADMIN_TOKEN="+adminToken)
	const connections = 16 // QST_REDIS_POOL_SIZE
	for range 2 {
		before := f.forgotten.Load()
		eventually(t, "the firewall forgets connections", func() error {
			if n := f.forgotten.Load() - before; n < connections/2 {
				return fmt.Errorf("%d of them", n)
			}
			return nil
		})
		var burst sync.WaitGroup
		for i := range 4 * connections {
			burst.Go(func() {
				path := fmt.Sprintf("%s/v2/channels/c%d", r.URL, i)
				a, err := try(t.Context(), http.DefaultClient, "POST", path, `{"body":"x"}`, typeJSON)
				if err != nil || a.Status != http.StatusOK {
					t.Errorf("push: %v %v", a, err)
				}
				if a, err = try(t.Context(), http.DefaultClient, "GET", path, ""); err != nil || a.Status != http.StatusOK {
					t.Errorf("pull: %v %v", a, err)
				}
				if a, err = try(t.Context(), http.DefaultClient, "GET", r.Admin+"/admin/v1/channels/"+fmt.Sprintf("c%d/queues", i), "", bearer); err != nil || a.Status != http.StatusOK && a.Status != http.StatusNotFound {
					t.Errorf("queues: %v %v", a, err)
				}
			})
		}
		burst.Wait()
	}
	if n := f.swallowed.Load(); n > 0 {
		t.Errorf("%d bytes went into the hole", n)
	}
}

// firewall is a proxy that forgets a connection on which nothing went either way for so long: it
// keeps it open, and swallows what comes then.
type firewall struct {
	addr      string
	idle      time.Duration
	forgotten atomic.Int64 // connections
	swallowed atomic.Int64 // bytes that the client sent on those
}

func startFirewall(t *testing.T, to string, idle time.Duration) *firewall {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &firewall{addr: l.Addr().String(), idle: idle}
	var running sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	closed := false
	keep := func(c net.Conn) {
		mu.Lock()
		defer mu.Unlock()
		if closed {
			_ = c.Close()
		}
		open = append(open, c)
	}
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := (&net.Dialer{}).Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				continue
			}
			keep(client)
			keep(server)
			last, hole := &atomic.Int64{}, &atomic.Bool{}
			last.Store(time.Now().UnixNano())
			running.Go(func() { f.copy(server, client, last, hole, &f.swallowed) })
			running.Go(func() { f.copy(client, server, last, hole, &atomic.Int64{}) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		closed = true
		for _, c := range open {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return f
}

// copy copies from one connection to the other one until one of them ends.
func (f *firewall) copy(to, from net.Conn, last *atomic.Int64, hole *atomic.Bool, swallowed *atomic.Int64) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buf := make([]byte, 64<<10)
	for {
		_ = from.SetReadDeadline(time.Now().Add(f.idle / 10))
		n, err := from.Read(buf)
		now := time.Now()
		if !hole.Load() && now.Sub(time.Unix(0, last.Load())) >= f.idle && hole.CompareAndSwap(false, true) {
			f.forgotten.Add(1)
		}
		switch {
		case n > 0 && hole.Load():
			swallowed.Add(int64(n))
		case n > 0:
			last.Store(now.UnixNano())
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		var timeout net.Error
		if err != nil && (!errors.As(err, &timeout) || !timeout.Timeout()) {
			return
		}
	}
}
