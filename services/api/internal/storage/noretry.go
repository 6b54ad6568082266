package storage

import "github.com/redis/go-redis/v9"

// NoRetry is a command that go-redis must not send a second time by itself, as its client of a
// Cluster does, whatever max_retries says, when an answer is lost: the first one may have run.
// It follows redirections of a Cluster, which say that nothing ran.
type NoRetry struct{ *redis.Cmd }

// NoRetry is asked by go-redis after an error.
func (NoRetry) NoRetry() bool { return true }
