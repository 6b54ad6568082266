package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAdminChannelsList(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	for _, words := range []string{"phone-1 --label site=north", "phone-2 --label site=south", "phone-3 --label site=north", "modem --label site=north"} {
		o.admin(t, "channels create "+words).wantOK(t)
	}
	for words, want := range map[string]string{
		"":                                 "modem phone-1 phone-2 phone-3",
		"--prefix phone-":                  "phone-1 phone-2 phone-3",
		"--label site=north":               "modem phone-1 phone-3",
		"--label site --max 3":             "modem phone-1 phone-2",
		"--prefix phone- --max 1":          "phone-1",
		"--max 2 --after phone-1":          "phone-2 phone-3",
		"--label site=north --prefix x":    "",
		"--label site=north --after modem": "phone-1 phone-3",
	} {
		var got []string
		for _, ch := range lines[adminChannel](t, o.admin(t, "channels list "+words).wantOK(t).out) {
			got = append(got, ch.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s", words, got)
		}
	}
	table := strings.Split(o.person("").admin(t, "channels list --label site=south").wantOK(t).out, "\n")
	if len(table) != 3 || !strings.HasPrefix(table[0], "CHANNEL") || !strings.HasPrefix(table[1], "phone-2") || !strings.HasSuffix(table[1], "site=south") {
		t.Errorf("table %q", table)
	}
	o.admin(t, "channels list --max -1").wantCode(t, exitUsage, "--max")
}

// Pages follow one another to the end.
func TestAdminPages(t *testing.T) {
	t.Parallel()
	pages := []string{
		`{"channels":[{"name":"a"}],"next":"/admin/v1/channels?after=a&label=x&limit=1000"}`,
		`{"channels":[],"next":"/admin/v1/channels?after=b&label=x&limit=1000"}`,
		`{"channels":[{"name":"c"},{"name":"d"}]}`,
	}
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := pages[len(asked)%len(pages)]
		asked = append(asked, r.URL.Query().Get("label")+r.URL.Query().Get("after"))
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(server.Close)
	c := call{env: map[string]string{"QSTC_ADMIN_URL": server.URL + "/behind/a/prefix", "QSTC_ADMIN_TOKEN": "x"}}
	out := c.qst(t, "admin", "channels", "list", "--label", "x").wantOK(t).out
	if out != `{"name":"a"}`+"\n"+`{"name":"c"}`+"\n"+`{"name":"d"}`+"\n" {
		t.Errorf("got %s", out)
	}
	if got := strings.Join(asked, " "); got != "x xa xb" {
		t.Errorf("asked for %s", got)
	}
}

func TestAdminChannelLife(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	party := o.channel(t, "phone-1", "--note Nokia --label site=north --label floor= --set retention=72h --set queue_max_messages=1000 --set report_states=true")
	o.admin(t, "channels create phone-1").wantCode(t, exitConflict, "exists already")
	o.admin(t, "channels create phone-2 --set retention=soon").wantCode(t, exitRefused, "not a duration")
	o.admin(t, "channels create phone-2 --set retention").wantCode(t, exitUsage, "name=value")
	o.admin(t, "channels create phone-2 --label x").wantCode(t, exitUsage, "name=value")

	first := o.revision(t, "phone-1")
	atFirst, next := fmt.Sprintf(" --revision %d", first), fmt.Sprintf("revision %d", first+1)
	o.admin(t, "channels change phone-1").wantCode(t, exitUsage, "nothing to change")
	o.admin(t, "channels change phone-1 --set retention=0 --unset report_states --label floor=2 --unlabel site"+atFirst).wantOK(t)
	o.admin(t, "channels change phone-1 --note x"+atFirst).wantCode(t, exitConflict, next)
	o.admin(t, "channels delete phone-1 --yes"+atFirst).wantCode(t, exitConflict, next)
	o.admin(t, "channels change phone-1 --set nothing=1").wantCode(t, exitRefused, "nothing")

	gateway := party("gateway")
	gateway.qst(t, "push", "--body", "hello").wantOK(t)
	got := o.person("").admin(t, "channels show phone-1").wantOK(t).out
	for _, want := range []string{"phone-1", "Nokia", "floor=2\n", "queue_max_messages=1000 retention=0s\n", "gateway      connected   20", "application  never seen\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if ch := decoded[adminChannel](t, o.admin(t, "channels show phone-1").wantOK(t).out); ch.Revision != first+1 || !ch.Parties["gateway"].Connected {
		t.Errorf("got %+v", ch)
	}

	o.admin(t, "channels delete phone-1").wantCode(t, exitUsage, "1 message and 0 dead would be deleted. Give --yes")
	o.person("yes\n").admin(t, "channels delete phone-1").wantCode(t, exitFailed, "nothing was done")
	o.person("").admin(t, "channels delete phone-1").wantCode(t, exitUsage, "Give --yes")
	if got := o.person("phone-1\n").admin(t, "channels delete phone-1").wantOK(t).out; got != "channel phone-1 is deleted, with 1 message\n" {
		t.Errorf("got %s", got)
	}
	o.admin(t, "channels delete phone-1 --yes").wantCode(t, exitRefused, "not found")
}

// revision returns the revision that a channel has: the first one is any number.
func (o operator) revision(t *testing.T, channel string) int64 {
	t.Helper()
	return decoded[adminChannel](t, o.admin(t, "channels show "+channel).wantOK(t).out).Revision
}

// A change is made of what somebody else made of the channel meanwhile.
func TestAdminChangeMeanwhile(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	o.admin(t, "channels create c --label a=1").wantOK(t)
	first := o.revision(t, "c")
	target, err := url.Parse(o.service.AdminURL())
	if err != nil {
		t.Fatal(err)
	}
	var patches atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n := patches.Add(1); r.Method == http.MethodPatch && n <= 2 {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			o.admin(t, "channels change c --label b=2").wantOK(t)
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	slow := o
	slow.env = map[string]string{"QSTC_ADMIN_URL": server.URL, "QSTC_ADMIN_TOKEN": adminToken}
	ch := decoded[adminChannel](t, slow.admin(t, "channels change c --label c=3").wantOK(t).out)
	if labelsText(ch.Labels) != "a=1 b=2 c=3" || ch.Revision != first+2 {
		t.Errorf("got %+v", ch)
	}
	patches.Store(0)
	slow.admin(t, fmt.Sprintf("channels change c --label d=4 --revision %d", first+2)).wantCode(t, exitConflict, "changed meanwhile")
}

func TestAdminCredentials(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	party := o.channel(t, "phone-1", "")
	gateway, application := party("gateway"), party("application")
	brought := o
	brought.stdin = "a-secret-of-the-field\n"
	brought.admin(t, "credentials create phone-1 gateway --id old --secret-file - --expires 2099-01-01T00:00:00Z").wantOK(t)
	// From here on a replica remembers them for a while.
	gateway.qst(t, "push", "--body", "hello").wantOK(t)
	gateway.env["QSTC_PASSWORD"] = "a-secret-of-the-field"
	gateway.qst(t, "pull").wantOK(t)
	if out := application.qst(t, "pull").wantOK(t).out; !strings.Contains(out, "hello") {
		t.Errorf("pulled %s", out)
	}

	r := o.person("").admin(t, "credentials create phone-1 gateway --id next --user nokia --right pull --expires 720h --note n").wantOK(t)
	_, secret, _ := strings.Cut(r.out, "secret    ")
	if !strings.Contains(r.out, "id        next\n") || len(secret) < 20 || !strings.Contains(r.stderr, "once") {
		t.Errorf("got %s%s", r.out, r.stderr)
	}
	o.admin(t, "credentials create phone-1 door").wantCode(t, exitRefused, "endpoint")
	o.admin(t, "credentials create phone-1 gateway --expires tomorrow").wantCode(t, exitUsage, "--expires")
	o.admin(t, "credentials create phone-1 gateway --secret-file -").wantCode(t, exitUsage, "empty")
	o.admin(t, "credentials create phone-1 gateway --id next").wantCode(t, exitConflict, "exists already")

	out := o.admin(t, "credentials list phone-1").wantOK(t).out
	list := lines[adminCredential](t, out)
	if len(list) != 4 || strings.Contains(out, "secret") {
		t.Errorf("got %s", out)
	}
	o.admin(t, "credentials revoke phone-1 next").wantOK(t)
	o.admin(t, "credentials revoke phone-1 next").wantCode(t, exitRefused, "not found")
	if left := o.person("").admin(t, "credentials list phone-1").wantOK(t).out; strings.Contains(left, "nokia") || strings.Count(left, "\n") != 4 {
		t.Errorf("left are\n%s", left)
	}
}
