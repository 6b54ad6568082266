package webhook

import (
	"context"
	"embed"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

//go:embed lua
var lua embed.FS

// Fields of the hash that says how a webhook is; lua/claim.lua writes worker and fence.
const (
	fieldSize     = "size"     // messages of the batch that was sent last
	fieldBatch    = "batch"    // id of that batch
	fieldFailures = "failures" // since something was taken
	fieldNextTry  = "next_try" // ms
	fieldStopped  = "stopped"  // since when an operator has to say so for it to go on, ms
	fieldLast     = "last"     // when something was sent last, ms
	fieldTaken    = "taken"    // when something was taken last, ms
	fieldStatus   = "status"   // of the last answer; 0: there was none
	fieldAnswer   = "answer"   // what the last answer said that did not take a batch
	fieldWoken    = "woken"    // where the queue's log ended when the application was woken
	fieldTest     = "test"     // what an operator wants tried
	fieldTested   = "tested"   // how that went, JSON
	fieldWorker   = "worker"
)

// State is how a queue's webhook is.
type State struct {
	Worker   string // that has it; "": none
	Size     int    // messages of the batch that was sent last
	Batch    string // its id
	Failures int    // since something was taken
	NextTry  time.Time
	Stopped  time.Time // zero: it goes on by itself
	Last     time.Time // when something was sent last
	Taken    time.Time // when something was taken last
	Status   int       // of the last answer; 0: there was none
	Answer   string    // what the last answer said that did not take a batch

	woken        int64
	test, tested string
}

func parseState(f map[string]string) State {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(f[name], 10, 64) // 0 where there is none
		return n
	}
	at := func(name string) time.Time {
		if ms := number(name); ms > 0 {
			return time.UnixMilli(ms).UTC()
		}
		return time.Time{}
	}
	return State{
		Worker: f[fieldWorker], Size: int(number(fieldSize)), Batch: f[fieldBatch], Failures: int(number(fieldFailures)),
		NextTry: at(fieldNextTry), Stopped: at(fieldStopped), Last: at(fieldLast), Taken: at(fieldTaken),
		Status: int(number(fieldStatus)), Answer: f[fieldAnswer],
		woken: number(fieldWoken), test: f[fieldTest], tested: f[fieldTested],
	}
}

// ms writes a time as the hash has it; zero: "".
func ms(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

// Store reads and notes how webhooks are. Its methods may be called concurrently.
type Store struct {
	runner  *storage.Runner
	rdb     redis.UniversalClient
	layout  storage.Layout
	timeout time.Duration

	claimScript, noteScript, askScript storage.Script
}

// NewStore returns a store. Each read takes at most timeout.
func NewStore(runner *storage.Runner, rdb redis.UniversalClient, layout storage.Layout, timeout time.Duration) *Store {
	script := func(flags, name string) storage.Script {
		text, err := lua.ReadFile("lua/" + name + ".lua")
		if err != nil {
			panic(err) // the file is part of the program
		}
		return storage.NewScript(flags, string(text))
	}
	return &Store{
		runner: runner, rdb: rdb, layout: layout, timeout: timeout,
		// They are a few bytes, and what they hold up makes room.
		claimScript: script(storage.Always, "claim"), noteScript: script(storage.Always, "note"), askScript: script(storage.Always, "ask"),
	}
}

// Scripts returns the store's scripts, to be loaded before anything is asked.
func (s *Store) Scripts() []storage.Script {
	return []storage.Script{s.claimScript, s.noteScript, s.askScript}
}

func (s *Store) queue(n queue.Name) storage.Queue { return s.layout.Queue(n.Channel, string(n.Kind)) }

// States returns how the webhooks of queues are, in their order.
func (s *Store) States(ctx context.Context, names ...queue.Name) ([]State, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	pipe := s.rdb.Pipeline()
	asked := make([]*redis.MapStringStringCmd, len(names))
	for i, n := range names {
		asked[i] = pipe.HGetAll(ctx, s.queue(n).Webhook())
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, storage.Unavailable(err)
	}
	states := make([]State, len(names))
	for i, a := range asked {
		states[i] = parseState(a.Val())
	}
	return states, nil
}

// errHeld is returned for a lease that another worker has.
var errHeld = errors.New("another worker has the queue")

// claim takes a lease for a worker, also from one that is gone. It returns the fencing token, or
// who has it and errHeld, or queue.ErrNotFound.
func (s *Store) claim(ctx context.Context, n queue.Name, worker, gone string) (fence, holder string, err error) {
	k := s.queue(n)
	reply, err := s.runner.RunDurable(ctx, s.claimScript, k.Webhook(), s.layout.Record(n.Channel), "webhook:"+string(n.Kind), worker, gone)
	if err != nil {
		return "", "", err
	}
	f := reply.Fields()
	done, token := f.Int(), f.Int()
	holder = f.Text()
	switch err := f.Err(); {
	case err != nil:
		return "", "", err
	case done < 0:
		return "", "", queue.ErrNotFound
	case done == 0:
		return "", holder, errHeld
	}
	return strconv.FormatInt(token, 10), holder, nil
}

// errChanged is returned when a channel's record is not the one any more that was read.
var errChanged = errors.New("the channel has been changed")

// note notes fields of a webhook's state. It returns queue.ErrFenced, and errChanged: then they
// are noted all the same.
func (s *Store) note(ctx context.Context, n queue.Name, fence, life string, revision int64, fields ...any) error {
	k := s.queue(n)
	args := append([]any{s.layout.Record(n.Channel), life, revision, fence}, fields...)
	reply, err := s.runner.RunDurable(ctx, s.noteScript, k.Webhook(), args...)
	if err != nil {
		return err
	}
	f := reply.Fields()
	noted, same := f.Int(), f.Int()
	switch err := f.Err(); {
	case err != nil:
		return err
	case noted == 0:
		return queue.ErrFenced
	case same == 0:
		return errChanged
	}
	return nil
}
