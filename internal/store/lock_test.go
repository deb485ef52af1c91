package store

import (
	"path/filepath"
	"testing"
)

// One process at a time has a folder; that of another deployment beside it is another one.
func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "bridge")
	lock, err := Lock(dir)
	must(t, err)
	_, err = Lock(dir)
	wantError(t, err, ErrLocked)
	beside, err := Lock(dir + "-2")
	must(t, err)
	must(t, beside.Close())
	s := openTestStore(t, newTestRegistry(t, Options{Dir: dir})) // its stores have locks of their own
	must(t, s.Close())
	must(t, lock.Close())
	lock, err = Lock(dir)
	must(t, err)
	must(t, lock.Close())
}
