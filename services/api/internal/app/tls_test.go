package app_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/queuestatetransfer/qst/services/api/internal/redistest"
)

// The public listener speaks TLS where it has a certificate; a poll whose client goes away, after a
// byte more too, ends there as elsewhere.
func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, client := certificate(t)
	s := redistest.Start(t)
	r := startReplica(t, s.URL(), "QST_LISTEN_CERT_FILE="+certFile, "QST_LISTEN_KEY_FILE="+keyFile, "QST_LONG_POLL_MAX=1h")
	address := strings.TrimPrefix(r.URL, "http://")
	transport := &http.Transport{TLSClientConfig: client}
	defer transport.CloseIdleConnections()
	for _, c := range []struct{ method, body, want string }{
		{"POST", `{"id":"1","body":"x"}`, `"accepted":1`}, {"GET", "", `"id":"1"`},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "https://"+address+"/v2/channels/c?format=json", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), c.want) {
			t.Fatalf("%s: %d %s (%v), want %s", c.method, resp.StatusCode, body, err, c.want)
		}
	}
	if a := do(t, "GET", r.URL+"/v2/channels/c", ""); a.Status != http.StatusBadRequest {
		t.Errorf("without TLS: %v", a)
	}
	// Meanwhile another one waits for half a minute: by then, no client that has gone has a poll.
	control := longPollOver(t, client, address, "/v2/channels/control?long-polling=true&wait=30")
	defer func() { _ = control.Close() }()
	waitForPoll(t, s, "control", "mailbox", "")
	for _, more := range []string{"", "\n"} {
		conn := longPollOver(t, client, address, "/v2/channels/other?long-polling=true&wait=3600")
		waitForPoll(t, s, "other", "mailbox", "")
		fmt.Fprint(conn, more)
		_ = conn.Close()
		eventually(t, "the poll has ended", func() error { return noWaiter(t, s, "other") })
	}
	if noWaiter(t, s, "control") == nil {
		t.Error("the other poll was over before")
	}
}

// longPollOver begins a poll over TLS, and returns its connection.
func longPollOver(t *testing.T, config *tls.Config, address, target string) net.Conn {
	t.Helper()
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", target)
	return conn
}

// certificate writes a certificate and its key, and returns the files and what a client needs to trust it.
func certificate(t *testing.T) (certFile, keyFile string, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	s.Close()
	made := s.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(made.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(t.TempDir(), "tls.crt"), filepath.Join(t.TempDir(), "tls.key")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: made.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return certFile, keyFile, &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
}
