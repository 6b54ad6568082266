package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// misbehaviour is what a proxy does to the requests and answers that it passes on.
type misbehaviour struct {
	request func(r *http.Request)  // before it is passed on
	answer  func(r *http.Response) // before it is passed back
	status  int                    // of an answer of its own to every POST
	maxBody int64                  // of a request
	cut     time.Duration          // of an answer that takes longer
	drop    bool                   // it cuts by dropping the connection
	cache   bool                   // answers to the same GET
}

// proxyTo starts a proxy of target, and returns its URL.
func proxyTo(t *testing.T, target string, m misbehaviour) string {
	t.Helper()
	p := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: target})
			if m.request != nil {
				m.request(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if m.answer != nil {
				m.answer(r)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			if m.drop {
				panic(http.ErrAbortHandler)
			}
			pageOf(w, http.StatusGatewayTimeout)
		},
	}
	var mu sync.Mutex
	cached := map[string]*httptest.ResponseRecorder{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.cut > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), m.cut)
			defer cancel()
			r = r.WithContext(ctx)
		}
		switch {
		case m.status != 0 && r.Method == http.MethodPost:
			pageOf(w, m.status)
		case m.maxBody > 0 && r.ContentLength > m.maxBody:
			_, _ = io.Copy(io.Discard, r.Body)
			pageOf(w, http.StatusRequestEntityTooLarge)
		case m.cache && r.Method == http.MethodGet:
			mu.Lock()
			defer mu.Unlock()
			rec := cached[r.URL.String()]
			if rec == nil {
				rec = httptest.NewRecorder()
				p.ServeHTTP(rec, r)
				cached[r.URL.String()] = rec
			}
			maps.Copy(w.Header(), rec.Header())
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		default:
			p.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// pageOf writes an error as nginx does.
func pageOf(w http.ResponseWriter, status int) {
	w.Header().Set("Server", "nginx/1.22.1")
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html>\r\n<head><title>"+http.StatusText(status)+"</title></head>\r\n")
}

func deleteHeader(name string) misbehaviour {
	return misbehaviour{answer: func(r *http.Response) { r.Header.Del(name) }}
}

// compressing does as nginx does with gzip on.
func compressing(r *http.Response) {
	if r.Request.Header.Get("Accept-Encoding") != "gzip" || r.StatusCode != http.StatusOK {
		return
	}
	plain, _ := io.ReadAll(r.Body)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(plain)
	_ = z.Close()
	r.Body = io.NopCloser(&b)
	r.Header.Set("Content-Encoding", "gzip")
	r.Header.Set("Content-Length", strconv.Itoa(b.Len()))
	if etag := r.Header.Get("ETag"); etag != "" {
		r.Header.Set("ETag", "W/"+etag)
	}
}

// findings returns what a doctor found, by check: the verdict, what was found and the advice.
func findings(t *testing.T, r result) map[string]string {
	t.Helper()
	found := map[string]string{}
	for line := range strings.Lines(r.out) {
		var f finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		found[f.Check] += string(f.Verdict) + ": " + f.Found + " → " + f.Advice + "\n"
	}
	return found
}

func TestDoctorOfAGoodWay(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	for _, base := range []string{"http://" + s.Addr, proxyTo(t, s.Addr, misbehaviour{})} {
		r := command(t, "doctor", "--scratch", "--time", "1s", base+"/v2/channels/doc/gateway").wantOK(t)
		for check, f := range findings(t, r) {
			if !strings.HasPrefix(f, "ok: ") {
				t.Errorf("%s: %s", check, f)
			}
		}
		if left := command(t, "pull", "--url", base+"/v2/channels/doc").wantOK(t).out; left != "" {
			t.Errorf("left behind: %s", left)
		}
	}
}

//nolint:bodyclose // the reverse proxy closes what own and theirs put there
func TestDoctorNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	for name, c := range map[string]struct {
		m     misbehaviour
		check string
		want  string // in what is said of it
		code  int
	}{
		"no ETag":           {deleteHeader("ETag"), "etag", "bad: answers lose their ETag", exitFindings},
		"no QST-Confirmed":  {deleteHeader("QST-Confirmed"), "etag", "note: confirms, but", exitOK},
		"another ETag":      {misbehaviour{answer: func(r *http.Response) { r.Header.Set("ETag", `"5d8c72a5edda8"`) }}, "etag", "bad: the ETag was rewritten", exitFindings},
		"ETag not returned": {misbehaviour{request: func(r *http.Request) { dropParameter(r, "etag") }}, "etag", "bad: the ETag does not get back", exitFindings},
		"no query":          {misbehaviour{request: func(r *http.Request) { r.URL.RawQuery = "" }}, "reach", "$is_args$args", exitFindings},
		"compression":       {misbehaviour{answer: compressing}, "compression", "gzip off", exitOK},
		"weak ETag":         {misbehaviour{answer: compressing}, "etag", "note: a proxy makes the ETag weak", exitOK},
		"cache":             {misbehaviour{cache: true}, "cache", "proxy_cache off", exitFindings},
		"no If-None-Match":  {misbehaviour{request: func(r *http.Request) { r.Header.Del("If-None-Match") }}, "conditional", "bad: If-None-Match does not get through", exitFindings},
		"304": {misbehaviour{answer: func(r *http.Response) {
			if r.Request.Header.Get("If-None-Match") != "" {
				r.StatusCode = http.StatusNotModified
				r.Body = http.NoBody
			}
		}}, "conditional", "bad: a proxy answers If-None-Match itself", exitFindings},
		"size":           {misbehaviour{maxBody: 500 << 10}, "size", "client_max_body_size", exitFindings},
		"504":            {misbehaviour{cut: 1500 * time.Millisecond}, "long poll", "nginx: proxy_read_timeout 75s", exitFindings},
		"dropped":        {misbehaviour{cut: 1500 * time.Millisecond, drop: true}, "long poll", "HAProxy: hard-stop-after", exitFindings},
		"no long polls":  {misbehaviour{request: func(r *http.Request) { dropParameter(r, "long-polling") }}, "long poll", "long-polling=true does not get through", exitFindings},
		"wrong clock":    {misbehaviour{answer: func(r *http.Response) { r.Header.Set("Date", "Sat, 02 Jan 2010 03:04:05 GMT") }}, "clock", "ahead of the server's", exitOK},
		"proxy's 401":    {misbehaviour{answer: own(401)}, "credentials", "auth_basic off", exitFindings},
		"wrong password": {misbehaviour{answer: theirs(401)}, "credentials", "user and password are wrong", exitFindings},
		"forbidden":      {misbehaviour{answer: theirs(403)}, "credentials", "not allowed on this channel", exitFindings},
		"firewall":       {misbehaviour{answer: own(403)}, "reach", "firewall", exitFindings},
		"redirect":       {misbehaviour{answer: own(301)}, "url", "use that URL", exitFindings},
		"not found":      {misbehaviour{answer: own(404)}, "reach", "is the path right", exitFindings},
		"bad gateway":    {misbehaviour{answer: own(502)}, "reach", "does not reach the service", exitFindings},
		"service down":   {misbehaviour{answer: theirs(503)}, "service", "/readyz", exitFindings},
		"no pushes":      {misbehaviour{status: 405}, "push", "405", exitFindings},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			channel := strings.Map(func(r rune) rune {
				if r == ' ' || r == '\'' {
					return '-'
				}
				return r
			}, name)
			watch := "1s"
			if c.m.cut > 0 {
				watch = "3s"
			}
			r := command(t, "doctor", "--scratch", "--time", watch, proxyTo(t, s.Addr, c.m)+"/v2/channels/"+channel)
			if found := findings(t, r)[c.check]; !strings.Contains(found, c.want) || r.code != c.code {
				t.Errorf("exit code %d, want %d; %s: %q, want %q in it; all:\n%s", r.code, c.code, c.check, found, c.want, r.out)
			}
		})
	}
}

