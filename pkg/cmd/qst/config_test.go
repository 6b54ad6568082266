package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
)

// Whose credentials go where.
func TestSettings(t *testing.T) {
	t.Parallel()
	var user, password string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("[]"))
	}))
	t.Cleanup(server.Close)
	home := t.TempDir()
	path := filepath.Join(home, ".config", "qst", "config.toml")
	secret := filepath.Join(home, "secret")
	for name, content := range map[string]string{
		secret: "from-file\nsecond line\n",
		path: `default = "one"
[profiles.one]
url = "` + server.URL + `"
user = "ann"
password = "from-profile"
[profiles.two]
url = "` + server.URL + `"
user = "bob"
password-file = "` + secret + `"
`,
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name  string
		env   map[string]string
		stdin string
		args  []string
		want  string
	}{
		{name: "default", want: "ann:from-profile"},
		{name: "flag", args: []string{"-p", "two"}, want: "bob:from-file"},
		{name: "environment", env: map[string]string{"QSTC_PROFILE": "two"}, want: "bob:from-file"},
		{name: "flag over environment", env: map[string]string{"QSTC_PROFILE": "two"}, args: []string{"-p", "one"}, want: "ann:from-profile"},
		{name: "environment over profile", env: map[string]string{"QSTC_USER": "eve", "QSTC_PASSWORD": "e"}, want: "eve:e"},
		{name: "flags over all", env: map[string]string{"QSTC_USER": "eve", "QSTC_PASSWORD": "e"}, args: []string{"--user", "kim", "--password-file", secret}, want: "kim:from-file"},
		{name: "standard input", stdin: "typed\n", args: []string{"--password-file", "-"}, want: "ann:typed"},
		{name: "another URL gets no profile", args: []string{"--url", server.URL}, want: ":"},
		{name: "nor from the environment", env: map[string]string{"QSTC_URL": server.URL}, want: ":"},
		{name: "unless it is named", args: []string{"--url", server.URL, "-p", "one"}, want: "ann:from-profile"},
		{name: "file from the environment", env: map[string]string{"QSTC_URL": server.URL, "QSTC_PASSWORD": "x", "QSTC_PASSWORD_FILE": secret}, want: ":from-file"},
	} {
		env := map[string]string{"HOME": home}
		maps.Copy(env, c.env)
		user, password = "", ""
		call{env: env, stdin: c.stdin}.qst(t, append([]string{"pull"}, c.args...)...).wantOK(t)
		if got := user + ":" + password; got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}

	if r := (call{env: map[string]string{"HOME": home}}).qst(t, "pull"); r.stderr != "" {
		t.Errorf("warned: %s", r.stderr)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := (call{env: map[string]string{"HOME": home}}).qst(t, "pull"); !strings.Contains(r.stderr, "chmod 600") {
		t.Errorf("did not warn: %s", r.stderr)
	}
	r := call{env: map[string]string{"HOME": home}}.qst(t, "__complete", "pull", "--profile", "").wantOK(t)
	if !strings.HasPrefix(r.out, "one\ntwo\n") {
		t.Errorf("completion: %s", r.out)
	}
}

// Without a home there is no configuration: not that of the current directory, say.
func TestConfigurationWithoutAHome(t *testing.T) {
	t.Parallel()
	a := app{terminal: terminal{env: func(string) string { return "" }}}
	if path, named := a.configFile(); path != "" || named {
		t.Errorf("%s, %t", path, named)
	}
	r := call{env: map[string]string{"HOME": ""}}.qst(t, "pull", "--profile", "x")
	r.wantCode(t, exitUsage, "nor a HOME")
}

func TestPasswordInACommandLine(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	url := strings.Replace(s.URL("box"), "http://", "http://ann:s3cret@", 1)
	for _, args := range [][]string{{"pull", "--url", url}, {"doctor", url}, {"relay", "--once", "--state", t.TempDir(), url, s.URL("other")}} {
		if r := command(t, args...).wantOK(t); !strings.Contains(r.stderr, "everyone on this machine can read the password") || strings.Contains(r.stderr+r.out, "s3cret") {
			t.Errorf("%s: %s%s", args[0], r.out, r.stderr)
		}
	}
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte("[profiles.x]\nurl = \""+url+"\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := command(t, "pull", "--config", path, "-p", "x").wantOK(t); !strings.Contains(r.stderr, "chmod 600") || strings.Contains(r.stderr, "command line") {
		t.Errorf("got %s", r.stderr)
	}
}

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	if isTerminal(null) {
		t.Errorf("%s is none", os.DevNull)
	}
}

func TestPasswordThenMessages(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	call{stdin: "s3cret\none\ntwo\n"}.qst(t, "push", "--url", url, "--user", "ann", "--password-file", "-").wantOK(t)
	if out := command(t, "pull", "--url", url).wantOK(t).out; strings.Count(out, "\n") != 2 || strings.Contains(out, "s3cret") {
		t.Errorf("got %s", out)
	}
}

// The manual page has every command and flag, and no line that is taken for a macro.
func TestMan(t *testing.T) {
	t.Parallel()
	page := command(t, "man").wantOK(t).out
	for _, want := range []string{".TH QST 1", `.SH "QST PUSH"`, `.SH "QST DOCTOR"`, `.SH "QST ADMIN QUEUES PURGE"`, `\-\-token\-file`, `\-\-no\-confirm`, `\-\-password\-file`, "Exit codes"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.ContainsFunc(page, func(r rune) bool { return r > unicode.MaxASCII }) || !strings.Contains(page, `\[u2026]`) {
		t.Error("not ASCII")
	}
	known := []string{".TH", ".SH", ".B", ".br", ".nf", ".fi", ".PP", ".TP"}
	for line := range strings.SplitSeq(page, "\n") {
		if macro, _, _ := strings.Cut(line, " "); strings.HasPrefix(line, ".") && !strings.Contains(strings.Join(known, " "), macro) {
			t.Errorf("line %q", line)
		}
	}
}
