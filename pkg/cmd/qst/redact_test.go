package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Whatever is wrong with a URL or a configuration, nothing of a password in it is said: neither on the
// standard output nor on the standard error.
func TestPasswordsAreNotRepeated(t *testing.T) {
	t.Parallel()
	secrets := []string{"5ecret", "hu5h", "4242"} // parts of passwords: before, after and between what a URL can't have
	silent := func(t *testing.T, r result) {
		t.Helper()
		if r.code == exitOK || r.stderr == "" {
			t.Errorf("exit code %d: %q", r.code, r.stderr)
		}
		for _, s := range secrets {
			if strings.Contains(r.stderr+r.out, s) {
				t.Errorf("%q is shown: %s%s", s, r.out, r.stderr)
			}
		}
	}
	urls := []string{
		"http://ann:5ecret#hu5h@127.0.0.1:1/v2/channels/c", "http://ann:4242#hu5h@127.0.0.1:1/v2/channels/c",
		"http://ann:5ecret/hu5h@127.0.0.1:1/v2/channels/c", "http://ann:4242/hu5h@127.0.0.1:1/v2/channels/c",
		"http://ann:5ecret?hu5h@127.0.0.1:1/v2/channels/c", "http://ann:4242?hu5h@127.0.0.1:1/v2/channels/c",
		"http://ann:5ecret%hu5h@127.0.0.1:1/v2/channels/c", "http://ann:5ecret hu5h@127.0.0.1:1/v2/channels/c",
		"http://ann:5ecret\"hu5h@127.0.0.1:1/v2/channels/c", "http://ann:5ecret\\hu5h@127.0.0.1:1/v2/channels/c",
		"http://ann:5ecret<hu5h@127.0.0.1:1/v2/channels/c", "http://ann:5ecret\x7fhu5h@127.0.0.1:1/v2/channels/c",
		"http://ann:5ecret[hu5h@127.0.0.1:1/v2/channels/c", "http://5ecret#hu5h@127.0.0.1:1/v2/channels/c",
		"http://ann:5ecret@127.0.0.1:1x/v2/channels/c", "http://ann:5ecret@[127.0.0.1/v2/channels/c", "http://ann:5ecret@127.0.0.1:1/%zz",
		"http:/ann:5ecret@127.0.0.1:1/v2/channels/c", "http:ann:5ecret@127.0.0.1:1", "htp://ann:5ecret@127.0.0.1:1/v2/channels/c",
		"ann:5ecret@127.0.0.1:1/v2/channels/c", "//ann:5ecret@127.0.0.1:1/v2/channels/c", "://ann:5ecret@127.0.0.1:1",
		"http://ann:5ecret@127.0.0.1:1/v2/channels/c", // this one can be used, and nothing answers
	}
	for i, u := range urls {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			for _, args := range [][]string{
				{"push", "--timeout", "1ms", "--body", "x", "--url", u}, {"pull", "--timeout", "1ms", "--url", u}, {"doctor", "--url", u}, {"doctor", u},
				{"relay", "--timeout", "1ms", "--from", u, "--to", u}, {"conformance", "server", u}, {"conformance", u}, {"admin", "channels", "list", "--admin-url", u},
				{"profile", "add", "x", "--url", u, "--user", "ann"}, {"profile", "add", "x", "--admin-url", u}, {"profile", "add", u, "--url", u},
				{"profile", "use", u}, {"profile", "test", u}, {"push", "-p", u}, {u}, {"admin", u}, {"push", u}, {"pull", u},
			} {
				r := call{}.qst(t, args...)
				if args[0] == "profile" && args[1] == "add" && strings.Contains(strings.Join(args, " "), "--admin-url") && r.code == exitOK {
					continue // it is looked at when it is used
				}
				silent(t, r)
			}
			silent(t, call{env: map[string]string{"QSTC_URL": u}}.qst(t, "push", "--timeout", "1ms", "--body", "x"))
			silent(t, call{env: map[string]string{"QSTC_ADMIN_URL": u, "QSTC_ADMIN_TOKEN": "hu5h"}}.qst(t, "admin", "channels", "list"))

			path := tomlFile(t, "[profiles.p]\nurl = '"+strings.ReplaceAll(u, "\x7f", "")+"'\nadmin-url = '"+strings.ReplaceAll(u, "\x7f", "")+"'\nadmin-token = 'hu5h'\n")
			silent(t, call{}.qst(t, "--config", path, "profile", "test", "p", "--timeout", "1ms"))
			if r := (call{}).qst(t, "--config", path, "profile", "list"); r.code != exitOK || strings.Contains(r.out, "5ecret") || strings.Contains(r.out, "hu5h") || strings.Contains(r.out, "4242") {
				t.Errorf("the list: %d %s%s", r.code, r.out, r.stderr)
			}
		})
	}
	for i, line := range []string{
		"password = 5ecret#hu5h", "password = 4242 hu5h", "password = hu5h@5ecret", "password = '5ecret'hu5h'", `password = "5ecret"hu5h"`, `password = "5ecret\hu5h"`,
		"password = 4242-hu5h", "password = 4242.5ecret", "password = 4242:5ecret", "password = 'hu5h", "password = \"hu5h", "password = 5ecret = hu5h", "password = 4242", "password = 42425ecret",
		"password = {hu5h}", "password = [hu5h", "password = +5ecret", "password = 4242_hu5h", "password = 0x5ecret", "password = true5ecret",
		"url = http://ann:5ecret@hu5h", "admin-token = hu5h", "url = 'http://ann:5ecret'hu5h@h'", "password: 5ecret", "password 5ecret",
	} {
		t.Run("line "+strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			silent(t, call{}.qst(t, "--config", tomlFile(t, "[profiles.p]\n"+line+"\n"), "-p", "p", "push", "--body", "x"))
			silent(t, call{}.qst(t, "gateway", "smstools", "--config", tomlFile(t, "[qst]\n"+line+"\n")))
		})
	}
}

func tomlFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qst.toml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
