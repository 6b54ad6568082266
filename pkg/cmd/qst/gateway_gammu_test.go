package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// smsd is the real Gammu SMSD with its dummy device.
type smsd struct {
	dir, rc string
}

func startSMSD(t *testing.T, extra string) *smsd {
	t.Helper()
	return startSMSDOf(t, t.TempDir(), "files", extra)
}

// startSMSDOf starts it with a backend of its own choice.
func startSMSDOf(t *testing.T, dir, service, extra string) *smsd {
	t.Helper()
	s := &smsd{dir: dir}
	for _, dir := range []string{"inbox", "outbox", "sent", "error", "dummy/sms/1"} {
		if err := os.MkdirAll(filepath.Join(s.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	pause := "0" // as quick as it can be
	if service != "files" {
		pause = "1" // else it asks its database all the time, and other tests have no processor
	}
	s.rc = write(t, "smsdrc", strings.NewReplacer("DIR", s.dir, "SERVICE", service, "PAUSE", pause).Replace(`[gammu]
model = dummy
connection = none
port = DIR/dummy
gammuloc = /dev/null

[smsd]
service = SERVICE
logfile = DIR/log
debuglevel = 1
loopsleep = PAUSE
commtimeout = 0
receivefrequency = 1
statusfrequency = 0
checksecurity = 0
checkbattery = 0
checksignal = 0
checknetwork = 0
inboxpath = DIR/inbox/
outboxpath = DIR/outbox/
sentsmspath = DIR/sent/
errorsmspath = DIR/error/
inboxformat = detail
transmitformat = auto
`)+extra)
	daemon(t, []string{"LANG=C.UTF-8"}, gatewayProgram(t, "gammu-smsd"), "--config", s.rc)
	return s
}

// receive has the dummy device receive a text, in as many parts as it takes.
func (s *smsd) receive(t *testing.T, n int, text string) {
	t.Helper()
	units := utf16.Encode([]rune(text))
	var parts [][]uint16
	for len(units) > 70 || len(parts) > 0 && len(units) > 0 {
		size := min(67, len(units)) // an emoji may be cut in two, as phones do it
		parts, units = append(parts, units[:size]), units[size:]
	}
	if len(parts) == 0 {
		parts = [][]uint16{units}
	}
	for i, part := range parts {
		var digits strings.Builder
		for _, unit := range part {
			fmt.Fprintf(&digits, "%04X", unit)
		}
		content := fmt.Sprintf("[SMSBackup000]\nSMSC = \"+855999\"\nPDU = Deliver\nDateTime = 20261126T073000\nState = UnRead\nNumber = \"+85512%06d\"\n", n)
		if len(parts) > 1 {
			content += fmt.Sprintf("UDH = 050003%02X%02X%02X\n", n%256, len(parts), i+1)
		}
		for j, all := 0, digits.String(); len(all) > 0; j++ {
			line := min(200, len(all))
			content += fmt.Sprintf("Text%02d = %s\n", j, all[:line])
			all = all[line:]
		}
		content += fmt.Sprintf("Coding = Unicode_No_Compression\nFolder = 1\nLength = %d\nClass = -1\nMessageReference = 0\n\n", len(part))
		// The device's locations are numbers below 10 000; a file becomes one at once.
		path := filepath.Join(s.dir, "dummy", "new")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path, filepath.Join(s.dir, "dummy", "sms", "1", fmt.Sprint(n*9+i+1))); err != nil {
			t.Fatal(err)
		}
	}
}

var transmitted = regexp.MustCompile(`Transmitted (\S+) \(total: (\d+)\) to (\+\d+)`)

// sent returns how often the device has sent a text to each number.
func (s *smsd) sent(t *testing.T) map[string]int {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	numbers := map[string]int{}
	for _, m := range transmitted.FindAllStringSubmatch(string(log), -1) {
		numbers[m[3]]++
	}
	return numbers
}

// Real texts each way, through the real SMSD, while the bridge is killed again and
// again: all arrive, none is sent twice.
func TestGatewayGammuStorm(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSMSD(t, "")
	all := stormTexts(t)
	c.push(t, all)
	var receiving sync.WaitGroup
	defer receiving.Wait()
	receiving.Go(func() {
		for i, text := range all {
			s.receive(t, i, "in "+text)
			for waited := 0; i%50 == 49 && waited < 1000; waited++ { // a SIM has few places
				if left, _ := os.ReadDir(filepath.Join(s.dir, "dummy", "sms", "1")); len(left) < 20 {
					break
				}
				time.Sleep(10 * time.Millisecond) //nolint:forbidigo // it is a directory that is waited for
			}
		}
	})
	config := write(t, "gammu.toml", c.config+fmt.Sprintf("[gammu]\nsmsdrc = %q\npoll = \"50ms\"\n", s.rc))
	start := time.Now()
	defer func() { t.Logf("%v: %s", time.Since(start), c.got.progress()) }()
	storm(t, 200*time.Millisecond, 2*time.Second, []string{"gateway", "gammu", "--config", config}, func() bool {
		return c.got.reported("sent") == len(all) && c.got.received() == len(all)
	})
	for number, n := range s.sent(t) {
		if n != 1 {
			t.Errorf("%d texts to %s", n, number)
		}
	}
	if n := len(s.sent(t)); n != len(all) {
		t.Errorf("texts to %d numbers, of %d", n, len(all))
	}
	var want []string
	for _, text := range all {
		want = append(want, "in "+text)
	}
	c.got.wantEach(t, want)
	left := func() (names []string) {
		for _, dir := range []string{"inbox", "outbox", "sent", "error"} {
			files, err := os.ReadDir(filepath.Join(s.dir, dir))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				names = append(names, filepath.Join(dir, f.Name()))
			}
		}
		return names
	}
	if len(left()) > 0 { // the last bridge ended between its last report and the file that this was of
		startBridge(t, "gateway", "gammu", "--config", config)
		eventually(t.Context(), t, "no file left", func() bool { return len(left()) == 0 })
	}
}

// What is sent is what was written: SMSD's log shows a text's first part.
func TestGatewayGammuTexts(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSMSD(t, "")
	config := write(t, "gammu.toml", c.config+fmt.Sprintf("[gammu]\nsmsdrc = %q\npoll = \"50ms\"\nnumber = \"4455\"\n", s.rc))
	startBridge(t, "gateway", "gammu", "--config", config)
	msgs := []qst.Message{
		{ID: "khmer", To: "sms://+85512000001", Subject: "ហាង", Body: "បើក 🙂"},
		{ID: "gsm", To: "tel:+855-12-000-002", Body: "Fish & chips @ £5 {€6}"},
		{ID: "nobody", To: "sms://nobody", Body: "no number"},
		{ID: "long", To: "sms://1", Body: strings.Repeat("x", 1531)},
		{ID: "nothing", To: "sms://1", From: "sms://2"},
		{ID: "last", To: "+85512000003", Body: "last"},
	}
	if _, err := c.app.Push(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string][2]string{
		"khmer": {"sent", ""}, "gsm": {"sent", ""}, "nobody": {"rejected", "address"}, "long": {"rejected", "length"},
		"nothing": {"rejected", "empty"}, "last": {"sent", ""},
	} {
		eventually(t.Context(), t, "the report of "+id, func() bool {
			code, ok := c.got.status(id)[want[0]]
			return ok && code == want[1]
		})
	}
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`sms to "+85512000001" with text "ហាង - បើក 🙂"`, `sms to "+85512000002" with text "Fish & chips @ £5 {€6}"`,
	} {
		if !strings.Contains(string(log), want) {
			t.Errorf("SMSD did not find %s", want)
		}
	}
	s.receive(t, 1, "ជំរាបសួរ")
	eventually(t.Context(), t, "the message", func() bool { return c.got.received() == 1 })
	m, _ := c.got.get("ជំរាបសួរ")
	if m.From != "sms://+85512000001" || m.To != "sms://4455" || m.When != "2026-11-26T07:30:00Z" {
		t.Errorf("%+v", m)
	}
	if _, err := hex.DecodeString(m.ID); err != nil {
		t.Errorf("ID %q", m.ID)
	}
}

