package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// What push --ids writes are the ids that are pulled, in their order.
func TestPushIDs(t *testing.T) {
	t.Parallel()
	url := service.Start(t, "embedded").URL("box")
	input := call{stdin: `{"id":"1","body":"a"} {"body":"b"} {"id":"1","body":"a"}`}
	lines := strings.Fields(input.qst(t, "push", "--url", url, "--ids").wantOK(t).out)
	one := call{tty: true}.qst(t, "push", "--url", url, "--ids", "--body", "c").wantOK(t)
	var pushed []string
	for _, line := range lines {
		var m struct{ ID string }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		pushed = append(pushed, m.ID)
	}
	if len(pushed) != 3 || pushed[0] != "1" || pushed[2] != "1" {
		t.Fatalf("got %q", pushed)
	}
	want := []string{"1", pushed[1], strings.TrimSpace(one.out)}
	for _, stderr := range []string{"", "qst: 3 of these, the first ones, were given out before\n"} {
		r := command(t, "pull", "--url", url, "--no-confirm").wantOK(t)
		var pulled []string
		for line := range strings.Lines(r.out) {
			var m struct{ ID string }
			_ = json.Unmarshal([]byte(line), &m)
			pulled = append(pulled, m.ID)
		}
		if strings.Join(pulled, " ") != strings.Join(want, " ") || r.stderr != stderr {
			t.Errorf("pulled %q %q, want %q %q", pulled, r.stderr, want, stderr)
		}
	}
}
