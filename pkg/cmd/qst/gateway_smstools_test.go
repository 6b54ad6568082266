package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// startSmstools runs the real smsd with the documents' configuration and a modem, and
// returns its folder and the bridge's configuration.
func startSmstools(t *testing.T, c *channel, m *modem) (dir, config string) {
	t.Helper()
	dir = t.TempDir()
	for _, sub := range []string{"outgoing", "checked", "incoming", "sent", "failed"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile("../../../docs/gateways/smsd.conf")
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(dir, "smsd.conf")
	text := strings.NewReplacer("/var/spool/sms", dir, "/var/log/smstools", dir, "/run/smstools", dir, "/dev/ttyUSB0", "@"+m.l.Addr().String()).Replace(string(content))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	daemon(t, nil, gatewayProgram(t, "smsd"), "-t", "-c"+conf)
	return dir, write(t, "smstools.toml", c.config+fmt.Sprintf("[smstools]\nconf = %q\npoll = \"50ms\"\nsettle = \"1s\"\ndelivery = true\nnumber = \"4455\"\n", conf))
}

func TestGatewaySmstoolsTexts(t *testing.T) {
	t.Parallel()
	c, m := startChannel(t), startModem(t)
	m.refuse["+85512000009"] = true
	dir, config := startSmstools(t, c, m)
	defer func() {
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "smsd.log"))
			t.Logf("smsd's log: %s\nreceived: %+v", tail(string(log)), c.got.snapshot())
		}
	}()
	startBridge(t, "gateway", "smstools", "--config", config)
	long := strings.Repeat("សួស្តី 🙂 ", 15)
	msgs := []qst.Message{
		{ID: "khmer", To: "sms://+85512000001", Body: "បើក 🙂"},
		{ID: "gsm", To: "sms://+85512000002", Body: "Fish & chips @ £5 {€6} é"},
		{ID: "long", To: "sms://+85512000003", Body: long},
		{ID: "longgsm", To: "sms://+85512000004", Body: strings.Repeat("To: be or not to be, ", 20)},
		{ID: "short", To: "sms://4455", Body: "to a short number"},
		{ID: "refused", To: "sms://+85512000009", Body: "refused"},
	}
	if _, err := c.app.Push(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	for _, msg := range msgs[:5] {
		eventually(t.Context(), t, "the report of "+msg.ID, func() bool { _, ok := c.got.status(msg.ID)["delivered"]; return ok })
		if text, parts := m.went(strings.TrimPrefix(msg.To, "sms://")); text != msg.Body {
			t.Errorf("%s: %d parts, %q", msg.ID, parts, text)
		}
	}
	want := []string{"ជំរាបសួរ 🙂", "in " + long, "plain"}
	for i, text := range want {
		if !m.receive(i, text) {
			t.Fatal("the modem is full")
		}
	}
	for i, text := range want {
		eventually(t.Context(), t, text, func() bool { _, ok := c.got.get(text); return ok })
		if got, _ := c.got.get(text); got.From != fmt.Sprintf("sms://+85512%06d", i) || got.To != "sms://4455" || got.When == "" {
			t.Errorf("%+v", got)
		}
	}
	eventually(t.Context(), t, "the failure", func() bool { _, ok := c.got.status("refused")["failed"]; return ok })
}

// Real texts each way, through the real smsd, while the bridge is killed again and again:
// all arrive, none is sent twice.
func TestGatewaySmstoolsStorm(t *testing.T) {
	t.Parallel()
	c, m := startChannel(t), startModem(t)
	dir, config := startSmstools(t, c, m)
	all := stormTexts(t)
	all = all[:(len(all)+11)/12] // smsd takes half a second for each
	c.push(t, all)
	var receiving sync.WaitGroup
	defer receiving.Wait()
	stop := make(chan struct{})
	defer close(stop)
	receiving.Go(func() {
		for i, text := range all {
			for !m.receive(i, "in "+text) {
				select {
				case <-stop:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		}
	})
	start := time.Now()
	defer func() { t.Logf("%v: %s", time.Since(start), c.got.progress()) }()
	storm(t, 200*time.Millisecond, 2*time.Second, []string{"gateway", "smstools", "--config", config}, func() bool {
		return c.got.reported("delivered") == len(all) && c.got.received() == len(all)
	})
	for i, text := range all {
		if got, parts := m.went(fmt.Sprintf("+8551%06d", i)); got != text {
			t.Errorf("text %d: %d parts, %q", i, parts, got)
		}
	}
	var want []string
	for _, text := range all {
		want = append(want, "in "+text)
	}
	c.got.wantEach(t, want)
	for _, sub := range []string{"outgoing", "checked", "incoming", "sent", "failed"} {
		if left, err := os.ReadDir(filepath.Join(dir, sub)); err != nil || len(left) > 0 {
			t.Errorf("%d files are left in %s, %v", len(left), sub, err)
		}
	}
}
