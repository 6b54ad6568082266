package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestProfiles(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	party := o.channel(t, "box", "")("mailbox")
	home := t.TempDir()
	secret, token := filepath.Join(home, "secret"), filepath.Join(home, "token")
	path := filepath.Join(home, ".config", "qst", "config.toml")
	for file, text := range map[string]string{secret: party.env["QSTC_PASSWORD"] + "\n", token: adminToken + "\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := call{tty: true, env: map[string]string{"HOME": home, "NO_COLOR": "1"}}
	url := o.service.URL("box")
	c.qst(t, "profile", "add", "box", "--url", url, "--user", party.env["QSTC_USER"], "--password-file", secret).wantOK(t)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// What somebody writes into the file stays there.
	if err := os.WriteFile(path, append([]byte("# mine\n"), content...), 0o600); err != nil {
		t.Fatal(err)
	}
	c.qst(t, "profile", "add", "ops", "--admin-url", o.service.AdminURL(), "--token-file", token).wantOK(t)
	c.qst(t, "profile", "add", "wrong", "--url", url, "--user", "nobody").wantOK(t)

	want := "PROFILE  DEFAULT  USER    URL"
	if r := c.qst(t, "profile", "list").wantOK(t); !strings.HasPrefix(r.out, want) || !strings.Contains(r.out, "\nbox      *        box     "+url) || strings.Count(r.out, "\n") != 4 {
		t.Errorf("%s", r.out)
	}
	for _, args := range [][]string{{"profile", "test"}, {"profile", "test", "box"}, {"profile", "test", "ops"}, {"push", "--body", "x"}, {"admin", "channels", "list", "-p", "ops"}} {
		c.qst(t, args...).wantOK(t)
	}
	if r := c.qst(t, "pull", "--no-confirm").wantOK(t); strings.Count(r.out, "\n") != 2 {
		t.Errorf("testing took messages: %s", r.out)
	}
	c.qst(t, "profile", "test", "wrong").wantCode(t, exitStopped, "profile wrong: ")
	c.qst(t, "profile", "use", "wrong").wantOK(t)
	c.qst(t, "profile", "test").wantCode(t, exitStopped, "profile wrong: ")
	if r := c.qst(t, "profile", "list", "-o", "json").wantOK(t); !strings.Contains(r.out, `{"name":"wrong","default":true,"url":"`+url+`","user":"nobody"}`) {
		t.Errorf("%s", r.out)
	}

	c.qst(t, "profile", "use", "boks").wantCode(t, exitUsage, `there is no profile "boks"`)
	c.qst(t, "profile", "add", "box", "--url", url).wantCode(t, exitUsage, "there is a profile box already")
	c.qst(t, "profile", "add", "x").wantCode(t, exitUsage, "--url")
	c.qst(t, "profile", "add", "a b", "--url", url).wantCode(t, exitUsage, "no name for a profile")
	c.qst(t, "profile", "add", "x", "--url", "box").wantCode(t, exitUsage, "not the URL")
	c.qst(t, "profile", "add", "x", "--url", strings.Replace(url, "://", "://ann:s3cret@", 1)).wantCode(t, exitUsage, "password in it")

	content, err = os.ReadFile(path)
	if err != nil || !strings.Contains(string(content), "# mine\n") || strings.Contains(string(content), "s3cret") {
		t.Errorf("%v: %s", err, content)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}
