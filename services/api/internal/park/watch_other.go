//go:build !linux

package park

import (
	"errors"
	"syscall"
)

const closed, readable = 0, 0

// watch is there on Linux only: elsewhere no request is parked.
type watch struct{}

func newWatch() (*watch, error) { return nil, errors.ErrUnsupported }

func (*watch) set(syscall.RawConn, uint32, uint64) error { return errors.ErrUnsupported }
func (*watch) run(func(uint64))                          {}
func (*watch) close()                                    {}
