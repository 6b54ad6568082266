package access

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/queuestatetransfer/qst/services/api/internal/duration"
	"github.com/queuestatetransfer/qst/services/api/internal/queue"
)

// Errors of this package, beside those of Redis (wrapped in storage.ErrUnavailable).
var (
	ErrInvalid    = errors.New("invalid")                         // what an operator sent; the text says what
	ErrNotFound   = errors.New("not found")                       // channel or credential
	ErrExists     = errors.New("it exists already")               // channel or credential
	ErrStale      = errors.New("it has been changed meanwhile")   // the revision is an old one
	ErrTooMany    = errors.New("the channel has all it may have") // credentials
	ErrMissing    = errors.New("no credentials")                  // they are needed
	ErrUnknown    = errors.New("unknown or wrong credentials")    // or unknown channel: the same
	ErrForbidden  = errors.New("this credential may not do this here")
	ErrTooManyBad = errors.New("too many wrong credentials")
)

// Bounds of what operators say of a channel.
const (
	maxNote        = 1024 // bytes
	maxLabels      = 32
	maxLabel       = 128 // bytes of a label's name or value
	maxCredentials = 32  // of a channel
)

// ChannelName matches what may name a channel; see "URLs" in the protocol.
var ChannelName = regexp.MustCompile(`^[A-Za-z0-9+][A-Za-z0-9._~@+-]{0,127}$`)

