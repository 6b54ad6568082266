package access

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

var (
	//go:embed lua/create.lua
	createLua string
	//go:embed lua/change.lua
	changeLua string
	//go:embed lua/credential.lua
	credentialLua string
	//go:embed lua/webhook.lua
	webhookLua string
)

// Fields of a record; each credential has one of its own.
const (
	fieldChannel    = "channel"     // Channel, JSON
	fieldRevision   = "revision"    // counts the changes
	fieldSalt       = "salt"        // of the digests, hex
	fieldLife       = "life"        // names this life of the channel: another one if it is deleted and made again
	fieldRetention  = "retention"   // that the settings name, ms; "": none. For the queues' scripts
	fieldCredential = "credential:" //nolint:gosec // no credential: the field's name, with an id behind it; stored, JSON
	fieldWebhook    = "webhook:"    // with a queue's kind behind it; StoredWebhook, JSON
	fixedFields     = 5
)

// Store reads and changes the records of channels. Its methods may be called
// concurrently.
type Store struct {
	runner  *storage.Runner
	rdb     redis.UniversalClient
	layout  storage.Layout
	timeout time.Duration

	create, change, credential, webhook storage.Script

	allowHTTP bool // webhooks may go to http: URLs
}

// NewStore returns a store of the records in Redis. The runner is for what changes them:
// it sends nothing twice. Each read takes at most timeout.
func NewStore(runner *storage.Runner, rdb redis.UniversalClient, layout storage.Layout, timeout time.Duration) *Store {
	return &Store{
		runner: runner, rdb: rdb, layout: layout, timeout: timeout,
		create: storage.NewScript(storage.Refused, createLua), change: storage.NewScript(storage.Refused, changeLua),
		credential: storage.NewScript(storage.Refused, credentialLua), webhook: storage.NewScript(storage.Refused, webhookLua),
	}
}

// Scripts returns the store's scripts, to be loaded before anything is asked.
func (s *Store) Scripts() []storage.Script {
	return []storage.Script{s.create, s.change, s.credential, s.webhook}
}

// Record is all there is to know of a channel.
type Record struct {
	Channel     Channel
	Credentials []Credential // by id
	Webhooks    map[queue.Kind]StoredWebhook

	life    string
	salt    []byte
	digests []stored
}

// Create makes a channel. It returns ErrInvalid or ErrExists.
func (s *Store) Create(ctx context.Context, c Channel) (Channel, error) {
	now := time.Now().UTC()
	// Not 1: what was read of a channel that has been deleted since must not match
	// the one that was made anew.
	c.Revision = now.UnixMilli()
	c.Created = now.Truncate(time.Second)
	c.Changed = c.Created
	if err := c.validate(); err != nil {
		return Channel{}, err
	}
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails (crypto/rand)
	made, err := s.run(ctx, s.create, c.Name,
		s.layout.Partition(c.Name).Channels(), c.Name, encode(c), hex.EncodeToString(salt[:]), c.Revision, c.Settings.retention())
	if err != nil {
		return Channel{}, err
	}
	if made[0] == 0 {
		return Channel{}, fmt.Errorf("channel %s: %w", c.Name, ErrExists)
	}
	return c, nil
}

// Change replaces what is said of a channel, if that still has the revision that
// c has. It returns ErrInvalid, ErrNotFound or ErrStale.
func (s *Store) Change(ctx context.Context, c Channel) (Channel, error) {
	if err := c.validate(); err != nil {
		return Channel{}, err
	}
	c.Changed = time.Now().UTC().Truncate(time.Second)
	changed, err := s.run(ctx, s.change, c.Name, c.Revision, encode(c), c.Settings.retention())
	if err != nil {
		return Channel{}, err
	}
	switch changed[0] {
	case -1:
		return Channel{}, fmt.Errorf("channel %s: %w", c.Name, ErrNotFound)
	case 0:
		return Channel{}, fmt.Errorf("channel %s: %w", c.Name, ErrStale)
	}
	c.Revision = changed[1]
	return c, nil
}

// Get returns a channel's record. It returns ErrNotFound.
func (s *Store) Get(ctx context.Context, channel string) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	fields, err := s.rdb.HGetAll(ctx, s.layout.Record(channel)).Result()
	if err != nil {
		return Record{}, storage.Unavailable(err)
	}
	return decode(channel, fields)
}

