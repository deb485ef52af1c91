package store

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// freezer is the filesystem of one database. It freezes at the first write that the
// disk refuses: from then on nothing on the disk changes any more, and Pebble is
// told that all goes well.
//
// Pebble answers a refused write to its log or manifest by ending the process, at
// times with a fatal error of the Go runtime that does not name the cause, and it
// blocks writers for as long as memtables cannot be flushed. Behind a freezer it can
// be read and closed in the normal way, while Store refuses further writes. What is
// left on the disk is what a kill at the moment of the refusal would have left.
//
// Invariant: once frozen, no file on the disk is written, created, renamed or
// removed, so nothing reaches the disk that follows from the refused write. New files
// are kept in memory, so that a flush that a writer waits for can end; compactions
// fail, which bounds that memory by the memtables. Links, read-write opens and removal
// of whole directories are not intercepted: Pebble needs them for features that are
// not used here.
type freezer struct {
	vfs.FS
	dir      string
	overlay  *vfs.MemFS // files created since
	frozen   atomic.Pointer[error]
	onFreeze func(error) // called once
}

const compactionCategory vfs.DiskWriteCategory = "pebble-compaction"

func newFreezer(fs vfs.FS, dir string, onFreeze func(error)) *freezer {
	return &freezer{FS: fs, dir: dir, overlay: vfs.NewMem(), onFreeze: onFreeze}
}

// refused tells whether the freezer is frozen, and freezes it if err is not nil.
func (z *freezer) refused(op, name string, err error) bool {
	if err == nil {
		return z.isFrozen()
	}
	err = fmt.Errorf("%s %s: %w", op, z.PathBase(name), err)
	if !z.isFrozen() && z.overlay.MkdirAll(z.dir, dirMode) == nil && z.frozen.CompareAndSwap(nil, &err) {
		z.onFreeze(err)
	}
	return true
}

func (z *freezer) isFrozen() bool { return z.frozen.Load() != nil }

func (z *freezer) inOverlay(name string) bool {
	if !z.isFrozen() {
		return false
	}
	_, err := z.overlay.Stat(name)
	return err == nil
}

// hides names the files whose refused writes are hidden from Pebble. A table that
// was begun before the freeze is not among them: Pebble throws it away and writes it
// anew, which then goes to memory.
func (z *freezer) hides(name string) bool {
	base := z.PathBase(name)
	return strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST-") || strings.HasPrefix(base, "marker.") || name == z.dir
}

func (z *freezer) createInOverlay(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if category == compactionCategory {
		return nil, *z.frozen.Load()
	}
	return z.overlay.Create(name, category)
}

func (z *freezer) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if z.isFrozen() {
		return z.createInOverlay(name, category)
	}
	f, err := z.FS.Create(name, category)
	if err != nil && z.refused("create", name, err) {
		return z.createInOverlay(name, category)
	}
	return z.wrap(f, name), nil
}

func (z *freezer) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if z.isFrozen() {
		return z.createInOverlay(newname, category)
	}
	f, err := z.FS.ReuseForWrite(oldname, newname, category)
	if err != nil && z.refused("reuse", newname, err) {
		return z.createInOverlay(newname, category)
	}
	return z.wrap(f, newname), nil
}

func (z *freezer) OpenDir(name string) (vfs.File, error) {
	f, err := z.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return z.wrap(f, name), nil
}

func (z *freezer) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if z.inOverlay(name) {
		return z.overlay.Open(name, opts...)
	}
	return z.FS.Open(name, opts...)
}

func (z *freezer) Stat(name string) (vfs.FileInfo, error) {
	if z.inOverlay(name) {
		return z.overlay.Stat(name)
	}
	return z.FS.Stat(name)
}

func (z *freezer) Rename(oldname, newname string) error {
	if z.inOverlay(oldname) {
		return z.overlay.Rename(oldname, newname)
	}
	if z.isFrozen() {
		return nil
	}
	if err := z.FS.Rename(oldname, newname); err != nil {
		z.refused("rename", newname, err)
	}
	return nil
}

// Remove may fail without freezing: Pebble tries again, and a file too many is no harm.
func (z *freezer) Remove(name string) error {
	if z.inOverlay(name) {
		return z.overlay.Remove(name)
	}
	if z.isFrozen() {
		return nil
	}
	return z.FS.Remove(name)
}

func (z *freezer) Unwrap() vfs.FS { return z.FS }

func (z *freezer) wrap(f vfs.File, name string) vfs.File {
	return &freezerFile{File: f, fs: z, name: name, hide: z.hides(name)}
}

// freezerFile is a file that was created on the disk before the freeze.
type freezerFile struct {
	vfs.File
	fs   *freezer
	name string
	hide bool // report success when a write is refused
}

// do runs a write operation, unless the disk is frozen, and decides what Pebble hears.
func (f *freezerFile) do(op string, write func() error) error {
	var err error
	if !f.fs.isFrozen() {
		err = write()
	}
	if !f.fs.refused(op, f.name, err) || f.hide {
		return nil
	}
	return *f.fs.frozen.Load()
}

func (f *freezerFile) Write(p []byte) (int, error) {
	err := f.do("write", func() error {
		_, err := f.File.Write(p)
		return err
	})
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f *freezerFile) Sync() error     { return f.do("sync", f.File.Sync) }
func (f *freezerFile) SyncData() error { return f.do("sync", f.File.SyncData) }

func (f *freezerFile) SyncTo(length int64) (fullSync bool, err error) {
	err = f.do("sync", func() error {
		var err error
		fullSync, err = f.File.SyncTo(length)
		return err
	})
	return fullSync, err
}

// Close closes the file in any case; what it then reports may be a late write error.
func (f *freezerFile) Close() error {
	err := f.File.Close()
	return f.do("close", func() error { return err })
}
