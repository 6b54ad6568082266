package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/conformance"
)

// conformanceFlags are those of both commands, that for servers and that for clients.
type conformanceFlags struct {
	only            string
	levels          []string
	list            bool
	parallel        int
	patience        time.Duration
	jsonTo, junitTo string
}

type serverFlags struct {
	conformanceFlags

	second       string
	limits       map[string]string
	makeChannels bool
}

func (a *app) conformanceCommand() *cobra.Command {
	var n serverFlags
	cmd := &cobra.Command{
		Use:   "conformance URL",
		Short: "Test whether a server keeps to the protocol",
		Long: `Runs the public conformance suite of QSTv2 against a server: several hundred cases,
each of which holds the server to one sentence of the protocol and says which. It needs
only the server's URL, such as https://qst.example.org. If a server does not have its
channels below /v2/channels/, give a URL that ends in
{channel}. The cases push and pull in channels with long random names, and leave a few
messages there.

Levels: wiki (the protocol's authors' page), contract (docs/protocol.md), limits (what
is beyond the server's limits: --limit tells them), version1 and reports (QST version 1,
optional). Without --level all of them run, and those a server does not have fail.

Credentials: --user and QSTC_PASSWORD or --password-file, if one user may use all
channels. For a service that gives each channel its own (this project's), --make-channels
makes the channels and their credentials through its admin API, and deletes them at
the end; see qst admin for the URL and the token.

With --second, the URL of another replica of the same service, all cases speak with
both.

Clients are tested by qst conformance client.`,
		Example: `  qst conformance http://localhost:8080
  qst conformance --level wiki,contract --only '^poll/' --junit report.xml https://qst.example.org
  qst conformance --list --only duplicate`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.conformServer(cmd.Context(), n, args) },
	}
	n.register(cmd, conformance.Levels())
	f := cmd.Flags()
	f.StringVar(&n.second, "second", "", "`URL` of another replica of the same service")
	f.StringToStringVar(&n.limits, "limit", nil, "what the server is configured for: push-bytes, push-messages, message-bytes, pull-bytes, queue-messages, long-poll; as in push-bytes=1048576,long-poll=50s")
	f.BoolVar(&n.makeChannels, "make-channels", false, "make channels and their credentials through the admin API")
	f.StringVar(&a.adminURL, "admin-url", "", "`URL` of the service's internal listener, for --make-channels")
	f.StringVar(&a.tokenFile, "token-file", "", "`file` with the admin API's token, for --make-channels")
	cmd.AddCommand(a.conformanceClientCommand())
	return cmd
}

func (n *conformanceFlags) register(cmd *cobra.Command, levels []conformance.Level) {
	f := cmd.Flags()
	f.StringVar(&n.only, "only", "", "run the cases whose names match the regular `expression`")
	f.StringSliceVar(&n.levels, "level", nil, "run the cases of these levels: "+join(levels, ", "))
	f.BoolVar(&n.list, "list", false, "list the cases, and run none")
	f.IntVar(&n.parallel, "parallel", 8, "how many cases run side by side")
	f.DurationVar(&n.patience, "patience", 30*time.Second, "how long an answer is waited for")
	f.StringVar(&n.jsonTo, "json", "", "`file` to write the report to as JSON")
	f.StringVar(&n.junitTo, "junit", "", "`file` to write the report to as JUnit's XML")
	_ = cmd.RegisterFlagCompletionFunc("level", cobra.FixedCompletions(strings.Split(join(levels, " "), " "), cobra.ShellCompDirectiveNoFileComp))
}

func join(levels []conformance.Level, separator string) string {
	l := make([]string, len(levels))
	for i := range levels {
		l[i] = string(levels[i])
	}
	return strings.Join(l, separator)
}

// chosen returns the expression and the levels that the flags choose cases by.
func (n *conformanceFlags) chosen(all []conformance.Level) (*regexp.Regexp, []conformance.Level, error) {
	levels := make([]conformance.Level, 0, len(n.levels))
	for _, l := range n.levels {
		if !slices.Contains(all, conformance.Level(l)) {
			return nil, nil, usagef("--level %s: not one of %s", l, join(all, ", "))
		}
		levels = append(levels, conformance.Level(l))
	}
	if n.parallel < 1 || n.patience <= 0 {
		return nil, nil, usagef("--parallel %d, --patience %v: not above 0", n.parallel, n.patience)
	}
	names, err := regexp.Compile(n.only)
	if err != nil {
		return nil, nil, usagef("--only: %w", err)
	}
	return names, levels, nil
}

