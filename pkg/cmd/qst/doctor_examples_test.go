package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// examples are the proxies' configurations that the project hands out.
const examples = "../../../deploy/one-machine"

// example returns one of them with what a test needs in the places of what a reader fills
// in. Each has to be there.
func example(t *testing.T, name string, places ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(examples, name))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(places); i += 2 {
		if !strings.Contains(string(text), places[i]) {
			t.Fatalf("%s has no %q", name, places[i])
		}
	}
	return strings.NewReplacer(places...).Replace(string(text))
}

// pair writes a certificate of its own authority for 127.0.0.1, and its key.
func pair(t *testing.T) (certificateFile, keyFile string, client *http.Client) {
	t.Helper()
	c := certificate(t, "127.0.0.1", time.Now().Add(time.Hour))
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certificateFile, keyFile = filepath.Join(dir, "fullchain.pem"), filepath.Join(dir, "privkey.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	writeConfig(t, certificateFile, string(text))
	writeConfig(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return certificateFile, keyFile, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
}

func exampleNginx(t *testing.T, target, certificate, key string) (addr, plain string) {
	t.Helper()
	addr, plain = freeAddr(t), freeAddr(t)
	dir := t.TempDir()
	site := example(t, "nginx.conf", "127.0.0.1:8080", target, "listen 443 ssl;", "listen "+addr+" ssl;", "listen [::]:443 ssl;", "",
		"listen 80;", "listen "+plain+";", "listen [::]:80;", "", "qst.example.org;", "127.0.0.1;",
		"/etc/letsencrypt/live/qst.example.org/fullchain.pem", certificate, "/etc/letsencrypt/live/qst.example.org/privkey.pem", key)
	path := filepath.Join(dir, "nginx.conf")
	writeConfig(t, path, strings.ReplaceAll(`
daemon off; master_process off; pid DIR/pid; error_log stderr;
events {}
http {
	access_log off; gzip on; gzip_types application/json; gzip_proxied any;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
`, "DIR", dir)+site+"}\n")
	startProxy(t, addr, proxyProgram(t, "nginx"), "-e", "stderr", "-p", dir, "-c", path)
	return addr, plain
}

func exampleCaddy(t *testing.T, target, certificate, key string) (addr, plain string) {
	t.Helper()
	addr = freeAddr(t)
	dir := t.TempDir()
	site := example(t, "Caddyfile", "127.0.0.1:8080", target, "qst.example.org {", "https://"+addr+" {\n\ttls "+certificate+" "+key)
	path := filepath.Join(dir, "Caddyfile")
	writeConfig(t, path, "{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system "+dir+"\n}\n"+site)
	startProxy(t, addr, "env", "HOME="+dir, "XDG_CONFIG_HOME="+dir, proxyProgram(t, "caddy"), "run", "--config", path, "--adapter", "caddyfile")
	return addr, ""
}

// Through each example doctor finds nothing to mend; a batch of the largest size gets
// through and a larger one does not; the client's address is the connection's, whatever
// the client says.
func TestDoctorThroughTheExamples(t *testing.T) {
	t.Parallel()
	const token = "the-token-of-the-examples"
	s := service.Start(t, "embedded", "QST_TRUSTED_PROXIES=127.0.0.1/32", "QST_ADMIN_TOKEN="+token)
	for name, start := range map[string]func(t *testing.T, target, certificate, key string) (string, string){
		"nginx": exampleNginx, "caddy": exampleCaddy,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certificate, key, client := pair(t)
			addr, plain := start(t, s.Addr, certificate, key)
			base := "https://" + addr + "/v2/channels/" + name

			doctor := exec.CommandContext(t.Context(), program, "doctor", "--scratch", "--time", "4s", "--output", "json", base)
			doctor.Env = []string{"SSL_CERT_FILE=" + certificate, "HOME=" + t.TempDir()}
			out, err := doctor.Output()
			for check, found := range findings(t, result{out: string(out)}) {
				if check == "tls" && strings.HasSuffix(found, "good for 0 days → renew it\n") {
					continue // the test's own
				}
				if !strings.HasPrefix(found, string(good)+": ") || strings.Count(found, "\n") != 1 {
					t.Errorf("%s: %s", check, found)
				}
			}
			if err != nil || len(out) == 0 {
				t.Errorf("doctor: %v, %s", err, out)
			}

			send := func(method, url string, body []byte, headers ...string) (int, string) {
				r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				r.Header.Set("Content-Type", "application/json")
				for i := 0; i < len(headers); i += 2 {
					r.Header.Set(headers[i], headers[i+1])
				}
				a, err := client.Do(r)
				if err != nil {
					return 0, err.Error()
				}
				defer func() { _ = a.Body.Close() }()
				text, _ := io.ReadAll(a.Body)
				return a.StatusCode, string(text)
			}
			if status, text := send(http.MethodPost, base+"-large", batchOf(1<<20)); status != http.StatusOK {
				t.Errorf("a batch of the largest size: %d %s", status, text)
			}
			if status, text := send(http.MethodPost, base+"-large", batchOf(1200<<10)); status != http.StatusRequestEntityTooLarge {
				t.Errorf("a larger one: %d %s", status, text)
			}
			if plain != "" {
				if status, text := send(http.MethodPost, "http://"+plain+"/v2/channels/plain", []byte(`{"body":"x"}`)); status != 0 {
					t.Errorf("without TLS: %d %s", status, text)
				}
			}

			admin := s.AdminURL() + "/admin/v1/channels"
			bearer := []string{"Authorization", "Bearer " + token}
			if status, text := send(http.MethodPost, admin, fmt.Appendf(nil, `{"name":"%s-address"}`, name), bearer...); status != http.StatusCreated {
				t.Fatal(status, text)
			}
			if status, text := send(http.MethodPost, base+"-address/gateway", []byte(`{"body":"x"}`), "X-Forwarded-For", "203.0.113.9"); status != http.StatusOK {
				t.Fatal(status, text)
			}
			if _, text := send(http.MethodGet, admin+"/"+name+"-address", nil, bearer...); strings.Contains(text, "203.0.113.9") || !strings.Contains(text, `"address":"127.0.0.1"`) {
				t.Errorf("who pushed: %s", text)
			}
		})
	}
}

// batchOf returns a batch of n bytes, of messages and in a number that the service takes.
func batchOf(n int) []byte {
	one := `{"body":"` + strings.Repeat("x", 10_000) + `"},`
	batch := "[" + strings.Repeat(one, (n-len(one)-2)/len(one))
	batch += `{"body":"` + strings.Repeat("x", n-len(batch)-len(`{"body":""}]`)) + `"}]`
	return []byte(batch)
}