// SMSD calls RunOnReceive, whatever its backend, and whether or not a bridge runs.
func TestGatewayGammuRunOnReceive(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	dir := t.TempDir()
	config := filepath.Join(dir, "gammu.toml")
	script := filepath.Join(dir, "received")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec "+program+" gateway gammu --config "+config+" --received \"$@\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s := startSMSD(t, "runonreceive = "+script+"\n")
	if err := os.WriteFile(config, []byte(c.config+fmt.Sprintf("[gammu]\nsmsdrc = %q\npoll = \"50ms\"\nreceive = \"run-on-receive\"\n", s.rc)), 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("វែងណាស់ 🙂 ", 12)
	s.receive(t, 1, "short")
	s.receive(t, 2, long)
	eventually(t.Context(), t, "RunOnReceive", func() bool {
		files, _ := os.ReadDir(filepath.Join(c.state, "received"))
		return len(files) == 2
	})
	startBridge(t, "gateway", "gammu", "--config", config)
	eventually(t.Context(), t, "the messages", func() bool { return c.got.received() == 2 })
	if m, ok := c.got.get(long); !ok || m.From != "sms://+85512000002" {
		t.Errorf("%+v", m)
	}
}

func TestGatewayGammuCheck(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSMSD(t, "")
	config := write(t, "gammu.toml", c.config+fmt.Sprintf("[gammu]\nsmsdrc = %q\n", s.rc))
	if r := command(t, "gateway", "gammu", "--config", config, "--check"); r.code != exitOK || !strings.Contains(r.out, "a QST service answers") {
		t.Errorf("exit code %d: %s %s", r.code, r.out, r.stderr)
	}
	content, err := os.ReadFile(s.rc)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.NewReplacer("= detail", "= standard", "= auto", "= 7bit", "/error/", "/nowhere/").Replace(string(content))
	config = write(t, "gammu.toml", c.config+fmt.Sprintf("[gammu]\nsmsdrc = %q\n", write(t, "smsdrc", bad)))
	r := command(t, "gateway", "gammu", "--config", config, "--check")
	if r.code != exitFindings {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
	for _, want := range []string{"set inboxformat = detail", "set transmitformat = auto", "errorsmspath"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("does not say %q: %s", want, r.out)
		}
	}
	if r := command(t, "gateway", "gammu", "--config", config); r.code != exitUsage {
		t.Errorf("a bridge started with that: exit code %d", r.code)
	}
	if r := command(t, "gateway", "gammu", "--config", write(t, "x.toml", "[bridge]\nstte = \"x\"\n")); r.code != exitUsage || !strings.Contains(r.stderr, "bridge.stte is not a setting") {
		t.Errorf("exit code %d: %s", r.code, r.stderr)
	}
}
