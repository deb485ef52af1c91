package store

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// refuse is a filesystem on which operations fail as ask says; ask gets "write",
// "create", "sync" or "lock", and the name of the file.
type refuse struct {
	vfs.FS
	ask func(op, name string) error
}

func (r refuse) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := r.ask("create", name); err != nil {
		return nil, err
	}
	f, err := r.FS.Create(name, category)
	return refuseFile{f, name, r.ask}, err
}

func (r refuse) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := r.ask("create", newname); err != nil {
		return nil, err
	}
	f, err := r.FS.ReuseForWrite(oldname, newname, category)
	return refuseFile{f, newname, r.ask}, err
}

func (r refuse) Lock(name string) (io.Closer, error) {
	if err := r.ask("lock", name); err != nil {
		return nil, err
	}
	return r.FS.Lock(name)
}

type refuseFile struct {
	vfs.File
	name string
	ask  func(op, name string) error
}

func (f refuseFile) Write(p []byte) (int, error) {
	if err := f.ask("write", f.name); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f refuseFile) Sync() error {
	if err := f.ask("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f refuseFile) SyncData() error {
	if err := f.ask("sync", f.name); err != nil {
		return err
	}
	return f.File.SyncData()
}

func (r refuse) OpenDir(name string) (vfs.File, error) {
	f, err := r.FS.OpenDir(name)
	return refuseFile{f, name, r.ask}, err
}

// refusal is a disk that refuses one operation on one kind of file while on is set.
type refusal struct {
	op, kind string
	on       atomic.Bool
}

func (r *refusal) ask(op, name string) error {
	if r.on.Load() && op == r.op && strings.Contains(name, r.kind) {
		return syscall.ENOSPC
	}
	return nil
}

// A disk that refuses a write, whichever, ends in errors that say so: not in a panic,
// a hang or the end of the process. Nothing is lost, and the store opens again.
func TestDiskRefusesWrites(t *testing.T) {
	for _, what := range []struct{ op, kind string }{
		{"write", ".log"},
		{"sync", ".log"},
		{"create", ".log"},
		{"write", "MANIFEST-"},
		{"sync", "MANIFEST-"},
		{"create", ".sst"},
		{"write", ".sst"},
		{"sync", ".sst"},
		{"sync", "gate-table/3"},
		{"create", ""},
		{"write", ""},
	} {
		t.Run(what.op+" "+what.kind, func(t *testing.T) {
			disk := &refusal{op: what.op, kind: what.kind}
			var log bytes.Buffer
			opts := crashOptions("/state", refuse{vfs.NewMem(), disk.ask})
			opts.Logger = slog.New(slog.NewTextHandler(&log, nil))
			r := newTestRegistry(t, opts)
			s := openTestStore(t, r)
			must(t, replay(s, 0, 1000, func(int) {}))

			disk.on.Store(true)
			err := replay(s, 1000, crashOps, func(int) {})
			wantError(t, err, ErrFailed)
			wantText(t, err, "/state/gate-table/3", syscall.ENOSPC.Error(), "start again")
			disk.on.Store(false) // too late: the log has a hole
			checkFailed(t, s)
			wantError(t, s.Close(), ErrFailed)
			wantText(t, errors.New(log.String()), syscall.ENOSPC.Error())
			t.Logf("%d operations survived", checkSurvivor(t, openTestStore(t, r)))
		})
	}
}

// checkFailed checks that a failed store takes no writes and still answers.
func checkFailed(t *testing.T, s *Store) {
	t.Helper()
	wantError(t, s.Set("a", plainValue("")), ErrFailed)
	wantError(t, s.Delete("a"), ErrFailed)
	wantError(t, s.SetOffset(1), ErrFailed)
	wantError(t, s.MarkRecovered(), ErrFailed)
	_, err := s.Get("a")
	must(t, err)
	must(t, indexError(s))
}

// The last bytes of the log are written by Close, which must not hide it if the disk
// has no place for them.
func TestDiskFullAtClose(t *testing.T) {
	disk := &refusal{op: "write", kind: ".log"}
	r := newTestRegistry(t, crashOptions("/state", refuse{vfs.NewMem(), disk.ask}))
	s := openTestStore(t, r)
	must(t, replay(s, 0, 10, func(int) {}))
	disk.on.Store(true)
	wantError(t, s.Close(), ErrFailed)
	disk.on.Store(false)
	checkSurvivor(t, openTestStore(t, r))
}

func TestDiskFullAtOpen(t *testing.T) {
	for _, what := range []struct{ op, kind string }{
		{"create", "MANIFEST-"}, {"write", "MANIFEST-"}, {"sync", "MANIFEST-"},
		{"create", ".log"}, {"write", ".log"}, {"create", "marker."}, {"create", ""}, {"write", ""},
	} {
		t.Run(what.op+" "+what.kind, func(t *testing.T) {
			disk := &refusal{op: what.op, kind: what.kind}
			disk.on.Store(true)
			r := newTestRegistry(t, Options{Dir: "/state", FS: refuse{vfs.NewMem(), disk.ask}})
			for range 2 {
				_, err := r.Builder()(testTopic, testPartition)
				wantError(t, err, syscall.ENOSPC)
				if errors.Is(err, ErrCorrupt) {
					t.Errorf("called damaged: %v", err)
				}
			}
			disk.on.Store(false)
			openTestStore(t, r)
		})
	}
}

// What Pebble finds damaged in the background must stop the writer, even if it
// never reads the damaged part itself.
func TestDamageFoundInTheBackground(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	must(t, s.Set("a", plainValue("")))
	s.fail(corruptError(s.dir, errors.New("checksum mismatch")))
	err := s.Set("a", plainValue("b"))
	wantError(t, err, ErrCorrupt)
	wantText(t, err, "checksum mismatch", "delete this directory")
	wantError(t, s.Close(), ErrCorrupt)
}

func TestFatalfPanicsWithTheDirectory(t *testing.T) {
	defer func() {
		err, ok := recover().(error)
		if !ok {
			t.Fatal("no panic, or another one")
		}
		wantText(t, err, "/state/x/1", "manifest is unsorted")
	}()
	databaseLogger{slog.New(slog.DiscardHandler), "/state/x/1"}.Fatalf("manifest is %s", "unsorted")
}
