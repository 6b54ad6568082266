package httpapi

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// departedEvery is how often the connections of polls that are held are looked at.
const departedEvery = 2 * time.Second

// held are the polls that are held, and the connections that their clients wait at.
//
// net/http sees that a client has gone while it waits, unless the client has sent another byte before (a
// line end after its request, the next request): then net/http stops looking, and the poll would be
// held, and given a message, for nobody.
type held struct {
	mu    sync.Mutex
	polls map[*heldPoll]struct{}
}

type heldPoll struct {
	conn *net.TCPConn
	gone context.CancelFunc
}

type connKey struct{}

// ConnContext is for the public listener's [http.Server]: it keeps the connection at hand.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	for {
		wrapped, ok := c.(interface{ NetConn() net.Conn }) // of TLS; one that was parked
		if !ok {
			break
		}
		c = wrapped.NetConn()
	}
	return context.WithValue(ctx, connKey{}, c)
}

// watch has the request's context end when its client goes, however that shows. The caller calls what it returns
// when the poll is answered.
func (h *held) watch(c echo.Context) (answered func()) {
	r := c.Request()
	conn, ok := r.Context().Value(connKey{}).(*net.TCPConn)
	if !ok {
		return func() {}
	}
	ctx, gone := context.WithCancel(r.Context())
	c.SetRequest(r.WithContext(ctx))
	p := &heldPoll{conn: conn, gone: gone}
	h.mu.Lock()
	if h.polls == nil {
		h.polls = make(map[*heldPoll]struct{})
	}
	h.polls[p] = struct{}{}
	h.mu.Unlock()
	return func() {
		h.mu.Lock()
		delete(h.polls, p)
		h.mu.Unlock()
		// The context goes on: it is the request's until that is answered.
		context.AfterFunc(r.Context(), gone)
	}
}

// WatchClients ends polls whose clients have gone, until ctx ends.
func (a *API) WatchClients(ctx context.Context) {
	tick := time.NewTicker(departedEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, p := range a.held.all() {
			if closedByPeer(p.conn) {
				p.gone()
			}
		}
	}
}

func (h *held) all() []*heldPoll {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*heldPoll, 0, len(h.polls))
	for p := range h.polls {
		all = append(all, p)
	}
	return all
}
