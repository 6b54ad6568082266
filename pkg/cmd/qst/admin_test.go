package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/pkg/internal/servicetest"
)

const adminToken = "the-token-of-the-tests"

// operator calls qst admin of a service.
type operator struct {
	service *servicetest.Service
	call
}

// startAdmin starts a service that asks for credentials, and has an admin API.
func startAdmin(t *testing.T) operator {
	t.Helper()
	s := service.Start(t, "embedded", "QST_AUTH=channels", "QST_ADMIN_TOKEN="+adminToken)
	return operator{service: s, call: call{env: map[string]string{
		"QSTC_ADMIN_URL": s.AdminURL(), "QSTC_ADMIN_TOKEN": adminToken, "NO_COLOR": "1",
	}}}
}

// admin calls qst admin, with words that have no white space in them.
func (o operator) admin(t *testing.T, words string) result {
	t.Helper()
	return o.qst(t, append([]string{"admin"}, strings.Fields(words)...)...)
}

// person is the operator at a terminal, who types something.
func (o operator) person(typed string) operator {
	o.tty, o.typed = true, typed
	return o
}

// channel makes a channel, and returns a call that has its credential for an endpoint.
func (o operator) channel(t *testing.T, name string, more string) (party func(endpoint string) call) {
	t.Helper()
	o.admin(t, "channels create "+name+" "+more).wantOK(t)
	return func(endpoint string) call {
		made := decoded[adminCredential](t, o.admin(t, "credentials create "+name+" "+endpoint).wantOK(t).out)
		return call{env: map[string]string{"QSTC_URL": o.service.URL(name + "/" + endpoint), "QSTC_USER": made.User, "QSTC_PASSWORD": made.Secret}}
	}
}

func decoded[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// lines decodes JSON lines.
func lines[T any](t *testing.T, text string) []T {
	t.Helper()
	var all []T
	for line := range strings.Lines(text) {
		all = append(all, decoded[T](t, line))
	}
	return all
}

// wantCode fails the test if r is not a failure of this kind, that says why.
func (r result) wantCode(t *testing.T, code int, why string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.stderr, why) {
		t.Errorf("exit code %d, not %d with %q: %s%s", r.code, code, why, r.out, r.stderr)
	}
}

// Whose token goes where.
func TestAdminSettings(t *testing.T) {
	t.Parallel()
	var got, path string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, path = r.Header.Get("Authorization"), r.URL.Path
		_, _ = w.Write([]byte(`{"channels":[]}`))
	}))
	t.Cleanup(server.Close)
	home := t.TempDir()
	secret := filepath.Join(home, "token")
	file := filepath.Join(home, "config.toml")
	for name, content := range map[string]string{
		secret: "from-file\n",
		file: `default = "one"
[profiles.one]
admin-url = "` + server.URL + `"
admin-token = "from-profile"
[profiles.two]
admin-url = "` + server.URL + `/admin/v1/"
admin-token-file = "` + secret + `"
[profiles.three]
url = "http://localhost"
`,
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name        string
		env         map[string]string
		stdin, args string
		want        string // the token, or
		code        int
	}{
		{name: "default", want: "from-profile"},
		{name: "profile", args: "-p two", want: "from-file"},
		{name: "environment over profile", env: map[string]string{"QSTC_ADMIN_TOKEN": "env"}, want: "env"},
		{name: "file from the environment", env: map[string]string{"QSTC_ADMIN_TOKEN": "env", "QSTC_ADMIN_TOKEN_FILE": secret}, want: "from-file"},
		{name: "flag over all", env: map[string]string{"QSTC_ADMIN_TOKEN": "env"}, args: "--token-file -", stdin: "typed\n", want: "typed"},
		{name: "another URL gets no profile", args: "--admin-url " + server.URL, code: exitUsage},
		{name: "unless it is named", args: "-p one --admin-url " + server.URL, want: "from-profile"},
		{name: "no admin-url", args: "-p three", code: exitUsage},
		{name: "no URL of that kind", args: "-p one --admin-url localhost:9090", code: exitUsage},
		{name: "an endpoint's", args: "--url http://localhost", code: exitUsage},
		{name: "no file", args: "--token-file /nowhere", code: exitUsage},
	} {
		env := map[string]string{"QSTC_CONFIG": file}
		maps.Copy(env, c.env)
		got, path = "", ""
		r := call{env: env, stdin: c.stdin}.qst(t, append([]string{"admin", "channels", "list"}, strings.Fields(c.args)...)...)
		if r.code != c.code {
			t.Errorf("%s: exit code %d: %s", c.name, r.code, r.stderr)
		}
		if c.want != "" && (got != "Bearer "+c.want || path != "/admin/v1/channels") || c.want == "" && got != "" {
			t.Errorf("%s: %q at %q", c.name, got, path)
		}
	}
}

