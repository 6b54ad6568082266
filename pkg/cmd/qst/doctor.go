package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type doctorFlags struct {
	scratch bool
	time    time.Duration
}

func (a *app) doctorCommand() *cobra.Command {
	var d doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [URL|PROFILE]",
		Short: "Find out what is wrong with the way to a server",
		Long: `Tests what is between this machine and a server, and says which proxy setting to
change. It checks whether the server is reached, as which user and by which route, whether
ETags survive, whether long polls are held and where they are cut, and whether answers are
cached, compressed, cut or delayed.

Without --scratch no queue is touched (only its address is asked, with max=none, which the
service refuses), and so only the first half can be told. With
--scratch doctor pushes, pulls and confirms messages in the URL's channel (in its
own queue, /v2/channels/NAME): give it a channel that nobody uses, on the same
way, and a credential for that queue:

  qst admin channels create doctor
  qst admin credentials create doctor mailbox

It stops if it finds a message there that is not its own.

With a URL, --user and the environment give the credentials; a profile has its own.`,
		Example: `  qst doctor https://qst.example.org/v2/channels/acme/gateway
  qst doctor --scratch --time 60s https://qst.example.org/v2/channels/doctor`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.doctor(cmd.Context(), d, args) },
	}
	f := cmd.Flags()
	f.BoolVar(&d.scratch, "scratch", false, "the channel is for tests: push, pull and confirm in it")
	f.DurationVar(&d.time, "time", time.Minute, "how long a long poll is watched for being cut; the service holds none for longer than 50s, unless it is configured to")
	cmd.ValidArgsFunction = a.completeProfiles
	return cmd
}

// verdict is what a check comes to.
type verdict string

const (
	good    verdict = "ok"
	note    verdict = "note" // works, and is worth knowing
	bad     verdict = "bad"
	skipped verdict = "skipped"
)

// finding is what a check found.
type finding struct {
	Check   string  `json:"check"`
	Verdict verdict `json:"verdict"`
	Found   string  `json:"found"`
	Advice  string  `json:"advice,omitempty"`
}

func (a *app) doctor(ctx context.Context, flags doctorFlags, args []string) error {
	if flags.time <= 0 {
		return usagef("--time %v is not longer than 0", flags.time)
	}
	if len(args) == 1 {
		if strings.Contains(args[0], "://") {
			a.url = args[0]
		} else {
			a.profile = args[0]
		}
	}
	s, err := a.settings()
	if err != nil {
		return err
	}
	return a.examine(ctx, flags, s)
}

// examine looks at the way to the endpoint that s names.
func (a *app) examine(ctx context.Context, flags doctorFlags, s settings) error {
	var err error
	// Once: the standard input gives it only once.
	if s.Password, err = a.password(s); err != nil {
		return err
	}
	s.PasswordFile = ""
	c, err := a.connect(s) // it knows what a URL must be
	if err != nil {
		return err
	}
	u, err := url.Parse(c.URL())
	if err != nil {
		return usagef("%w", err)
	}
	d := &doctor{url: u, user: s.User, password: s.Password, report: a.report}
	if raw, err := url.Parse(s.URL); err == nil && raw.User != nil {
		d.user = raw.User.Username()
		d.password, _ = raw.User.Password()
	}
	transport := http.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented as one
	transport.DisableCompression = true                          // to see what is compressed
	defer transport.CloseIdleConnections()
	d.http = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if d.reach(ctx) {
		if flags.scratch {
			d.tryQueue(ctx, flags.time)
		} else {
			d.skip("queue", "ETags, long polls, sizes and caches need a channel to try them in: --scratch")
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.bad {
		return errFindings
	}
	return nil
}

// report writes a finding as soon as it is there.
func (a *app) report(f finding) {
	if a.output == "json" {
		line, _ := json.Marshal(f) //nolint:errchkjson // strings: can't fail
		fmt.Fprintf(a.out, "%s\n", line)
		return
	}
	colour := map[verdict]string{good: green, note: yellow, bad: red, skipped: dim}[f.Verdict]
	fmt.Fprintf(a.out, "%s  %-12s %s\n", a.paint(colour, fmt.Sprintf("%-7s", f.Verdict)), f.Check, visible(f.Found))
	if f.Advice != "" {
		fmt.Fprintf(a.out, "         %-12s → %s\n", "", visible(f.Advice))
	}
}

// doctor examines one way to one server.
type doctor struct {
	url            *url.URL
	user, password string
	http           *http.Client
	report         func(finding)
	bad            bool

	via string // what seems to be in between: "nginx", "" if nothing tells
}

func (d *doctor) find(f finding) {
	d.bad = d.bad || f.Verdict == bad
	d.report(f)
}

func (d *doctor) okf(check, format string, args ...any) {
	d.find(finding{Check: check, Verdict: good, Found: fmt.Sprintf(format, args...)})
}

func (d *doctor) note(check, found, advice string) {
	d.find(finding{Check: check, Verdict: note, Found: found, Advice: advice})
}

func (d *doctor) wrong(check, found, advice string) {
	d.find(finding{Check: check, Verdict: bad, Found: found, Advice: advice})
}

func (d *doctor) skip(check, found string) {
	d.find(finding{Check: check, Verdict: skipped, Found: found})
}
