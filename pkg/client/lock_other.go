//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package client

import "os"

// openLocked only opens the file: here the standard library knows no lock that
// belongs to an open file.
func openLocked(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}

func closeLocked(file *os.File) { _ = file.Close() }
