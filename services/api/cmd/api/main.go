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
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/queuestatetransfer/qst/services/api/internal/app"
	"github.com/queuestatetransfer/qst/services/api/internal/config"
	"github.com/queuestatetransfer/qst/services/api/internal/telemetry"
)

// What the build says of itself (-ldflags "-X main.version=… -X main.commit=… -X main.date=…").
var version, commit, date = "dev", "", ""

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
	flags.Usage = func() {} // not for a mistake, whose line it would carry away
	usage := func() {
		flags.SetOutput(stdout)
		fmt.Fprintln(flags.Output(), "Usage: api [--check | --version]\n       api [--check] webhooks\n\napi serves the protocol. api webhooks brings the messages of queues that have a\nwebhook to their URLs; any number of both share a Redis.")
		flags.PrintDefaults()
		config.Usage(flags.Output())
	}
	showVersion := flags.Bool("version", false, "print the version and exit")
	check := flags.Bool("check", false, "check the configuration, with the files that it names, and exit: 0 if a replica would start with it, else 2; Redis is not asked")
	if err := flags.Parse(args); err != nil {
		if err == flag.ErrHelp { //nolint:errorlint // flag returns it as it is
			usage()
			return 0
		}
		fmt.Fprintln(stderr, "api --help lists the flags and the variables")
		return 2
	}
	webhooks := flags.Arg(0) == "webhooks"
	if flags.NArg() > 1 || flags.NArg() == 1 && !webhooks {
		fmt.Fprintf(stderr, "api takes no argument but webhooks, and was given %q: see api --help\n", flags.Args())
		return 2
	}
	if *showVersion {
		fmt.Fprintln(stdout, strings.TrimSpace(fmt.Sprintf("%s %s %s", version, commit, date)))
		return 0
	}
	cfg, err := config.Load()
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	if *check {
		err := app.Check(cfg)
		if err == nil && webhooks {
			err = app.CheckWebhooks(cfg)
		}
		if err != nil {
			fmt.Fprintln(stderr, err)
			return 2
		}
		for _, w := range cfg.Warnings() {
			fmt.Fprintln(stderr, "warning:", w)
		}
		fmt.Fprintln(stdout, "the configuration is good")
		return 0
	}
	log := telemetry.NewLogger(stderr, cfg.LogLevel, cfg.LogFormat == config.LogText)
	redis.SetLogger(redisLog{log})
	err = serve(ctx, cfg, webhooks, log)
	if err != nil {
		log.ErrorContext(ctx, "the service can't serve", "error", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, cfg config.Config, webhooks bool, log *slog.Logger) error {
	build := telemetry.Build{Version: version, Commit: commit, Date: date}
	if webhooks {
		w, err := app.NewWebhooks(ctx, cfg, build, log)
		if err != nil {
			return err
		}
		return w.Run(ctx)
	}
	a, err := app.New(ctx, cfg, build, log)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// redisLog takes what go-redis has to say (reconnections, fail-overs) into our log.
type redisLog struct{ log *slog.Logger }

func (l redisLog) Printf(ctx context.Context, format string, v ...any) {
	l.log.DebugContext(ctx, "go-redis", "says", fmt.Sprintf(format, v...))
}
