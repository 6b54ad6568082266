package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// probeTimeout bounds a request that is answered at once. The service itself
	// takes up to 13s when its storage is slow.
	probeTimeout = 20 * time.Second

	// maxProbeAnswer is more than the service answers, unless it is configured otherwise (1 MiB).
	maxProbeAnswer = 4 << 20
)

// probe is one request, as it is to be made.
type probe struct {
	method string
	query  url.Values
	header http.Header
	body   []byte
	wait   time.Duration // the answer may take this much longer
}

// observation is what came of it.
type observation struct {
	status  int // 0: no answer
	proto   string
	header  http.Header
	body    []byte
	took    time.Duration
	resp    *http.Response
	err     error // there was no answer, or not all of it
	timeout bool  // we did not wait any longer
}

// try makes a request to u.
func (d *doctor) try(ctx context.Context, u *url.URL, p probe) observation {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout+p.wait)
	defer cancel()
	target := *u
	if p.query != nil {
		target.RawQuery = p.query.Encode()
	}
	method := p.method
	if method == "" {
		method = http.MethodGet
	}
	var o observation
	r, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(p.body))
	if err != nil {
		o.err = err
		return o
	}
	if p.header != nil {
		r.Header = p.header
	}
	r.Header.Set("User-Agent", "qst-doctor")
	if d.user != "" || d.password != "" {
		r.SetBasicAuth(d.user, d.password)
	}
	start := time.Now()
	resp, err := d.http.Do(r)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		o.status, o.proto, o.header, o.resp = resp.StatusCode, resp.Proto, resp.Header, resp
		o.body, err = io.ReadAll(io.LimitReader(resp.Body, maxProbeAnswer))
	}
	o.took, o.err = time.Since(start), err
	o.timeout = errors.Is(err, context.DeadlineExceeded)
	return o
}

// problem reports whether the answer is the service's own word about an error.
func (o *observation) problem() bool {
	mediaType, _, _ := mime.ParseMediaType(o.header.Get("Content-Type"))
	return mediaType == "application/problem+json"
}

// String says what came, in a few words.
func (o *observation) String() string {
	switch {
	case o.timeout:
		return fmt.Sprintf("no answer within %s", seconds(o.took))
	case o.err != nil:
		return o.err.Error()
	}
	text := fmt.Sprintf("%d %s", o.status, http.StatusText(o.status))
	if o.status != http.StatusOK && !o.problem() {
		text += ", not in QST's words"
	}
	if server := o.header.Get("Server"); server != "" {
		text += ", from " + server
	}
	return text
}

// proxy names what seems to have written the answer: nginx, haproxy, …; "" if
// nothing tells.
func (o *observation) proxy() string {
	body := strings.ToLower(string(o.body[:min(len(o.body), 4<<10)]))
	server := strings.ToLower(o.header.Get("Server") + " " + o.header.Get("Via"))
	switch {
	case strings.Contains(server, "nginx"), strings.Contains(server, "openresty"):
		return "nginx"
	case strings.Contains(server, "apache"):
		return "apache"
	// HAProxy does not name itself. Its error pages are all like this.
	case o.status >= 400 && strings.HasPrefix(body, "<html><body><h1>") && strings.Contains(body, "\n</body></html>"):
		return "haproxy"
	case strings.Contains(server, "varnish"):
		return "varnish"
	}
	return ""
}

// recognise remembers the proxy that wrote an answer. HAProxy shows itself in errors alone.
func (d *doctor) recognise(o *observation) {
	if via := o.proxy(); via != "" {
		d.via = via
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }
