package store

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// No key that was added is ever taken for absent, whatever number of layers it took; few others are taken for stored.
func TestKnownKeys(t *testing.T) {
	var k knownKeys
	k.complete.Store(true)
	const n = 5 * firstLayerKeys // three layers
	for i := range n {
		k.add(fmt.Sprint("key-", i))
		k.add(fmt.Sprint("key-", i/2)) // a key that is known takes no room
	}
	if len(k.layers) != 3 {
		t.Errorf("%d layers, want 3", len(k.layers))
	}
	mistakes := 0
	for i := range n {
		if key := fmt.Sprint("key-", i); k.absent(key) {
			t.Fatalf("%s was added, and is taken for absent", key)
		}
		if !k.absent(fmt.Sprint("stranger-", i)) {
			mistakes++
		}
	}
	if limit := n * 2 * layerMistakes * 3; float64(mistakes) > limit {
		t.Errorf("%d of %d strangers are taken for stored, want at most %.0f", mistakes, n, limit)
	}
}

// A database that is opened again is asked for every key until all of its keys are known.
func TestKeysAreLearned(t *testing.T) {
	opts := memOptions()
	r := newTestRegistry(t, opts)
	s := openTestStore(t, r)
	if !s.known.absent("a") {
		t.Error("a new store does not know that it is empty")
	}
	for i := range 1000 {
		must(t, s.Set(fmt.Sprint("key-", i), plainValue("")))
	}
	must(t, s.Close())

	r.shared.learns <- struct{}{} // another store's turn
	s = openTestStore(t, r)
	must(t, s.Set("meanwhile", plainValue("")))
	for _, key := range []string{"key-7", "meanwhile", "stranger"} {
		if s.known.absent(key) {
			t.Errorf("%s is taken for absent before the keys are read", key)
		}
		if got, err := s.Has(key); err != nil || got != (key != "stranger") {
			t.Errorf("Has(%s) = %t, %v", key, got, err)
		}
	}
	<-r.shared.learns
	wait(t, "the keys to be known", s.KeysKnown)
	for i := range 1000 {
		if key := fmt.Sprint("key-", i); s.known.absent(key) {
			t.Fatalf("%s is stored, and is taken for absent", key)
		}
	}
	if s.known.absent("meanwhile") {
		t.Error("what was written before the keys were read is taken for absent")
	}
	if !s.known.absent("stranger") {
		t.Error("stranger is taken for stored")
	}
}

// A store that waits for its turn, or reads its keys, closes at once.
func TestCloseWhileLearning(t *testing.T) {
	r := newTestRegistry(t, memOptions())
	s := openTestStore(t, r)
	for i := range 1000 {
		must(t, s.Set(fmt.Sprint("key-", i), plainValue("")))
	}
	must(t, s.Close())

	r.shared.learns <- struct{}{}
	s = openTestStore(t, r)
	must(t, s.Close())
	<-r.shared.learns
	for range 20 {
		s = openTestStore(t, r)
		must(t, s.Close())
		if _, err := s.Get("key-1"); !errors.Is(err, ErrClosed) {
			t.Errorf("Get after Close: %v", err)
		}
	}
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
