package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/qst"
)

// Real texts each way, while the bridge is killed again and again, requests fail before and
// after they were done, and webhooks get lost or come twice: all arrive, once. SMSGate can
// tell a text that it had.
func TestGatewaySmsgateStorm(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSmsgate(t)
	s.faults = func(at string) fault {
		if n := rand.N(100); at == "POST /messages" && n < 8 {
			return fault(1 + n/2)
		} else if n < 3 {
			return failsBefore
		}
		return none
	}
	s.losses = func() loss {
		if n := rand.N(10); n < 4 {
			return loss(1 + n/2)
		}
		return lossless
	}
	config, _ := s.config(c)
	if r := command(t, "gateway", "smsgate", "--config", config, "--check", "--register"); r.code != exitOK {
		t.Fatalf("exit code %d: %s %s", r.code, r.out, r.stderr)
	}
	all := texts(t, max(200, len(stormTexts(t))))
	c.push(t, all)
	var receiving sync.WaitGroup
	defer receiving.Wait()
	receiving.Go(func() {
		// What comes before the first start is not this bridge's.
		eventually(t.Context(), t, "the bridge's record", s.started(c))
		for i, text := range all {
			eventually(t.Context(), t, "the messages before", func() bool { return c.got.received() > i-100 })
			s.receive(fmt.Sprintf("+85512%06d", i), "in "+text)
		}
	})
	start := time.Now()
	defer func() { t.Logf("%v: %s", time.Since(start), c.got.progress()) }()
	said := storm(t, 500*time.Millisecond, 2500*time.Millisecond, []string{"gateway", "smsgate", "--config", config}, func() bool {
		return c.got.reported("delivered") == len(all) && c.got.received() == len(all)
	})
	if counted := strings.Count(said, "handed over, maybe a second time"); counted > 0 {
		t.Errorf("%d texts were handed over again, though SMSGate can tell", counted)
	}
	sent := s.sent()
	for i, text := range all {
		if m := sent[fmt.Sprintf("+8551%06d", i)]; m.times != 1 || m.TextMessage.Text != text {
			t.Errorf("text %d was sent %d times: %+v", i, m.times, m.TextMessage)
		}
	}
	var want []string
	for _, text := range all {
		want = append(want, "in "+text)
	}
	c.got.wantEach(t, want)
}

// What arrives is what was written; and what SMSGate says of it, also if no webhook comes.
func TestGatewaySmsgateTexts(t *testing.T) {
	t.Parallel()
	for name, losses := range map[string]func() loss{"webhooks": func() loss { return lossless }, "none comes": func() loss { return lost }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := startChannel(t)
			s := startSmsgate(t)
			s.losses = losses
			s.become = func(m standInText) []string {
				switch m.PhoneNumbers[0] {
				case "+85512000004":
					return []string{"Processed", "Failed: Send result: RESULT_ERROR_LIMIT_EXCEEDED"}
				case "+85512000005":
					return []string{"Failed: TTL expired"}
				case "+85512000006":
					return []string{"Cancelled"}
				}
				return []string{"Processed", "Sent", "Delivered"}
			}
			config, _ := s.config(c, "[smsgate]\n", "[smsgate]\nsim = 2\npriority = 100\ndevice = \"phone-1\"\n")
			s.receive("+85512000009", "before the first start") // and not this bridge's
			before := time.Now()
			eventually(t.Context(), t, "the next millisecond", func() bool { return time.Since(before) > 2*time.Millisecond })
			if r := command(t, "gateway", "smsgate", "--config", config, "--check", "--register"); r.code != exitOK || strings.Contains(r.out, `"note"`) {
				t.Fatalf("exit code %d: %s %s", r.code, r.out, r.stderr)
			}
			startBridge(t, "gateway", "smsgate", "--config", config)
			eventually(t.Context(), t, "the bridge's record", s.started(c))
			long := strings.Repeat("សួស្តី 🙂 ", 15)
			until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
			msgs := []qst.Message{
				{ID: "khmer", To: "sms://+85512000001", Body: "បើក 🙂"},
				{ID: "long", To: "sms://+85512000002", Body: long},
				{ID: "valid", To: "tel:+855-12-000-003", Subject: "a", Body: "b", Properties: []qst.Property{{Name: "qst-valid-until", Values: []qst.Value{{Text: until}}}}},
				{ID: "fails", To: "+85512000004", Body: "x"},
				{ID: "expires", To: "+85512000005", Body: "x"},
				{ID: "cancelled", To: "+85512000006", Body: "x"},
				{ID: "bad", To: "2222", Body: "x"},
			}
			if _, err := c.app.Push(t.Context(), msgs...); err != nil {
				t.Fatal(err)
			}
			for id, want := range map[string][2]string{
				"khmer": {"delivered"}, "long": {"delivered"}, "valid": {"delivered"}, "fails": {"failed", "Send result: RESULT_ERROR_LIMIT_EXCEEDED"},
				"expires": {"expired", "TTL expired"}, "cancelled": {"failed", "cancelled"}, "bad": {"rejected", "smsgate-400"},
			} {
				eventually(t.Context(), t, "the report of "+id, func() bool { _, ok := c.got.status(id)[want[0]]; return ok })
				if code := c.got.status(id)[want[0]]; code != want[1] {
					t.Errorf("%s: code %q, not %q", id, code, want[1])
				}
			}
			sent := s.sent()
			for to, text := range map[string]string{"+85512000001": "បើក 🙂", "+85512000002": long, "+85512000003": "a - b"} {
				if m := sent[to]; m.TextMessage.Text != text || *m.SimNumber != 2 || m.Priority != 100 || m.DeviceID != "phone-1" || !*m.WithDeliveryReport {
					t.Errorf("to %s: %+v %+v", to, m, m.TextMessage)
				}
			}
			if v := sent["+85512000003"].ValidUntil; v == nil || *v != until || sent["+85512000001"].ValidUntil != nil {
				t.Errorf("valid until %v", v)
			}
			s.receive("+85512000008", "ជំរាបសួរ 🇰🇭 100% & +1 = ?")
			eventually(t.Context(), t, "the message", func() bool { return c.got.received() == 1 })
			m, ok := c.got.get("ជំរាបសួរ 🇰🇭 100% & +1 = ?")
			if !ok || m.From != "sms://+85512000008" || m.To != "sms://+85512345678" || m.When == "" || m.Properties[0].Name != "sim" {
				t.Errorf("%+v %v", m, c.got.snapshot())
			}
		})
	}
}

