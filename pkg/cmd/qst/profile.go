package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"github.com/queuestatetransfer/qst/pkg/client"
)

func (a *app) profileCommand() *cobra.Command {
	cmd := group("profile", "Add, list, choose and test profiles", `A profile says how to reach a server, so that you need not repeat it in each command. The
profiles are in the configuration file (see qst --help), which these commands write, with mode 600.`,
		a.profileAddCommand(), a.profileListCommand(), a.profileUseCommand(), a.profileTestCommand())
	cmd.Example = `  qst profile add acme --url https://qst.example.org/v2/channels/acme/application \
    --user acme --password-file /run/secrets/acme
  qst profile test acme`
	return cmd
}

// profileName is what a name may be: a key of TOML without quotes, and no URL.
var profileName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

func (a *app) profileAddCommand() *cobra.Command {
	var adminURL, tokenFile string
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a profile to the configuration file",
		Long: `Adds a profile with the values of --url, --user, --password-file, --wait, --admin-url and
--token-file. The first profile becomes the default. The command takes no password: a
profile names the file that the password is in. To put the password into the configuration
file itself, edit that file.`,
		Example: `  qst profile add ops --admin-url http://localhost:9090 --token-file /run/secrets/qst-admin`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s := settings{URL: a.url, User: a.user, PasswordFile: a.passwordFile, Wait: a.wait, AdminURL: adminURL, AdminTokenFile: tokenFile}
			return a.addProfile(args[0], s)
		},
	}
	f := cmd.Flags()
	f.StringVar(&adminURL, "admin-url", "", "`URL` of the service's internal listener, such as http://localhost:9090")
	f.StringVar(&tokenFile, "token-file", "", "`file` with the admin API's token in its first line")
	return cmd
}

func (a *app) addProfile(name string, s settings) error {
	if !profileName.MatchString(name) {
		return usagef("%s is no name for a profile: letters, digits, - and _", shown(name))
	}
	if s.URL == "" && s.AdminURL == "" {
		return usagef("profile %s needs --url, or --admin-url", name)
	}
	for _, file := range []*string{&s.PasswordFile, &s.AdminTokenFile} {
		if *file == "-" {
			return usagef("a profile can't name the standard input")
		}
		if *file == "" {
			continue
		}
		path, err := filepath.Abs(*file) // the next call may be made elsewhere
		if err != nil {
			return err
		}
		*file = path
	}
	if s.URL != "" {
		check := s
		check.Password, check.PasswordFile = "", ""
		if _, err := a.connect(check); err != nil {
			return err
		}
	}
	if passwordIn(s.URL) != "" {
		return usagef("the URL has a password in it, which a command line shows to everyone: give --user and --password-file")
	}
	c, err := a.readConfig()
	if err != nil {
		return err
	}
	if _, there := c.Profiles[name]; there {
		path, _ := a.configFile()
		return usagef("there is a profile %s already: change it in %s", name, path)
	}
	var b strings.Builder
	if err := toml.NewEncoder(&b).Encode(s); err != nil { //nolint:gosec // it has no password: this command takes none
		return err
	}
	err = a.editConfig(func(content string) string {
		if c.Default == "" {
			content = withDefault(content, name)
		}
		if content != "" && !strings.HasSuffix(content, "\n") {
			content += "\n"
		}
		return content + "\n[profiles." + name + "]\n" + b.String()
	}, func(c config) bool { return c.Profiles[name] == s })
	if err != nil {
		return err
	}
	return a.say(map[string]string{"profile": name}, "profile %s is added", name)
}

// defaultLine is where a configuration names its default profile.
var defaultLine = regexp.MustCompile(`(?m)^[ \t]*default[ \t]*=.*$`)

// withDefault names another default profile.
func withDefault(content, name string) string {
	line := "default = " + strconv.Quote(name)
	top, _, _ := strings.Cut(content, "\n[")
	if at := defaultLine.FindStringIndex(top); at != nil {
		return content[:at[0]] + line + content[at[1]:]
	}
	return line + "\n" + content
}

