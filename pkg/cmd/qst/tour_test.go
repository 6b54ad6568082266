package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What stumbled people who typed commands for the first time.

// nowhere is the URL of a server that is down.
const nowhere = "http://127.0.0.1:1/v2/channels/box"

// A server that is down is told of at once, then the program goes on as long as it was
// told to, in one line.
func TestServerThatIsDown(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"push", "--body", "x"}, {"pull"}} {
		r := command(t, append(args, "--timeout", "1s", "--url", nowhere)...)
		lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
		if r.code != exitFailed || len(lines) != 2 || !strings.Contains(lines[0], "connection refused; trying again for 1s (--timeout)") || !strings.Contains(lines[1], "gave up after") {
			t.Errorf("%v: exit code %d: %s", args, r.code, r.stderr)
		}
		r = call{tty: true}.qst(t, append(args, "--timeout", "2s", "--url", nowhere)...)
		if n := strings.Count(r.stderr, "\n"); r.code != exitFailed || n != 2 || !strings.Contains(r.stderr, "\r\x1b[Kqst: ") || !strings.Contains(r.stderr, "tries in") {
			t.Errorf("%v on a terminal: exit code %d, %d lines: %q", args, r.code, n, r.stderr)
		}
	}
}

// It is said when a server is there again.
func TestServerThatComesBack(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.Addr})
	var requests atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) <= 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	r := command(t, "push", "--url", proxy.URL+"/v2/channels/box", "--body", "x").wantOK(t)
	if !strings.Contains(r.stderr, "503 Service Unavailable; trying again for 5m0s") || !strings.Contains(r.stderr, "it answers again") || strings.Count(r.stderr, "\n") != 2 {
		t.Errorf("said %q", r.stderr)
	}
	if r := command(t, "push", "--url", s.URL("box"), "--body", "x", "-v").wantOK(t); r.stderr != "" {
		t.Errorf("said %q of a server that answers", r.stderr)
	}
}

// A server that takes the connection and says nothing does not make --timeout longer.
func TestTimeoutOfAServerThatHangs(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for _, args := range [][]string{{"push", "--body", "x", "--url"}, {"pull", "--url"}, {"pull", "--no-confirm", "--url"}} {
		ended := make(chan result, 1)
		go func() {
			ended <- command(t, append(args, "http://"+l.Addr().String()+"/v2/channels/box", "--timeout", "300ms")...)
		}()
		select {
		case r := <-ended:
			if r.code != exitFailed || !strings.Contains(r.stderr, "--timeout") {
				t.Errorf("%v: exit code %d: %s", args, r.code, r.stderr)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%v goes on for longer than it was told to", args)
		}
	}
	command(t, "pull", "--follow", "--timeout", "1s", "--url", nowhere).wantCode(t, exitUsage, "--follow")
	command(t, "relay", "--state", t.TempDir(), "--timeout", "1s", nowhere, nowhere).wantCode(t, exitUsage, "--once")
}

// What an empty variable of a shell gives is no value: --url "" is not the default profile.
func TestEmptyFlags(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"url", "profile", "config", "user", "password-file", "wait", "to", "from", "id", "when"} {
		command(t, "push", "--body", "x", "--"+flag, "").wantCode(t, exitUsage, "qst: --"+flag+" is empty\n")
	}
}

