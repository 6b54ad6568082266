// Command api is the service: one replica of QST's HTTP API on Redis. It is
// configured by the environment; api --help lists the variables.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/queuestatetransfer/qst/services/api/internal/app"
	"github.com/queuestatetransfer/qst/services/api/internal/config"
)

// version is set by the build (-ldflags "-X main.version=…").
var version = "dev"

func main() {
	// The first signal drains; the second one, back to its default, ends at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit code: 0 after a drain, 1 if the service can't serve, 2
// if it was called or configured wrongly.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("api", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { config.Usage(flags.Output()) }
	showVersion := flags.Bool("version", false, "print the version and exit")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp { //nolint:errorlint // flag returns it as it is
			return 0
		}
		return 2
	}
	if *showVersion {
		fmt.Fprintln(stdout, version)
		return 0
	}
	cfg, err := config.Load()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	log := newLogger(cfg, stderr)
	a, err := app.New(ctx, cfg, version, log)
	if err == nil {
		err = a.Run(ctx)
	}
	if err != nil {
		log.ErrorContext(ctx, "the service can't serve", "error", err)
		return 1
	}
	return 0
}

func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == config.LogText {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
