package httpapi

import (
	"net"

	"golang.org/x/sys/unix"
)

// closeWait and closed are states of a connection (Linux: include/net/tcp_states.h): the peer has closed its
// side, or the connection is no more.
const closed, closeWait = 7, 8

// closedByPeer tells whether the other side has closed a connection, whatever it has sent before.
func closedByPeer(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	gone := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		gone = err == nil && (info.State == closed || info.State == closeWait)
	})
	return err != nil || gone // an error: this side has closed it
}
