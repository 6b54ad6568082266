package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/client"
)

// Exit codes, as the help says.
const (
	exitOK          = 0
	exitFailed      = 1 // it may work another time: the server can't be reached, a file can't be written
	exitUsage       = 2 // called or configured wrongly
	exitRefused     = 3 // the server will never take this
	exitStopped     = 4 // wrong credentials, not allowed, or the wrong URL
	exitFindings    = 5 // qst doctor found something, or a case of qst conformance failed
	exitConflict    = 6 // qst admin: it is not as the call takes it to be
	exitCodesOfHelp = `Exit codes:
  0  done
  1  failed, and may work another time: the server can't be reached, say
  2  called or configured wrongly
  3  refused: the server will never take this message; admin: not valid, or not there
  4  wrong credentials, not allowed, or the wrong URL
  5  doctor found something to change; conformance: a case failed
  6  admin: it exists already, was changed meanwhile, or the count is another one`
)

// errFindings says that the report, already written, has something bad in it.
var errFindings = errors.New("something is wrong")

// app is one call of the program.
type app struct {
	terminal

	stdin *bufio.Reader // of in
	log   *slog.Logger

	// Flags of all commands.
	configPath, profile     string
	url, user, passwordFile string
	wait                    string
	adminURL, tokenFile     string
	output                  string
	verbose                 bool
	timeout                 time.Duration
	timeoutSet              bool

	server string // the URL of an endpoint, if it has no path
	waited func() // ends what is said of waiting
}

// run runs a command line and returns its exit code.
func run(ctx context.Context, t terminal, args []string) int {
	a := &app{terminal: t, stdin: bufio.NewReader(t.in), waited: func() {}}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(t.in)
	root.SetOut(t.out)
	root.SetErr(t.err)
	err := root.ExecuteContext(ctx)
	a.waited()
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errFindings) {
		fmt.Fprintf(t.err, "qst: %s%s\n", visible(err.Error()), a.pathMissing(err))
	}
	return exitCode(err)
}

// pathMissing says what may be wrong with a URL that has no path.
func (a *app) pathMissing(err error) string {
	if a.server == "" || errors.Is(err, errUsage) {
		return ""
	}
	return fmt.Sprintf("; %s is a server: does the URL lack a path such as /v2/channels/NAME/gateway?", visible(a.server))
}

func exitCode(err error) int {
	var (
		refused *client.RejectedError
		stop    *client.EndpointError
		admin   *adminError
	)
	switch {
	case errors.Is(err, errUsage), errors.Is(err, client.ErrURL), errors.Is(err, client.ErrFile), errors.Is(err, client.ErrCheckpoint):
		return exitUsage
	case errors.Is(err, errFindings):
		return exitFindings
	case errors.As(err, &refused):
		return exitRefused
	case errors.As(err, &stop):
		return exitStopped
	case errors.As(err, &admin):
		return admin.exit()
	default:
		return exitFailed
	}
}

func (a *app) root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "qst",
		Short: "Push and pull messages over QST",
		Long: `qst pushes messages into QST queues, pulls them out, relays them between
servers, connects SMS gateways to channels, finds out what is wrong on the way to a
server, tests servers and clients, and manages a service.

A server is named by the URL of an endpoint, such as
https://qst.example.org/v2/channels/acme/application, or by a profile:

  # ~/.config/qst/config.toml ($XDG_CONFIG_HOME/qst/config.toml)
  default = "acme"

  [profiles.acme]
  url = "https://qst.example.org/v2/channels/acme/application"
  user = "acme"
  password-file = "/run/secrets/acme"   # or password = "…"
  wait = "25s"                          # of a long poll; default 50s

Flags take precedence over the environment, and the environment over the profile:

  QSTC_URL  QSTC_USER  QSTC_PASSWORD  QSTC_PASSWORD_FILE  QSTC_WAIT
  QSTC_PROFILE (name of the profile)  QSTC_CONFIG (the file's path)
  QSTC_OUTPUT (text or json)
  QSTC_ADMIN_URL  QSTC_ADMIN_TOKEN  QSTC_ADMIN_TOKEN_FILE (see qst admin)

They start with QSTC_ because QST_ belongs to the service, which refuses to start with
variables that it does not know. If the URL comes from a flag or the environment, the
default profile is not used, so that its password is not sent to another server. There is
no flag for a password, because everyone on the machine can read a command line.

SSL_CERT_FILE names the file of a private certificate authority, HTTPS_PROXY a proxy for
outgoing requests.

` + exitCodesOfHelp,
		Version:           programVersion(),
		SilenceErrors:     true,
		SilenceUsage:      true,
		Args:              noSuchCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.prepare(cmd) },
	}
	cmd.SetFlagErrorFunc(flagError)
	f := cmd.PersistentFlags()
	f.StringVar(&a.configPath, "config", "", "configuration `file`")
	f.StringVarP(&a.profile, "profile", "p", "", "`name` of a profile in the configuration file")
	f.StringVar(&a.url, "url", "", "`URL` of the endpoint")
	f.StringVar(&a.user, "user", "", "user `name`")
	f.StringVar(&a.passwordFile, "password-file", "", "`file` with the password in its first line; - is the standard input")
	f.StringVar(&a.wait, "wait", "", "how long a poll waits for a message, such as 25s")
	f.StringVarP(&a.output, "output", "o", "auto", "text for people, json for programs; auto: QSTC_OUTPUT, or else text; pull to a pipe: json")
	f.DurationVar(&a.timeout, "timeout", 5*time.Minute, "how long to go on trying while the server can't be reached or is unavailable; 0: as long as it takes")
	f.BoolVarP(&a.verbose, "verbose", "v", false, "say more on the standard error")
	complete(cmd, "output", "auto", "text", "json")
	_ = cmd.RegisterFlagCompletionFunc("profile", a.completeProfiles)
	cmd.AddCommand(a.pushCommand(), a.pullCommand(), a.relayCommand(), a.gatewayCommand(), a.doctorCommand(), a.conformanceCommand(), a.adminCommand(), a.profileCommand(), a.smsCommand(), a.versionCommand(), manCommand())
	cmd.SetHelpCommand(helpCommand())
	addCompletion(cmd)
	usageOfArguments(cmd.Commands())
	return cmd
}

// prepare is what there is to do before any command.
func (a *app) prepare(cmd *cobra.Command) error {
	if err := emptyFlag(cmd); err != nil {
		return err
	}
	if a.timeout < 0 {
		return usagef("--timeout %v is less than 0", a.timeout)
	}
	a.timeoutSet = cmd.Flags().Changed("timeout")
	if a.verbose {
		a.log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelInfo}))
	} else {
		handler, done := newWaiting(a.terminal, a.timeout)
		a.log, a.waited = slog.New(handler), done
	}
	if a.output == "auto" {
		a.output = cmp.Or(a.env("QSTC_OUTPUT"), "auto")
	}
	switch a.output {
	case "auto":
		a.output = "text"
		// A table does not hold all of a message, and what pull has written is gone.
		if cmd.Name() == "pull" && !a.outTTY {
			a.output = "json"
		}
	case "text", "json":
	default:
		return usagef("--output %q is not auto, text or json", a.output)
	}
	return nil
}

// complete has the shell complete a flag with one of values.
func complete(cmd *cobra.Command, flag string, values ...string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

func (a *app) completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.profileNames(), cobra.ShellCompDirectiveNoFileComp
}
