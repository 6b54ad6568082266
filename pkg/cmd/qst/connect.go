package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/queuestatetransfer/qst/pkg/client"
)

// settings returns how to talk to the endpoint that flags, environment and profile
// name, in this order.
func (a *app) settings() (settings, error) {
	flags := settings{URL: a.url, User: a.user, PasswordFile: a.passwordFile, Wait: a.wait}
	env := settings{
		URL: a.env("QSTC_URL"), User: a.env("QSTC_USER"), Password: a.env("QSTC_PASSWORD"),
		PasswordFile: a.env("QSTC_PASSWORD_FILE"), Wait: a.env("QSTC_WAIT"),
	}
	if env.PasswordFile != "" {
		env.Password = ""
	}
	a.warnVisible(a.url)
	s := flags.or(env)
	return a.withProfile(s, s.URL, "which endpoint? --url, QSTC_URL or a profile tells; see qst help")
}

// withProfile fills in s from the profile that is named, or if there is no URL from
// the default one. Without either it says what is missing.
func (a *app) withProfile(s settings, url, missing string) (settings, error) {
	name := cmp.Or(a.profile, a.env("QSTC_PROFILE"))
	if name == "" && url == "" {
		c, err := a.readConfig()
		if err != nil {
			return settings{}, err
		}
		if name = c.Default; name == "" {
			return settings{}, usagef("%s", missing)
		}
	}
	if name != "" {
		profile, err := a.profileNamed(name)
		if err != nil {
			return settings{}, err
		}
		s = s.or(profile)
	}
	return s, nil
}

// named returns how to talk to the endpoint that an argument names: a URL, with user
// and password in it where they are needed, or a profile.
func (a *app) named(arg string) (settings, error) {
	if strings.Contains(arg, "://") {
		a.warnVisible(arg)
		return settings{URL: arg, Wait: cmp.Or(a.wait, a.env("QSTC_WAIT"))}, nil
	}
	s, err := a.profileNamed(arg)
	return settings{Wait: a.wait}.or(s), err
}

// password returns the password that s has or points to.
func (a *app) password(s settings) (string, error) {
	if s.PasswordFile == "" {
		return s.Password, nil
	}
	return a.secretIn(s.PasswordFile)
}

// secretIn returns the first line of a file; of the standard input, if it is "-".
func (a *app) secretIn(path string) (string, error) {
	if path == "-" {
		return firstLine(a.stdin) // messages may follow
	}
	f, err := os.Open(path) //nolint:gosec // the user names it
	if err != nil {
		return "", usagef("secret: %w", err)
	}
	defer func() { _ = f.Close() }()
	return firstLine(bufio.NewReader(io.LimitReader(f, 64<<10)))
}

func firstLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading a secret: %w", err)
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// retryFirst and retryMost are the pauses between two tries: as the client's own.
const retryFirst, retryMost = 200 * time.Millisecond, 30 * time.Second

// connect returns a client for s.
func (a *app) connect(s settings, opts ...client.Option) (*client.Client, error) {
	password, err := a.password(s)
	if err != nil {
		return nil, err
	}
	if s.URL == "" {
		return nil, usagef("%s has no url, the one of an endpoint", s.source)
	}
	if u, err := url.Parse(s.URL); err == nil && u.Host != "" && strings.Trim(u.Path, "/") == "" {
		a.server = redacted(s.URL) // may be one of another program, with its endpoint there
	}
	defaults := []client.Option{client.WithLogger(a.log), client.WithRetry(retryFirst, retryMost, a.timeout)}
	if a.timeoutSet && a.timeout > 0 {
		transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented as one
		transport.IdleConnTimeout = time.Minute                      // under the service's 2 minutes
		defaults = append(defaults, client.WithHTTPClient(&http.Client{Transport: bounded{transport, a.timeout}}))
	}
	opts = append(defaults, opts...)
	if s.User != "" || password != "" {
		opts = append(opts, client.WithBasicAuth(s.User, password))
	}
	if s.Wait != "" {
		wait, err := time.ParseDuration(s.Wait)
		if err != nil || wait <= 0 {
			return nil, usagef("%q is not how long a poll can wait: a duration such as 25s", s.Wait)
		}
		opts = append(opts, client.WithWait(wait))
	}
	return client.New(s.URL, opts...)
}

// warnVisible warns of a URL from the command line with a password in it.
func (a *app) warnVisible(rawURL string) {
	if passwordIn(rawURL) != "" {
		fmt.Fprintln(a.err, "qst: warning: everyone on this machine can read the password in a command line: use a profile, --password-file or QSTC_PASSWORD")
	}
}

// passwordIn returns the password that a URL has in it.
func passwordIn(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil || u.User == nil {
		return ""
	}
	password, _ := u.User.Password()
	return password
}