func (a *app) conformServer(ctx context.Context, n serverFlags, args []string) error {
	names, levels, err := n.chosen(conformance.Levels())
	if err != nil {
		return err
	}
	cases := conformance.Select(conformance.Cases(), names, levels...)
	if len(cases) == 0 {
		return usagef("no case is called so: see qst conformance --list")
	}
	if n.list {
		for _, c := range cases {
			if err := a.listCase(listedCase{c.Name, c.Level, c.Holds, c.Sends, c.Accepts}); err != nil {
				return err
			}
		}
		return nil
	}
	if len(args) == 0 {
		return usagef("which server? qst conformance URL")
	}
	target, err := a.conformanceTarget(n, args[0])
	if err != nil {
		return err
	}
	target.Client = conformance.NewClient()
	defer target.Client.CloseIdleConnections()
	if err := reachable(ctx, target); err != nil {
		return err
	}
	var channels *madeChannels
	if n.makeChannels {
		admin, err := a.admin()
		if err != nil {
			return err
		}
		channels = &madeChannels{admin: admin}
		target.Grant = channels.grant
	}
	p := &conformanceProgress{app: a, total: len(cases), progress: progress{t: a.terminal}}
	report, err := conformance.Run(ctx, cases, target, n.parallel, p.done)
	p.progress.clear()
	if channels != nil {
		p.progress.showf("deleting %d channels", len(channels.names))
		err = errors.Join(err, channels.remove(ctx))
		p.progress.clear()
	}
	return a.concludeConformance(n.conformanceFlags, "server", report, err)
}

// conformanceTarget is the server that arguments and environment name.
func (a *app) conformanceTarget(n serverFlags, server string) (conformance.Target, error) {
	t := conformance.Target{URL: server, Second: n.second, Patience: n.patience}
	for _, u := range []string{server, n.second} {
		if err := conformance.CheckURL(u); err != nil && u != "" {
			return t, usagef("%w", err)
		}
	}
	s := settings{User: a.user, PasswordFile: a.passwordFile}.or(settings{User: a.env("QSTC_USER"), Password: a.env("QSTC_PASSWORD"), PasswordFile: a.env("QSTC_PASSWORD_FILE")})
	if n.makeChannels && a.user != "" {
		return t, usagef("--make-channels makes credentials, --user has them: one of the two")
	}
	if !n.makeChannels {
		var err error
		if t.Password, err = a.password(s); err != nil {
			return t, err
		}
		t.User = s.User
	}
	for _, name := range slices.Sorted(maps.Keys(n.limits)) {
		value := n.limits[name]
		count, err := strconv.Atoi(value)
		switch name {
		case "push-bytes":
			t.Limits.PushBytes = count
		case "push-messages":
			t.Limits.PushMessages = count
		case "message-bytes":
			t.Limits.MessageBytes = count
		case "pull-bytes":
			t.Limits.PullBytes = count
		case "queue-messages":
			t.Limits.QueueMessages = count
		case "long-poll":
			t.Limits.LongPoll, err = time.ParseDuration(value)
			count = int(t.Limits.LongPoll)
		default:
			return t, usagef("--limit %s: not push-bytes, push-messages, message-bytes, pull-bytes, queue-messages or long-poll", name)
		}
		if err != nil || count <= 0 {
			return t, usagef("--limit %s=%s: not a number above 0 (of long-poll: a duration such as 50s)", name, value)
		}
	}
	return t, nil
}

// reachable asks for any answer at all, rather than hear the same from each case.
func reachable(ctx context.Context, target conformance.Target) error {
	for _, u := range []string{target.URL, target.Second} {
		if u == "" {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, target.Patience)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(u, "{channel}"), http.NoBody)
		if err != nil {
			return usagef("the server's URL can't be parsed") // the error repeats it
		}
		resp, err := target.Client.Do(r)
		if err != nil {
			return fmt.Errorf("%s can't be reached: %w", u, err)
		}
		_ = resp.Body.Close()
	}
	return nil
}

type listedCase struct {
	Name    string            `json:"name"`
	Level   conformance.Level `json:"level"`
	Holds   string            `json:"holds"`
	Sends   string            `json:"sends,omitempty"`
	Accepts string            `json:"accepts,omitempty"`
}

func (a *app) listCase(c listedCase) error {
	if a.output == "json" {
		line, err := json.Marshal(c)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.out, "%s\n", line)
		return err
	}
	_, err := fmt.Fprintf(a.out, "%s  %s\n", a.paint(dim, fmt.Sprintf("%-8s", c.Level)), visible(c.Name))
	if a.verbose && err == nil {
		for _, line := range []struct{ what, text string }{{"holds to", c.Holds}, {"sends", c.Sends}, {"accepts", c.Accepts}} {
			if line.text != "" && err == nil {
				_, err = fmt.Fprintf(a.out, "          %-8s  %s\n", line.what, visible(line.text))
			}
		}
	}
	return err
}

// writeReports writes the files that the flags name.
func (n *conformanceFlags) writeReports(name string, report conformance.Report) error {
	write := func(path string, to func(f *os.File) error) error {
		if path == "" {
			return nil
		}
		f, err := os.Create(path) //nolint:gosec // the user names it
		if err != nil {
			return err
		}
		return errors.Join(to(f), f.Close())
	}
	return errors.Join(
		write(n.jsonTo, func(f *os.File) error {
			e := json.NewEncoder(f)
			e.SetIndent("", "  ")
			return e.Encode(report)
		}),
		write(n.junitTo, func(f *os.File) error { return report.WriteJUnit(f, "qst-"+name) }))
}
