//go:build !windows

package gateway

import (
	"errors"
	"os"
)

// syncDir returns when the names in a directory are on disk.
func syncDir(path string) error {
	dir, err := os.Open(path) //nolint:gosec // of the bridge or its gateway
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
