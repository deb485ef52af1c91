package chaos

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// disk is a tmpfs with the state of one instance. It takes memory for what is in it alone.
type disk struct{ dir string }

// diskSize is more than a long run writes.
const diskSize = 4 << 30

// CanMount tells whether this user may have a file system of its own for an instance's state.
func CanMount() bool {
	dir, err := os.MkdirTemp("", "chaos-mount-")
	if err != nil {
		return false
	}
	defer os.Remove(dir)
	d, err := mountDisk(dir)
	return err == nil && d.unmount() == nil
}

func mountDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	d := &disk{dir}
	if err := d.mount(0, diskSize); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *disk) mount(flags uintptr, size int64) error {
	if err := syscall.Mount("chaos", d.dir, "tmpfs", flags, "size="+strconv.FormatInt(size, 10)); err != nil {
		return fmt.Errorf("mount a tmpfs on %s: %w", d.dir, err)
	}
	return nil
}

// fill makes the disk as small as what is on it, while a program uses it.
func (d *disk) fill() error {
	const tries = 20 // it may grow between the look and the change
	var err error
	for range tries {
		var st syscall.Statfs_t
		if err := syscall.Statfs(d.dir, &st); err != nil {
			return fmt.Errorf("look at %s: %w", d.dir, err)
		}
		if err = d.mount(syscall.MS_REMOUNT, int64(st.Blocks-st.Bfree)*st.Bsize); err == nil {
			return nil
		}
	}
	return err
}

// free gives the disk its space again.
func (d *disk) free() error { return d.mount(syscall.MS_REMOUNT, diskSize) }

func (d *disk) unmount() error { return unmount(d.dir) }

// unmount takes away what is mounted there, if anything is.
func unmount(dir string) error {
	err := syscall.Unmount(dir, syscall.MNT_DETACH)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EPERM) {
		return nil
	}
	return err
}
