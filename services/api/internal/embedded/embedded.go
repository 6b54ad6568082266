// Package embedded runs an in-process stand-in for Redis (miniredis), for a
// first try on a machine with only Go: QST_REDIS_URL=embedded.
//
// It keeps everything in memory, for one replica, and slows down with many polls
// (it wakes every blocked reader at every change). It is for nothing else.
package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// tick is how often the server's clock moves: miniredis lets keys expire only
// when it is told that time has passed.
const tick = time.Second

// Server is a running stand-in.
type Server struct {
	redis *miniredis.Miniredis
	stop  context.CancelFunc
	done  chan struct{}
}

// Start starts one on a free port of the loopback interface.
func Start() (*Server, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("starting the embedded Redis: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{redis: m, stop: cancel, done: make(chan struct{})}
	go s.run(ctx)
	return s, nil
}

func (s *Server) run(ctx context.Context) {
	defer close(s.done)
	t := time.NewTicker(tick)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.redis.FastForward(tick)
		}
	}
}

// URL is the address for a Redis client.
func (s *Server) URL() string { return "redis://" + s.redis.Addr() + "/0" }

// Close stops the server and forgets what it held.
func (s *Server) Close() {
	s.stop()
	<-s.done
	s.redis.Close()
}
