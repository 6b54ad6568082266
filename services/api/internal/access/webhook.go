package access

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/services/api/internal/queue"
	"github.com/queuestatetransfer/qst/services/api/internal/storage"
)

// WebhookMode says what a webhook brings.
type WebhookMode string

// The modes of a webhook.
const (
	WebhookMessages WebhookMode = "messages" // the messages; then nobody else may pull them
	WebhookWake     WebhookMode = "wake"     // that there are messages, for the application to pull
)

// The formats of a webhook.
const (
	FormatJSON = "json"
	FormatXML  = "xml"
)

const (
	maxPushURL         = 2048 // bytes
	maxWebhookMessages = 1000
	secretPrefix       = "whsec_" // Standard Webhooks
	minKey, maxKey     = 24, 64   // bytes of a key, the same
	maxKeep            = 30 * 24 * time.Hour

	defaultWebhookMessages = 100
	defaultWebhookTimeout  = Duration(10 * time.Second)
	defaultKeep            = 24 * time.Hour
)

// Webhook is how a queue's messages are brought to a URL, as operators see it.
type Webhook struct {
	Queue       queue.Kind  `json:"queue"`
	PushURL     string      `json:"push_url"`
	Mode        WebhookMode `json:"mode"`
	Format      string      `json:"format"`
	MaxMessages int         `json:"max_messages"` // of a batch
	Timeout     Duration    `json:"timeout"`      // of a request, its answer in it
	User        string      `json:"user,omitempty"`
	Replies     bool        `json:"replies"` // a batch in the answer goes into the other direction's queue

	// PreviousUntil is until when the secret before the present one signs, too.
	PreviousUntil *time.Time `json:"previous_secret_until,omitempty"`
	Created       time.Time  `json:"created"`
	Changed       time.Time  `json:"changed"`
}

// NewWebhook is what an operator asks for.
type NewWebhook struct {
	Queue       queue.Kind  `json:"queue"        yaml:"queue"`
	PushURL     string      `json:"push_url"     yaml:"push_url"`
	Mode        WebhookMode `json:"mode"         yaml:"mode"`         // "": messages
	Format      string      `json:"format"       yaml:"format"`       // "": json
	MaxMessages int         `json:"max_messages" yaml:"max_messages"` // 0: 100
	Timeout     Duration    `json:"timeout"      yaml:"timeout"`      // 0: 10s
	User        string      `json:"user"         yaml:"user"`
	Password    string      `json:"password"     yaml:"password"` // "": the one that there is for this user
	Replies     bool        `json:"replies"      yaml:"replies"`
	Secret      string      `json:"secret"       yaml:"secret"` // "": the one that there is, or one that is made here
}

// WebhookKeys are a webhook's secrets. They never leave the service but to sign and to log in.
type WebhookKeys struct {
	Password string `json:"password,omitempty"`
	Secret   string `json:"secret"`
	Previous string `json:"previous,omitempty"` // signs until PreviousUntil
}

// StoredWebhook is a webhook as its channel's record holds it.
type StoredWebhook struct {
	Webhook
	Keys WebhookKeys `json:"keys"`
}

