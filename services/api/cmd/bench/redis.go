package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a contender's Redis.
type redisServer struct {
	process

	address string
	client  *redis.Client // that asks what it used
}

// redis starts one. All contenders' have the same settings.
func (m *machine) redis(ctx context.Context) (redisServer, error) {
	address, err := freeAddress()
	if err != nil {
		return redisServer{}, err
	}
	_, port, _ := net.SplitHostPort(address)
	dir := filepath.Join(m.dir, "redis-"+port)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return redisServer{}, err
	}
	p, err := m.start(ctx, address, nil, "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", dir,
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxclients", "10000")
	if err != nil {
		return redisServer{}, err
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	m.close = append(m.close, func() { _ = client.Close() }) // nothing is in flight
	return redisServer{process: p, address: address, client: client}, nil
}

// cpu is the CPU time of its main thread, which executes the commands. The kernel
// counts it in microseconds; what other threads do (fsync) is not a message's.
func (r redisServer) cpu(ctx context.Context) (time.Duration, error) {
	info, err := r.client.InfoMap(ctx, "cpu").Result()
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, field := range []string{"used_cpu_user_main_thread", "used_cpu_sys_main_thread"} {
		seconds, err := strconv.ParseFloat(info["CPU"][field], 64)
		if err != nil {
			return 0, fmt.Errorf("INFO cpu, %s: %w", field, err)
		}
		sum += time.Duration(seconds * float64(time.Second))
	}
	return sum, nil
}

// calls is how many commands it executed, with those that scripts called.
func (r redisServer) calls(ctx context.Context) (int64, error) {
	stats, err := r.commands(ctx)
	var sum int64
	for _, n := range stats {
		sum += n
	}
	return sum, err
}

// commands is the same for each command. INFO, which asks, is not in it.
func (r redisServer) commands(ctx context.Context) (map[string]int64, error) {
	info, err := r.client.InfoMap(ctx, "commandstats").Result()
	if err != nil {
		return nil, err
	}
	stats := map[string]int64{}
	for name, fields := range info["Commandstats"] {
		first, _, _ := strings.Cut(fields, ",")
		n, err := strconv.ParseInt(strings.TrimPrefix(first, "calls="), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("INFO commandstats, %s: %w", name, err)
		}
		if name = strings.TrimPrefix(name, "cmdstat_"); name != "info" {
			stats[name] = n
		}
	}
	return stats, nil
}
