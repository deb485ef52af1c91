package store

import (
	"slices"
	"testing"
)

// The index is asked for a key, or for those below a prefix, only while one with the same hash waits.
func TestWaitCounts(t *testing.T) {
	var k waitCounts
	expect := func(when string, want map[string]bool) {
		t.Helper()
		for text, may := range want {
			if k.any(text) != may {
				t.Errorf("%s: %q may wait: %t", when, text, !may)
			}
		}
	}
	expect("nothing waits", map[string]bool{"e/o/r": false, "e/": false})
	k.add("e/o/r", 1)
	k.add("e/p", 1)
	expect("two wait", map[string]bool{"e/o/r": true, "e/o/": true, "e/p": true, "e/": true, "e": false, "e/o": false, "e/p/": false, "e/q": false})
	k.add("e/o/r", -1)
	expect("one waits", map[string]bool{"e/o/r": false, "e/o/": false, "e/p": true, "e/": true})
	k.add("e/p", -1)
	expect("none waits any more", map[string]bool{"e/p": false, "e/": false})
}

// What is remembered of the index while a database is filled is what stands there, and is forgotten afterwards.
func TestRememberedEntries(t *testing.T) {
	s := openTestStore(t, newTestRegistry(t, memOptions()))
	due := func() (deadlines []int64) {
		must(t, s.ScanDue(100, 100, func(_ string, w Waiting) bool { deadlines = append(deadlines, w.Deadline); return true }))
		return deadlines
	}
	for _, deadline := range []int64{1, 2, 3} {
		must(t, s.Set("e/o", waitingValue(Waiting{Reason: 1, Since: 1, Deadline: deadline}, "")))
	}
	if got := due(); !slices.Equal(got, []int64{3}) {
		t.Errorf("while it is filled: due at %d, want 3", got)
	}
	must(t, s.MarkRecovered())
	for _, deadline := range []int64{4, 5} {
		must(t, s.Set("e/o", waitingValue(Waiting{Reason: 1, Since: 1, Deadline: deadline}, "")))
	}
	if got := due(); !slices.Equal(got, []int64{5}) {
		t.Errorf("afterwards: due at %d, want 5", got)
	}
	must(t, s.Set("e/o", plainValue("")))
	if got := due(); len(got) > 0 {
		t.Errorf("it waits no longer, and is due at %d", got)
	}
}