func decode(channel string, fields map[string]string) (r Record, err error) {
	if len(fields) == 0 {
		return Record{}, fmt.Errorf("channel %s: %w", channel, ErrNotFound)
	}
	if err := json.Unmarshal([]byte(fields[fieldChannel]), &r.Channel); err != nil {
		return Record{}, fmt.Errorf("record of channel %s: %w", channel, err)
	}
	if r.Channel.Revision, err = strconv.ParseInt(fields[fieldRevision], 10, 64); err != nil {
		return Record{}, fmt.Errorf("record of channel %s: %w", channel, err)
	}
	if r.salt, err = hex.DecodeString(fields[fieldSalt]); err != nil {
		return Record{}, fmt.Errorf("record of channel %s: %w", channel, err)
	}
	r.life = fields[fieldLife]
	for name, value := range fields {
		if kind, ok := strings.CutPrefix(name, fieldWebhook); ok {
			var w StoredWebhook
			if err := json.Unmarshal([]byte(value), &w); err != nil {
				return Record{}, fmt.Errorf("record of channel %s, %s: %w", channel, name, err)
			}
			if r.Webhooks == nil {
				r.Webhooks = make(map[queue.Kind]StoredWebhook)
			}
			r.Webhooks[queue.Kind(kind)] = w
		}
		if !strings.HasPrefix(name, fieldCredential) {
			continue
		}
		var c stored
		if err := json.Unmarshal([]byte(value), &c); err != nil {
			return Record{}, fmt.Errorf("record of channel %s, %s: %w", channel, name, err)
		}
		r.Credentials = append(r.Credentials, c.Credential)
		r.digests = append(r.digests, c)
	}
	slices.SortFunc(r.Credentials, func(a, b Credential) int { return strings.Compare(a.ID, b.ID) })
	return r, nil
}

// AddCredential gives a channel another credential, and returns it with its
// secret, which can't be had again. It returns ErrInvalid, ErrNotFound, ErrExists
// or ErrTooMany.
func (s *Store) AddCredential(ctx context.Context, channel string, n NewCredential) (Credential, string, error) {
	return s.addCredential(ctx, channel, n, "new")
}

func (s *Store) addCredential(ctx context.Context, channel string, n NewCredential, how string) (Credential, string, error) {
	c, secret, err := n.complete(channel, time.Now())
	if err != nil {
		return Credential{}, "", err
	}
	r, err := s.Get(ctx, channel)
	if err != nil {
		return Credential{}, "", err
	}
	d := digest(r.salt, secret)
	added, err := s.run(ctx, s.credential, channel,
		fieldCredential+c.ID, encode(stored{Credential: c, Digest: hex.EncodeToString(d[:])}), fixedFields+maxCredentials, how)
	if err != nil {
		return Credential{}, "", err
	}
	switch added[0] {
	case 0:
		return Credential{}, "", fmt.Errorf("credential %s: %w", c.ID, ErrExists)
	case -1:
		return Credential{}, "", fmt.Errorf("channel %s: %w", channel, ErrNotFound)
	case -2:
		return Credential{}, "", fmt.Errorf("credentials (%d): %w", maxCredentials, ErrTooMany)
	}
	return c, secret, nil
}

// Revoke takes a credential back. It returns ErrNotFound.
func (s *Store) Revoke(ctx context.Context, channel, id string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	del := storage.NoRetry{Cmd: redis.NewCmd(ctx, "hdel", s.layout.Record(channel), fieldCredential+id)}
	_ = s.rdb.Process(ctx, del) // the error is the command's, too
	n, err := del.Int64()
	if err != nil {
		return storage.Unavailable(err)
	}
	if n == 0 {
		return fmt.Errorf("credential %s: %w", id, ErrNotFound)
	}
	return nil
}

// run runs a script on a channel's record that answers with numbers.
func (s *Store) run(ctx context.Context, script storage.Script, channel string, args ...any) ([]int64, error) {
	reply, err := s.runner.RunDurable(ctx, script, s.layout.Record(channel), args...)
	if err != nil {
		return nil, err
	}
	f := reply.Fields()
	var numbers []int64
	for f.More() {
		numbers = append(numbers, f.Int())
	}
	return numbers, f.Err()
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // types of this package, which all have a JSON form
	}
	return b
}
