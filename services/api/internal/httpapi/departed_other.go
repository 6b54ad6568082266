//go:build !linux

package httpapi

import "net"

// closedByPeer is known on Linux only. Elsewhere such a poll is held until its time is over.
func closedByPeer(*net.TCPConn) bool { return false }
