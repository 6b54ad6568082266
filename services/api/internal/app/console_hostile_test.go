package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// hostileText is a text that would be something else than text, if it could.
const hostileText = `</bdi><img src=x onerror=alert(1)><script>alert(2)</script>"'` + "`${alert(3)}" + ` javascript:alert(4) &lt;`

// hiding are texts with something in them that doesn't show, or turns what follows, and how they are shown.
var hiding = map[string]string{
	"pay \u202e001 to me":                 "pay [U+202E]001 to me",
	"a\u0000b\u001b[31m\u007f":            "a[U+0000]b[U+001B][31m[U+007F]",
	"\u2066x\u2069\u200f\ufeff\U000e0041": "[U+2066]x[U+2069][U+200F][U+FEFF][U+E0041]",
}

// unbroken are texts whose parts belong together: nothing of them may be replaced.
var unbroken = []string{"ស្រី\u200bស្អាត", "👩🏽\u200d⚕️ 🇰🇭", "ሰላም", "مرحبا", "עברית", "می\u200cخواهم"}

// What strangers and clients write shows as text: nothing of it runs, hides or turns its surroundings.
func TestConsoleShowsText(t *testing.T) {
	t.Parallel()
	r := startReplica(t, redistest.Start(t).URL(), withAuth("QST_MAX_DELIVERIES=1")...)
	record, _ := json.Marshal(map[string]any{"name": "~.x", "note": hostileText})
	if a := admin(t, r, "POST", "/channels", string(record)); a.Status != http.StatusBadRequest {
		t.Fatalf("a name may be more than this test thinks: %v", a)
	}
	name := "+1.~_@+-..x" // the oddest that there may be
	record, _ = json.Marshal(map[string]any{"name": name, "note": hostileText, "labels": map[string]string{"a/b": hostileText, "turn": "\u202eabc"}})
	mustAdmin(t, r, http.StatusCreated, "POST", "/channels", string(record))
	body, _ := json.Marshal(map[string]string{"id": "odd", "endpoint": "gateway", "user": `<b>"&'`, "note": hostileText})
	phone, _ := credential(t, r, url.PathEscape(name), string(body))
	path := r.URL + "/v2/channels/" + url.PathEscape(name) + "/gateway"
	send := func(m map[string]any) {
		t.Helper()
		body, err := json.Marshal([]any{m})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "it is pushed", func() error {
			return status(do(t, "POST", path, string(body), phone, typeJSON, "User-Agent: "+hostileText).Status, http.StatusOK)
		})
	}
	send(map[string]any{"id": hostileText, "from": hostileText, "to": hostileText, "subject": hostileText, "body": hostileText, "<img src=x onerror=alert(5)>": hostileText, "list": []any{hostileText, 1.5, true}})
	for text := range hiding {
		send(map[string]any{"id": "hiding", "body": text})
	}
	for _, text := range unbroken {
		send(map[string]any{"id": "plain", "body": text})
	}

	b := startBrowser(t, r)
	b.signIn(adminToken)
	b.see(name)
	b.open("#/channels")
	b.see(name)
	b.see(hostileText)
	b.see("turn=[U+202E]abc")
	b.click(name)
	b.see(hostileText) // the note, the program
	b.open("#/channel/" + url.PathEscape(name) + "/messages")
	b.see(hostileText)
	rows := 1 + len(hiding) + len(unbroken)
	for i := range rows {
		b.clickAt(fmt.Sprintf(`//table/tbody/tr[%d]//button`, 2*i+1))
	}
	for _, shown := range hiding {
		b.see(shown)
	}
	for _, text := range unbroken {
		b.see(text)
	}
	b.see("<img src=x onerror=alert(5)>")
	if n := script[int](b, `document.querySelectorAll("main img, main script, main b, main iframe").length`); n != 0 {
		t.Errorf("%d elements were made of texts", n)
	}
	if direction := script[string](b, fmt.Sprintf(`getComputedStyle([...document.querySelectorAll(".message bdi")].find((e) => e.textContent === %q)).direction`, "مرحبا")); direction != "rtl" {
		t.Errorf("an Arabic text runs %s", direction)
	}
	b.size(390, 844)
	b.accessible()
	b.fits()
	b.open("#/channel/" + url.PathEscape(name) + "/credentials")
	b.see(hostileText)
	b.see(`<b>"&'`)
	b.fits()
	for _, odd := range []string{"#/channel/%E0%A4%A", "#/channel/..%2F..%2Fhealthz", "#/nothing", "#/channel/a%2Fb/messages?queue=%3Cimg%3E&after=x"} {
		b.expect("40") // 400 or 404
		b.open(odd)
		eventually(t, "there is an answer", func() error {
			if text := b.text(); strings.Contains(text, "Loading") {
				return fmt.Errorf("%s", text)
			}
			return nil
		})
	}
	b.unharmed()
}