// What is said of a command line, in words of the command line.
func TestUsageMessages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "config.toml")
	write := func(text string) {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[profiles.ops]\nadmin-url = \"http://localhost:9090\"\n[profiles.app]\nurl = \"http://localhost:8080/v2/channels/x\"\n")
	for _, c := range []struct{ args, want string }{
		{"pull --max -1", "--max -1 is less than 0"},
		{"pull --max x", `--max "x" is not a whole number`},
		{"pull --timeout soon", `--timeout "soon" is not a duration such as 90s or 5m`},
		{"pull --timeout -1s", "--timeout -1s is less than 0"},
		{"pull --max", "--max needs a value"},
		{"pull --follw", "qst pull has no flag --follw; did you mean --follow?"},
		{"pull --output yaml", `--output "yaml" is not auto, text or json`},
		{"push --when yesterday --body x", `--when "yesterday" is not a time such as 2026-11-23T09:30:00Z`},
		{"push x", `"x" is one argument too many: a text is given as --body TEXT, a file as < FILE`},
		{"push --property from=x --body x", "--property from: that is a field of a message, which --from sets"},
		{"channels list", "there is no command \"channels\"; did you mean qst admin channels?"},
		{"push --property x --body x", `--property "x" is not name=value`},
		{"relay a", "TO is missing: qst relay FROM TO --state DIR [--both] [--once]"},
		{"admin channels show", "CHANNEL is missing: qst admin channels show CHANNEL"},
		{"admin credentials create c", "gateway|application|mailbox is missing"},
		{"admin channels create c --set retenton=1h", `there is no setting "retenton"; did you mean retention?`},
		{"admin channels change c --unset retenton", "did you mean retention?"},
		{"help pul", `there is no command "pul"; did you mean pull or push?`},
		{"help admin chanels", `there is no command "chanels"; did you mean channels?`},
		{"completion basch", `there is no command "basch"; did you mean bash?`},
		{"completion bash x", `"x" is one argument too many: qst completion bash`},
		{"gateway gammu", "--config is missing: qst gateway gammu --config FILE"},
		{"push --text x", "qst push has no flag --text; see qst push --help"},
		{"admin channels create c --set max_deliveries=many", "--set max_deliveries=many: not a whole number"},
		{"admin channels create c --set report_states=yes", "--set report_states=yes: neither true nor false"},
		{"conformance client no-such-program", "the program can't be run: exec: \"no-such-program\": executable file not found"},
		{"doctor --time 0s http://x/v2/channels/x", "--time 0s is not longer than 0"},
		{"pull -p ops --config " + config, `profile "ops" in ` + config + " has no url"},
		{"admin channels list -p app --config " + config, `profile "app" in ` + config + " has no admin-url"},
		{"pull -p apq --config " + config, "did you mean app?"},
	} {
		r := call{env: map[string]string{"QSTC_ADMIN_URL": adminNowhere(c.args), "QSTC_ADMIN_TOKEN": "x"}}.qst(t, strings.Fields(c.args)...)
		if r.code != exitUsage || !strings.Contains(r.stderr, c.want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("qst %s: exit code %d: %s", c.args, r.code, r.stderr)
		}
		for _, inside := range []string{"usage:", "strconv", "arg(s)"} {
			if strings.Contains(r.stderr, inside) {
				t.Errorf("qst %s says %q: %s", c.args, inside, r.stderr)
			}
		}
	}
	write("[profiles.app]\nurll = \"http://localhost:8080/v2/channels/x\"\n")
	command(t, "pull", "-p", "app", "--config", config).wantCode(t, exitUsage, "profiles.app.urll is not a setting; did you mean url?")
}

// Help of what is there is as it was, in every way to ask for it.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"help", "--help", "help admin queues", "admin queues --help", "help completion", "help push"} {
		if r := command(t, strings.Fields(args)...).wantOK(t); !strings.Contains(r.out, "Usage:") || !strings.Contains(r.out, "-h, --help") {
			t.Errorf("qst %s: %s", args, r.out)
		}
	}
	if r := command(t, "__complete", "help", "admin", "cr").wantOK(t); !strings.HasPrefix(r.out, "credentials\t") {
		t.Errorf("completed to %q", r.out)
	}
}

// What is wrong with an input is told of by its place.
func TestInputMessages(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	for input, want := range map[string]string{
		`to=1`:                  "value 1 is not JSON: ",
		`{"body":"x"} {"body":`: "value 2 is not whole: the input ends in it",
	} {
		call{stdin: input}.qst(t, "push", "--url", url, "-i", "json").wantCode(t, exitUsage, want)
	}
	call{stdin: "to,body\n+1,hi,more\n"}.qst(t, "push", "--url", url, "-i", "csv").wantCode(t, exitUsage, "line 2 has 3 columns, the first line has 2")
}

// A server's URL without an endpoint's path is known by what the server answers: another
// program may have its endpoint there.
func TestURLWithoutAPath(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	const want = "does the URL lack a path such as /v2/channels/NAME/gateway?"
	for _, args := range [][]string{{"push", "--body", "x"}, {"pull", "--no-confirm"}} {
		r := command(t, append(args, "--url", "http://"+s.Addr)...)
		if r.code == exitOK || !strings.Contains(r.stderr, want) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d: %s", args, r.code, r.stderr)
		}
		if r := command(t, append(args, "--url", "http://"+s.Addr+"/v2/channel/x")...); strings.Contains(r.stderr, want) {
			t.Errorf("%v: %s", args, r.stderr)
		}
	}
}

// A list of nothing says so, and what to do, where a person looks.
func TestNoProfiles(t *testing.T) {
	t.Parallel()
	config := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := command(t, "profile", "list", "--config", config).wantOK(t); r.out != "" || !strings.Contains(r.stderr, "there are no profiles in "+config+": qst profile add makes one") {
		t.Errorf("wrote %q, said %q", r.out, r.stderr)
	}
}

// Spans of time are written as people say them.
func TestAgeText(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[float64]string{0: "0s", 10: "10s", 60: "1m", 600: "10m", 900: "15m", 3600: "1h", 36000: "10h", 86400: "24h", 3630: "1h0m30s", 3660: "1h1m", 75.4: "1m15s"} {
		if got := ageText(seconds); got != want {
			t.Errorf("%v s: %s, want %s", seconds, got, want)
		}
	}
}