// Nobody without the key can make messages or reports, an old call is not taken again, and what can't be
// kept is left with the phone.
func TestGatewaySmsgateWebhooks(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSmsgate(t)
	// A service that is away.
	config, bridge := s.config(c, "[smsgate]", "spool-max = 1\n[smsgate]", "https://qst.example.org", "http://127.0.0.1:1")
	daemon(t, nil, program, "gateway", "smsgate", "--config", config)
	eventually(t.Context(), t, "the bridge", func() bool { return fetch(t, bridge+"/healthz") == "ok\n" })
	hook := bridge + "/smsgate/webhook"
	body := func(text string) []byte {
		return fmt.Appendf(nil, `{"id":"1","webhookId":"w","deviceId":"d","event":"sms:received","payload":{"messageId":"m","sender":"+1","message":%q,"receivedAt":"2026-11-26T10:00:00.000+07:00"}}`, text)
	}
	eventually(t.Context(), t, "the first message", func() bool { return s.post(hook, body("first"), s.key, time.Now()) == http.StatusOK })
	now := time.Now()
	for name, one := range map[string]struct {
		body []byte
		key  string
		at   time.Time
		want int
	}{
		"unsigned":          {body("x"), "", now, 403},
		"another key":       {body("x"), "wrong", now, 403},
		"old":               {body("x"), s.key, now.Add(-6 * time.Minute), 403},
		"of the future":     {body("x"), s.key, now.Add(6 * time.Minute), 403},
		"a bit old":         {body("first"), s.key, now.Add(-2 * time.Minute), 200},
		"again":             {body("first"), s.key, now, 200},
		"the spool is full": {body("second"), s.key, now, 503},
		"not JSON":          {[]byte("{"), s.key, now, 400},
		"another type":      {[]byte(`{"event":"sms:received","payload":[]}`), s.key, now, 400},
		"too long":          {body(strings.Repeat("x", 1<<20)), s.key, now, 413},
		"somebody's text":   {[]byte(`{"event":"sms:sent","payload":{"messageId":"abc","sentAt":"x"}}`), s.key, now, 200},
		"a ping":            {[]byte(`{"event":"system:ping","payload":{"health":{}}}`), s.key, now, 200},
	} {
		if status := s.post(hook, one.body, one.key, one.at); status != one.want {
			t.Errorf("%s: %d, not %d", name, status, one.want)
		}
	}
	metrics := fetch(t, bridge+"/metrics")
	for _, want := range []string{"qst_gateway_refused_calls_total 4\n", "qst_gateway_received_total 1\n", "qst_gateway_unmatched_reports_total 1\n"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %q in %s", want, metrics)
		}
	}
	if files, err := os.ReadDir(filepath.Join(c.state, "spool")); err != nil || len(files) != 1 {
		t.Errorf("%v wait, %v", files, err)
	}
}