func dropParameter(r *http.Request, name string) {
	q := r.URL.Query()
	q.Del(name)
	r.URL.RawQuery = q.Encode()
}

// own makes every answer one of the proxy's own.
func own(status int) func(*http.Response) {
	return func(r *http.Response) {
		r.StatusCode = status
		r.Header = http.Header{"Server": {"nginx/1.22.1"}, "Location": {"https://other.example.org/"}}
		r.Body = io.NopCloser(strings.NewReader("<html>"))
		r.ContentLength = -1
	}
}

// theirs makes every answer an error of the service's.
func theirs(status int) func(*http.Response) {
	return func(r *http.Response) {
		r.StatusCode = status
		r.Header = http.Header{"Content-Type": {"application/problem+json"}}
		r.Body = io.NopCloser(strings.NewReader(`{"detail":"the service says why"}`))
		r.ContentLength = -1
	}
}

func TestDoctorTouchesNoStrangersMessages(t *testing.T) {
	t.Parallel()
	s := service.Start(t, "embedded")
	command(t, "push", "--url", s.URL("live"), "--body", "precious").wantOK(t)
	r := command(t, "doctor", "--scratch", s.URL("live"))
	if found := findings(t, r)["queue"]; r.code != exitFindings || !strings.Contains(found, "not doctor's") {
		t.Errorf("exit code %d: %s", r.code, found)
	}
	r = command(t, "doctor", s.URL("live")).wantOK(t)
	if found := findings(t, r)["queue"]; !strings.HasPrefix(found, "skipped") {
		t.Errorf("queue: %s", found)
	}
	if out := command(t, "pull", "--url", s.URL("live")).wantOK(t).out; !strings.Contains(out, "precious") || strings.Count(out, "\n") != 1 {
		t.Errorf("left: %s", out)
	}
}

