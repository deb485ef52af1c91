package dryrun

import (
	"slices"

	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// table is a group table in memory, with the index of waiting keys.
type table struct {
	rows     map[string][]byte
	children map[string]map[string]bool // parent key to its keys
	waits    map[string]*statepb.Wait
	below    map[string]int // ancestor prefix "KEY/" to the number of waiting keys below
}

func newTable() *table {
	return &table{
		rows: map[string][]byte{}, children: map[string]map[string]bool{},
		waits: map[string]*statepb.Wait{}, below: map[string]int{},
	}
}

func (t *table) get(key string) ([]byte, error) { return t.rows[key], nil }

func (t *table) set(key string, value []byte) {
	t.rows[key] = value
	parent := mapping.ParentKey(key)
	if parent != "" {
		if t.children[parent] == nil {
			t.children[parent] = map[string]bool{}
		}
		t.children[parent][key] = true
	}
	row, err := mapping.DecodeRow(value)
	if err != nil {
		panic(err) // this process wrote it
	}
	t.setWait(key, mapping.EntityOf(row).GetWait())
}

func (t *table) setWait(key string, w *statepb.Wait) {
	change := 0
	if t.waits[key] != nil {
		change--
	}
	delete(t.waits, key)
	if w != nil {
		t.waits[key] = w
		change++
	}
	for p := mapping.ParentKey(key); p != "" && change != 0; p = mapping.ParentKey(p) {
		t.below[p+"/"] += change
	}
}

func (t *table) waitsBelow(prefix string) bool { return t.below[prefix] > 0 }

// scan lists the keys that a command concerns, in ascending order.
func (t *table) scan(s *mapping.Scan) []string {
	var keys []string
	for key := range t.children[s.Parent()] {
		w := t.waits[key]
		if s.Waiting && w != nil && s.Wanted(key, mapping.WaitReason(w.GetReason())) || !s.Waiting && s.WantedRow(key, t.rows[key]) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// held lists the keys whose wait has a limit, in ascending order.
func (t *table) held() []string {
	var keys []string
	for key, w := range t.waits {
		if w.GetDeadline() != 0 {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
