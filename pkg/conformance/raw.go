package conformance

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// raw sends a request as it is written, "\n" for CR LF and HOST for the host, over a
// connection of its own.
func (t *exam) raw(r replica, request string) answer {
	head, body, _ := strings.Cut(request, "\n\n")
	method, rest, _ := strings.Cut(head, " ")
	path, rest, _ := strings.Cut(rest, " HTTP/")
	u, err := url.Parse(string(r))
	if err != nil {
		t.fatalf("%v", err)
	}
	full := at(string(r), path)
	full = full[strings.Index(full, u.Host)+len(u.Host):]
	c := t.dial(u)
	defer func() { _ = c.Close() }()
	head = method + " " + full + " HTTP/" + strings.ReplaceAll(rest, "HOST", u.Host)
	if l, ok := t.login(path); ok {
		q := http.Request{Header: http.Header{}}
		q.SetBasicAuth(l.user, l.password)
		head += "\nAuthorization: " + q.Header.Get("Authorization")
	}
	// A server may answer, and close, before it has read all.
	t.begun.Go(func() {
		_, _ = io.WriteString(c, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+body)
	})
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.fatalf("%s: no answer: %v", excerpt(head, 300), err)
	}
	defer func() { _ = resp.Body.Close() }()
	var b bytes.Buffer
	_, err = b.ReadFrom(resp.Body)
	t.note(method, path, body, nil, fmt.Sprintf("%s\n%s\n%s", resp.Status, headerLines(resp.Header), excerpt(b.String(), 400)))
	if err != nil {
		t.fatalf("the answer is cut: %v", err)
	}
	return answer{Status: resp.StatusCode, Header: resp.Header, Body: b.String(), Close: resp.Close}
}

// dial opens a connection that ends with the case.
func (t *exam) dial(u *url.URL) net.Conn {
	ctx, cancel := context.WithTimeout(t.ctx, t.Patience)
	defer cancel()
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	var c net.Conn
	var err error
	if u.Scheme == "https" {
		d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}}
		if h, ok := t.Client.Transport.(*http.Transport); ok && h.TLSClientConfig != nil {
			d.Config.RootCAs = h.TLSClientConfig.RootCAs
		}
		c, err = d.DialContext(ctx, "tcp", host)
	} else {
		c, err = new(net.Dialer).DialContext(ctx, "tcp", host)
	}
	if err != nil {
		t.fatalf("no connection: %v", err)
	}
	stop := context.AfterFunc(t.ctx, func() { _ = c.Close() })
	context.AfterFunc(t.ctx, func() { stop() })
	_ = c.SetDeadline(deadline(t.Patience))
	return c
}
