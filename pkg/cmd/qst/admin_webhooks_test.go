package main

import (
	"strings"
	"testing"
)

func TestAdminWebhooks(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	application := o.channel(t, "c", "")("application")

	made := lines[adminWebhook](t, o.admin(t, "webhooks set c inbound https://app.example.com/sms?key=k --format xml --messages 7 --answer-within 1s --replies").wantOK(t).out)
	if w := made[0]; !strings.HasPrefix(w.Secret, "whsec_") || w.Format != "xml" || w.MaxMessages != 7 || !w.Replies || w.Mode != "messages" {
		t.Errorf("made %+v", w)
	}
	application.qst(t, "pull").wantCode(t, exitStopped, "webhook")
	shown := o.person("").admin(t, "webhooks show c inbound").wantOK(t).out
	if !strings.Contains(shown, "https://app.example.com/sms?key=k\n") || !strings.Contains(shown, "waiting") || strings.Contains(shown, made[0].Secret) {
		t.Errorf("shown %s", shown)
	}
	o.admin(t, "webhooks set c inbound http://app.example.com/").wantCode(t, exitRefused, "https")
	o.admin(t, "webhooks set c inbound https://app.example.com/ --messages 1001").wantCode(t, exitRefused, "max_messages")

	again := o
	again.stdin = "a password\n"
	if out := again.admin(t, "webhooks set c inbound https://app.example.com/ --answer-within 1s --login u --login-file -").wantOK(t).out; strings.Contains(out, "secret\"") || strings.Contains(out, "a password") {
		t.Errorf("the secret stays, and none is shown: %s", out)
	}
	list := lines[adminWebhook](t, o.admin(t, "webhooks list").wantOK(t).out)
	if len(list) != 1 || list[0].Channel != "c" || list[0].Queue != "inbound" || list[0].Delivery.State != "waiting" {
		t.Errorf("listed %+v", list)
	}
	if table := o.person("").admin(t, "webhooks list").wantOK(t).out; !strings.HasPrefix(table, "CHANNEL  QUEUE") {
		t.Errorf("table %s", table)
	}
	rotated := o.person("").admin(t, "webhooks rotate c inbound --keep 1h").wantOK(t)
	if !strings.Contains(rotated.out, "whsec_") || !strings.Contains(rotated.stderr, "shown this once") {
		t.Errorf("rotated: %s %s", rotated.out, rotated.stderr)
	}
	r := o.person("").admin(t, "webhooks test c inbound")
	r.wantCode(t, exitFailed, "api webhooks") // there is no worker
	if !strings.Contains(r.stderr, "that can take half a minute") {
		t.Errorf("a person is left to wait: %s", r.stderr)
	}
	o.admin(t, "webhooks resume c inbound").wantOK(t)
	o.admin(t, "webhooks resume c outbound").wantCode(t, exitRefused, "webhook")
	o.admin(t, "webhooks delete c inbound").wantOK(t)
	o.admin(t, "webhooks show c inbound").wantCode(t, exitRefused, "webhook")
	application.qst(t, "pull").wantOK(t)
}
