package processors

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// fenceOver is a fence over an empty store whose changelog ends at end.
func fenceOver(t *testing.T, end int64) *fence {
	t.Helper()
	b := testBridge()
	st, err := newTestStores(t).Builder()(tableOf(b.topics.gateGroup()), 0)
	if err != nil {
		t.Fatal(err)
	}
	f := &fence{
		Store: st.(*store.Store), g: newGroup(b, b.topics.gateGroup(), newStubSession(t, "bridge-events", 0).tracker, nil),
		end: end, session: t.Context(), overruled: map[string]bool{},
	}
	if err := f.begin(); err != nil {
		t.Fatal(err)
	}
	return f
}

func rowOf(t *testing.T, name string, generation int32) []byte {
	t.Helper()
	b, err := proto.Marshal(&statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{
		Entity: &statepb.Entity{Generation: generation}, Facts: &statepb.EventFacts{Name: name},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (f *fence) wantOffset(t *testing.T, want int64) {
	t.Helper()
	if got, err := f.Store.GetOffset(-1); err != nil || got != want {
		t.Errorf("the store remembers offset %d (%v), want %d", got, err, want)
	}
}

func (f *fence) wantName(t *testing.T, key, want string) {
	t.Helper()
	value, err := f.Store.Get(key)
	if err != nil {
		t.Fatal(err)
	}
	row, err := mapping.DecodeRow(value)
	if err != nil || row.GetEvent().GetFacts().GetName() != want {
		t.Errorf("the row of %s is %v (%v), want the name %q", key, row, err, want)
	}
}

// Guard G1, hole H6: A is paused, B writes the changelog up to offset 7, A resumes
// and its buffered write lands at 8. Were 8 remembered, A would never see B's
// records when the partition comes back.
func TestForeignRecordsHoldTheOffset(t *testing.T) {
	f := fenceOver(t, 0)
	f.live, f.known = true, 4
	if err := f.SetOffset(5); err != nil {
		t.Fatal(err)
	}
	var foreign *ForeignWriterError
	if err := f.SetOffset(8); !errors.As(err, &foreign) || foreign.Want != 6 || foreign.Got != 8 {
		t.Fatalf("offset 8 after 5: %v", err)
	}
	f.wantOffset(t, 5)
	if err := f.SetOffset(9); err == nil {
		t.Error("the session goes on after a foreign record")
	}
	f.wantOffset(t, 5)
}

// Guard G2, hole H7: a row of a former owner never replaces one of a later
// generation, whichever comes first; and until that one is written again, a session
// that ends early leaves the offset where the next one finds both.
func TestRowsOfFormerOwnersAreIgnored(t *testing.T) {
	f := fenceOver(t, 4)
	take := func(offset int64, key string, row []byte) {
		t.Helper()
		if err := f.recover(key, row, offset); err != nil {
			t.Fatal(err)
		}
		if err := f.SetOffset(offset); err != nil {
			t.Fatal(err)
		}
	}
	take(0, "e", rowOf(t, "of the owner", 2))
	f.wantOffset(t, 0)
	take(1, "e", rowOf(t, "of the former owner", 1))
	take(2, "f", rowOf(t, "of the owner", 2))
	f.wantName(t, "e", "of the owner")
	f.wantName(t, "f", "of the owner")
	f.wantOffset(t, 0)
	if !f.overruled["e"] || f.overruled["f"] {
		t.Errorf("to be written again: %v", f.overruled)
	}
	take(3, "e", rowOf(t, "written again", 3))
	f.wantName(t, "e", "written again")
	if len(f.overruled) != 0 {
		t.Errorf("to be written again: %v", f.overruled)
	}
}

// A table from before sessions announced themselves: the first that does is above all its rows.
func TestGenerationOfATableWithoutSessions(t *testing.T) {
	f := fenceOver(t, 2)
	for offset, row := range [][]byte{rowOf(t, "e", 7), rowOf(t, "f", 3)} {
		if err := f.recover(string(rune('e'+offset)), row, int64(offset)); err != nil {
			t.Fatal(err)
		}
	}
	if g, err := f.lastGeneration(); err != nil || g != 7 {
		t.Errorf("the last generation is %d (%v), want 7", g, err)
	}
	row, err := mapping.SessionRow(9)
	if err == nil {
		err = f.Store.Set(mapping.SessionKey, row)
	}
	if err != nil {
		t.Fatal(err)
	}
	if g, err := f.lastGeneration(); err != nil || g != 9 {
		t.Errorf("the last generation is %d (%v), want 9", g, err)
	}
}

// A local state that knows more than the changelog holds belongs to another topic,
// or the brokers lost the end of this one.
func TestLostChangelogIsRefused(t *testing.T) {
	f := fenceOver(t, 10)
	if err := f.Store.SetOffset(10); err != nil {
		t.Fatal(err)
	}
	var lost *LostChangelogError
	if err := f.begin(); !errors.As(err, &lost) || lost.Offset != 10 || lost.End != 10 {
		t.Errorf("offset 10 of a changelog that ends at 10: %v", err)
	}
}

// Goka may take an error of a table's consumer for its end. A store that was not
// read to the end is not used.
func TestHalfReadStoreIsRefused(t *testing.T) {
	f := fenceOver(t, 10)
	if err := f.SetOffset(8); err != nil {
		t.Fatal(err)
	}
	if err := f.MarkRecovered(); err == nil {
		t.Error("a store that was read up to offset 8 of 10 begins a session")
	}
}

// A store that was filled only in part has rows of which nobody knows any more which generations they have: its own
// session's row may be older than they are.
func TestRowsOfFormerOwnersAreIgnoredInAStoreThatWasFilledInPart(t *testing.T) {
	f := fenceOver(t, 4)
	session, err := mapping.SessionRow(1)
	if err != nil {
		t.Fatal(err)
	}
	for key, row := range map[string][]byte{mapping.SessionKey: session, "e": rowOf(t, "of the owner", 3)} {
		if err := f.Store.Set(key, row); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.begin(); err != nil {
		t.Fatal(err)
	}
	if err := f.recover("e", rowOf(t, "of the former owner", 2), 0); err != nil {
		t.Fatal(err)
	}
	f.wantName(t, "e", "of the owner")
}

// An instance is not ready while a table is being filled.
func TestNotReadyWhileRestoring(t *testing.T) {
	f := fenceOver(t, 4)
	f.g.b.started.Store(true)
	f.g.b.all = []*group{f.g}
	f.g.fences.Store(f.partition, f)
	if reasons := f.g.b.restoring(); len(reasons) != 1 || !strings.Contains(reasons[0], "4 records are left") {
		t.Errorf("restoring: %q", reasons)
	}
	if reasons := f.g.b.NotReady(); !slices.ContainsFunc(reasons, func(r string) bool { return strings.HasPrefix(r, "restoring: ") }) {
		t.Errorf("not ready for %q", reasons)
	}
	f.live = true
	if reasons := f.g.b.restoring(); len(reasons) != 0 {
		t.Errorf("live, and %q", reasons)
	}
}
