package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// way is a real proxy, as somebody configured it, and what doctor has to say of it.
type way struct {
	name   string
	config string   // lines of nginx's location or HAProxy's frontend
	nginx  string   // lines of nginx's http block
	time   string   // of haproxy's time-outs; "" is 75s
	want   []string // each is in what is found; none: nothing is found
	code   int
}

// The proxies are Debian's.
func TestDoctorThroughNginx(t *testing.T) {
	t.Parallel()
	throughProxies(t, []way{
		{name: "good", config: "proxy_read_timeout 75s;"},
		{name: "defaults", config: "proxy_http_version 1.0;"},
		{name: "unbuffered", config: "proxy_buffering off; proxy_request_buffering off; proxy_read_timeout 75s;"},
		{name: "gzip of nothing", config: "gzip on; gzip_proxied any;"}, // text/html alone
		{name: "read timeout", config: "proxy_read_timeout 2s;", want: []string{"bad long poll: cut after 2", "nginx: proxy_read_timeout 75s"}, code: exitFindings},
		{
			name: "gzip", config: "gzip on; gzip_types application/json; gzip_proxied any;",
			want: []string{"note compression: answers are compressed (gzip)", "nginx: gzip off", "note etag: a proxy makes the ETag weak"},
		},
		{
			name: "cache", nginx: "proxy_cache_path DIR/cache keys_zone=c:1m;",
			config: "proxy_cache c; proxy_ignore_headers Cache-Control; proxy_cache_valid 200 1m;",
			want:   []string{"bad cache: the queue was empty, then", "nginx: proxy_cache off"}, code: exitFindings,
		},
		{
			name: "cache that obeys", nginx: "proxy_cache_path DIR/cache keys_zone=c:1m;", config: "proxy_cache c;",
			want: []string{"bad conditional: If-None-Match does not get through", "nginx: proxy_cache off"}, code: exitFindings,
		},
		{name: "condition", config: `proxy_set_header If-None-Match "";`, want: []string{"bad conditional: If-None-Match does not get through", "no proxy_set_header If-None-Match"}, code: exitFindings},
		{name: "no ETag", config: "proxy_hide_header ETag;", want: []string{"bad etag: answers lose their ETag", "no proxy_hide_header"}, code: exitFindings},
		{name: "tiny bodies", config: "client_max_body_size 1k;", want: []string{"bad push: 413", "nginx: client_max_body_size 2m"}, code: exitFindings},
		{name: "small bodies", config: "client_max_body_size 500k;", want: []string{"bad size: a batch of nearly 1 MB is refused on the way: 413", "nginx: client_max_body_size 2m"}, code: exitFindings},
		{name: "no query", config: "rewrite ^ $uri? break;", want: []string{"bad reach: 200 where QST refuses", "$is_args$args"}, code: exitFindings},
		{name: "no ETag parameter", config: `if ($arg_etag) { set $args "format=json&max=1000"; }`, want: []string{"bad etag: the ETag does not get back"}, code: exitFindings},
		{name: "password", config: "auth_basic x; auth_basic_user_file /dev/null;", want: []string{"bad credentials: 401", "nginx: auth_basic off"}, code: exitFindings},
		{name: "firewall", config: "deny all;", want: []string{"bad reach: 403", "a proxy or a firewall"}, code: exitFindings},
		{name: "errors", config: "proxy_intercept_errors on; error_page 400 =400 @page;", nginx: "#", want: []string{"bad reach: 400 Bad Request, not in QST's words", "nginx: proxy_intercept_errors off"}, code: exitFindings},
		{name: "login", config: "return 302 https://login.example.org/;", want: []string{"bad url: 302", "https://login.example.org/"}, code: exitFindings},
		{name: "reads only", config: "if ($request_method = POST) { return 405; }", want: []string{"bad push: 405", "lets no POST through"}, code: exitFindings},
		{name: "nobody behind", config: "proxy_pass http://127.0.0.1:1;", want: []string{"bad reach: 502", "does not reach the service"}, code: exitFindings},
	}, startNginx)
}