// A phone that was reset does not know what it had taken: that is told, and the next texts go on.
func TestGatewaySmsgateReset(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSmsgate(t)
	s.become = func(m standInText) []string {
		if m.TextMessage.Text == "one" {
			return []string{"Processed"}
		}
		return []string{"Processed", "Sent", "Delivered"}
	}
	config, _ := s.config(c, "[smsgate]", "[smsgate]\noutgoing-max = 1")
	startBridge(t, "gateway", "smsgate", "--config", config)
	c.push(t, []string{"one", "two"})
	eventually(t.Context(), t, "the first text", func() bool { return len(s.sent()) == 1 })
	s.mu.Lock()
	clear(s.texts)
	s.mu.Unlock()
	eventually(t.Context(), t, "the second", func() bool { _, ok := c.got.status("out-1")["delivered"]; return ok })
	if code := c.got.status("out-0")["unknown"]; code != "not-known" {
		t.Errorf("%v", c.got.status("out-0"))
	}
}

// With tokens, and without webhooks.
func TestGatewaySmsgateTokens(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSmsgate(t)
	s.bearer = "an old one"
	config, _ := s.config(c, "[smsgate]", "[smsgate]\njwt = true", "callback =", "#", "signing-key =", "#")
	startBridge(t, "gateway", "smsgate", "--config", config)
	c.push(t, []string{"one"})
	eventually(t.Context(), t, "the report", func() bool { return c.got.reported("delivered") == 1 })
	s.mu.Lock()
	s.bearer = "which ended"
	s.mu.Unlock()
	s.receive("+85512000008", "back")
	eventually(t.Context(), t, "the message", func() bool { return c.got.received() == 1 })
	if s.tokens != 2 {
		t.Errorf("%d tokens", s.tokens)
	}
}

func TestGatewaySmsgateCheck(t *testing.T) {
	t.Parallel()
	c := startChannel(t)
	s := startSmsgate(t)
	for name, one := range map[string]struct {
		change []string
		args   []string
		want   string
	}{
		"no webhooks":     {nil, nil, "SMSGate does not call http://"},
		"a wrong one":     {[]string{"CHANGE-ME", "wrong"}, nil, "SMSGate answers 401 Unauthorized"},
		"nobody there":    {[]string{"http://192.168.1.20:8080", "http://127.0.0.1:1"}, nil, "is the app or the server running"},
		"another service": {[]string{"http://192.168.1.20:8080", c.service.URL("people/gateway")}, nil, "url has to be that of SMSGate's API"},
		"another phone":   {[]string{"[smsgate]", "[smsgate]\ndevice = \"phone-2\""}, nil, "device = phone-2 is none of them"},
	} {
		config, _ := s.config(c, one.change...)
		if r := command(t, append([]string{"gateway", "smsgate", "--config", config, "--check"}, one.args...)...); !strings.Contains(r.out, one.want) {
			t.Errorf("%s: exit code %d: %s %s", name, r.code, r.out, r.stderr)
		}
	}
	for change, want := range map[string]string{
		"callback = \"http://10.0.0.1\"":    "https only",
		"callback = \"bridge\"":             "not a URL",
		"sim = 4":                           "1 to 3",
		"priority = 200":                    "-128 to 127",
		"outgoing-max = -1":                 "negative",
		"token-file = \"/x\"":               "in place of user",
		"password-file = \"/not/there\"":    "password-file",
		"signing-key-file = \"/not/there\"": "signing-key-file",
	} {
		name, _, _ := strings.Cut(change, " ")
		lines := []string{"[smsgate]", "[smsgate]\n" + change}
		if name == "callback" {
			lines = []string{"callback = \"https://bridge.example.org\"", change}
		}
		config, _ := s.config(c, lines...)
		if r := command(t, "gateway", "smsgate", "--config", config); r.code != exitUsage || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit code %d: %s", change, r.code, r.stderr)
		}
	}
}

// fetch returns what a URL answers, "" if nobody does.
func fetch(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	return string(body)
}