// Signing returns the keys that sign at a time, the present one first.
func (w StoredWebhook) Signing(now time.Time) [][]byte {
	secrets := []string{w.Keys.Secret}
	if w.PreviousUntil != nil && now.Before(*w.PreviousUntil) {
		secrets = append(secrets, w.Keys.Previous)
	}
	keys := make([][]byte, 0, len(secrets))
	for _, s := range secrets {
		if key, ok := signingKey(s); ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// signingKey takes a secret as Standard Webhooks writes it apart.
func signingKey(secret string) ([]byte, bool) {
	text, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(text)
	return key, ok && err == nil && len(key) >= minKey && len(key) <= maxKey
}

func makeSigningSecret() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return secretPrefix + base64.StdEncoding.EncodeToString(b)
}

// AllowHTTP has a store take webhooks to plain http: URLs, too.
func (s *Store) AllowHTTP(allow bool) { s.allowHTTP = allow }

// complete fills in what the operator left out, with what there is. It returns ErrInvalid, saying
// what is; made is the secret if it was made here.
func (n NewWebhook) complete(was *StoredWebhook, allowHTTP bool, now time.Time) (w StoredWebhook, made string, err error) {
	w.Webhook = Webhook{
		Queue: n.Queue, PushURL: n.PushURL, Mode: n.Mode, Format: n.Format, MaxMessages: n.MaxMessages, Timeout: n.Timeout,
		User: n.User, Replies: n.Replies, Created: now.UTC().Truncate(time.Second), Changed: now.UTC().Truncate(time.Second),
	}
	if w.Mode == "" {
		w.Mode = WebhookMessages
	}
	if w.Format == "" {
		w.Format = FormatJSON
	}
	if w.MaxMessages == 0 {
		w.MaxMessages = defaultWebhookMessages
	}
	if w.Timeout == 0 {
		w.Timeout = defaultWebhookTimeout
	}
	w.Keys = WebhookKeys{Password: n.Password, Secret: n.Secret}
	if was != nil {
		w.Created = was.Created
		if n.Secret == "" || n.Secret == was.Keys.Secret {
			w.Keys.Secret, w.Keys.Previous, w.PreviousUntil = was.Keys.Secret, was.Keys.Previous, was.PreviousUntil
		}
		if n.Password == "" && n.User == was.User {
			w.Keys.Password = was.Keys.Password
		}
	}
	if w.Keys.Secret == "" {
		made = makeSigningSecret()
		w.Keys.Secret = made
	}
	return w, made, w.validate(allowHTTP)
}

func (w StoredWebhook) validate(allowHTTP bool) error {
	if _, ok := signingKey(w.Keys.Secret); !ok {
		return errSigningSecret
	}
	switch {
	case !slices.Contains(queue.Kinds(), w.Queue):
		return invalid("queue: %.64q is not inbound, outbound or mailbox", w.Queue)
	case w.Mode != WebhookMessages && w.Mode != WebhookWake:
		return invalid("mode: %.64q is not messages or wake", w.Mode)
	case w.Format != FormatJSON && w.Format != FormatXML:
		return invalid("format: %.64q is not json or xml", w.Format)
	case w.MaxMessages < 1 || w.MaxMessages > maxWebhookMessages:
		return invalid("max_messages: not 1 to %d", maxWebhookMessages)
	case w.Timeout < Duration(time.Second) || w.Timeout > Duration(time.Minute):
		return invalid("timeout: not 1s to 1m")
	case len(w.User) > maxUser || strings.ContainsRune(w.User, ':') || !printable(w.User):
		return invalid("user: more than %d bytes, or something that HTTP Basic can't carry (colon, control characters)", maxUser)
	case len(w.Keys.Password) > maxSecret || !printable(w.Keys.Password):
		return invalid("password: more than %d bytes, or with control characters", maxSecret)
	case w.User == "" && w.Keys.Password != "":
		return invalid("password: there is no user for it")
	case w.Replies && w.Mode == WebhookWake:
		return invalid("replies: a webhook of the mode wake takes none")
	case w.Replies && w.Queue == queue.Mailbox:
		return invalid("replies: a mailbox has no other direction for them to go to")
	}
	return validPushURL(w.PushURL, allowHTTP)
}

var errSigningSecret = invalid("secret: not whsec_ and base64 of %d to %d bytes", minKey, maxKey)

// validPushURL returns ErrInvalid, never quoting the URL: its query may have a secret.
func validPushURL(raw string, allowHTTP bool) error {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return invalid("push_url: is missing")
	case err != nil || len(raw) > maxPushURL || !printable(raw):
		return invalid("push_url: not a URL, or more than %d bytes", maxPushURL)
	case u.Scheme == "http" && !allowHTTP:
		return invalid("push_url: http: is not allowed here, only https: (QST_WEBHOOK_ALLOW_HTTP)")
	case u.Scheme != "https" && u.Scheme != "http" || u.Opaque != "" || u.Hostname() == "":
		return invalid("push_url: not https://host/…")
	case u.User != nil:
		return invalid("push_url: has a user in it; user and password are fields of their own")
	case u.Fragment != "":
		return invalid("push_url: has a fragment, which is never sent")
	}
	return nil
}

// PutWebhook gives a queue a webhook, or another one. made is its secret, if that was made here:
// it can't be had again. It returns ErrInvalid or ErrNotFound.
func (s *Store) PutWebhook(ctx context.Context, channel string, n NewWebhook) (w Webhook, made string, err error) {
	stored, err := s.changeWebhook(ctx, channel, n.Queue, func(was *StoredWebhook) (w StoredWebhook, err error) {
		w, made, err = n.complete(was, s.allowHTTP, time.Now())
		return w, err
	})
	return stored.Webhook, made, err
}

// applyWebhook puts a webhook of the bootstrap file in its place. One that is there already as the
// file has it stays as it is, so that a start of a replica changes nothing. The secret before
// signs, too, for a day.
func (s *Store) applyWebhook(ctx context.Context, channel string, n NewWebhook) error {
	_, err := s.changeWebhook(ctx, channel, n.Queue, func(was *StoredWebhook) (StoredWebhook, error) {
		w, _, err := n.complete(was, s.allowHTTP, time.Now())
		if err != nil || was == nil {
			return w, err
		}
		if w.Keys.Secret != was.Keys.Secret {
			until := w.Changed.Add(defaultKeep)
			w.Keys.Previous, w.PreviousUntil = was.Keys.Secret, &until
		}
		as := w
		as.Changed = was.Changed
		if string(encode(as)) == string(encode(*was)) {
			return *was, nil
		}
		return w, nil
	})
	return err
}

