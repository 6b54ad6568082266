package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// kannelFiles are bearerbox and smsbox, running as docs/gateways/kannel.conf has it.
type kannelFiles struct {
	conf, config string // Kannel's, the bridge's
	smsc         string // address of the SMSC's port
}

// freePort returns a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// startKannel starts the documents' Kannel with an SMSC of theirs, whose port is given.
func startKannel(t *testing.T, c *channel, smsc, smscPort, smscConf string) *kannelFiles {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"store", "dlr"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sendsms, bridge, box := freePort(t), freePort(t), freePort(t)
	replace := strings.NewReplacer(
		"13000", freePort(t), "13001", box, "13013", sendsms, "port = "+smscPort, "port = "+smsc, "9465", bridge,
		"/var/spool/kannel", dir, "/var/log/kannel", dir, "CHANGE-ME", "secret", "CHANGEME", "token1234",
		"http-queue-delay = 5", "http-queue-delay = 1", "throughput = 10", "throughput = 1000",
		"https://qst.example.org/v2/channels/people/gateway", c.service.URL("people/gateway"),
		"user = \"people\"", "wait = \"5s\"", "password-file = \"/etc/qst/password\"\n", "",
		"/var/lib/qst-gateway/kannel", c.state, "/etc/kannel", dir,
	)
	k := &kannelFiles{conf: filepath.Join(dir, "kannel.conf"), config: filepath.Join(dir, "kannel.toml"), smsc: "127.0.0.1:" + smsc}
	for path, sources := range map[string][]string{k.conf: {"kannel.conf", smscConf}, k.config: {"kannel.toml"}} {
		var all strings.Builder
		for _, source := range sources {
			content, err := os.ReadFile(filepath.Join("../../../docs/gateways", source))
			if err != nil {
				t.Fatal(err)
			}
			all.Write(content) // as the page's cat does
		}
		if err := os.WriteFile(path, []byte(replace.Replace(all.String())), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	daemon(t, nil, gatewayProgram(t, "bearerbox"), k.conf)
	eventually(t.Context(), t, "bearerbox", func() bool { return answers(t, box) })
	// As Debian's scripts do it (run_kannel_box): smsbox panics at times when connections are reset, and
	// is started again.
	daemon(t, nil, "/bin/sh", "-c", `while :; do "$0" "$1"; sleep 1; done`, gatewayProgram(t, "smsbox"), k.conf)
	eventually(t.Context(), t, "smsbox", func() bool { return answers(t, sendsms) })
	return k
}

// answers reports whether somebody listens on a port.
func answers(t *testing.T, port string) bool {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// fakeSMSC is the other side of Kannel's smsc = fake.
type fakeSMSC struct {
	conn net.Conn

	mu   sync.Mutex
	sent map[string][]string // the parts that went to a number
}

func connectSMSC(t *testing.T, addr string) *fakeSMSC {
	t.Helper()
	f := &fakeSMSC{sent: map[string][]string{}}
	eventually(t.Context(), t, "bearerbox", func() (ok bool) {
		var err error
		f.conn, err = new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		return err == nil
	})
	var reading sync.WaitGroup
	reading.Go(func() {
		lines := bufio.NewScanner(f.conn)
		for lines.Scan() {
			f.take(lines.Text())
		}
	})
	t.Cleanup(func() { _ = f.conn.Close(); reading.Wait() })
	return f
}

// take reads a line as fakesmsc's source has it: from, to, [udh …] kind, text.
func (f *fakeSMSC) take(line string) {
	fields := strings.SplitN(line, " ", 4)
	if len(fields) < 4 {
		return
	}
	to, kind, text := fields[1], fields[2], fields[3]
	switch kind {
	case "udh":
		var rest string
		_, rest, _ = strings.Cut(text, " ")
		kind, text, _ = strings.Cut(rest, " ")
		if kind == "data" { // the fake writes all that has a header as data
			text, _ = url.QueryUnescape(text)
			if strings.HasPrefix(to, "+85519") {
				text = decodeUTF16(text)
			}
		}
	case "ucs-2":
		text, _ = url.QueryUnescape(text)
		text = decodeUTF16(text)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent[to] = append(f.sent[to], text)
}

func decodeUTF16(s string) string {
	units := make([]uint16, len(s)/2)
	for i := range units {
		units[i] = uint16(s[2*i])<<8 | uint16(s[2*i+1])
	}
	return string(utf16.Decode(units))
}

// receive has Kannel receive a text whole, as from an SMSC with SMPP's message_payload: the
// fake's parts are 8-bit data.
func (f *fakeSMSC) receive(t *testing.T, n int, text string) {
	t.Helper()
	units := utf16.Encode([]rune(text))
	if _, err := fmt.Fprintf(f.conn, "+85512%06d 4455 ucs2 %s\n", n, escapeUTF16(units)); err != nil {
		t.Error(err)
	}
}

func escapeUTF16(units []uint16) string {
	var b strings.Builder
	for _, unit := range units {
		fmt.Fprintf(&b, "%%%02X%%%02X", unit>>8, unit&0xff)
	}
	return b.String()
}

// parts returns what went to a number.
func (f *fakeSMSC) parts(to string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.sent[to]...)
}

// Real texts each way, through the real bearerbox and smsbox, while the bridge is killed
// again and again: all arrive. Kannel can't tell a text that it had: what it may have
// been given twice is counted, and no more than that arrived twice.
func TestGatewayKannelStorm(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	k := startKannel(t, c, freePort(t), "10000", "kannel-fake.conf")
	smsc := connectSMSC(t, k.smsc)
	all := stormTexts(t)
	c.push(t, all)
	var receiving sync.WaitGroup
	defer receiving.Wait()
	receiving.Go(func() {
		for i, text := range all {
			// smsbox keeps all that it tries to deliver in memory, and some hundred connections that
			// are reset at once end it.
			eventually(t.Context(), t, "the messages before", func() bool { return c.got.received() > i-30 })
			smsc.receive(t, i, "in "+text)
		}
	})
	start := time.Now()
	defer func() { t.Logf("%v: %s", time.Since(start), c.got.progress()) }()
	said := storm(t, 500*time.Millisecond, 2500*time.Millisecond, []string{"gateway", "kannel", "--config", k.config}, func() bool {
		return c.got.reported("delivered") == len(all) && c.got.received() == len(all)
	})
	counted, doubles := strings.Count(said, "handed over, maybe a second time"), 0
	for i := range all {
		parts := smsc.parts(fmt.Sprintf("+8551%06d", i))
		if len(parts) == 0 {
			t.Errorf("text %d was not sent", i)
			continue
		}
		same := 0
		for _, part := range parts {
			if part == parts[0] {
				same++
			}
		}
		if same > 1 {
			doubles++
		}
	}
	t.Logf("%d texts were handed over again, %d of them sent twice", counted, doubles)
	if doubles > counted {
		t.Errorf("%d texts were sent twice, and %d counted", doubles, counted)
	}
	var want []string
	for _, text := range all {
		want = append(want, "in "+text)
	}
	c.got.wantEach(t, want)
}

// What arrives is what was written; and what Kannel says of it.
func TestGatewayKannelTexts(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	k := startKannel(t, c, freePort(t), "10000", "kannel-fake.conf")
	smsc := connectSMSC(t, k.smsc)
	startBridge(t, "gateway", "kannel", "--config", k.config)
	long := strings.Repeat("សួស្តី 🙂 ", 15)
	msgs := []qst.Message{
		{ID: "khmer", To: "sms://+85512000001", Body: "បើក 🙂"},
		{ID: "gsm", To: "sms://+85512000002", From: "sms://1234", Body: "Fish & chips @ £5 {€6} 100% +1"},
		{ID: "long", To: "sms://+85519000003", Body: long},
		{ID: "bad", To: "sms://x", Body: "x"},
	}
	if _, err := c.app.Push(t.Context(), msgs...); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"khmer", "gsm", "long"} {
		eventually(t.Context(), t, "the report of "+id, func() bool { _, ok := c.got.status(id)["delivered"]; return ok })
	}
	eventually(t.Context(), t, "the rejection", func() bool { return c.got.status("bad")["rejected"] == "address" })
	for to, want := range map[string]string{"+85512000001": "បើក 🙂", "+85512000002": msgs[1].Body} {
		if parts := smsc.parts(to); len(parts) != 1 || parts[0] != want {
			t.Errorf("to %s: %q", to, parts)
		}
	}
	if parts := smsc.parts("+85519000003"); len(parts) < 2 || strings.Join(parts, "") != long {
		t.Errorf("%d parts: %q", len(parts), parts)
	}

	smsc.receive(t, 1, "ជំរាបសួរ 🇰🇭 100% & +1 = ?")
	// Two parts of 8-bit data with a concatenation header: Kannel joins them.
	for i, part := range []string{"%01%02", "%03"} {
		if _, err := fmt.Fprintf(smsc.conn, "+85512000009 4455 udh-data %%05%%00%%03%%07%%02%%%02d %s\n", i+1, part); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := fmt.Fprint(smsc.conn, "+85512000008 4455 text Plain é {text}\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t.Context(), t, "the messages", func() bool { return c.got.received() == 3 })
	if m, ok := c.got.get("ជំរាបសួរ 🇰🇭 100% & +1 = ?"); !ok || m.From != "sms://+85512000001" || m.To != "sms://4455" || m.When == "" {
		t.Errorf("%+v", m)
	}
	if m, ok := c.got.get("Plain é {text}"); !ok || m.From != "sms://+85512000008" {
		t.Errorf("%+v", m)
	}
	m, ok := c.got.get("")
	if data, err := hex.DecodeString(m.Properties[0].Values[0].Text); !ok || err != nil || string(data) != "\x01\x02\x03" {
		t.Errorf("%+v", m)
	}
}

func TestGatewayKannelCheck(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	k := startKannel(t, c, freePort(t), "10000", "kannel-fake.conf")
	if r := command(t, "gateway", "kannel", "--config", k.config, "--check"); r.code != exitOK || strings.Contains(r.out, `"note"`) {
		t.Errorf("exit code %d: %s %s", r.code, r.out, r.stderr)
	}
	content, err := os.ReadFile(k.conf)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.NewReplacer("max-messages = 25\n", "", "http-request-retry = 1000000\n", "", "max-messages = 0\n", "").Replace(string(content))
	if err := os.WriteFile(k.conf, []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	r := command(t, "gateway", "kannel", "--config", k.config, "--check")
	if r.code != exitFindings || strings.Count(r.out, `"bad"`) != 3 {
		t.Errorf("exit code %d: %s", r.code, r.out)
	}
	merged := strings.Replace(string(content), "\n\ngroup = smsbox", "\ngroup = smsbox", 1)
	if err := os.WriteFile(k.conf, []byte(merged), 0o600); err != nil {
		t.Fatal(err)
	}
	r = command(t, "gateway", "kannel", "--config", k.config, "--check")
	if r.code != exitFindings || !strings.Contains(r.out, "a group begins without an empty line before it") {
		t.Errorf("exit code %d: %s", r.code, r.out)
	}
}

// Nobody without the token can make messages or reports; and there are metrics.
func TestGatewayKannelListener(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	k := startKannel(t, c, freePort(t), "10000", "kannel-fake.conf")
	stop := startBridge(t, "gateway", "kannel", "--config", k.config)
	content, err := os.ReadFile(k.config)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(content), "callback = \"")
	base, _, _ := strings.Cut(rest, "\"")
	ask := func(path string) (int, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return 0, ""
		}
		defer func() { _ = resp.Body.Close() }()
		var body strings.Builder
		_, _ = bufio.NewReader(resp.Body).WriteTo(&body)
		return resp.StatusCode, body.String()
	}
	eventually(t.Context(), t, "the bridge", func() bool { status, _ := ask("/healthz"); return status == http.StatusOK })
	for path, want := range map[string]int{
		"/kannel/inbound?token=wrong&text=x": 403, "/kannel/dlr?key=x&status=1": 403, "/kannel/dlr?token=token1234&key=x&status=1": 200,
		"/kannel/inbound?token=token1234&text=%zz": 503, "/": 404,
	} {
		if status, body := ask(path); status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if _, body := ask("/metrics"); !strings.Contains(body, "qst_gateway_unmatched_reports_total 1\n") || !strings.Contains(body, `qst_gateway_reports_total{status="delivered"} 0`) {
		t.Errorf("metrics: %s", body)
	}
	stop()
}
