package store

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// model is the slow, obvious second version of Store.
type model struct {
	values map[string][]byte
	offset *int64
}

func (m *model) keys(prefix, after string) []string {
	var keys []string
	for key := range m.values {
		if strings.HasPrefix(key, prefix) && (after == "" || key > after) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (m *model) waiting(prefix, after string) (list []string) {
	for _, key := range m.keys(prefix, after) {
		if w, ok := testIndexer(key, m.values[key]); ok {
			list = append(list, fmt.Sprintf("%s:%d/%d/%d", key, w.Reason, w.Since, w.Deadline))
		}
	}
	return list
}

func (m *model) due(now int64) (list []string) {
	type entry struct {
		key string
		w   Waiting
	}
	var entries []entry
	for _, key := range m.keys("", "") {
		if w, ok := testIndexer(key, m.values[key]); ok && w.Deadline != 0 && w.Deadline <= now {
			entries = append(entries, entry{key, w})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.w.Deadline, b.w.Deadline) })
	for _, e := range entries {
		list = append(list, fmt.Sprintf("%s:%d/%d/%d", e.key, e.w.Reason, e.w.Since, e.w.Deadline))
	}
	return list
}

func page(list []string, limit int) []string { return list[:min(limit, len(list))] }

// Keys share prefixes, contain the bytes next to the separators, and are few, so
// that they are overwritten.
var keyGen = rapid.Map(
	rapid.SliceOfN(rapid.SampledFrom([]byte{'a', 'b', '/', '0', 0xff, 0}), 0, 3),
	func(b []byte) string { return string(b) })

var timeGen = rapid.OneOf(rapid.Int64Range(-2, 4), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64, 1 << 41}))

var valueGen = rapid.Custom(func(t *rapid.T) []byte {
	payload := rapid.StringN(0, 4, -1).Draw(t, "payload")
	if rapid.Bool().Draw(t, "plain") {
		return plainValue(payload)
	}
	return waitingValue(Waiting{
		Reason:   rapid.Uint8Range(0, 2).Draw(t, "reason"),
		Since:    timeGen.Draw(t, "since"),
		Deadline: timeGen.Draw(t, "deadline"),
	}, payload)
})

func TestStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		opts := Options{Dir: "state", FS: vfs.NewMem(), Indexer: testIndexer, MemTableBytes: minMemTableBytes}
		r, err := NewRegistry(opts)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { r.Close() }()
		r.shared.held.limit = rapid.SampledFrom([]int64{0, 150, heldBudget}).Draw(rt, "held at most")
		open := func() *Store {
			st, err := r.Builder()(testTopic, testPartition)
			if err != nil {
				rt.Fatal(err)
			}
			return st.(*Store)
		}
		s, m := open(), &model{values: map[string][]byte{}}
		check := func(err error) {
			if err != nil {
				rt.Fatal(err)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"set": func(rt *rapid.T) {
				key, value := keyGen.Draw(rt, "key"), valueGen.Draw(rt, "value")
				check(s.Set(key, value))
				m.values[key] = value
			},
			"replace": func(rt *rapid.T) {
				key, value := keyGen.Draw(rt, "key"), valueGen.Draw(rt, "value")
				old, err := s.Get(key)
				check(err)
				check(s.Replace(key, old, value))
				m.values[key] = value
			},
			"delete": func(rt *rapid.T) {
				key := keyGen.Draw(rt, "key")
				check(s.Delete(key))
				delete(m.values, key)
			},
			"get": func(rt *rapid.T) {
				key := keyGen.Draw(rt, "key")
				value, err := s.Get(key)
				check(err)
				if want, ok := m.values[key]; !bytes.Equal(value, want) || ok != (value != nil) {
					rt.Fatalf("get %q: got %q, want %q", key, value, want)
				}
			},
			"offset": func(rt *rapid.T) {
				offset := rapid.Int64Range(0, 1<<40).Draw(rt, "offset")
				check(s.SetOffset(offset))
				m.offset = &offset
			},
			"recovered": func(*rapid.T) { check(s.MarkRecovered()) },
			"reopen": func(*rapid.T) {
				check(s.Close())
				s = open()
			},
			"flush": func(*rapid.T) { check(s.db.Flush()) },
			"scan": func(rt *rapid.T) {
				prefix, after := keyGen.Draw(rt, "prefix"), keyGen.Draw(rt, "after")
				limit := rapid.IntRange(1, 4).Draw(rt, "limit")
				var want []string
				for _, key := range m.keys(prefix, after) {
					want = append(want, key+"="+string(m.values[key]))
				}
				same(rt, "data", dataKeys(t, s, prefix, after, limit), page(want, limit))
				same(rt, "waiting", waitingKeys(t, s, prefix, after, limit), page(m.waiting(prefix, after), limit))
			},
			"scan due": func(rt *rapid.T) {
				now, limit := timeGen.Draw(rt, "now"), rapid.IntRange(1, 4).Draw(rt, "limit")
				same(rt, "due", dueKeys(t, s, now, limit), page(m.due(now), limit))
			},
			"range": func(rt *rapid.T) {
				start, limit := keyGen.Draw(rt, "start"), keyGen.Draw(rt, "limit")
				it, err := s.IteratorWithRange([]byte(start), []byte(limit))
				check(err)
				defer it.Release()
				var want []string
				for _, key := range m.keys("", "") {
					if key >= start && (limit == "" || key < limit) {
						want = append(want, key+"="+string(m.values[key]))
					}
				}
				same(rt, "range", collect(t, it), want)
			},
			"": func(rt *rapid.T) {
				offset, err := s.GetOffset(-3)
				check(err)
				if m.offset == nil && offset != -3 || m.offset != nil && offset != *m.offset {
					rt.Fatalf("offset: got %d", offset)
				}
				same(rt, "all waiting", waitingKeys(t, s, "", "", math.MaxInt), m.waiting("", ""))
				if count := int(s.WaitingCount()); count != len(m.waiting("", "")) {
					rt.Fatalf("count: got %d, want %d", count, len(m.waiting("", "")))
				}
				for _, prefix := range []string{"/", "a/", "b/", "a//", "a/b/", "0/"} {
					below := m.waiting(prefix, "")
					if found, err := s.WaitingBelow(prefix); err != nil || found != (len(below) > 0) {
						rt.Fatalf("below %q some wait: %t (%v), want %q", prefix, found, err, below)
					}
				}
				if rapid.Bool().Draw(rt, "look at all values") { // which writes what is held
					if err := indexError(s); err != nil {
						rt.Fatal(err)
					}
				}
			},
		})
	})
}

func same(rt *rapid.T, what string, got, want []string) {
	if !slices.Equal(got, want) {
		rt.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

// indexError compares the index, space by space and with the stored count, with one
// computed anew from the values.
func indexError(s *Store) error {
	values, err := contents(s)
	if err != nil {
		return err
	}
	want := map[string]string{}
	count := 0
	for key, value := range values {
		w, ok := testIndexer(key, []byte(value))
		if !ok {
			continue
		}
		count++
		entry := appendWaiting(nil, w)
		want[string(appendKey(nil, spaceWaiting, key))] = string(entry)
		if w.Deadline != 0 {
			want[string(appendDeadlineKey(nil, w.Deadline, key))] = string(entry[:deadlineBytes])
		}
	}
	got := map[string]string{}
	for _, space := range []byte{spaceWaiting, spaceDeadline} {
		if err := rawSpace(s, space, got); err != nil {
			return err
		}
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("index is %q, the values say %q", got, want)
	}
	stored, _, err := s.readInt64(metaCount)
	if err != nil {
		return err
	}
	if int(stored) != count || int(s.WaitingCount()) != count {
		return fmt.Errorf("count is %d, stored %d, the values say %d", s.WaitingCount(), stored, count)
	}
	return nil
}

func contents(s *Store) (map[string]string, error) {
	values := map[string]string{}
	err := s.Scan("", "", math.MaxInt, func(key string, value []byte) bool {
		values[key] = string(value)
		return true
	})
	return values, err
}

// rawSpace reads the raw keys and values of a space into m.
func rawSpace(s *Store, space byte, m map[string]string) error {
	lower, upper := spaceBounds(space)
	return s.scan(lower, upper, math.MaxInt, func(key, value []byte) (bool, error) {
		m[string(space)+string(key)] = string(value)
		return true, nil
	})
}
