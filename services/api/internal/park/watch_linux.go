package park

import (
	"errors"
	"os"
	"syscall"
)

const (
	// closed is what tells of a client that has gone, or has closed its sending side. Errors of a
	// connection are reported as well: the kernel adds them.
	closed = syscall.EPOLLRDHUP
	// readable is what tells of a client that has sent something, or has gone.
	readable = syscall.EPOLLIN | syscall.EPOLLRDHUP
)

// watch is an epoll set. Each of its sockets is reported once, and then no more until it is set
// again. The set is read by way of the runtime's own poller, so that no thread waits for it.
type watch struct {
	file *os.File
	raw  syscall.RawConn
	fd   int
}

func newWatch() (*watch, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // for os.NewFile to hand it to the runtime's poller
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "epoll")
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &watch{file: file, raw: raw, fd: fd}, nil
}

// set has a socket reported under a token when one of the events occurs, or has occurred.
func (w *watch) set(socket syscall.RawConn, events uint32, token uint64) error {
	e := syscall.EpollEvent{
		Events: events | syscall.EPOLLONESHOT,
		Fd:     int32(token), Pad: int32(token >> 32), //nolint:gosec // the two halves of what the kernel gives back as it is
	}
	var failed error
	control := func(fd uintptr) {
		failed = syscall.EpollCtl(w.fd, syscall.EPOLL_CTL_MOD, int(fd), &e) //nolint:gosec // a file descriptor
		if errors.Is(failed, syscall.ENOENT) {
			failed = syscall.EpollCtl(w.fd, syscall.EPOLL_CTL_ADD, int(fd), &e) //nolint:gosec // the same
		}
	}
	var gone error
	// The outer one keeps the set open meanwhile, the inner one the socket.
	if err := w.raw.Control(func(uintptr) { gone = socket.Control(control) }); err != nil {
		return err
	}
	if gone != nil {
		return gone
	}
	return os.NewSyscallError("epoll_ctl", failed)
}

// run reports tokens until the set is closed.
func (w *watch) run(report func(token uint64)) {
	events := make([]syscall.EpollEvent, 128) //nolint:mnd // as many as the runtime reads at once
	for {
		n := 0
		err := w.raw.Read(func(uintptr) bool {
			var err error
			n, err = syscall.EpollWait(w.fd, events, 0)
			return err == nil && n > 0
		})
		if err != nil {
			return
		}
		for _, e := range events[:n] {
			report(uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32) //nolint:gosec // see set
		}
	}
}

func (w *watch) close() { _ = w.file.Close() }
