package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// reach checks what needs no queue, and reports whether there is a service to go on
// with. Its request asks for max=none messages, which the service refuses before it
// looks at any queue, but after it has looked at credentials.
func (d *doctor) reach(ctx context.Context) bool {
	d.address()
	o := d.try(ctx, d.url, probe{query: url.Values{"max": {"none"}}, header: http.Header{"Accept-Encoding": {"gzip"}}})
	if o.status == 0 {
		d.unreached(&o)
		return false
	}
	d.recognise(&o)
	d.transport(&o)
	d.clock(&o)
	return d.answers(&o)
}

// address checks the URL itself.
func (d *doctor) address() {
	if strings.Contains(strings.TrimPrefix(d.url.Path, "/"), "//") {
		d.note("url", "the path "+d.url.Path+" has a double slash", "some proxies make one of it and some redirect: write one")
	}
	host := d.url.Hostname()
	ip := net.ParseIP(host)
	if d.url.Scheme == "http" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		switch {
		case inCluster(host):
			d.note("tls", "plain http, inside a cluster", "that network is to be trusted, or encrypted: a service mesh does it")
		case d.user != "" || d.password != "":
			d.wrong("tls", "credentials go over plain http, for everyone on the way to read", "use https")
		default:
			d.note("tls", "plain http: everyone on the way can read the messages", "use https")
		}
	}
}

// inCluster tells whether a name is one that only a Kubernetes cluster knows: there
// TLS ends at the Ingress, and `helm test` asks behind it.
func inCluster(host string) bool {
	return strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".svc.cluster.local")
}

// unreached says why there was no answer.
func (d *doctor) unreached(o *observation) {
	var (
		dns     *net.DNSError
		cert    *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		network *net.OpError
	)
	switch {
	case errors.As(o.err, &dns):
		d.wrong("reach", o.String(), "the host's name is not known here: is it spelled right, is this the right network?")
	case errors.As(o.err, &cert):
		d.wrong("tls", o.String(), certificateAdvice(cert))
	case errors.As(o.err, &record), strings.Contains(o.err.Error(), "HTTP response to HTTPS client"):
		d.wrong("tls", o.String(), "the port does not speak TLS: http:// or another port")
	case strings.Contains(o.err.Error(), "tls: "): // most of crypto/tls' errors have no types
		d.wrong("tls", o.String(), "the two sides agree on no way to speak TLS: have the server speak TLS 1.2 or 1.3, and ask for no certificate of the client")
	case o.timeout:
		d.wrong("reach", o.String(), "a firewall that drops, or a proxy that holds the answer back")
	case errors.As(o.err, &network) && network.Op == "dial":
		d.wrong("reach", o.String(), "nothing listens there, or a firewall refuses")
	default:
		d.wrong("reach", o.String(), "the connection is accepted and then dropped: a proxy without a server behind it, or one that speaks something else")
	}
}

// transport checks over what the answer came.
func (d *doctor) transport(o *observation) {
	if o.proto == "HTTP/1.0" {
		d.note("http", "answers come as HTTP/1.0: each request needs a new connection, and an answer that is cut can't always be told",
			"the proxy next to you should speak HTTP/1.1")
	}
	state := o.resp.TLS
	if state == nil || len(state.PeerCertificates) == 0 {
		return
	}
	left := time.Until(state.PeerCertificates[0].NotAfter)
	found := fmt.Sprintf("%s, certificate good for %d days", tls.VersionName(state.Version), int(left.Hours()/24))
	if left < 14*24*time.Hour {
		d.note("tls", found, "renew it")
		return
	}
	d.okf("tls", "%s", found)
}

// certificateAdvice says what to do about a certificate that was not accepted.
func certificateAdvice(err error) string {
	var (
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
	)
	switch {
	case errors.As(err, &name):
		return "the certificate is for another name: use that one in the URL, or get one for this name; behind a proxy of many hosts, is this one configured (nginx: server_name, HAProxy: bind … crt)?"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew the certificate and have the server load it; if it is good, the clock here is wrong"
	case errors.As(err, &unknown):
		return "for a private authority set SSL_CERT_FILE; for a public one the server must send the intermediate certificates too (nginx: ssl_certificate with the full chain, HAProxy: crt with the full chain)"
	default:
		return "the certificate is not one to trust"
	}
}