var labelName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]{0,126}[A-Za-z0-9])?$`)

// Duration is a time.Duration, written like "14d", "336h" or "90s".
type Duration time.Duration

// MarshalText writes d as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what package duration takes.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := duration.Parse(string(text))
	if err != nil {
		return fmt.Errorf("%w: %.64q is not a duration like \"14d\", \"336h\" or \"90s\"", ErrInvalid, text)
	}
	*d = Duration(v)
	return nil
}

// isTTL tells whether messages can be valid for so long; 0 is for ever.
func (d *Duration) isTTL() bool {
	return *d == 0 || *d >= Duration(time.Second) && *d <= Duration(87600*time.Hour)
}

// Settings are what a channel has otherwise than the service's configuration; a
// field that is nil is as configured.
type Settings struct {
	QueueMaxMessages *int64    `json:"queue_max_messages,omitempty" yaml:"queue_max_messages"`
	QueueMaxBytes    *int64    `json:"queue_max_bytes,omitempty"    yaml:"queue_max_bytes"`
	Retention        *Duration `json:"retention,omitempty"          yaml:"retention"`     // 0: for ever
	DedupWindow      *Duration `json:"dedup_window,omitempty"       yaml:"dedup_window"`  // 0: off
	ReportStates     *bool     `json:"report_states,omitempty"      yaml:"report_states"` // what phones report of messages is told in the application's queue
	InboundTTL       *Duration `json:"inbound_ttl,omitempty"        yaml:"inbound_ttl"`   // how long a message is valid that says nothing of it; 0: for ever
	OutboundTTL      *Duration `json:"outbound_ttl,omitempty"       yaml:"outbound_ttl"`
	PushRate         *int64    `json:"push_rate,omitempty"          yaml:"push_rate"`      // messages a second; 0: any
	MaxDeliveries    *int      `json:"max_deliveries,omitempty"     yaml:"max_deliveries"` // 0: never a dead letter
}

// Limits returns the limits of a channel with these settings.
func (s Settings) Limits(defaults queue.Limits) queue.Limits {
	l := defaults
	if s.QueueMaxMessages != nil {
		l.MaxMessages = *s.QueueMaxMessages
	}
	if s.QueueMaxBytes != nil {
		l.MaxBytes = *s.QueueMaxBytes
	}
	if s.Retention != nil {
		l.Retention = time.Duration(*s.Retention)
	}
	if s.DedupWindow != nil {
		l.DedupWindow = time.Duration(*s.DedupWindow)
	}
	if s.InboundTTL != nil {
		l.InboundTTL = time.Duration(*s.InboundTTL)
	}
	if s.OutboundTTL != nil {
		l.OutboundTTL = time.Duration(*s.OutboundTTL)
	}
	if s.MaxDeliveries != nil {
		l.MaxDeliveries = *s.MaxDeliveries
	}
	return l
}

// Rate returns how many messages a second a channel with these settings may push; 0: any number.
func (s Settings) Rate(usual int64) int64 {
	if s.PushRate != nil {
		return *s.PushRate
	}
	return usual
}

// retention is the channel's own retention as scripts read it from the record, in ms; "": it
// has none.
func (s Settings) retention() string {
	if s.Retention == nil {
		return ""
	}
	return strconv.FormatInt(time.Duration(*s.Retention).Milliseconds(), 10)
}

// Channel is what operators say of a channel.
type Channel struct {
	Name     string            `json:"name"             yaml:"name"`
	Note     string            `json:"note,omitempty"   yaml:"note"`
	Labels   map[string]string `json:"labels,omitempty" yaml:"labels"`
	Settings Settings          `json:"settings"         yaml:"settings"`

	Created  time.Time `json:"created"  yaml:"-"`
	Changed  time.Time `json:"changed"  yaml:"-"`
	Revision int64     `json:"revision" yaml:"-"` // grows with each change
}

// validate returns ErrInvalid, saying what of a channel is.
func (c Channel) validate() error {
	switch s := c.Settings; {
	case !ChannelName.MatchString(c.Name):
		return invalid(`name: a channel's name is 1 to 128 characters of "A-Z a-z 0-9 . _ ~ @ + -" and starts with a letter, a digit or "+"`)
	case len(c.Note) > maxNote || !utf8.ValidString(c.Note):
		return invalid("note: more than %d bytes, or not UTF-8", maxNote)
	case len(c.Labels) > maxLabels:
		return invalid("labels: more than %d", maxLabels)
	case s.QueueMaxMessages != nil && (*s.QueueMaxMessages < 1 || *s.QueueMaxMessages > 1_000_000_000):
		return invalid("settings.queue_max_messages: not 1 to 1000000000")
	case s.QueueMaxBytes != nil && (*s.QueueMaxBytes < 1 || *s.QueueMaxBytes > 1<<40):
		return invalid("settings.queue_max_bytes: not 1 to %d", int64(1)<<40)
	case s.Retention != nil && *s.Retention != 0 && (*s.Retention < Duration(100*time.Millisecond) || *s.Retention > Duration(87600*time.Hour)):
		return invalid("settings.retention: not 100ms to 87600h, or 0s (for ever)")
	case s.DedupWindow != nil && *s.DedupWindow != 0 && (*s.DedupWindow < Duration(time.Second) || *s.DedupWindow > Duration(720*time.Hour)):
		return invalid("settings.dedup_window: not 1s to 720h, or 0s (off)")
	case s.InboundTTL != nil && !s.InboundTTL.isTTL():
		return invalid("settings.inbound_ttl: not 1s to 87600h, or 0s (for ever)")
	case s.OutboundTTL != nil && !s.OutboundTTL.isTTL():
		return invalid("settings.outbound_ttl: not 1s to 87600h, or 0s (for ever)")
	case s.PushRate != nil && (*s.PushRate < 0 || *s.PushRate > 1_000_000_000):
		return invalid("settings.push_rate: not 0 (any) to 1000000000")
	case s.MaxDeliveries != nil && (*s.MaxDeliveries < 0 || *s.MaxDeliveries > 1_000_000):
		return invalid("settings.max_deliveries: not 0 (never) to 1000000")
	}
	for name, value := range c.Labels {
		if !labelName.MatchString(name) {
			return invalid("labels: name %.64q is not 1 to 128 of \"A-Z a-z 0-9 . _ / -\", a letter or digit first and last", name)
		}
		if len(value) > maxLabel || !utf8.ValidString(value) {
			return invalid("labels: the value of %q has more than %d bytes, or is not UTF-8", name, maxLabel)
		}
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
