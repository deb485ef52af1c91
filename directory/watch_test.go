package directory

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	oneVenue  = `{"venues": [{"id": "v", "name": "One"}]}`
	twoVenues = `{"venues": [{"id": "v", "name": "One"}, {"id": "w", "name": "Two"}]}`
)

type reloaded struct {
	directory *Directory
	err       error
}

type watched struct {
	*Watcher
	t       *testing.T
	reports chan reloaded
}

// watch starts a watcher that was told of the directory in text.
func watch(t *testing.T, path, text string, tune func(*Watcher)) watched {
	t.Helper()
	reports := make(chan reloaded, 100)
	w := NewWatcher(path, nil, parse(t, text), func(d *Directory, err error) { reports <- reloaded{d, err} })
	w.settle = 2 * time.Millisecond
	w.poll = time.Hour
	if tune != nil {
		tune(w)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return watched{w, t, reports}
}

func (w watched) next() reloaded {
	w.t.Helper()
	select {
	case r := <-w.reports:
		return r
	case <-time.After(20 * time.Second):
		w.t.Fatal("no report within 20 s")
		panic("unreachable")
	}
}

func (w watched) wantVenues(text string) {
	w.t.Helper()
	r := w.next()
	if r.err != nil {
		w.t.Fatalf("error: %v", r.err)
	}
	if r.directory.Digest() != parse(w.t, text).Digest() {
		w.t.Errorf("another directory than expected: %d venues", len(r.directory.venues))
	}
}

// settleDown waits until the watcher has nothing to do, so that the next change
// is seen because it is told, and not by a read that was due anyway.
func (w watched) settleDown(text string) {
	w.t.Helper()
	w.Trigger()
	w.wantVenues(text)
}

func (w watched) wantError(want string) {
	w.t.Helper()
	r := w.next()
	if r.err == nil || r.directory != nil || !strings.Contains(r.err.Error(), want) {
		w.t.Fatalf("report is %v, %v; want an error with %q", r.directory, r.err, want)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, link string) {
	t.Helper()
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
}

func TestWatchOverwrittenAndRenamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	write(t, path, oneVenue)
	w := watch(t, path, oneVenue, nil)
	w.settleDown(oneVenue)

	write(t, path, twoVenues)
	w.wantVenues(twoVenues)

	write(t, path+".new", oneVenue)
	rename(t, path+".new", path)
	w.wantVenues(oneVenue)
}

// As Kubernetes mounts a ConfigMap: the file is a link through ..data, which is
// replaced by a rename; no event names the file.
func TestWatchSwappedLink(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "directory.json")
	for _, version := range []struct{ name, text string }{{"..1", oneVenue}, {"..2", twoVenues}} {
		if err := os.Mkdir(filepath.Join(folder, version.name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, version.name, "directory.json"), version.text)
	}
	symlink(t, "..1", filepath.Join(folder, "..data"))
	symlink(t, "..data/directory.json", path)
	w := watch(t, path, oneVenue, nil)
	w.settleDown(oneVenue)

	symlink(t, "..2", filepath.Join(folder, "..data_tmp"))
	rename(t, filepath.Join(folder, "..data_tmp"), filepath.Join(folder, "..data"))
	w.wantVenues(twoVenues)

	if err := os.RemoveAll(filepath.Join(folder, "..1")); err != nil {
		t.Fatal(err)
	}
	w.settleDown(twoVenues)
}

// A link into another folder: the change happens where no watch on the link's
// own folder sees it.
func TestWatchTargetOfLink(t *testing.T) {
	target := filepath.Join(t.TempDir(), "real.json")
	path := filepath.Join(t.TempDir(), "directory.json")
	write(t, target, oneVenue)
	symlink(t, target, path)
	w := watch(t, path, oneVenue, nil)
	w.settleDown(oneVenue)
	write(t, target, twoVenues)
	w.wantVenues(twoVenues)
}

func TestWatchKeepsOldOnBrokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	write(t, path, oneVenue)
	w := watch(t, path, oneVenue, nil)

	write(t, path, `{"venues": [{"id": "v"}]}`)
	w.wantError(path + `: read directory: venues[0] (id "v"): has no name`)

	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.wantError("no such file")

	// The old content again: nothing new to know, but the alarm is over.
	write(t, path, oneVenue)
	w.wantVenues(oneVenue)
}

// A writer that pauses in the middle: what it has written so far is no news.
func TestWatchWaitsForTheWholeFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	write(t, path, oneVenue)
	w := NewWatcher(path, nil, parse(t, oneVenue), func(*Directory, error) { t.Error("reported too early") })
	write(t, path, twoVenues[:len(twoVenues)/2])
	for range settleReads - 2 {
		if w.tryRead() {
			t.Fatal("settled on half a file")
		}
	}
	var got reloaded
	w.reload = func(d *Directory, err error) { got = reloaded{d, err} }
	write(t, path, twoVenues)
	if w.tryRead() {
		t.Fatal("settled on bytes that one read alone has seen")
	}
	if !w.tryRead() || got.err != nil || got.directory == nil {
		t.Fatalf("did not settle on the whole file: %+v", got)
	}
}

func TestWatchGivesUpOnAFileThatKeepsChanging(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	var got error
	w := NewWatcher(path, nil, Empty(), func(_ *Directory, err error) { got = err })
	for i := range settleReads {
		write(t, path, oneVenue+strings.Repeat(" ", i))
		if settled := w.tryRead(); settled != (i == settleReads-1) {
			t.Fatalf("read %d: settled is %t", i, settled)
		}
	}
	if got == nil || !strings.Contains(got.Error(), "keeps changing") {
		t.Errorf("error is %v", got)
	}
}

func TestWatchSeesWhatChangedBeforeIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	write(t, path, twoVenues)
	watch(t, path, oneVenue, nil).wantVenues(twoVenues)
}

func TestTriggerIsAnswered(t *testing.T) {
	path := filepath.Join(t.TempDir(), "directory.json")
	write(t, path, oneVenue)
	w := watch(t, path, oneVenue, nil)
	w.settleDown(oneVenue)
	w.settleDown(oneVenue)
}

func TestWatchPollsWhereNothingIsTold(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "not-there-yet")
	path := filepath.Join(folder, "directory.json")
	w := watch(t, path, oneVenue, func(w *Watcher) { w.poll = 5 * time.Millisecond })
	w.wantError("looking at the file every 5ms instead")
	w.wantError("no such file") // the first look
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, path, twoVenues)
	w.wantVenues(twoVenues)
}

// What neither changes the file nor asks is no reason to read or report.
func TestWatchIgnoresNeighbours(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "directory.json")
	write(t, path, oneVenue)
	w := watch(t, path, oneVenue, nil)
	for range 20 {
		write(t, filepath.Join(folder, "neighbour"), "x")
	}
	w.settleDown(oneVenue) // comes after the neighbour's events, and is the only report
	select {
	case r := <-w.reports:
		t.Errorf("another report: %+v", r)
	default:
	}
}