// editConfig changes the text of the configuration file, so that comments stay. What
// comes of it must be a configuration that check accepts.
func (a *app) editConfig(edit func(content string) string, check func(config) bool) error {
	path, _ := a.configFile()
	if path == "" {
		return usagef("there is no HOME to have a configuration file in: give --config")
	}
	before, err := os.ReadFile(path) //nolint:gosec // the user's own file
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	after := edit(string(before))
	var c config
	if _, err := toml.Decode(after, &c); err != nil || !check(c) {
		return usagef("%s is written in a way that this command can't add to: edit it yourself", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	next := path + ".new" // whole or not at all
	if err := os.WriteFile(next, []byte(after), 0o600); err != nil {
		return err
	}
	return os.Rename(next, path)
}

func (a *app) profileListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the profiles",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			c, err := a.readConfig()
			if err != nil {
				return err
			}
			type profile struct {
				Name     string `json:"name"`
				Default  bool   `json:"default"`
				URL      string `json:"url,omitempty"`
				User     string `json:"user,omitempty"`
				AdminURL string `json:"admin_url,omitempty"`
			}
			t := table{terminal: a.terminal, columns: []string{"PROFILE", "DEFAULT", "USER", "URL", "ADMIN URL"}}
			var rows [][]string
			for _, name := range slices.Sorted(maps.Keys(c.Profiles)) {
				s := c.Profiles[name]
				p := profile{name, name == c.Default, redacted(s.URL), s.User, redacted(s.AdminURL)}
				if a.output == "json" {
					if err := a.writeJSON(p); err != nil {
						return err
					}
					continue
				}
				rows = append(rows, []string{p.Name, map[bool]string{true: "*"}[p.Default], p.User, p.URL, p.AdminURL})
			}
			if len(c.Profiles) == 0 {
				path, _ := a.configFile()
				fmt.Fprintf(a.err, "qst: there are no profiles in %s: qst profile add makes one\n", path)
			}
			return t.write(rows)
		},
	}
}

func (a *app) profileUseCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "use NAME",
		Short:   "Make a profile the default",
		Example: `  qst profile use acme`,
		Args:    cobra.ExactArgs(1), ValidArgsFunction: a.completeProfiles,
		RunE: func(_ *cobra.Command, args []string) error {
			if _, err := a.profileNamed(args[0]); err != nil {
				return err
			}
			err := a.editConfig(func(content string) string { return withDefault(content, args[0]) }, func(c config) bool { return c.Default == args[0] })
			if err != nil {
				return err
			}
			return a.say(map[string]string{"default": args[0]}, "profile %s is the default", args[0])
		},
	}
}

func (a *app) profileTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "test [NAME]",
		Short: "Find out whether a profile works",
		Long: `Asks the profile's server, or its admin API, whether it accepts the credentials. No queue is
touched. Without a name, the default profile is tested. qst doctor tells more.`,
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: a.completeProfiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.readConfig()
			if err != nil {
				return err
			}
			name := cmp.Or(a.profile, a.env("QSTC_PROFILE"), c.Default)
			if len(args) == 1 {
				name = args[0]
			}
			if name == "" {
				return usagef("which profile? There is no default: see qst profile list")
			}
			s, err := a.profileNamed(name)
			if err != nil {
				return err
			}
			return a.testProfile(cmd.Context(), name, s)
		},
	}
}

func (a *app) testProfile(ctx context.Context, name string, s settings) error {
	tested := make([]string, 0, 2)
	if s.URL != "" {
		c, err := a.connect(s)
		if err != nil {
			return err
		}
		// The service refuses such a number before it looks at a queue, and after it has
		// looked at the credentials.
		_, err = c.Poll(ctx, client.PollRequest{Max: -1})
		refused, ok := errors.AsType[*client.RejectedError](err)
		if !ok || refused.Detail == "" {
			return fmt.Errorf("profile %s: %w", name, cmp.Or(err, errNotQST))
		}
		tested = append(tested, redacted(s.URL))
	}
	if s.AdminURL != "" {
		c, err := a.adminOf(s)
		if err != nil {
			return err
		}
		if _, _, err := c.page(ctx, map[string][]string{"limit": {"1"}}, "channels", "channels"); err != nil {
			return fmt.Errorf("profile %s: %w", name, err)
		}
		tested = append(tested, s.AdminURL)
	}
	if len(tested) == 0 {
		return usagef("%s has neither url nor admin-url", s.source)
	}
	return a.say(map[string]any{"profile": name, "works": tested}, "profile %s works: %s", name, strings.Join(tested, ", "))
}

// errNotQST says that what answers is something else.
var errNotQST = errors.New("what answers at the URL is not QST; qst doctor may tell what it is")
