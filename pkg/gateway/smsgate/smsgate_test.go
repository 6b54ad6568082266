package smsgate

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/queuestatetransfer/qst/pkg/gateway"
	"github.com/queuestatetransfer/qst/pkg/qst"
)

// What an answer to a text means for it: that it is rejected is only said of what is about the text.
func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		status              int
		message             string
		rejected, notHanded bool
	}{
		{400, "can't use phone in row 1: invalid phone number", true, false},
		{400, "Invalid device ID", false, true},
		{413, "", true, false},
		{401, "Unauthorized", false, true},
		{301, "", false, true},
		{404, "", false, true},
		{429, "", false, true},
		{500, "failed to handle request", false, false},
		{503, "queue limits exceeded", false, false},
	} {
		err := verdict(&statusError{one.status, one.message})
		_, rejected := errors.AsType[*gateway.RejectedError](err)
		if rejected != one.rejected || errors.Is(err, gateway.ErrNotHanded) != one.notHanded {
			t.Errorf("%d %s: %v", one.status, one.message, err)
		}
	}
}

// A message has one ID, whoever tells of it, wherever the phone is; and others have others.
func TestMessageID(t *testing.T) {
	t.Parallel()
	a := received{from: "+1", at: "2026-11-26T10:00:00.500+07:00", text: "x"}
	b := received{from: "+1", to: "+2", at: "2026-11-26T03:00:00.5Z", text: "x", sim: 2}
	if a.message("").ID != b.message("+3").ID {
		t.Error("two IDs")
	}
	for _, other := range []received{
		{from: "+2", at: a.at, text: "x"}, {from: "+1", at: "2026-11-26T10:00:00.501+07:00", text: "x"},
		{from: "+1", at: a.at, text: "y"}, {from: "+1", at: a.at, data: "eA=="}, {from: "+1", text: "x"},
	} {
		if other.message("").ID == a.message("").ID {
			t.Errorf("%+v has the same ID", other)
		}
	}
}

// What was taken is not taken again, after a restart as little; what could not be kept is.
func TestRecord(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	r := newRecord(state)
	took := func(id string, failing error) bool {
		t.Helper()
		fresh, err := r.once(qst.Message{ID: id}, func(qst.Message) error { return failing })
		if !errors.Is(err, failing) {
			t.Errorf("%s: %v", id, err)
		}
		return fresh
	}
	if _, err := r.once(qst.Message{ID: "a"}, nil); !errors.Is(err, errClosed) {
		t.Errorf("before it is open: %v", err)
	}
	open := func() {
		t.Helper()
		if err := r.open(time.Hour); err != nil {
			t.Fatal(err)
		}
	}
	open()
	began := r.since(time.Now())
	if took("a", gateway.ErrFull) || !took("a", nil) || took("a", nil) || !took("b", nil) {
		t.Error("not once")
	}
	r.close()

	// A machine that failed may leave half a line; and what is old is forgotten.
	path := filepath.Join(state, "received")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(content, "1000 old\n17"...), 0o600); err != nil {
		t.Fatal(err)
	}
	r = newRecord(state)
	open()
	if took("a", nil) || took("b", nil) || !took("old", nil) {
		t.Error("not as before")
	}
	if since := r.since(time.Now()); !since.Equal(began.Truncate(time.Millisecond)) {
		t.Errorf("began at %v, not %v", since, began)
	}
	if now := time.Now().Add(3 * time.Hour); !r.since(now).Equal(now.Add(-time.Hour)) {
		t.Errorf("since %v", r.since(now))
	}
	if err := r.forget(time.Now().Add(48 * time.Hour)); err != nil || len(r.taken) != 0 {
		t.Errorf("%d are kept, %v", len(r.taken), err)
	}
	r.close()
	if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := newRecord(state).open(time.Hour); err == nil {
		t.Error("a file of something else is taken")
	}
}

// Two phones have two keys; a signature is of the body and the time.
func TestDistrust(t *testing.T) {
	t.Parallel()
	g, err := New(Settings{
		URL: "http://phone:8080", User: "sms", Callback: "https://bridge.example.org", SigningKey: "a first one\r\n\ntwo\n",
		MaxAge: gateway.Duration{Duration: time.Minute},
	}, t.TempDir(), nil)
	if err != nil || len(g.keys) != 2 {
		t.Fatalf("%q %v", g.keys, err)
	}
	// HMAC-SHA256 of `{}1700000000` with the key two, by openssl.
	const signature = "4ed2936309059f254188793198c9519866d9adf6be2fc2f30528d52b58a83f49"
	h := http.Header{"X-Signature": {signature}, "X-Timestamp": {"1700000000"}}
	now := time.Unix(1700000030, 0)
	if reason := g.distrust([]byte("{}"), h, now); reason != "" {
		t.Error(reason)
	}
	h.Set("X-Signature", strings.ToUpper(signature))
	if reason := g.distrust([]byte("{}"), h, now); reason != "" {
		t.Error(reason)
	}
	if g.distrust([]byte("{ }"), h, now) == "" || g.distrust([]byte("{}"), h, now.Add(time.Minute)) == "" {
		t.Error("trusted")
	}
	h.Set("X-Timestamp", "1700000001")
	if g.distrust([]byte("{}"), h, now) == "" {
		t.Error("another time is trusted")
	}
}

// Whatever a phone calls with, the service takes the message.
func FuzzWebhook(f *testing.F) {
	f.Add(`{"event":"sms:received","payload":{"messageId":"a","sender":"+1","message":"x","receivedAt":"2026-11-26T10:00:00.000+07:00","simNumber":1}}`)
	f.Add(`{"event":"sms:data-received","payload":{"phoneNumber":"+1","data":"AQI=","receivedAt":"x"}}`)
	f.Add(`{"event":"sms:failed","payload":{"messageId":"a","reason":"\ud83d","failedAt":"2026-11-26T10:00:00Z"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		var hook webhook
		if json.Unmarshal([]byte(body), &hook) != nil {
			return
		}
		m := hook.received().message("+2")
		if _, err := qst.Decode(qst.JSON, "", qst.AppendJSON(nil, []qst.Message{m}), qst.NoLimits()); err != nil {
			t.Errorf("%+v: %v", m, err)
		}
		var s state
		if json.Unmarshal([]byte(body), &s) == nil {
			_, _ = s.event(true)
		}
	})
}
