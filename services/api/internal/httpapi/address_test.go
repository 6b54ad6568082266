package httpapi

import (
	"net/http"
	"net/netip"
	"testing"
)

func TestAddressOf(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		trusted []netip.Prefix
		remote  string
		header  []string
		want    string
	}{
		{nil, "10.0.0.1:5", []string{"192.0.2.1"}, "10.0.0.1"},
		{trusted, "10.0.0.1:5", nil, "10.0.0.1"},
		{trusted, "10.0.0.1:5", []string{"192.0.2.1"}, "192.0.2.1"},
		{trusted, "[::ffff:10.0.0.1]:5", []string{"192.0.2.1"}, "192.0.2.1"},
		{trusted, "[fd00::1]:5", []string{"192.0.2.1"}, "192.0.2.1"},
		{trusted, "198.51.100.1:5", []string{"192.0.2.1"}, "198.51.100.1"},             // not by a proxy
		{trusted, "10.0.0.1:5", []string{"1.2.3.4, 192.0.2.1, 10.0.0.9"}, "192.0.2.1"}, // what the client says of itself
		{trusted, "10.0.0.1:5", []string{"1.2.3.4", "192.0.2.1"}, "192.0.2.1"},         // two headers
		{trusted, "10.0.0.1:5", []string{"192.0.2.1:1234"}, "192.0.2.1"},               // Azure
		{trusted, "10.0.0.1:5", []string{"[2001:db8::1]:1234"}, "2001:db8::1"},         // also
		{trusted, "10.0.0.1:5", []string{"[2001:db8::1]"}, "2001:db8::1"},              //
		{trusted, "10.0.0.1:5", []string{"2001:db8::1"}, "2001:db8::1"},                //
		{trusted, "10.0.0.1:5", []string{"192.0.2.1, unknown"}, "10.0.0.1"},            // not understood
		{trusted, "10.0.0.1:5", []string{"10.0.0.2, 10.0.0.3"}, "10.0.0.2"},            // all of them proxies
		{trusted, "10.0.0.1:5", []string{"192.0.2.1, 198.51.100.1,10.1.1.1:80"}, "198.51.100.1"},
		{trusted, "@", []string{"192.0.2.1"}, "@"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.header}}
		if got := addressOf(c.trusted)(r); got != c.want {
			t.Errorf("%s, %q: %s, want %s", c.remote, c.header, got, c.want)
		}
	}
}
