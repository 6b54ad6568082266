package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// ErrNoWorker is returned when no worker answers to what an operator asks.
var ErrNoWorker = errors.New("no worker of webhooks has taken it up: is one running (api webhooks)?")

// List returns the queues that have a webhook, in the order of their names: at most limit, from
// the first one after a name ("<channel>:<queue>"; "": from the beginning).
func (s *Store) List(ctx context.Context, after string, limit int) ([]queue.Name, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	pipe := s.rdb.Pipeline()
	partitions := s.layout.Partitions()
	asked := make([]*redis.StringSliceCmd, len(partitions))
	for i, p := range partitions {
		asked[i] = pipe.ZRange(ctx, p.Webhooks(), 0, -1)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	var all []string
	for _, a := range asked {
		for _, name := range a.Val() {
			if name > after {
				all = append(all, name)
			}
		}
	}
	slices.Sort(all)
	names := make([]queue.Name, min(limit, len(all)))
	for i := range names {
		channel, kind := storage.SplitName(all[i])
		names[i] = queue.Name{Channel: channel, Kind: queue.Kind(kind)}
	}
	return names, nil
}

// Shown returns how the webhooks of queues are, as States does, but that a worker has none that is gone:
// another one takes the queue from it.
func (s *Store) Shown(ctx context.Context, names ...queue.Name) ([]State, error) {
	states, err := s.States(ctx, names...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	live, err := s.rdb.HKeys(ctx, s.layout.Workers()).Result() // one that is gone is taken out, or the whole hash expires
	if err != nil {
		return nil, storage.Unavailable(err)
	}
	for i := range states {
		if !slices.Contains(live, states[i].Worker) {
			states[i].Worker = ""
		}
	}
	return states, nil
}

// Resume lets a webhook go on that has stopped, and has one that failed tried now. It returns
// queue.ErrNotFound.
func (s *Store) Resume(ctx context.Context, n queue.Name) error {
	return s.ask(ctx, n, fieldStopped, "", fieldFailures, 0, fieldNextTry, "")
}

func (s *Store) ask(ctx context.Context, n queue.Name, fields ...any) error {
	k := s.queue(n)
	args := append([]any{s.layout.Partitions()[k.Partition].Webhooks(), k.Name}, fields...)
	reply, err := s.runner.RunDurable(ctx, s.askScript, k.Webhook(), args...)
	if err != nil {
		return err
	}
	f := reply.Fields()
	done := f.Int()
	if err := f.Err(); err != nil {
		return err
	}
	if done == 0 {
		return fmt.Errorf("webhook of %s: %w", n.Kind, queue.ErrNotFound)
	}
	return nil
}

// Test has the webhook's worker send an empty batch, and returns how that went. It returns
// queue.ErrNotFound, or ErrNoWorker if no worker has done so when the time is over.
func (s *Store) Test(ctx context.Context, n queue.Name, patience time.Duration) (Trial, error) {
	id := strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := s.ask(ctx, n, fieldTest, id); err != nil {
		return Trial{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for ctx.Err() == nil {
		sleep(ctx, 100*time.Millisecond)
		states, err := s.States(ctx, n)
		if err != nil {
			continue // it may be back before the time is over
		}
		var t Trial
		_ = json.Unmarshal([]byte(states[0].tested), &t) // none yet: ""
		if t.ID == id {
			return t, nil
		}
	}
	return Trial{}, ErrNoWorker
}
