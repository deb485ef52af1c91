package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// refuse is a filesystem on which operations fail as ask says; ask gets "write",
// "create", "sync", "close" or "lock", and the name of the file.
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

func (f refuseFile) Close() error {
	return errors.Join(f.File.Close(), f.ask("close", f.name))
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
			s := openFilled(t, r)
			must(t, replay(s, 0, 1000, func(int) {}))

			disk.on.Store(true)
			err := replay(s, 1000, crashOps, func(int) {})
			wantError(t, err, ErrFailed)
			wantText(t, err, "/state/gate-table/3", syscall.ENOSPC.Error(), "start again")
			disk.on.Store(false) // too late: what was refused is missing
			checkFailed(t, s)
			wantError(t, s.Close(), ErrFailed)
			wantText(t, errors.New(log.String()), syscall.ENOSPC.Error())
			t.Logf("%d operations survived", checkSurvivor(t, openTestStore(t, r)))
		})
	}
}

// A writer that waits for a slow disk is not left waiting when the disk turns out to
// be full, and neither is Close.
func TestDiskFullWhileAWriterWaits(t *testing.T) {
	proceed := make(chan struct{})
	var slow atomic.Bool
	opts := crashOptions("/state", refuse{vfs.NewMem(), func(op, name string) error {
		if !slow.Load() || op != "create" || !strings.HasSuffix(name, ".sst") {
			return nil
		}
		<-proceed
		return syscall.ENOSPC
	}})
	var waits atomic.Bool
	opts.Logger = slog.New(onMessage{slog.DiscardHandler, func(message string) {
		if message == "local state: writes wait for the disk" {
			waits.Store(true)
		}
	}})
	r := newTestRegistry(t, opts)
	s := openFilled(t, r)
	slow.Store(true)
	written := make(chan error, 1)
	go func() { written <- replay(s, 0, crashOps, func(int) {}) }()
	until(t, waits.Load)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	close(proceed)
	if err := <-written; !errors.Is(err, ErrFailed) && !errors.Is(err, ErrClosed) {
		t.Errorf("writer: %v", err)
	}
	wantError(t, <-closed, ErrFailed)
	slow.Store(false)
	checkSurvivor(t, openTestStore(t, r))
}

// onMessage calls a function for each log message.
type onMessage struct {
	slog.Handler
	call func(message string)
}

func (onMessage) Enabled(context.Context, slog.Level) bool { return true }

