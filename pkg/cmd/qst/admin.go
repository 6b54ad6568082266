package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) adminCommand() *cobra.Command {
	cmd := group("admin", "Manage channels, credentials, queues and dead messages", `Manages a service through its admin API. The admin API is on the service's
internal listener (QST_ADMIN_ADDR), and needs the token that the service has in
QST_ADMIN_TOKEN. A profile can hold both:

  [profiles.acme]
  admin-url = "http://localhost:9090"
  admin-token-file = "/run/secrets/qst-admin"   # or admin-token = "…"

So can the environment: QSTC_ADMIN_URL, QSTC_ADMIN_TOKEN, QSTC_ADMIN_TOKEN_FILE. There
is no flag for the token, because everyone on the machine can read a command line.

For programs (--output json) lists are JSON lines, in the admin API's own words.`,
		a.overviewCommand(), a.channelsCommand(), a.credentialsCommand(), a.queuesCommand(), a.deadCommand(), a.webhooksCommand(), a.statesCommand())
	cmd.Example = `  qst admin overview
  qst admin channels list --label site=north
  qst admin credentials create phone-1 gateway
  qst admin queues peek phone-1 inbound`
	f := cmd.PersistentFlags()
	f.StringVar(&a.adminURL, "admin-url", "", "`URL` of the service's internal listener, such as http://localhost:9090")
	f.StringVar(&a.tokenFile, "token-file", "", "`file` with the admin API's token in its first line; - is the standard input")
	return cmd
}

// group is a command that only has commands in it.
func group(name, short, long string, members ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: name, Short: short, Long: long, Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(members...)
	return cmd
}

// noSuchCommand refuses what is not the name of a command in cmd.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usagef("there is no command %s; did you mean %s?", shown(args[0]), strings.Join(near, " or "))
	}
	for _, c := range cmd.Commands() { // a command of that name one step further in: admin's, say
		if inner, rest, err := c.Find(args[:1]); err == nil && inner != c && len(rest) == 0 {
			return usagef("there is no command %s; did you mean %s?", shown(args[0]), inner.CommandPath())
		}
	}
	return usagef("there is no command %s; see %s --help", shown(args[0]), cmd.CommandPath())
}

// adminTimeout is how long an answer of the admin API may take. It gives up on its
// storage far sooner.
const adminTimeout = time.Minute

// admin returns a client of the admin API that flags, environment and profile name.
func (a *app) admin() (*adminClient, error) {
	if a.url != "" || a.user != "" || a.passwordFile != "" || a.wait != "" {
		return nil, usagef("--url, --user, --password-file and --wait are of endpoints; qst admin has --admin-url and --token-file")
	}
	s, err := a.adminSettings()
	if err != nil {
		return nil, err
	}
	return a.adminOf(s)
}

// adminOf returns a client of the admin API that s names.
func (a *app) adminOf(s settings) (*adminClient, error) {
	if s.AdminURL == "" {
		return nil, usagef("%s has no admin-url", s.source)
	}
	u, err := url.Parse(s.AdminURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Contains(u.Path, "@") {
		return nil, usagef("the admin URL is not one such as http://localhost:9090")
	}
	token := s.AdminToken
	if s.AdminTokenFile != "" {
		if token, err = a.secretIn(s.AdminTokenFile); err != nil {
			return nil, err
		}
	}
	if token == "" {
		return nil, usagef("the admin API's token is missing: QSTC_ADMIN_TOKEN, --token-file or the profile's admin-token-file")
	}
	base := strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), adminPrefix)
	limit := adminTimeout
	if a.timeoutSet && a.timeout > 0 {
		limit = min(limit, a.timeout)
	}
	return &adminClient{base: base, token: token, http: &http.Client{
		Timeout:       limit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (a *app) adminSettings() (settings, error) {
	flags := settings{AdminURL: a.adminURL, AdminTokenFile: a.tokenFile}
	env := settings{
		AdminURL: a.env("QSTC_ADMIN_URL"), AdminToken: a.env("QSTC_ADMIN_TOKEN"), AdminTokenFile: a.env("QSTC_ADMIN_TOKEN_FILE"),
	}
	if env.AdminTokenFile != "" {
		env.AdminToken = ""
	}
	s := flags.or(env)
	return a.withProfile(s, s.AdminURL, "which service? --admin-url, QSTC_ADMIN_URL or a profile tells; see qst admin --help")
}

// withAdmin makes a command's function of one that needs the admin API.
func (a *app) withAdmin(do func(ctx context.Context, c *adminClient, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.admin()
		if err != nil {
			return err
		}
		return do(cmd.Context(), c, args)
	}
}
