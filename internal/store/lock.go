package store

import (
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Lock creates a folder that states go into, mode 0700, and takes it for this process until it ends or the lock is
// closed. ErrLocked says that another has it. Stores lock their own folders too, but those only as they are opened:
// two processes with one folder would meet when a partition moves between them.
func Lock(dir string) (io.Closer, error) {
	if err := makeDir(vfs.Default, dir); err != nil {
		return nil, fmt.Errorf("create state directory %s: %w", dir, err)
	}
	lock, err := lockDir(dir, vfs.Default)
	if err != nil {
		return nil, err
	}
	return lock, nil
}