// What something else than the admin API answers.
func TestAdminProblems(t *testing.T) {
	t.Parallel()
	type answer struct {
		status             int
		media, body, other string
	}
	const problem = "application/problem+json"
	for _, c := range []struct {
		answer

		code int
		want string
	}{
		{answer{status: 502, body: "<html>"}, exitFailed, "something that is not QST"},
		{answer{status: 503, media: problem, body: `{"detail":"the storage can't be reached"}`, other: "2"}, exitFailed, "the storage can't be reached (503 Service Unavailable); try again in 2 seconds"},
		{answer{status: 302, body: "<html>", other: "https://login"}, exitStopped, "to https://login"},
		{answer{status: 404, body: "<html>"}, exitStopped, "there is no admin API"},
		{answer{status: 403, body: "<html>"}, exitStopped, "something that is not QST"},
		{answer{status: 400, media: problem, body: `{"detail":"note: too \u001b[2Jlong"}`}, exitRefused, `note: too \x1b[2Jlong (400 Bad Request)`},
		{answer{status: 200, body: "<html>"}, exitFailed, "not the admin API's"},
		{answer{status: 200, body: `{"channels":[],"next":"/admin/v1/channels?limit=1000"}`}, exitFailed, "next page"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", c.media)
			if c.other != "" {
				h.Set("Location", c.other)
				h.Set("Retry-After", c.other)
			}
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		call{env: map[string]string{"QSTC_ADMIN_URL": server.URL, "QSTC_ADMIN_TOKEN": "x"}}.qst(t, "admin", "channels", "list").wantCode(t, c.code, c.want)
		server.Close()
	}
}

func TestAdminRefused(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	o.admin(t, "chanels list").wantCode(t, exitUsage, "did you mean channels?")
	o.admin(t, "channels show").wantCode(t, exitUsage, "qst: CHANNEL is missing: qst admin channels show CHANNEL\n")
	o.admin(t, "channels delete ..").wantCode(t, exitUsage, "names nothing")
	o.admin(t, "channels show nope").wantCode(t, exitRefused, "not found")
	o.admin(t, "queues show nope nope").wantCode(t, exitRefused, "mailbox")
	o.env["QSTC_ADMIN_TOKEN"] = "another"
	o.admin(t, "channels list").wantCode(t, exitStopped, "QSTC_ADMIN_TOKEN")
	o.env["QSTC_ADMIN_URL"] = "http://" + o.service.Addr // the public listener
	o.admin(t, "channels list").wantCode(t, exitStopped, "there is no admin API")
}

func TestAdminCompletion(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	for _, name := range []string{"phone-1", "phone-2", "modem"} {
		o.admin(t, "channels create "+name).wantOK(t)
	}
	o.admin(t, "credentials create modem mailbox --id key").wantOK(t)
	for words, want := range map[string]string{
		"admin channels show phone":            "phone-1\nphone-2\n",
		"admin queues peek phone-1 in":         "inbound\n",
		"admin credentials revoke modem k":     "key\n",
		"admin credentials revoke nobody k":    "",
		"admin states modem more":              "",
		"admin channels show --token-file=- p": "",
	} {
		got, _, _ := strings.Cut(o.qst(t, append([]string{"__complete"}, strings.Fields(words)...)...).wantOK(t).out, ":")
		if got != want {
			t.Errorf("%s: %q", words, got)
		}
	}
}

func TestAdminStates(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	o.admin(t, "channels create acme.phone").wantOK(t)
	phone := decoded[adminCredential](t, o.admin(t, "credentials create acme.phone gateway --user phone").wantOK(t).out)
	for _, query := range []string{"guid=a&state=sent", "guid=b&state=failed"} {
		visit(t.Context(), t, "http://"+o.service.Addr+"/v1/acme/qst/set_state?"+query, phone)
	}
	got := lines[adminState](t, o.admin(t, "states acme.phone").wantOK(t).out)
	if len(got) != 2 || got[0].Message != "b" || got[0].State != "failed" || got[1].Message != "a" || got[1].At == nil {
		t.Errorf("got %+v", got)
	}
	if got := o.person("").admin(t, "states acme.phone --max 1").wantOK(t).out; !strings.HasPrefix(got, "REPORTED") || !strings.HasSuffix(got, "  failed  b\n") {
		t.Errorf("got %s", got)
	}
	o.admin(t, "states acme.phone --max 0").wantCode(t, exitRefused, "limit")
}

// visit asks for what is at a URL, with a credential.
func visit(ctx context.Context, t *testing.T, url string, as adminCredential) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(as.User, as.Secret)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", url, resp.Status)
	}
}
