package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// addressOf returns where a request's client is: who opened the connection, or if that is a
// trusted proxy, whom the proxies say they have it from in X-Forwarded-For. From the right,
// the first address there that is no trusted proxy's is the client's; what stands left of it
// is the client's own, and may be anything. An entry may have a port behind it (Azure).
func addressOf(trusted []netip.Prefix) func(*http.Request) string {
	return func(r *http.Request) string {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		client, err := netip.ParseAddr(host)
		if err != nil {
			return host
		}
		is := func(a netip.Addr) bool {
			return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a.Unmap().WithZone("")) })
		}
		entries := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(entries) - 1; i >= 0 && is(client); i-- {
			a, ok := forwarded(entries[i])
			if !ok {
				break // what the last trusted proxy wrote is not understood: so much is known
			}
			client = a
		}
		return client.Unmap().String()
	}
}

// forwarded reads an address as proxies write it: 192.0.2.1, 192.0.2.1:80, 2001:db8::1,
// [2001:db8::1], [2001:db8::1]:80.
func forwarded(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return a, true
	}
	a, err := netip.ParseAddrPort(s)
	return a.Addr(), err == nil
}
