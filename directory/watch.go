package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/fsnotify/fsnotify"
)

// Watcher keeps a directory up to date with its file.
//
//	        event, poll saw a change, Trigger, start
//	idle ────────────────────────────────────────────▶ settling ◀─┐
//	 ▲                                                   │  │     │ after settle:
//	 │   two reads in a row found the same bytes and     │  │     │ other bytes than before,
//	 ├────── they parse: report the directory ───────────┘  │     │ or they do not parse
//	 └────── settleReads reads did not: report the error ───┴─────┘
//
// A file that is being written does not parse (no beginning of a JSON object is
// one), so it is read again for a while before anyone hears of it.
type Watcher struct {
	path       string
	categories *CategoryTable
	reload     func(*Directory, error)
	triggers   chan struct{}

	settle time.Duration // between two reads of one change
	poll   time.Duration // between looks at a file whose changes the kernel does not tell

	current uint64 // digest of the directory last reported
	failed  bool   // the last report was an error; the next success is news

	// The change that is being settled.
	reads     int
	explicit  bool // asked for by Trigger: to be answered even if nothing changed
	lastBytes uint64
	haveBytes bool

	lastInfo fs.FileInfo // as of the last settled read; nil: no file
}

const (
	settleReads   = 12
	defaultSettle = 200 * time.Millisecond
	defaultPoll   = 30 * time.Second
)

// NewWatcher prepares to watch the file at path, which current was loaded from
// with the same categories (nil: the built-in table).
//
// reload is called from Run, never twice at a time: with a directory when its
// answers changed, after each Trigger and when an error is over, or with an
// error when the file cannot be read or parsed. After an error the caller keeps
// what it has.
func NewWatcher(path string, categories *CategoryTable, current *Directory, reload func(*Directory, error)) *Watcher {
	return &Watcher{
		path:       path,
		categories: categories,
		reload:     reload,
		triggers:   make(chan struct{}, 1),
		settle:     defaultSettle,
		poll:       defaultPoll,
		current:    current.Digest(),
	}
}

// Trigger asks for the file to be read again even if nothing seems to have
// changed, as on SIGHUP. It does not wait, and may be called from anywhere.
func (w *Watcher) Trigger() {
	select {
	case w.triggers <- struct{}{}:
	default: // one is waiting already
	}
}

// Run watches until ctx is done. It sees files that are overwritten or replaced
// by rename, and the swapped symbolic links of a mounted Kubernetes ConfigMap.
// Where the kernel tells of no changes (network file systems, no watches left)
// it looks at the file from time to time.
func (w *Watcher) Run(ctx context.Context) {
	notify := w.startNotify()
	defer notify.close()
	poll := time.NewTicker(w.poll)
	defer poll.Stop()

	// The file may have changed between its first load and now.
	settled := time.After(w.settle)
	for {
		changed := false
		select {
		case <-ctx.Done():
			return
		case <-w.triggers:
			changed, w.explicit = true, true
		case event := <-notify.events():
			changed = filepath.Base(event.Name) == filepath.Base(w.path) || w.looksChanged()
		case err := <-notify.errors():
			w.reload(nil, fmt.Errorf("watch directory: %w", err))
			changed = true // events may have been lost
		case <-poll.C:
			changed = w.looksChanged()
		case <-settled:
			settled = nil
			changed = !w.tryRead()
			if !changed {
				notify.follow(w.path)
			}
		}
		// A pending read is not put off by further events: a file in a folder
		// that never rests would never be read.
		if changed && settled == nil {
			settled = time.After(w.settle)
		}
	}
}

// tryRead is one read of a change. It is true when the change is settled.
func (w *Watcher) tryRead() (settled bool) {
	w.reads++
	info, data, err := w.read()
	same := err == nil && w.sameBytes(data)
	var directory *Directory
	if same {
		directory, err = Parse(data, w.categories)
	}
	if w.reads < settleReads && (!same || err != nil) {
		return false
	}
	if err == nil && !same {
		err = errors.New("read directory: the file keeps changing")
	}
	w.lastInfo = info
	w.report(directory, err)
	w.reads, w.explicit, w.haveBytes = 0, false, false
	return true
}

func (w *Watcher) read() (fs.FileInfo, []byte, error) {
	info, err := os.Stat(w.path)
	if err != nil {
		return nil, nil, fmt.Errorf("read directory: %w", err)
	}
	data, err := readFile(w.path)
	if err != nil {
		return info, nil, fmt.Errorf("read directory: %w", err)
	}
	return info, data, nil
}

func (w *Watcher) sameBytes(data []byte) bool {
	sum := xxhash.Sum64(data)
	same := w.haveBytes && sum == w.lastBytes
	w.lastBytes, w.haveBytes = sum, true
	return same
}

func (w *Watcher) report(directory *Directory, err error) {
	wasFailed := w.failed
	w.failed = err != nil
	if err != nil {
		w.reload(nil, fmt.Errorf("%s: %w", w.path, err))
		return
	}
	if directory.Digest() == w.current && !w.explicit && !wasFailed {
		return
	}
	w.current = directory.Digest()
	w.reload(directory, nil)
}

// looksChanged compares the file with what was last settled.
func (w *Watcher) looksChanged() bool {
	info, err := os.Stat(w.path)
	if err != nil || w.lastInfo == nil {
		return (err == nil) != (w.lastInfo != nil)
	}
	return !os.SameFile(info, w.lastInfo) || info.Size() != w.lastInfo.Size() || !info.ModTime().Equal(w.lastInfo.ModTime())
}

// notifier listens to the folder of the file (a watch on the file itself ends
// when the file is replaced) and, when the path is a link, to the folder of
// what it leads to. Without a kernel watch it is silent.
type notifier struct {
	watcher *fsnotify.Watcher // nil: none to be had
}

func (w *Watcher) startNotify() notifier {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		w.reload(nil, fmt.Errorf("watch directory: %w; looking at the file every %s instead", err, w.poll))
		return notifier{}
	}
	n := notifier{watcher}
	if err := watcher.Add(filepath.Dir(w.path)); err != nil {
		w.reload(nil, fmt.Errorf("watch directory: %s: %w; looking at the file every %s instead", filepath.Dir(w.path), err, w.poll))
	}
	n.follow(w.path)
	return n
}

// follow watches where path leads now, and forgets where it led before.
func (n notifier) follow(path string) {
	if n.watcher == nil {
		return
	}
	wanted := map[string]bool{filepath.Dir(path): true}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		wanted[filepath.Dir(target)] = true
	}
	for _, folder := range n.watcher.WatchList() {
		if !wanted[folder] {
			_ = n.watcher.Remove(folder) // it may be gone, and its watch with it
		}
		delete(wanted, folder)
	}
	for folder := range wanted {
		_ = n.watcher.Add(folder) // the poll stands in for a watch that cannot be had
	}
}

func (n notifier) events() <-chan fsnotify.Event {
	if n.watcher == nil {
		return nil
	}
	return n.watcher.Events
}

func (n notifier) errors() <-chan error {
	if n.watcher == nil {
		return nil
	}
	return n.watcher.Errors
}

func (n notifier) close() {
	if n.watcher != nil {
		_ = n.watcher.Close()
	}
}
