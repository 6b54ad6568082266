package main

import (
	"fmt"
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
	o.admin(t, "queues top --by name").wantCode(t, exitRefused, `"name"`)
	o.admin(t, "queues top --max 101").wantCode(t, exitUsage, "1 to 100")
	o.admin(t, "channels silent --max 0").wantCode(t, exitUsage, "1 to 100")
}
