package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Endpoint is a party's side of a channel, as the URL says it.
type Endpoint string

// The endpoints of a channel; see "URLs" in the protocol.
const (
	Gateway     Endpoint = "gateway"
	Application Endpoint = "application"
	Mailbox     Endpoint = "mailbox"
)

// Right is something that a credential lets its bearer do.
type Right string

// The rights.
const (
	Push Right = "push"
	Pull Right = "pull"
)

const (
	minSecret = 16  // bytes of a secret that an operator brings
	maxSecret = 256 // bytes
	madeBytes = 24  // random bytes of a secret that is made here: 192 bits
	maxUser   = 128 // bytes
)

// Credential lets its bearer use one endpoint of one channel, by HTTP Basic with
// User and a secret that only its bearer has.
type Credential struct {
	ID       string     `json:"id"`
	Endpoint Endpoint   `json:"endpoint"`
	Rights   []Right    `json:"rights"`
	User     string     `json:"user"`
	Note     string     `json:"note,omitempty"`
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
}

// NewCredential is what an operator asks for.
type NewCredential struct {
	ID       string     `json:"id"       yaml:"id"` // "": made here
	Endpoint Endpoint   `json:"endpoint" yaml:"endpoint"`
	Rights   []Right    `json:"rights"   yaml:"rights"` // none: both
	User     string     `json:"user"     yaml:"user"`   // "": the channel's name
	Secret   string     `json:"secret"   yaml:"secret"` // "": made here
	Note     string     `json:"note"     yaml:"note"`
	Expires  *time.Time `json:"expires"  yaml:"expires"`
}

// complete fills in what the operator left out, and returns the credential and
// its secret. It returns ErrInvalid, saying what is.
func (n NewCredential) complete(channel string, now time.Time) (Credential, string, error) {
	if n.ID == "" {
		n.ID = randomText(9)
	}
	if len(n.Rights) == 0 {
		n.Rights = []Right{Push, Pull}
	}
	if n.User == "" {
		n.User = channel
	}
	if n.Secret == "" {
		n.Secret = randomText(madeBytes)
	}
	slices.Sort(n.Rights)
	n.Rights = slices.Compact(n.Rights)
	switch {
	case !ChannelName.MatchString(n.ID):
		return Credential{}, "", invalid("id: not formed like a channel's name")
	case n.Endpoint != Gateway && n.Endpoint != Application && n.Endpoint != Mailbox:
		return Credential{}, "", invalid("endpoint: %.64q is not gateway, application or mailbox", n.Endpoint)
	case len(n.User) > maxUser || strings.ContainsRune(n.User, ':') || !printable(n.User):
		return Credential{}, "", invalid("user: more than %d bytes, or something that HTTP Basic can't carry (colon, control characters)", maxUser)
	case len(n.Secret) < minSecret || len(n.Secret) > maxSecret || !printable(n.Secret):
		return Credential{}, "", invalid("secret: not %d to %d bytes, or with control characters", minSecret, maxSecret)
	case len(n.Note) > maxNote || !utf8.ValidString(n.Note):
		return Credential{}, "", invalid("note: more than %d bytes, or not UTF-8", maxNote)
	case n.Expires != nil && !n.Expires.After(now):
		return Credential{}, "", invalid("expires: is over already")
	}
	for _, r := range n.Rights {
		if r != Push && r != Pull {
			return Credential{}, "", invalid("rights: %.64q is not push or pull", r)
		}
	}
	return Credential{
		ID: n.ID, Endpoint: n.Endpoint, Rights: n.Rights, User: n.User, Note: n.Note, Created: now.UTC().Truncate(time.Second), Expires: n.Expires,
	}, n.Secret, nil
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7F })
}

// randomText returns n random bytes as text that needs no escaping anywhere.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	// A letter first: it may stand where a name is asked for.
	return "k" + base64.RawURLEncoding.EncodeToString(b)
}

// digest is what is stored of a secret. The secrets made here have 192 random
// bits, those that operators bring at least 16 characters: what slows guessing is
// the Gate, not the hash; the salt keeps equal secrets from showing.
func digest(salt []byte, secret string) [sha256.Size]byte {
	return sha256.Sum256(append(slices.Clone(salt), secret...))
}

// stored is a credential as its channel's record holds it.
type stored struct {
	Credential
	Digest string `json:"digest"` // hex
}

func (s stored) digest() (d [sha256.Size]byte, ok bool) {
	b, err := hex.DecodeString(s.Digest)
	return d, err == nil && copy(d[:], b) == len(d)
}

// has tells whether a record has a credential as it is asked for, with an id and a secret.
func (r Record) has(n NewCredential) bool {
	want, secret, err := n.complete(r.Channel.Name, time.Time{})
	if err != nil {
		return false
	}
	return slices.ContainsFunc(r.digests, func(s stored) bool {
		d, ok := s.digest()
		return ok && d == digest(r.salt, secret) && s.ID == want.ID && s.Endpoint == want.Endpoint && s.User == want.User &&
			s.Note == want.Note && slices.Equal(s.Rights, want.Rights) && sameTime(s.Expires, want.Expires)
	})
}

// sameTime tells whether two times, of which nil is none, are the same.
func sameTime(a, b *time.Time) bool {
	return a == b || a != nil && b != nil && a.Equal(*b)
}
