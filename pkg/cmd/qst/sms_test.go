package main

import (
	"strings"
	"testing"
)

func TestSMSCount(t *testing.T) {
	t.Parallel()
	person := call{tty: true}
	for _, c := range []struct {
		stdin, text, want string
	}{
		{text: "Fish & chips: 5 €", want: "GSM-7, 1 part, 142 septets left\n"},
		{text: "", want: "GSM-7, 1 part, 160 septets left\n"},
		{stdin: "It’s\n", want: "UCS-2, 1 part, 66 units left; not in GSM-7: ’\n"},
		{stdin: "a\r\nb\r\n", want: "GSM-7, 1 part, 156 septets left\n"},
		{text: strings.Repeat("ក", 71), want: "UCS-2, 2 parts, 63 units left; not in GSM-7: ក\n"},
		{text: "абвгдежзийкл", want: "UCS-2, 1 part, 58 units left; not in GSM-7: а б в г д е ж з и й …\n"},
		{text: strings.Repeat("x", 153*255+1), want: "GSM-7, 256 parts, 152 septets left; more than the 255 parts that an SMS can have\n"},
	} {
		args := []string{"sms", "count", c.text}
		if c.stdin != "" {
			args = args[:2]
		}
		person.stdin = c.stdin
		if r := person.qst(t, args...).wantOK(t); r.out != c.want {
			t.Errorf("%.20q: %q, want %q", c.stdin+c.text, r.out, c.want)
		}
	}
	if r := command(t, "sms", "count", "It’s 1\u200b").wantOK(t); r.out != `{"encoding":"UCS-2","units":7,"parts":1,"left":63,"outside":"’`+"\u200b"+`"}`+"\n" {
		t.Errorf("%q", r.out)
	}
	call{stdin: "\xff"}.qst(t, "sms", "count").wantCode(t, exitUsage, "not UTF-8")
	call{tty: true}.qst(t, "sms", "count").wantCode(t, exitUsage, "which text?")
}

// --count pushes nothing, and asks no server.
func TestPushCount(t *testing.T) {
	t.Parallel()
	r := call{tty: true, stdin: "id;body\n1;It’s\n2;" + strings.Repeat("x", 161) + "\n"}.qst(t, "push", "--count", "--input", "csv", "--url", nowhere).wantOK(t)
	want := "PARTS  ENCODING  LEFT  NOT IN GSM-7  TEXT\n" +
		"1      UCS-2     66    ’             It’s\n" +
		"2      GSM-7     145                 " + strings.Repeat("x", 161) + "\n" +
		"2 messages, 3 parts: nothing was pushed\n"
	if got := strings.NewReplacer("\x1b[2m", "", "\x1b[0m", "").Replace(r.out); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	r = command(t, "push", "--count", "--subject", "Shop", "--body", "Open.", "--id", "7").wantOK(t)
	if r.out != `{"id":"7","encoding":"GSM-7","units":12,"parts":1,"left":148}`+"\n" {
		t.Errorf("%q", r.out)
	}
	call{stdin: ""}.qst(t, "push", "--count").wantCode(t, exitUsage, "there are no messages")
}