// RotateWebhook has another secret sign ("": one that is made here), and the present one, too, for
// some time (nil: a day; 0: not at all). It returns ErrInvalid or ErrNotFound.
func (s *Store) RotateWebhook(ctx context.Context, channel string, kind queue.Kind, secret string, keep *time.Duration) (w Webhook, made string, err error) {
	both := defaultKeep
	if keep != nil {
		both = *keep
	}
	if both < 0 || both > maxKeep {
		return Webhook{}, "", invalid("keep: not 0s to %s", maxKeep)
	}
	if secret == "" {
		made = makeSigningSecret()
		secret = made
	} else if _, ok := signingKey(secret); !ok {
		return Webhook{}, "", errSigningSecret
	}
	stored, err := s.changeWebhook(ctx, channel, kind, func(was *StoredWebhook) (StoredWebhook, error) {
		if was == nil {
			return StoredWebhook{}, noWebhook(kind)
		}
		w, now := *was, time.Now().UTC().Truncate(time.Second)
		if w.Keys.Secret == secret {
			return StoredWebhook{}, invalid("secret: is the present one")
		}
		w.Keys.Previous, w.PreviousUntil = "", nil
		if both > 0 {
			until := now.Add(both)
			w.Keys.Previous, w.PreviousUntil = w.Keys.Secret, &until
		}
		w.Keys.Secret, w.Changed = secret, now
		return w, nil
	})
	return stored.Webhook, made, err
}

// DeleteWebhook takes a queue's webhook away: its messages are for those who pull. It returns
// ErrNotFound.
func (s *Store) DeleteWebhook(ctx context.Context, channel string, kind queue.Kind) error {
	_, err := s.changeWebhook(ctx, channel, kind, func(was *StoredWebhook) (StoredWebhook, error) {
		if was == nil {
			return StoredWebhook{}, noWebhook(kind)
		}
		return StoredWebhook{}, nil
	})
	return err
}

func noWebhook(kind queue.Kind) error { return fmt.Errorf("webhook of %s: %w", kind, ErrNotFound) }

// changeRounds is how often a change is made anew that somebody else's came before.
const changeRounds = 5

// changeWebhook replaces a queue's webhook by what change makes of it; one without a queue: none.
func (s *Store) changeWebhook(ctx context.Context, channel string, kind queue.Kind, change func(was *StoredWebhook) (StoredWebhook, error)) (StoredWebhook, error) {
	for range changeRounds {
		raw, err := s.rawWebhook(ctx, channel, kind)
		if err != nil {
			return StoredWebhook{}, err
		}
		var was *StoredWebhook
		if raw != "" {
			was = new(StoredWebhook)
			if err := json.Unmarshal([]byte(raw), was); err != nil {
				return StoredWebhook{}, fmt.Errorf("record of channel %s: webhook of %s: %w", channel, kind, err)
			}
		}
		w, err := change(was)
		if err != nil {
			return StoredWebhook{}, err
		}
		text := ""
		if w.Queue != "" {
			text = string(encode(w))
		}
		if text == raw {
			return w, nil
		}
		p := s.layout.Partition(channel)
		args := []any{p.Start, channel, fieldWebhook + string(kind), string(kind), raw, text, p.Wakes}
		for _, k := range queue.Kinds() {
			args = append(args, string(k))
		}
		changed, err := s.run(ctx, s.webhook, channel, args...)
		if err != nil {
			return StoredWebhook{}, err
		}
		switch changed[0] {
		case 1:
			return w, nil
		case -1:
			return StoredWebhook{}, fmt.Errorf("channel %s: %w", channel, ErrNotFound)
		}
	}
	return StoredWebhook{}, fmt.Errorf("webhook of %s: others change it at the same time: %w", kind, storage.ErrUnavailable)
}

// rawWebhook returns a queue's webhook as it is stored; "": there is none.
func (s *Store) rawWebhook(ctx context.Context, channel string, kind queue.Kind) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	values, err := s.rdb.HMGet(ctx, s.layout.Record(channel), fieldRevision, fieldWebhook+string(kind)).Result()
	if err != nil {
		return "", storage.Unavailable(err)
	}
	if values[0] == nil {
		return "", fmt.Errorf("channel %s: %w", channel, ErrNotFound)
	}
	raw, _ := values[1].(string)
	return raw, nil
}

// pushed returns the queues whose messages are pushed to a URL, so that nobody may pull them.
func (r Record) pushed() map[queue.Kind]bool {
	var pushed map[queue.Kind]bool
	for kind, w := range r.Webhooks {
		if w.Mode == WebhookMessages {
			if pushed == nil {
				pushed = make(map[queue.Kind]bool)
			}
			pushed[kind] = true
		}
	}
	return pushed
}

// Life names the life of the channel's record; see queue.Caller.
func (r Record) Life() string { return r.life }

// ErrPushed is returned for a pull of a queue whose messages are pushed to a URL.
var ErrPushed = errors.New("a webhook pushes this queue's messages to its URL: they can't be pulled")

// pulledBy is the queue that an endpoint pulls from; see "URLs" in the protocol.
func pulledBy(e Endpoint) queue.Kind {
	switch e {
	case Gateway:
		return queue.Outbound
	case Application:
		return queue.Inbound
	default:
		return queue.Mailbox
	}
}
