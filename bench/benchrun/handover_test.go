package main

import "testing"

func TestUnshared(t *testing.T) {
	for _, c := range []struct {
		groups []groupState
		shared bool
	}{
		{nil, false},
		{[]groupState{{"a", "Stable", 2}, {"b", "Stable", 2}}, true},
		{[]groupState{{"a", "Stable", 2}, {"b", "Stable", 1}}, false},
		{[]groupState{{"a", "Stable", 3}}, false},
		{[]groupState{{"a", "PreparingRebalance", 2}, {"b", "Stable", 2}}, false},
	} {
		if got := unshared(c.groups, 2); (got == "") != c.shared {
			t.Errorf("%v: %q", c.groups, got)
		}
	}
}
