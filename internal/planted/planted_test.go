package planted

import (
	"bytes"
	"slices"
	"testing"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/slim"
)

func newSeason(t *testing.T, enc slim.Encoding) *Season {
	t.Helper()
	s, err := New(season.Config{Orders: 2000, Events: 1000, Seed: 3, Hostile: 0.05}, enc)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every kind finds entities that it can be done to, and changes those alone.
func TestKindsSpoilWhatTheySay(t *testing.T) {
	s := newSeason(t, slim.Encoding{Edition: slim.Edition1, Format: slim.JSON})
	for _, kind := range Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			spoiled, ids := s.Plant(kind, 3, 7)
			if len(ids) != 3 {
				t.Fatalf("planted in %d entities, want 3", len(ids))
			}
			before, after := byKey(s.Slim), byKey(spoiled)
			for _, m := range []map[string][]recordfile.Record{before, after} {
				for name := range m {
					_, id, _ := bytes.Cut([]byte(name), []byte("/"))
					wanted := slices.Contains(ids, string(id)) && name[:len(name)-len(id)-1] == kind.Stream
					if same := equal(before[name], after[name]); same == wanted {
						t.Errorf("%s: as it was is %v", name, same)
					}
				}
			}
			again, _ := s.Plant(kind, 3, 7)
			if !equal(spoiled, again) {
				t.Error("the same seed planted something else")
			}
		})
	}
}

func byKey(records []recordfile.Record) map[string][]recordfile.Record {
	found := map[string][]recordfile.Record{}
	for _, r := range records {
		name := r.Topic + "/" + string(r.Key)
		found[name] = append(found[name], r)
	}
	return found
}

func equal(a, b []recordfile.Record) bool {
	return slices.EqualFunc(a, b, func(a, b recordfile.Record) bool {
		return bytes.Equal(a.Value, b.Value) && (a.Value == nil) == (b.Value == nil) && a.Timestamp == b.Timestamp &&
			slices.EqualFunc(a.Headers, b.Headers, func(a, b recordfile.Header) bool { return a.Key == b.Key && bytes.Equal(a.Value, b.Value) })
	})
}
