package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/client"
	"github.com/queuestatetransfer/qst/pkg/gateway"
)

func (a *app) gatewayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Run an SMS gateway that people already have on a channel",
		Long: `A bridge runs beside an SMS gateway and is a QSTv2 client on the gateway's channel. It
hands the channel's messages to the gateway, pushes the texts that the gateway receives,
and reports to the application what became of each text (properties qst-message, qst-status
and qst-code). Nothing is lost when the bridge, the gateway, the service or the network
fails; docs/gateways says for each gateway what it cannot report.

Each bridge has a configuration file in TOML. All have these two tables:

  [qst]
  url = "https://qst.example.org/v2/channels/acme/gateway"
  user = "acme"
  password-file = "/etc/qst/password"     # or password = "…"
  wait = "25s"                            # of a long poll; default 50s

  [bridge]
  state = "/var/lib/qst-gateway/acme"     # required; one bridge at a time has it
  listen = "127.0.0.1:9465"               # /metrics and /healthz; default none
  reports = "all"                         # or "final", "none"
  batch = 20                              # messages to pull at once
  max-length = 1530                       # of a text, in UTF-16 units: longer ones are rejected
  spool-max = 100000                      # messages that wait for the service
  retry-max = "30s"                       # longest pause between two tries to hand a text over
  report-wait = "72h"                     # after which a text without a final report is unknown
  remember = "24h"                        # how long a text is known after that`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.gatewayGammu(), a.gatewayKannel(), a.gatewaySmsgate(), a.gatewaySmstools())
	return cmd
}

// bridged is what the commands need of a gateway.
type bridged interface {
	gateway.Gateway
	Check() []gateway.Finding
}

// gatewayFlags are what every bridge's command has.
type gatewayFlags struct {
	path  string
	check bool
}

func (f *gatewayFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.path, "config", "", "the bridge's configuration `file`")
	cmd.Flags().BoolVar(&f.check, "check", false, "say what is wrong with the gateway, the way to the service and the configuration, and end")
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if f.path == "" {
			return usagef("--config is missing: %s --config FILE", cmd.CommandPath())
		}
		return nil
	}
}

// gatewayConfig is what every bridge's configuration has.
type gatewayConfig struct {
	QST    settings         `toml:"qst"`
	Bridge gateway.Settings `toml:"bridge"`
}

// readGateway reads a bridge's configuration into c.
func readGateway(path string, c any) error {
	meta, err := toml.DecodeFile(path, c)
	if err != nil {
		return usagef("configuration %s: %w", path, tomlError(err))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return usagef("configuration %s: %s is not a setting", path, unknown[0])
	}
	return nil
}

// bridge runs a bridge, or checks it.
func (a *app) bridge(ctx context.Context, f gatewayFlags, c gatewayConfig, g bridged) error {
	if f.check {
		return a.checkBridge(ctx, c, g)
	}
	for _, found := range g.Check() {
		switch {
		case found.OK:
		case found.Note:
			a.log.WarnContext(ctx, "check", "what", found.Check, "found", found.Found, "advice", found.Advice)
		default:
			return usagef("%s: %s: %s", found.Check, found.Found, found.Advice)
		}
	}
	// The queue outlasts any outage, and so does the bridge.
	qst, err := a.connect(c.QST, client.WithRetry(retryFirst, retryMost, 0))
	if err != nil {
		return err
	}
	b, err := gateway.New(c.Bridge, qst, g, a.log)
	if err != nil {
		return gatewayError(err)
	}
	a.log.InfoContext(ctx, "bridge starts", "channel", qst.URL(), "state", c.Bridge.State)
	err = b.Run(ctx)
	if closing := b.Close(); closing != nil {
		err = errors.Join(err, closing)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		a.log.InfoContext(ctx, "bridge ends")
		return nil
	}
	return gatewayError(err)
}

func gatewayError(err error) error {
	if errors.Is(err, gateway.ErrSettings) {
		return usagef("%w", err)
	}
	return err
}

// daemonLog is the log of a command that runs for long.
func (a *app) daemonLog() {
	level := slog.LevelInfo
	if a.verbose {
		level = slog.LevelDebug
	}
	a.log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
}

// checkBridge writes what is wrong, and what is not.
func (a *app) checkBridge(ctx context.Context, c gatewayConfig, g bridged) error {
	d := &doctor{report: a.report}
	for _, found := range g.Check() {
		v := bad
		switch {
		case found.OK:
			v = good
		case found.Note:
			v = note
		}
		d.find(finding{Check: found.Check, Verdict: v, Found: found.Found, Advice: found.Advice})
	}
	state := gateway.CheckFolder("state", c.Bridge.State)
	if state.OK {
		d.okf("state", "%s", state.Found)
	} else {
		d.wrong("state", state.Found, state.Advice)
	}
	err := a.examine(ctx, doctorFlags{time: time.Second}, c.QST)
	if err == nil && d.bad {
		return errFindings
	}
	return err
}

// gatewayCommandOf makes a bridge's command: open reads its configuration.
func (a *app) gatewayCommandOf(use, short, long string, open func(path string) (gatewayConfig, bridged, error)) (*cobra.Command, *gatewayFlags) {
	f := &gatewayFlags{}
	cmd := &cobra.Command{
		Use: use + " --config FILE", Short: short, Long: long, Args: cobra.NoArgs,
		Example: fmt.Sprintf("  qst gateway %s --config /etc/qst/%s.toml --check\n  qst gateway %s --config /etc/qst/%s.toml", use, use, use, use),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.daemonLog()
			c, g, err := open(f.path)
			if err != nil {
				return gatewayError(err)
			}
			return a.bridge(cmd.Context(), *f, c, g)
		},
	}
	f.add(cmd)
	return cmd, f
}
