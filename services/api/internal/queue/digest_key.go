package queue

import (
	"context"
	"crypto/aes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/queuestatetransfer/qst/services/api/internal/storage"
	"github.com/redis/go-redis/v9"
)

// fieldDigestKey is the field of the layout's hash that holds the installation's key for digests.
const fieldDigestKey = "digest_key"

// LoadKey reads the installation's key for digests from Redis, and makes it at the first start. Texts
// are short, and so a plain digest of one can be guessed; with the key, digests say nothing to
// somebody who has no more than them. It returns storage.ErrUnavailable.
func (q *Queues) LoadKey(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, q.opts.Timeout)
	defer cancel()
	layout, rdb := q.opts.Layout.Stored(), q.sweeper.rdb
	// It is read first: a Redis that is out of memory still lets a replica start.
	stored, err := rdb.HGet(ctx, layout, fieldDigestKey).Result()
	if errors.Is(err, redis.Nil) {
		var fresh [aes.BlockSize]byte
		_, _ = rand.Read(fresh[:]) // never fails (crypto/rand)
		pipe := rdb.Pipeline()
		pipe.HSetNX(ctx, layout, fieldDigestKey, hex.EncodeToString(fresh[:]))
		got := pipe.HGet(ctx, layout, fieldDigestKey)
		_, err = pipe.Exec(ctx)
		stored = got.Val()
	}
	if err != nil {
		return storage.Unavailable(err)
	}
	key, err := hex.DecodeString(stored)
	if err != nil || len(key) != aes.BlockSize {
		return fmt.Errorf("%w: %s has no good %s", storage.ErrUnsuitable, layout, fieldDigestKey)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	q.digestKey.Store(&block)
	return nil
}

// keyed returns a digest as it is kept: encrypted with the installation's key, which keeps different
// ones different. Without a key it is kept as it is.
func (q *Queues) keyed(digest []byte) []byte {
	block := q.digestKey.Load()
	if block == nil || len(digest) != aes.BlockSize {
		return digest
	}
	out := make([]byte, aes.BlockSize)
	(*block).Encrypt(out, digest)
	return out
}
