package gateway

import (
	"errors"
	"fmt"
	"time"
)

// Settings are what every bridge's configuration has in its table [bridge].
type Settings struct {
	State      string   `toml:"state"`       // directory; required
	Listen     string   `toml:"listen"`      // address of /metrics and /healthz, and of what the gateway calls; "": none
	Reports    string   `toml:"reports"`     // all, final or none; default all
	Batch      int      `toml:"batch"`       // messages to pull at once; default 20
	MaxLength  int      `toml:"max-length"`  // of a text, in UTF-16 units; default 1530
	SpoolMax   int      `toml:"spool-max"`   // messages that wait for the service; default 100 000
	RetryMax   Duration `toml:"retry-max"`   // longest pause between two tries to hand a text over; default 30s
	ReportWait Duration `toml:"report-wait"` // after which a text without a final report is unknown; default 72h
	Remember   Duration `toml:"remember"`    // how long a text is remembered after its final report; default 24h
}

// Duration is a time.Duration that is written as in "30s".
type Duration struct{ time.Duration }

// UnmarshalText reads "30s".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 30s", text)
	}
	d.Duration = parsed
	return nil
}

// Or returns d, or a default if d is not set.
func (d Duration) Or(other time.Duration) Duration {
	if d.Duration == 0 {
		return Duration{other}
	}
	return d
}

func (s Settings) withDefaults() Settings {
	if s.Reports == "" {
		s.Reports = "all"
	}
	for _, d := range []struct {
		setting *int
		value   int
	}{{&s.Batch, 20}, {&s.MaxLength, 1530}, {&s.SpoolMax, 100_000}} {
		if *d.setting == 0 {
			*d.setting = d.value
		}
	}
	s.RetryMax = s.RetryMax.Or(30 * time.Second)
	s.ReportWait = s.ReportWait.Or(72 * time.Hour)
	s.Remember = s.Remember.Or(24 * time.Hour)
	return s
}

// ErrSettings is wrapped by errors of a configuration.
var ErrSettings = errors.New("configuration")

func (s Settings) check() error {
	switch {
	case s.State == "":
		return fmt.Errorf("%w: [bridge] state: which directory?", ErrSettings)
	case s.Reports != "all" && s.Reports != "final" && s.Reports != "none":
		return fmt.Errorf("%w: [bridge] reports = %q: not all, final or none", ErrSettings, s.Reports)
	case s.Batch < 1 || s.Batch > 1000:
		return fmt.Errorf("%w: [bridge] batch = %d: not 1 to 1000", ErrSettings, s.Batch)
	case s.MaxLength < 1 || s.SpoolMax < 1 || s.RetryMax.Duration < 0 || s.ReportWait.Duration < 0 || s.Remember.Duration < 0:
		return fmt.Errorf("%w: [bridge] a negative number", ErrSettings)
	}
	return nil
}