func TestDoctorOfNoWay(t *testing.T) {
	t.Parallel()
	now := time.Now()
	private := startTLS(t, certificate(t, "127.0.0.1", now.Add(time.Hour)), tls.VersionTLS13)
	expired := startTLS(t, certificate(t, "127.0.0.1", now.Add(-time.Hour)), tls.VersionTLS13)
	another := startTLS(t, certificate(t, "qst.example.org", now.Add(time.Hour)), tls.VersionTLS13)
	old := startTLS(t, certificate(t, "127.0.0.1", now.Add(time.Hour)), tls.VersionTLS11)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for name, c := range map[string]struct{ url, check, want string }{
		"nothing there": {"http://127.0.0.1:1/v2/channels/x", "reach", "nothing listens"},
		"authority":     {private + "/v2/channels/x", "tls", "SSL_CERT_FILE"},
		"expired":       {expired + "/v2/channels/x", "tls", "renew the certificate"},
		"another name":  {another + "/v2/channels/x", "tls", "server_name"},
		"TLS 1.1":       {old + "/v2/channels/x", "tls", "TLS 1.2 or 1.3"},
		"no TLS":        {strings.Replace(plain.URL, "http:", "https:", 1) + "/v2/channels/x", "tls", "does not speak TLS"},
		"no such host":  {"http://qst.invalid/v2/channels/x", "reach", "name is not known"},
		"double slash":  {"http://127.0.0.1:1//v2//channels/x", "url", "double slash"},
	} {
		r := command(t, "doctor", c.url)
		if found := findings(t, r)[c.check]; r.code != exitFindings || !strings.Contains(found, c.want) {
			t.Errorf("%s: exit code %d, %q", name, r.code, r.out)
		}
	}
}

// certificate makes one that signs itself.
func certificate(t *testing.T, host string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: until.Add(-24 * time.Hour), NotAfter: until}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// startTLS starts a server that speaks TLS up to a version, and returns its URL.
func startTLS(t *testing.T, c tls.Certificate, most uint16) string {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS10, MaxVersion: most}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// The standard input gives a password once.
func TestDoctorWithAPasswordFromTheStandardInput(t *testing.T) {
	t.Parallel()
	o := startAdmin(t)
	party := o.channel(t, "c", "")("gateway")
	typed := call{stdin: party.env["QSTC_PASSWORD"] + "\n", env: map[string]string{"QSTC_USER": party.env["QSTC_USER"]}}
	r := typed.qst(t, "doctor", "--password-file", "-", party.env["QSTC_URL"]).wantOK(t)
	if found := findings(t, r)["credentials"]; !strings.HasPrefix(found, "ok: accepted") {
		t.Errorf("credentials: %s", found)
	}
}
