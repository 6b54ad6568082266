//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package client

import (
	"errors"
	"os"
	"syscall"
)

// openLocked opens the file, and locks it until it is closed or the program ends,
// however that comes about.
func openLocked(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // beside the caller's own file
	if err != nil {
		return nil, err
	}
	for {
		// Of the open file, not of the process: two loops of one program are told apart.
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err == nil {
		return file, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errLocked
	} else {
		err = &os.PathError{Op: "lock", Path: path, Err: err} // a file system without locks
	}
	return nil, errors.Join(err, file.Close())
}

// closeLocked gives up the lock and closes the file. Closing it alone would leave the
// lock with a program that is just being started from here, until that is under way.
func closeLocked(file *os.File) {
	_ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN)
	_ = file.Close() // nothing in it is needed
}
