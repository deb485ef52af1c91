package compare

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
)

// saying is a record of one order, reduced to what Fold looks at.
type saying struct {
	outcome   Outcome
	own       string // an own cell
	borrowed  string // a cell that is borrowed on the legacy side
	raw       string
	cause     string
	partition int32
	offset    int64
	time      int64
}

func (s saying) sheet() (*Sheet, *Record) {
	var sheet Sheet
	sheet.Reset(Orders)
	sheet.ID, sheet.Outcome, sheet.Reason, sheet.Cause = "o1", s.outcome, "", s.cause
	sheet.Cells[0].Text = "o1"
	if s.outcome == Skipped {
		sheet.Reason = "no_phone"
	}
	cells := sheet.NewItem("t1", "s1")
	cells[indexOf(itemFields, "tickets[].row")].Text = s.own
	cells[indexOf(itemFields, "tickets[].category")].Text = s.borrowed
	return &sheet, &Record{Place: Place{Partition: s.partition, Offset: s.offset, Time: s.time}, Value: []byte(s.raw)}
}

func fold(f Form, sayings ...saying) *rowpb.Side {
	folder := Folder{Form: f}
	var side *rowpb.Side
	for i, s := range sayings {
		sheet, record := s.sheet()
		side = folder.Fold(side, Orders, sheet, record, int64(100+i))
	}
	return side
}

func own(t *testing.T, s saying) uint64 {
	t.Helper()
	sheet, _ := s.sheet()
	sum, _ := sums(Orders, sheet)
	return sum
}

func TestFold(t *testing.T) {
	edition1 := Form{Edition: 1}
	a := saying{own: "a", borrowed: "x", raw: "1", cause: "l/0/1"}
	b := saying{own: "b", borrowed: "x", raw: "2", cause: "l/0/2"}
	at := func(s saying, offset int64) saying { s.offset, s.time = offset, 1000+offset; return s }
	skipped := saying{outcome: Skipped}
	gone := saying{outcome: Tombstone}

	t.Run("newest, first and former", func(t *testing.T) {
		side := fold(edition1, at(a, 1), at(b, 2), at(b, 3))
		if side.First.Offset != 1 || side.Newest.Offset != 3 || side.Changed.Offset != 2 || side.Seen != 101 || side.Records != 3 {
			t.Errorf("%v", side)
		}
		if side.Own != own(t, b) || !slices.Equal(side.Former, []uint64{own(t, a)}) {
			t.Errorf("own %d, former %v", side.Own, side.Former)
		}
	})
	t.Run("what comes again is not counted", func(t *testing.T) {
		if got, want := fold(edition1, at(a, 1), at(b, 2), at(a, 1), at(b, 2)), fold(edition1, at(a, 1), at(b, 2)); !proto.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	})
	t.Run("an earlier time of the same partition does not lose against another one", func(t *testing.T) {
		early, other := at(a, 2), at(b, 1)
		early.time, other.partition, other.time = 900, 1, 1000
		if side := fold(edition1, at(b, 1), early, other); side.Newest.Partition != 0 || side.Own != own(t, a) {
			t.Errorf("%v", side)
		}
	})
	t.Run("a version that comes back is no former one", func(t *testing.T) {
		side := fold(edition1, at(a, 1), at(b, 2), at(a, 3))
		if side.Own != own(t, a) || !slices.Equal(side.Former, []uint64{own(t, b)}) {
			t.Errorf("own %d, former %v", side.Own, side.Former)
		}
	})
	t.Run("a skipped record changes nothing of a good one", func(t *testing.T) {
		if got, want := fold(edition1, at(a, 1), at(skipped, 2)), fold(edition1, at(a, 1)); !proto.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		side := fold(edition1, at(skipped, 5))
		if side.Present || Outcome(side.Outcome) != Skipped || side.Reason != "no_phone" || side.Newest.Offset != 5 {
			t.Errorf("%v", side)
		}
		later := fold(edition1, at(skipped, 1), at(a, 2))
		if !later.Present || later.Reason != "" || later.First.Offset != 2 {
			t.Errorf("%v", later)
		}
	})
	t.Run("a record without a value takes the entity away", func(t *testing.T) {
		side := fold(edition1, at(a, 1), at(gone, 2))
		if side.Present || Outcome(side.Outcome) != Tombstone || side.First.Offset != 1 {
			t.Errorf("%v", side)
		}
		if back := fold(edition1, at(a, 1), at(gone, 2), at(a, 3)); !back.Present || back.Changed.Offset != 3 {
			t.Errorf("%v", back)
		}
	})
	t.Run("repeats", func(t *testing.T) {
		same := a
		same.raw = "1 "
		fromSame := b
		fromSame.cause = a.cause
		borrowed := a
		borrowed.borrowed, borrowed.raw = "y", "3"
		for _, c := range []struct {
			name  string
			then  saying
			want  uint32
			cross bool
		}{
			{"the same bytes", a, 0, false},
			{"the same with other bytes", same, 1, false},
			{"something else of the same legacy record", fromSame, 1, false},
			{"another legacy record", b, 0, false},
			{"something else borrowed", borrowed, 0, false},
			{"editions that differ", same, 0, true},
		} {
			form := edition1
			if c.cross {
				form.Edition = 0
			}
			if side := fold(form, at(a, 1), at(c.then, 2)); side.Repeats != c.want {
				t.Errorf("%s: %d, want %d", c.name, side.Repeats, c.want)
			}
		}
	})
	t.Run("what came before is remembered up to a bound", func(t *testing.T) {
		var all []saying
		for i := range int64(20) {
			all = append(all, at(saying{own: fmt.Sprint("v", i)}, i))
		}
		side := fold(edition1, all...)
		if len(side.Former) != mostFormer || side.Former[0] != own(t, all[18]) {
			t.Errorf("%d former", len(side.Former))
		}
	})
}

