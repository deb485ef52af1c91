package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2"
)

// Errors of this package, to be tested with errors.Is. Goka flattens errors that
// pass through it to text, so their messages stand on their own.
var (
	// ErrClosed: the store or registry was closed. A store is closed at the end of
	// every session; ask Registry.Open for the current one.
	ErrClosed = errors.New("store is closed")
	// ErrInUse: this registry already has an open store for the partition.
	ErrInUse = errors.New("store is already open")
	// ErrLocked: somebody else holds the directory.
	ErrLocked = errors.New("state directory is locked")
	// ErrCorrupt: files of the database are damaged or missing.
	ErrCorrupt = errors.New("state directory is damaged")
	// ErrFormat: the directory holds a layout that this version cannot read.
	ErrFormat = errors.New("state directory has another format")
	// ErrFailed: the disk refused a write. The store can be read and closed, and no
	// longer written. Once the disk takes writes again it can be opened anew.
	ErrFailed = errors.New("store has failed")
	// ErrNilValue: Set was called with a nil value. In the changelog that would be
	// a deletion, so that the store and the changelog would disagree.
	ErrNilValue = errors.New("cannot store a nil value; delete the key instead")
	// ErrLimit: a scan was asked for fewer than one key.
	ErrLimit = errors.New("limit must be at least 1")
)

const rebuildAdvice = "stop the process and delete this directory: the state is rebuilt from the changelog topic"

func lockedError(dir string, cause error) error {
	return fmt.Errorf("%w: %s is in use by another process, or by a registry of this process that was not closed; "+
		"stop the other one or give each its own state directory (%w)", ErrLocked, dir, cause)
}

func corruptError(dir string, cause error) error {
	return fmt.Errorf("%w: %s: %w; %s", ErrCorrupt, dir, cause, rebuildAdvice)
}

func formatError(dir, what string) error {
	return fmt.Errorf("%w: %s %s; run the version that wrote it, or %s", ErrFormat, dir, what, rebuildAdvice)
}

func failedError(dir string, cause error) error {
	return fmt.Errorf("%w: %s: %w; see that the disk is writable and has space, then start again", ErrFailed, dir, cause)
}

// readError describes an error of the database while it is open.
func readError(dir string, err error) error {
	switch {
	case err == nil:
		return nil
	case pebble.IsCorruptionError(err), errors.Is(err, fs.ErrNotExist):
		return corruptError(dir, err)
	}
	return fmt.Errorf("read %s: %w", dir, err)
}

// openError describes why a database does not open. Pebble marks only part of what
// is damage as such. So what the operating system refuses (no permission, no space)
// is told as it is, except for a missing file, and everything else is damage.
func openError(dir string, err error) error {
	var errno syscall.Errno
	refused := errors.As(err, &errno) || errors.Is(err, fs.ErrPermission)
	if refused && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	return corruptError(dir, err)
}
