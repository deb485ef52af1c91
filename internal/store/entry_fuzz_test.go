package store

import (
	"bytes"
	"testing"
)

// FuzzIndexEntry reads any bytes as entries of the two index spaces: an error for
// a wrong length, and otherwise what encodes to the same bytes. Times in keys sort
// as numbers.
func FuzzIndexEntry(f *testing.F) {
	entry := appendWaiting(nil, Waiting{Reason: 1, Since: 1 << 40, Deadline: -1})
	f.Add([]byte("k"), entry, int64(-1), int64(1))
	f.Add(appendDeadlineKey(nil, 5, "e/o")[1:], entry[:deadlineBytes], int64(-1<<63), int64(1<<63-1))
	f.Add([]byte(nil), []byte(nil), int64(0), int64(0))
	f.Fuzz(func(t *testing.T, key, value []byte, a, b int64) {
		if w, err := decodeWaiting(value); (err == nil) != (len(value) == waitingBytes) || err == nil && !bytes.Equal(appendWaiting(nil, w), value) {
			t.Errorf("%x is %+v (%v)", value, w, err)
		}
		name, w, err := decodeDue(key, value)
		if (err == nil) != (len(key) >= timeBytes && len(value) == deadlineBytes) {
			t.Errorf("%x, %x: %v", key, value, err)
		}
		if err == nil && (!bytes.Equal(appendDeadlineKey(nil, w.Deadline, name)[1:], key) || !bytes.Equal(appendWaiting(nil, w)[:deadlineBytes], value)) {
			t.Errorf("%x, %x is %q, %+v", key, value, name, w)
		}
		if (a < b) != (bytes.Compare(appendTime(nil, a), appendTime(nil, b)) < 0) || readTime(appendTime(nil, a)) != a {
			t.Errorf("%d and %d are in another order as bytes", a, b)
		}
	})
}

// FuzzPageBounds: a page has exactly the keys of its space that begin with the
// prefix and are greater than after.
func FuzzPageBounds(f *testing.F) {
	f.Add("e/", "", "e/o")
	f.Add("e/", "e/o", "e/o\x00")
	f.Add("", "", "\xff\xff")
	f.Add("\xff", "\xff\xff", "\xff\xff\x00")
	f.Add("e/", "e/o", "e/o")
	f.Add("e/", "a", "e/a")
	f.Add("e/", "f", "e/a")
	f.Fuzz(func(t *testing.T, prefix, after, key string) {
		lower, upper := pageBounds(spaceWaiting, prefix, after)
		full := appendKey(nil, spaceWaiting, key)
		got := bytes.Compare(lower, full) <= 0 && bytes.Compare(full, upper) < 0
		want := len(key) >= len(prefix) && key[:len(prefix)] == prefix && (after == "" || key > after)
		if got != want {
			t.Errorf("prefix %q, after %q, key %q: in the page %t, want %t", prefix, after, key, got, want)
		}
	})
}
