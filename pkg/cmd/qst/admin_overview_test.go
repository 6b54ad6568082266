package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAdminOverview(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	for i, n := range []int{1, 30, 2} {
		gateway := o.channel(t, fmt.Sprint("c", i), "")("gateway")
		var input strings.Builder
		for text := range n {
			fmt.Fprintln(&input, text)
		}
		gateway.stdin = input.String()
		gateway.qst(t, "push").wantOK(t)
	}

	all := decoded[adminOverview](t, o.admin(t, "overview").wantOK(t).out)
	if all.Messages != 33 || all.Channels != 3 || all.Status != "ready" || len(all.Active) == 0 {
		t.Errorf("got %+v", all)
	}
	text := o.person("").admin(t, "overview").wantOK(t).out
	if !strings.Contains(text, "service      ready\n") || !strings.Contains(text, "channels     3\n") {
		t.Errorf("got %s", text)
	}

	top := lines[adminTopQueue](t, o.admin(t, "queues top --by depth").wantOK(t).out)
	if len(top) != 3 || top[0].Channel != "c1" || top[0].Queue != "inbound" || top[0].Messages != 30 {
		t.Errorf("deepest: %+v", top)
	}
	if top = lines[adminTopQueue](t, o.admin(t, "queues top --max 1").wantOK(t).out); len(top) != 1 || top[0].Channel != "c0" {
		t.Errorf("oldest: %+v", top)
	}
	if got := o.admin(t, "queues top --by dead").wantOK(t).out; got != "" {
		t.Errorf("dead: %s", got)
	}
	table := strings.Split(o.person("").admin(t, "queues top").wantOK(t).out, "\n")
	if len(table) != 5 || !strings.HasPrefix(table[0], "CHANNEL  QUEUE") || !strings.HasPrefix(table[1], "c0       inbound") {
		t.Errorf("table %q", table)
	}
	silent := lines[adminSilent](t, o.admin(t, "channels silent --max 2").wantOK(t).out)
	if len(silent) != 2 || silent[0].Channel != "c0" || silent[0].LastSeen == nil {
		t.Errorf("silent: %+v", silent)
	}
	if got := o.admin(t, "channels list --unwell").wantOK(t).out; got != "" {
		t.Errorf("not well: %s", got)
	}
	o.admin(t, "channels list --state ill").wantCode(t, exitRefused, `"ill"`)
	o.admin(t, "queues top --by name").wantCode(t, exitRefused, `"name"`)
	o.admin(t, "queues top --max 101").wantCode(t, exitUsage, "1 to 100")
	o.admin(t, "channels silent --max 0").wantCode(t, exitUsage, "1 to 100")
}

// Channels that are not well are listed with what is wrong, and since when first.
func TestUnwellChannels(t *testing.T) {
	t.Parallel()
	var asked string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query().Get("state")
		_, _ = fmt.Fprint(w, `{"channels":[{"name":"c","note":"n","unwell":[{"state":"quiet","since":"2026-11-23T02:31:58Z"},{"state":"push_only","since":"2026-11-23T01:31:58Z"}]}]}`)
	}))
	t.Cleanup(s.Close)
	o := operator{call: call{env: map[string]string{"QSTC_ADMIN_URL": s.URL, "QSTC_ADMIN_TOKEN": adminToken, "NO_COLOR": "1"}}}
	for words, state := range map[string]string{"channels list --unwell": "any", "channels list --state quiet": "quiet"} {
		got := strings.Fields(o.person("").admin(t, words).wantOK(t).out)
		if want := "CHANNEL STATE SINCE NOTE c quiet push_only 2026-11-23T01:31:58Z n"; strings.Join(got, " ") != want || asked != state {
			t.Errorf("%s: %q, asked for %q", words, got, asked)
		}
	}
}