// What comes again changes nothing, and it does not matter in which order partitions
// are read (decision 8).
func TestFoldIsOneOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts [2][]saying
		for p := range parts {
			for i := range rapid.IntRange(0, 4).Draw(t, "records") {
				s := saying{own: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "own"), partition: int32(p), offset: int64(i)}
				s.outcome = rapid.SampledFrom([]Outcome{Present, Present, Skipped}).Draw(t, "outcome")
				s.time = int64(rapid.IntRange(1, 5).Draw(t, "time"))
				s.raw = s.own
				parts[p] = append(parts[p], s)
			}
		}
		interleave := func(name string, again bool) *rowpb.Side {
			rest, all := parts, []saying(nil)
			for len(rest[0])+len(rest[1]) > 0 {
				p := rapid.IntRange(0, 1).Draw(t, name)
				if len(rest[p]) == 0 {
					p = 1 - p
				}
				all, rest[p] = append(all, rest[p][0]), rest[p][1:]
			}
			if again { // from some point on, as after a crash
				from := rapid.IntRange(0, len(all)).Draw(t, "from")
				all = append(slices.Clone(all), all[from:]...)
			}
			side := fold(Form{Edition: 1}, all...)
			side.GetFormer() // nil for no side
			return side
		}
		want, got := interleave("one", false), interleave("other", true)
		if want.GetPresent() != got.GetPresent() || want.GetOwn() != got.GetOwn() || want.GetContent() != got.GetContent() ||
			want.GetPresent() && (!proto.Equal(want.GetNewest(), got.GetNewest()) || !proto.Equal(want.GetFirst(), got.GetFirst())) {
			t.Fatalf("%v\nand\n%v", want, got)
		}
		a, b := slices.Sorted(slices.Values(want.GetFormer())), slices.Sorted(slices.Values(got.GetFormer()))
		if !slices.Equal(a, b) {
			t.Fatalf("former %v and %v", a, b)
		}
	})
}