// Who may load the page, and what a browser is told of it.
func TestConsoleIsGuarded(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), withAuth("QST_CONSOLE_HOSTS=qst.example.org")...)
	files := []string{"", "app.js", "style.css", "icon.svg"}
	for _, file := range files {
		a := do(t, "GET", r.Admin+"/console/"+file, "")
		policy := a.Header.Get("Content-Security-Policy")
		if a.Status != http.StatusOK || a.Header.Get("X-Content-Type-Options") != "nosniff" || a.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", file, a.Status, a.Header)
		}
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "script-src 'self'", "require-trusted-types-for 'script'", "form-action 'none'"} {
			if !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: the policy is %s", file, policy)
			}
		}
		if again := do(t, "GET", r.Admin+"/console/"+file, "", "If-None-Match: "+a.Header.Get("ETag")); again.Header.Get("ETag") != a.Header.Get("ETag") || a.Header.Get("ETag") == "" {
			t.Errorf("%s: %v", file, again)
		}
	}
	if a := do(t, "GET", r.Admin+"/console/nothing", ""); a.Status != http.StatusNotFound {
		t.Errorf("a file that is not there: %v", a)
	}
	if a := do(t, "GET", r.URL+"/console/", ""); a.Status != http.StatusNotFound {
		t.Errorf("on the public listener: %v", a)
	}

	as := func(host, method, path string, header ...string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, r.Admin+path, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		for _, h := range header {
			name, value, _ := strings.Cut(h, ": ")
			req.Header.Set(name, value)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	own := strings.TrimPrefix(r.Admin, "http://")
	for host, want := range map[string]int{
		own: 200, "localhost:9090": 200, "[::1]:9090": 200, "qst-admin": 200, "qst-admin.qst.svc": 200, "QST.example.org": 200, "qst.example.org:8443": 200,
		"rebinding.example.com": 403, "127.0.0.1.example.com:9090": 403, "qst.example.org.example.com": 403, "localhost.example.com": 403,
	} {
		if got := as(host, "GET", "/console/"); got != want {
			t.Errorf("the page as %s: %d, want %d", host, got, want)
		}
		// Programs may call it what they like; a browser may not.
		if got := as(host, "GET", "/admin/v1/overview", bearer); got != 200 {
			t.Errorf("a program as %s: %d", host, got)
		}
		if got := as(host, "GET", "/admin/v1/overview", bearer, "Sec-Fetch-Site: same-origin"); got != want {
			t.Errorf("a browser as %s: %d, want %d", host, got, want)
		}
	}
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Origin: http://evil.example.com", "Origin: null"} {
		if got := as(own, "DELETE", "/admin/v1/channels/c", bearer, header, "If-Match: *"); got != http.StatusForbidden {
			t.Errorf("%s: %d", header, got)
		}
	}
	if got := as(own, "DELETE", "/admin/v1/channels/c", bearer, "Origin: http://"+own, "If-Match: *"); got != http.StatusNotFound {
		t.Errorf("its own page: %d", got)
	}

	// Off, and off without a token.
	for _, env := range [][]string{{"QST_CONSOLE=false", "QST_ADMIN_TOKEN=" + adminToken}, {}} {
		off := startReplica(t, s.URL(), env...)
		if a := do(t, "GET", off.Admin+"/console/", ""); a.Status != http.StatusNotFound {
			t.Errorf("with %v: %v", env, a)
		}
	}

	// It is small: all of it, as a browser gets it.
	size, client := 0, &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	for _, file := range []string{
		"", "app.js", "api.js", "dom.js", "words.js", "dialog.js", "overview.js", "channels.js", "channel.js", "chart.js", "messages.js", "credentials.js",
		"settings.js", "vendor/qrcode.js", "style.css", "icon.svg",
	} {
		a, err := try(t.Context(), client, "GET", r.Admin+"/console/"+file, "", "Accept-Encoding: gzip")
		if err != nil || a.Status != http.StatusOK || a.Header.Get("Content-Encoding") != "gzip" {
			t.Fatalf("%s: %v %v", file, a, err)
		}
		size += len(a.Body)
	}
	if size > 100<<10 {
		t.Errorf("the page has %d bytes", size)
	}
	t.Logf("the page has %d bytes over the wire", size)
}
