package kafka

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

// FuzzProgressOf reads any metadata of a committed offset. What it takes for its
// own says so, and written again reads the same; no commit at all is its own, and
// is no progress. What it writes it reads again, whatever the numbers.
func FuzzProgressOf(f *testing.F) {
	for _, text := range []string{"", "5", commitPrefix, commitMetadata(0), commitMetadata(1<<64 - 1), Progress{7, true, 0}.metadata(), Progress{7, true, 3}.metadata(), commitPrefix + "5 clean=99999999999", commitPrefix + "-1", commitPrefix + "99999999999999999999 reset", "another/1 ended=5"} {
		f.Add(text, int64(3), uint64(len(text)), true, int32(4))
	}
	f.Add(commitMetadata(5), int64(-1), uint64(1)<<63, false, int32(0))
	f.Fuzz(func(t *testing.T, metadata string, offset int64, ended uint64, reset bool, clean int32) {
		got, ours := ProgressOf(Commit{Offset: offset, Metadata: metadata})
		switch {
		case offset < 0:
			if !ours || got != (Progress{}) {
				t.Errorf("of no commit: %+v, %t", got, ours)
			}
		case ours != strings.HasPrefix(metadata, commitPrefix):
			t.Errorf("%q: ours is %t", metadata, ours)
		case ours:
			if again, stillOurs := ProgressOf(Commit{Metadata: got.metadata()}); !stillOurs || again != got {
				t.Errorf("%q is %+v, and written again %+v", metadata, got, again)
			}
		}
		want := Progress{ended, reset, clean}
		if got, ours := ProgressOf(Commit{Metadata: want.metadata()}); !ours || got != want {
			t.Errorf("wrote %+v, read %+v, %t", want, got, ours)
		}
	})
}

// FuzzIdentity reads any value of the identity record: an error, or a record that
// written and read again is the same, that finds nothing wrong with itself, and
// that finds every topic wrong which is gone.
func FuzzIdentity(f *testing.F) {
	f.Add([]byte(`{"topics":{"b-orders":{"id":"AAAAAAAAAAAAAAAAAAAAAQ","partitions":12}},"legacy":{"orders_done":{"name":"orders","id":"x"}}}`))
	f.Add([]byte(`{"topics":{"a":{},"b":null},"legacy":{"events":{}}}`))
	f.Add([]byte(`{"topics":null}`))
	f.Add([]byte(`[]`))
	f.Add([]byte(`{"topics":{"a":{"id":"\ud800","partitions":-1,"new":[1]}}}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		var r, again identityRecord
		if json.Unmarshal(value, &r) != nil {
			return
		}
		first, err := json.Marshal(r)
		if err != nil {
			t.Fatalf("a record cannot be written again: %v", err)
		}
		if err := json.Unmarshal(first, &again); err != nil || !maps.Equal(again.Topics, r.Topics) || !maps.Equal(again.Legacy, r.Legacy) {
			t.Fatalf("read %+v, wrote %s, read %+v (%v)", r, first, again, err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
			t.Errorf("wrote %s, and then %s (%v)", first, second, err)
		}
		checkCompare(t, r)
	})
}

func checkCompare(t *testing.T, r identityRecord) {
	t.Helper()
	present := Identity{}
	for name, topic := range r.Topics {
		if topic != (TopicIdentity{}) { // such a one is none
			present[name] = topic
		}
	}
	names := []string{}
	for name := range present {
		names = append(names, name)
	}
	if err := (identityRecord{Topics: present, Legacy: r.Legacy}).compare(names, r); err != nil {
		t.Errorf("compared with itself: %v", err)
	}
	if lines := present.compare(nil); len(lines) != len(present) {
		t.Errorf("%d topics are gone, and it says %q", len(present), lines)
	}
}
