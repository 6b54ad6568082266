package client

import (
	"errors"
	"os"
	"syscall"
)

// errSharingViolation is Windows' word for a file that somebody has open.
const errSharingViolation syscall.Errno = 32

// openLocked opens the file so that nobody else can open it for writing until it
// is closed or the program ends, however that comes about.
func openLocked(path string) (*os.File, error) {
	name, err := syscall.UTF16PtrFromString(path)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|syscall.GENERIC_WRITE, syscall.FILE_SHARE_READ, nil,
		syscall.OPEN_ALWAYS, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if errors.Is(err, errSharingViolation) {
		return nil, errLocked
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}

func closeLocked(file *os.File) { _ = file.Close() }
