package webhook

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// ErrAddress is returned for an address that no webhook may reach.
var ErrAddress = errors.New("the address is not a public one")

// private are the networks that are not the public internet's, or that lead back into one that is
// not (IANA's special-purpose registries, RFC 6890), and the clouds' metadata services.
var private = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
	"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/4", "240.0.0.0/4",
	"168.63.129.16/32",               // Azure's platform, for every virtual machine
	"::/96",                          // unspecified, loopback, IPv4-compatible
	"64:ff9b::/96", "64:ff9b:1::/48", // IPv4 by way of NAT64
	"100::/64", "2001::/23", // discard; Teredo and others
	"2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", // documentation, 6to4, documentation, segments
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func prefixes(list ...string) []netip.Prefix {
	p := make([]netip.Prefix, len(list))
	for i, s := range list {
		p[i] = netip.MustParsePrefix(s)
	}
	return p
}

// public tells whether an address is on the public internet, or in a network that is allowed.
func public(a netip.Addr, allowed []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	for _, p := range allowed {
		if p.Contains(a) {
			return true
		}
	}
	for _, p := range private {
		if p.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}

// control refuses a connection to an address that no webhook may reach. The dialer calls it with
// the address that it is about to connect to, after the name was resolved: what a name server says
// at another time does not count.
func control(allowed []netip.Prefix) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("%w: %s %s", ErrAddress, network, address)
		}
		if !public(to.Addr(), allowed) {
			return fmt.Errorf("%w: %s (QST_WEBHOOK_ALLOW_NETWORKS allows networks of one's own)", ErrAddress, net.JoinHostPort(to.Addr().String(), fmt.Sprint(to.Port())))
		}
		return nil
	}
}
