package main

import "testing"

func TestUnshared(t *testing.T) {
	for _, c := range []struct {
		groups []groupState
		shared bool
	}{
		{nil, false},
		{[]groupState{{"a", "Stable", 2, 2}, {"b", "Stable", 2, 2}}, true},
		{[]groupState{{"a", "Stable", 2, 2}, {"b", "Stable", 1, 1}}, false},
		{[]groupState{{"a", "Stable", 3, 3}}, false},
		{[]groupState{{"a", "PreparingRebalance", 2, 2}, {"b", "Stable", 2, 2}}, false},
	} {
		if got := unshared(c.groups, 2); (got == "") != c.shared {
			t.Errorf("%v: %q", c.groups, got)
		}
	}
}

func TestManned(t *testing.T) {
	if manned(nil) || manned([]groupState{{name: "a", state: "Empty"}}) {
		t.Error("a group without members is manned")
	}
	if !manned([]groupState{{name: "a", state: "Empty"}, {name: "b", state: "Stable", members: 1}}) {
		t.Error("a group with a member is not")
	}
}
