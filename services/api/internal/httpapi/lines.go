package httpapi

import (
	"context"
	"log/slog"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/queuestatetransfer/qst/services/api/internal/access"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// lines bounds the log lines of what is refused, which anybody can cause: so many a second
// for each channel whose credentials were good, and so many for all others together. The next
// line says how many were left out.
type lines struct {
	perSecond int64
	rates     *rates
	leftOut   atomic.Int64
}

func newLines(perSecond int) *lines {
	return &lines{perSecond: int64(perSecond), rates: newRates(perSecond)}
}

// next tells whether a line may be written, of a channel ("": of somebody else), and how many
// were left out before it.
func (l *lines) next(channel string) (leftOut int64, ok bool) {
	if l.rates.take(channel, l.perSecond, 1) > 0 {
		l.leftOut.Add(1)
		return 0, false
	}
	return l.leftOut.Swap(0), true
}

func leftOutAttr(n int64) slog.Attr {
	if n == 0 {
		return slog.Attr{}
	}
	return slog.Int64("left_out", n)
}

// What credentials are for.
const (
	guessOfChannel = "channel"
	guessOfAdmin   = "admin"
)

// GuessReporter returns what counts and logs wrong credentials of channels, at most so many
// lines a second.
func GuessReporter(m *telemetry.Metrics, log *slog.Logger, perSecond int) func(access.Guess, string) {
	return guessReporter(guessOfChannel, m, log, perSecond)
}

// guesses are the attributes of wrong credentials, by what became of them.
func guesses(of string) map[string]metric.MeasurementOption {
	counted := make(map[string]metric.MeasurementOption)
	for _, outcome := range []string{access.GuessWrong, access.GuessTurnedAway, access.GuessGivenUp} {
		counted[outcome] = metric.WithAttributeSet(attribute.NewSet(attribute.String("of", of), attribute.String("outcome", outcome)))
	}
	return counted
}

func guessReporter(of string, m *telemetry.Metrics, log *slog.Logger, perSecond int) func(access.Guess, string) {
	counted := guesses(of)
	l := newLines(perSecond)
	return func(g access.Guess, outcome string) {
		m.Guesses.Add(context.Background(), 1, counted[outcome])
		if n, ok := l.next(""); ok {
			log.LogAttrs(context.Background(), slog.LevelInfo, "wrong credentials",
				slog.String("of", of), slog.String("channel", g.Name), slog.String("address", g.Address), slog.String("outcome", outcome), leftOutAttr(n))
		}
	}
}