// skewMost is what clocks may differ by. A Date has whole seconds, and answers take time.
const skewMost = 5 * time.Second

func (d *doctor) clock(o *observation) {
	date, err := http.ParseTime(o.header.Get("Date"))
	if err != nil {
		d.note("clock", "the answer has no Date", "")
		return
	}
	skew := time.Since(date).Round(time.Second)
	if skew.Abs() > skewMost+o.took {
		ahead := "ahead of"
		if skew < 0 {
			ahead = "behind"
		}
		d.note("clock", fmt.Sprintf("the clock here is %v %s the server's", skew.Abs(), ahead), "set one of them (NTP): the times that messages carry are compared by people and programs")
		return
	}
	d.okf("clock", "agrees with the server's")
}

// answers checks who answered, and whether we may ask.
func (d *doctor) answers(o *observation) bool {
	switch s := o.status; {
	case s == http.StatusBadRequest && o.problem():
		d.okf("reach", "a QST service answers, in %s", seconds(o.took))
		d.okf("credentials", "accepted")
		return true
	case s == http.StatusBadRequest:
		d.wrong("reach", o.String(), "a proxy answers in the service's place, or puts pages of its own in place of its answers: clients then can't tell what is wrong ("+
			d.setting("nginx: proxy_intercept_errors off", "HAProxy: no http-response return, no errorfile for 400")+")")
	case s == http.StatusUnauthorized && o.problem():
		d.wrong("credentials", o.detail(), "user and password are wrong, or there are none: --user, --password-file, QSTC_USER, QSTC_PASSWORD or a profile")
	case s == http.StatusUnauthorized, s == http.StatusProxyAuthRequired:
		d.wrong("credentials", o.String(), "a proxy asks for credentials of its own; take the endpoint out of its protection, QST checks who comes ("+
			d.setting("nginx: auth_basic off", "HAProxy: no http-request auth")+")")
	case s == http.StatusForbidden && o.problem():
		d.wrong("credentials", o.detail(), "known, but not allowed on this channel or this side of it")
	case s == http.StatusForbidden:
		d.wrong("reach", o.String(), "a proxy or a firewall for web applications refuses the request")
	case s == http.StatusNotFound && o.problem():
		d.wrong("url", o.detail(), "the path after the host: /v2/channels/NAME, /v2/channels/NAME/gateway or …/application")
	case s >= 300 && s < 400:
		d.wrong("url", o.String()+" to "+o.header.Get("Location"), "use that URL: clients that push don't follow")
	case s == http.StatusBadGateway, s == http.StatusServiceUnavailable && !o.problem():
		d.wrong("reach", o.String(), "the proxy does not reach the service: is it running, is it ready, are address and port in the proxy's configuration right?")
	case s >= 500 && o.problem():
		d.wrong("service", fmt.Sprintf("%d: %s", s, o.detail()), "the service is there and can't work now: see its log, and its /readyz")
	case s == http.StatusOK:
		d.wrong("reach", "200 where QST refuses (max=none)", "something else answers at this URL, or a proxy drops the query string: "+
			d.setting("nginx: proxy_pass must not end in a path without $is_args$args when it has variables", "a cache that ignores the query"))
	default:
		d.wrong("reach", o.String(), "something else answers at this URL: is the path right, does the proxy pass it on unchanged?")
	}
	return false
}

// detail returns what the service says of an error.
func (o *observation) detail() string {
	var p struct {
		Detail string `json:"detail"`
	}
	_ = json.Unmarshal(o.body, &p) // "" says that too
	return p.Detail
}

// setting returns the advice for the proxy that seems to be there, or else for each.
func (d *doctor) setting(nginx, haproxy string) string {
	switch d.via {
	case "nginx":
		return nginx
	case "haproxy":
		return haproxy
	default:
		return nginx + "; " + haproxy
	}
}