func TestDoctorThroughHAProxy(t *testing.T) {
	t.Parallel()
	throughProxies(t, []way{
		{name: "good"},
		{name: "buffered requests", config: "option http-buffer-request"},
		{name: "closing", config: "option httpclose"},
		{name: "timeout client", config: "timeout client 2s"}, // is not for a client that waits
		{name: "timeout server", time: "2s", want: []string{"bad long poll: cut after 2", "HAProxy: timeout server 75s"}, code: exitFindings},
		{
			name: "compression", config: "filter compression\n compression algo gzip\n compression type application/json",
			want: []string{"note compression: answers are compressed (gzip)", "HAProxy: no filter compression", "note etag: a proxy makes the ETag weak"},
		},
		{name: "no ETag", config: "http-response del-header ETag", want: []string{"bad etag: answers lose their ETag", "HAProxy: no http-response del-header ETag"}, code: exitFindings},
		{name: "own ETag", config: `http-response set-header ETag "\"1\""`, want: []string{"bad etag: the ETag was rewritten", "HAProxy: no http-response set-header ETag"}, code: exitFindings},
		{name: "no QST-Confirmed", config: "http-response del-header QST-Confirmed", want: []string{"note etag: confirms, but the header QST-Confirmed is removed", "HAProxy: no http-response del-header"}},
		{name: "condition", config: "http-request del-header If-None-Match", want: []string{"bad conditional: If-None-Match does not get through", "HAProxy: no http-request del-header If-None-Match"}, code: exitFindings},
		{
			name: "cache", config: "http-request cache-use c\n http-response set-header Cache-Control max-age=60\n http-response cache-store c",
			want: []string{"bad cache: ", "HAProxy: no http-request cache-use"}, code: exitFindings,
		},
		{name: "no query", config: "http-request set-uri %[path]", want: []string{"bad reach: 200 where QST refuses", "drops the query"}, code: exitFindings},
		{name: "size", config: "http-request deny deny_status 413 if { req.hdr_val(content-length) gt 500000 }", want: []string{"bad size: a batch of nearly 1 MB is refused on the way: 413", "HAProxy: no http-request deny"}, code: exitFindings},
		{name: "password", config: "http-request auth unless { always_false }", want: []string{"bad credentials: 401", "HAProxy: no http-request auth"}, code: exitFindings},
		{name: "clock", config: `http-response set-header Date "Sat, 02 Jan 2010 03:04:05 GMT"`, want: []string{"note clock: the clock here is", "ahead of the server's", "NTP"}},
		{name: "nobody behind", config: "use_backend nobody if { always_true }", want: []string{"bad reach: 503", "does not reach the service"}, code: exitFindings},
		{name: "login", config: "http-request redirect location https://login.example.org/", want: []string{"bad url: 302", "https://login.example.org/"}, code: exitFindings},
	}, startHAProxy)
}

func throughProxies(t *testing.T, ways []way, start func(t *testing.T, target string, w *way) string) {
	t.Helper()
	s := service.Start(t, "embedded")
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			base := start(t, s.Addr, &w)
			// Longer than the time-outs that are too short here.
			r := command(t, "doctor", "--scratch", "--time", "4s", "http://"+base+"/v2/channels/"+strings.ReplaceAll(t.Name()[len("TestDoctorThrough"):], "/", "-"))
			var found []string
			for check, f := range findings(t, r) {
				for line := range strings.Lines(f) {
					if verdict, what, _ := strings.Cut(line, ": "); verdict != string(good) {
						found = append(found, verdict+" "+check+": "+what)
					}
				}
			}
			all := strings.Join(found, "")
			for _, want := range w.want {
				if !strings.Contains(all, want) {
					t.Errorf("%q is not found", want)
				}
			}
			if r.code != w.code || (len(w.want) == 0) != (all == "") {
				t.Errorf("exit code %d, want %d", r.code, w.code)
			}
			if t.Failed() {
				t.Logf("found:\n%s%s", all, r.stderr)
			}
		})
	}
}

// proxyProgram returns nginx or haproxy.
func proxyProgram(t *testing.T, name string) string {
	t.Helper()
	if dir := os.Getenv("QST_TEST_PROXIES"); dir != "" {
		return filepath.Join(dir, name)
	}
	for _, program := range []string{name, filepath.Join("/usr/sbin", name), filepath.Join("..", "..", "..", "bin", "proxies", name)} {
		if path, err := exec.LookPath(program); err == nil {
			return path
		}
	}
	t.Fatalf("%s is missing: .ci/install proxies gets it, and QST_TEST_PROXIES names a folder that has it", name)
	return ""
}

// startProxy runs a proxy until the test ends, and returns when it takes connections.
func startProxy(t *testing.T, addr string, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // its error is the signal
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s said:\n%s", program, said.String())
		}
	})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s does not start", program)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-tick.C:
		}
	}
}

// freeAddr returns an address for a proxy to listen on. Somebody else may take it:
// then the proxy does not start, and says so.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func writeConfig(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func startNginx(t *testing.T, target string, w *way) string {
	t.Helper()
	addr, dir := freeAddr(t), t.TempDir()
	location := w.config
	if !strings.Contains(location, "proxy_pass") {
		location += "\nproxy_pass http://" + target + ";"
	}
	if !strings.Contains(location, "proxy_http_version") {
		location += "\nproxy_http_version 1.1; proxy_set_header Connection '';"
	}
	path := filepath.Join(dir, "nginx.conf")
	writeConfig(t, path, strings.ReplaceAll(`
daemon off; master_process off; pid DIR/pid; error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
	`+w.nginx+`
	server {
		listen `+addr+`;
		location @page { return 400 "<html>sorry</html>"; }
		location / { `+location+` }
	}
}
`, "DIR", dir))
	startProxy(t, addr, proxyProgram(t, "nginx"), "-e", "stderr", "-p", dir, "-c", path)
	return addr
}

func startHAProxy(t *testing.T, target string, w *way) string {
	t.Helper()
	addr, path := freeAddr(t), filepath.Join(t.TempDir(), "haproxy.cfg")
	timeout := w.time
	if timeout == "" {
		timeout = "75s"
	}
	writeConfig(t, path, `
cache c
  total-max-size 4
defaults
  mode http
  timeout connect 5s
  timeout client 75s
  timeout server `+timeout+`
frontend f
  bind `+addr+`
  `+w.config+`
  default_backend b
backend b
  server s `+target+`
backend nobody
`)
	startProxy(t, addr, proxyProgram(t, "haproxy"), "-db", "-f", path)
	return addr
}