// adminNowhere is an admin API for command lines that name no profile.
func adminNowhere(args string) string {
	if strings.Contains(args, "--config") {
		return ""
	}
	return "http://127.0.0.1:1"
}

// A pipe to a pager gets what a person reads, but for messages, of which a table lacks parts.
func TestPipesGetText(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	piped := call{env: map[string]string{"QSTC_OUTPUT": ""}}
	if r := piped.qst(t, "doctor", url).wantOK(t); !strings.HasPrefix(r.out, "ok ") || strings.Contains(r.out, "\x1b") {
		t.Errorf("doctor: %q", r.out)
	}
	if r := piped.qst(t, "push", "--url", url, "--body", "x").wantOK(t); r.out != "1 accepted, 0 duplicates\n" {
		t.Errorf("push: %q", r.out)
	}
	if r := piped.qst(t, "pull", "--url", url, "--no-confirm").wantOK(t); !strings.HasPrefix(r.out, `{"id":`) {
		t.Errorf("pull: %q", r.out)
	}
	if r := piped.qst(t, "pull", "--url", url, "-o", "text").wantOK(t); !strings.HasPrefix(r.out, "WHEN ") {
		t.Errorf("pull -o text: %q", r.out)
	}
}

// Columns are columns in every script.
func TestColumns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	table := table{terminal: terminal{out: &out, env: func(string) string { return "" }}, columns: []string{"A", "B"}}
	// Two letters of Chinese take four columns; the marks above and below the letters of the
	// Khmer and the Thai word none.
	err := table.write([][]string{{"中文", "|"}, {"ខ្ញុំ", "|"}, {"ที่นี่", "|"}, {"🇰🇭", "|"}, {"👩‍💻", "|"}, {"abcd", "|"}})
	if err != nil {
		t.Fatal(err)
	}
	want := "A     B\n" + "中文  |\n" + "ខ្ញុំ    |\n" + "ที่นี่    |\n" + "🇰🇭    |\n" + "👩‍💻    |\n" + "abcd  |\n"
	for i, line := range strings.Split(want, "\n") {
		got := strings.Split(out.String(), "\n")
		if i < len(got) && got[i] != line {
			t.Errorf("line %d: %q, want %q", i, got[i], line)
		}
	}
}

// Khmer is written with zero-width spaces between its words. What moves a cursor, or turns
// the direction of what follows, is shown and not obeyed.
func TestVisible(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"សួស្តី\u200bពិភពលោក": "សួស្តី\u200bពិភពលោក",
		"می\u200cخواهم":       "می\u200cخواهم",
		"👩\u200d💻":            "👩\u200d💻",
		"a\u202eb":            `a\u202eb`,
		"a\x1b[2Jb":           `a\x1b[2Jb`,
		"a\u2066b":            `a\u2066b`,
		"a\u200eb":            `a\u200eb`,
		"a\nb":                `a\nb`,
		"a\u2028b":            `a\u2028b`,
	} {
		if got := visible(text); got != want {
			t.Errorf("%+q: %q, want %q", text, got, want)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef0123"}, {Key: "vcs.modified", Value: "true"}}
	for want, info := range map[string]*debug.BuildInfo{
		"v1.2.3":                   {Main: debug.Module{Version: "v1.2.3"}, Settings: vcs},
		"dev-0123456789ab-changed": {Main: debug.Module{Version: "(devel)"}, Settings: vcs},
		"dev":                      {},
	} {
		if got := versionOf(info); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if r := (call{tty: true}).qst(t, "version").wantOK(t); !strings.HasPrefix(r.out, "qst "+programVersion()+", go1") {
		t.Errorf("%q", r.out)
	}
	if r := command(t, "version").wantOK(t); !strings.Contains(r.out, `"version":"`+programVersion()+`"`) {
		t.Errorf("%q", r.out)
	}
}

// Where everybody may use any channel, one that was used is shown, as it is listed.
func TestChannelWithoutARecord(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded", "QST_AUTH=none", "QST_ADMIN_TOKEN="+adminToken)
	command(t, "push", "--url", s.URL("box"), "--body", "x").wantOK(t)
	o := operator{service: s, call: call{tty: true, env: map[string]string{"QSTC_ADMIN_URL": s.AdminURL(), "QSTC_ADMIN_TOKEN": adminToken, "NO_COLOR": "1"}}}
	o.admin(t, "channels list").wantOK(t)
	if r := o.admin(t, "channels show box").wantOK(t); !strings.Contains(r.out, "channel   box\n") || !strings.Contains(r.out, "QST_AUTH=none") {
		t.Errorf("%s", r.out)
	}
	o.admin(t, "channels show bo").wantCode(t, exitRefused, "not found")
	o.admin(t, "channels delete box --yes").wantOK(t)
	o.admin(t, "channels show box").wantCode(t, exitRefused, "not found")
}
