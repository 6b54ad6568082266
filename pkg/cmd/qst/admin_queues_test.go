package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestAdminQueues(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	gateway := o.channel(t, "c", "")("gateway")
	var input strings.Builder
	for i := range 230 { // three pages
		fmt.Fprintln(&input, "text", i)
	}
	gateway.stdin = input.String()
	gateway.qst(t, "push", "--from", "sms://1\x1b").wantOK(t)

	queues := lines[adminQueue](t, o.admin(t, "queues show c").wantOK(t).out)
	if len(queues) != 3 || queues[0].Queue != "inbound" || queues[0].Messages != 230 || queues[0].Bytes == 0 || queues[1].Messages != 0 {
		t.Errorf("got %+v", queues)
	}
	table := strings.Split(o.person("").admin(t, "queues show c inbound").wantOK(t).out, "\n")
	if len(table) != 3 || !strings.HasPrefix(table[1], "inbound  230  ") {
		t.Errorf("table %q", table)
	}

	for words, want := range map[string]int{"": 100, "--max 0": 230, "--max 215": 215, "--max 3": 3} {
		if got := strings.Count(o.admin(t, "queues peek c inbound "+words).wantOK(t).out, "\n"); got != want {
			t.Errorf("%s: %d messages", words, got)
		}
	}
	first := lines[adminEntry](t, o.admin(t, "queues peek c inbound --max 2").wantOK(t).out)
	second := o.person("").admin(t, "queues peek c inbound --max 1 --after "+first[0].ID).wantOK(t).out
	if !strings.Contains(second, first[1].ID+"  20") || !strings.HasSuffix(second, `sms://1\x1b      text 1`+"\n") {
		t.Errorf("got %s", second)
	}
	o.admin(t, "queues peek c inbound --after x").wantCode(t, exitRefused, "id")

	o.admin(t, "queues purge c inbound").wantCode(t, exitUsage, "230. Give --count")
	o.admin(t, "queues purge c inbound --count 229").wantCode(t, exitConflict, "does not hold 229 messages, but 230")
	o.person("no\n").admin(t, "queues purge c inbound").wantCode(t, exitFailed, "nothing was done")
	if got := o.person("230\n").admin(t, "queues purge c inbound").wantOK(t).out; got != "dropped 230 messages\n" {
		t.Errorf("got %s", got)
	}
	if got := o.admin(t, "queues purge c inbound --count 0").wantOK(t).out; got != `{"messages":0}`+"\n" {
		t.Errorf("got %s", got)
	}
}

func TestAdminDead(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	party := o.channel(t, "c", "--set max_deliveries=1")
	gateway, application := party("gateway"), party("application")
	fail := func(texts string) { // the first message can't be borne; two after it are confirmed
		gateway.stdin = texts
		gateway.qst(t, "push").wantOK(t)
		for range 2 {
			application.qst(t, "pull", "--no-confirm", "--max", "1").wantOK(t)
			application.qst(t, "pull", "--max", "1").wantOK(t)
		}
	}
	dead := func() []adminEntry { return lines[adminEntry](t, o.admin(t, "dead list c inbound").wantOK(t).out) }
	fail("a\nproof\nproof\n")
	fail("b\nproof\nproof\n")
	fail("c\nproof\nproof\n")
	list := dead()
	if len(list) != 3 || list[0].Deliveries != 2 || !strings.Contains(string(list[0].Message), `"a"`) {
		t.Fatalf("got %+v", list)
	}
	if table := o.person("").admin(t, "dead list c inbound --max 1").wantOK(t).out; !strings.HasPrefix(table, "ID") || !strings.HasSuffix(table, "  a\n") {
		t.Errorf("table %s", table)
	}

	o.admin(t, "dead requeue c inbound").wantCode(t, exitUsage, "--all")
	o.admin(t, "dead requeue c inbound --all "+list[0].ID).wantCode(t, exitUsage, "--all")
	o.admin(t, "dead requeue c inbound "+list[1].ID+" 1-1").wantCode(t, exitRefused, "put back 1 message; then:")
	if out := application.qst(t, "pull").wantOK(t).out; strings.Count(out, "\n") != 1 || !strings.Contains(out, `"b"`) {
		t.Errorf("pulled %s", out)
	}
	if out := o.admin(t, "dead drop c inbound "+list[0].ID).wantOK(t).out; out != `{"dropped":1}`+"\n" {
		t.Errorf("got %s", out)
	}
	if out := o.person("").admin(t, "dead requeue c inbound --all").wantOK(t).out; out != "put back 1 message\n" {
		t.Errorf("got %s", out)
	}
	fail("proof\nproof\n")
	o.admin(t, "dead drop c inbound --all").wantCode(t, exitUsage, "1. Give --count")
	o.admin(t, "dead drop c inbound --all --count 2").wantCode(t, exitConflict, "dead letters: 1, not 2; nothing was dropped")
	o.admin(t, "dead drop c inbound --all --count 1").wantOK(t)
	if left := dead(); len(left) != 0 {
		t.Errorf("left are %+v", left)
	}
}
