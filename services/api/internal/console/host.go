package console

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Hosts are the names, beside those that nobody outside can give to an address, under which browsers
// may reach the internal listener.
type Hosts []string

// private are ends of names that the public DNS has not, so that no stranger's name ends like that.
var private = []string{".localhost", ".local", ".internal", ".home.arpa", ".svc", ".test"}

// trusted tells whether a Host header is an address, or a name that a stranger can't have: a stranger
// who has a browser open a name of theirs that leads here (DNS rebinding) is refused.
func (h Hosts) trusted(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return true
	}
	if host == "" {
		return false
	}
	// A name without a dot is this network's own.
	return !strings.Contains(host, ".") || slices.Contains(h, host) ||
		slices.ContainsFunc(private, func(end string) bool { return strings.HasSuffix(host, end) })
}

// Foreign tells what of a request shows that a stranger's name led a browser here; "": nothing. A
// request that no browser has sent is never foreign.
func (h Hosts) Foreign(r *http.Request) string {
	if r.Header.Get("Origin") == "" && r.Header.Get("Sec-Fetch-Site") == "" {
		return ""
	}
	if !h.trusted(r.Host) {
		return h.refusal(r.Host)
	}
	return ""
}

// Untrusted is what to say of a name under which the page is not served; "": it is served.
func (h Hosts) Untrusted(host string) string {
	if h.trusted(host) {
		return ""
	}
	return h.refusal(host)
}

func (Hosts) refusal(host string) string {
	const most = 253
	return "a browser may not reach this service as " + strings.ToValidUTF8(host[:min(most, len(host))], "") + ": name it in QST_CONSOLE_HOSTS if it is yours"
}