func (h onMessage) Handle(_ context.Context, record slog.Record) error {
	h.call(record.Message)
	return nil
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

// What is in memory is written by Close, which must not hide it if the disk has no
// place for it.
func TestDiskRefusesClose(t *testing.T) {
	for _, op := range []string{"write", "sync", "close"} {
		t.Run(op, func(t *testing.T) {
			disk := &refusal{op: op, kind: ".sst"}
			r := newTestRegistry(t, crashOptions("/state", refuse{vfs.NewMem(), disk.ask}))
			s := openFilled(t, r)
			must(t, replay(s, 0, 10, func(int) {}))
			disk.on.Store(true)
			wantError(t, s.Close(), ErrFailed)
			disk.on.Store(false)
			checkSurvivor(t, openTestStore(t, r))
		})
	}
}

func TestDiskFullAtOpen(t *testing.T) {
	for _, what := range []struct{ op, kind string }{
		{"create", "MANIFEST-"}, {"write", "MANIFEST-"}, {"sync", "MANIFEST-"},
		{"create", "marker."}, {"create", ""}, {"write", ""},
	} {
		t.Run(what.op+" "+what.kind, func(t *testing.T) {
			disk := &refusal{op: what.op, kind: what.kind}
			r := newTestRegistry(t, Options{Dir: "/state", FS: refuse{vfs.NewMem(), disk.ask}})
			refused := func() {
				t.Helper()
				disk.on.Store(true)
				defer disk.on.Store(false)
				for range 2 {
					_, err := r.Builder()(testTopic, testPartition)
					wantError(t, err, syscall.ENOSPC)
					if errors.Is(err, ErrCorrupt) {
						t.Errorf("called damaged: %v", err)
					}
				}
			}
			refused()
			s := openTestStore(t, r)
			must(t, s.Set("a", plainValue("")))
			must(t, s.Close())
			if what.kind != "marker." { // not touched by a second open
				refused()
			}
			s = openTestStore(t, r)
			if value, err := s.Get("a"); err != nil || string(value) != "p" {
				t.Errorf("afterwards: %q, %v", value, err)
			}
		})
	}
}

// After a refused write nothing on the disk changes, whatever Pebble does then, and
// Pebble can read what it has written since.
func TestFreezerKeepsTheDisk(t *testing.T) {
	disk := &refusal{op: "write", kind: ".log"}
	mem := vfs.NewMem()
	must(t, mem.MkdirAll("/db", dirMode))
	frozen := 0
	z := newFreezer(refuse{mem, disk.ask}, "/db", func(err error) {
		wantText(t, err, "write 000002.log", syscall.ENOSPC.Error())
		frozen++
	})
	create := func(name string) vfs.File {
		f, err := z.Create("/db/"+name, vfs.WriteCategoryUnspecified)
		must(t, err)
		return f
	}
	write := func(f vfs.File, text string) error {
		_, err := f.Write([]byte(text))
		return err
	}
	log, table := create("000002.log"), create("000003.sst")
	must(t, write(log, "before"))
	must(t, write(table, "before"))
	must(t, create("000001.log").Close())

	disk.on.Store(true)
	must(t, write(log, "refused"))
	disk.on.Store(false)
	must(t, write(log, "after"))
	must(t, log.Sync())
	wantError(t, write(table, "after"), syscall.ENOSPC)
	must(t, z.Remove("/db/000001.log"))
	must(t, z.Rename("/db/000003.sst", "/db/000004.sst"))
	reused, err := z.ReuseForWrite("/db/000001.log", "/db/000005.log", "pebble-wal")
	must(t, err)
	must(t, write(reused, "after"))
	_, err = z.Create("/db/000006.sst", compactionCategory)
	wantError(t, err, syscall.ENOSPC)
	flushed := create("000007.sst")
	must(t, write(flushed, "readable"))
	must(t, flushed.Close())
	read, err := z.Open("/db/000007.sst")
	must(t, err)
	if text, err := io.ReadAll(read); err != nil || string(text) != "readable" {
		t.Errorf("read back %q, %v", text, err)
	}

	names, err := mem.List("/db")
	must(t, err)
	slices.Sort(names)
	wantList(t, "files on the disk", names, []string{"000001.log", "000002.log", "000003.sst"})
	for _, name := range names[1:] {
		f, err := mem.Open("/db/" + name)
		must(t, err)
		if text, err := io.ReadAll(f); err != nil || string(text) != "before" {
			t.Errorf("%s holds %q, %v", name, text, err)
		}
	}
	if frozen != 1 {
		t.Errorf("reported %d times", frozen)
	}
}

func TestOpenErrorTellsDamageFromRefusal(t *testing.T) {
	tests := []struct {
		cause  error
		damage bool
	}{
		{syscall.ENOSPC, false},
		{syscall.EIO, false},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.EACCES}, false},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission}, false},
		{&fs.PathError{Op: "open", Path: "x", Err: syscall.ENOENT}, true},
		{pebble.ErrCorruption, true},
		{errors.New("unknown format"), true},
	}
	for _, tt := range tests {
		err := openError("/state/x/1", tt.cause)
		wantError(t, err, tt.cause)
		if errors.Is(err, ErrCorrupt) != tt.damage {
			t.Errorf("%v: called damaged %t, want %t", tt.cause, !tt.damage, tt.damage)
		}
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
