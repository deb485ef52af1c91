package mapping

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

func encoded(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic(err)
	}
	return b
}

// What is found without decoding is what decoding gives.
func TestLegacyTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := &statepb.Input{Settled: rapid.Int64().Draw(t, "settled")}
		want := int64(0)
		if rapid.Bool().Draw(t, "source") {
			want = rapid.Int64().Draw(t, "time")
			in.Source = &statepb.Source{Partition: rapid.Int32().Draw(t, "partition"), Offset: rapid.Int64().Draw(t, "offset"), Time: want, Latest: rapid.Int64().Draw(t, "latest")}
		}
		switch rapid.IntRange(0, 2).Draw(t, "body") {
		case 0:
			in.Body = &statepb.Input_Order{Order: &statepb.OrderFacts{Id: rapid.String().Draw(t, "id")}}
		case 1:
			in.Body = &statepb.Input_Note{Note: &statepb.Note{Tombstone: true}}
		}
		if rapid.Bool().Draw(t, "replay") {
			in.Replay, want = &statepb.Replay{Stage: "gate"}, 0
		}
		if got := LegacyTime(encoded(in)); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
	})
}

func FuzzLegacyTime(f *testing.F) {
	f.Add(encoded(&statepb.Input{Source: &statepb.Source{Time: 1777651200000}, Replay: &statepb.Replay{}}))
	f.Add([]byte("\x0a\x05\x18"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := LegacyTime(b)
		in := &statepb.Input{}
		if proto.Unmarshal(b, in) != nil {
			return
		}
		if in.Replay != nil && got != 0 {
			t.Errorf("%d for a replay", got)
		}
	})
}

func TestEndsInARow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.Uint64Range(0, 1<<40)
		tallies := func(label string) (list []*statepb.Tally) {
			for range rapid.IntRange(0, 2).Draw(t, label) {
				list = append(list, &statepb.Tally{Reason: "r", Count: count.Draw(t, label)})
			}
			return list
		}
		e := &statepb.Entity{
			Source:      &statepb.Source{Offset: rapid.Int64().Draw(t, "offset")},
			Disposition: statepb.Disposition(rapid.IntRange(0, 4).Draw(t, "disposition")), Generation: 8,
			Tallies: &statepb.Tallies{
				Emitted: count.Draw(t, "emitted"), Unchanged: count.Draw(t, "unchanged"), Superseded: count.Draw(t, "superseded"), Tombstone: count.Draw(t, "tombstone"),
				Skipped: tallies("skipped"), Quarantined: tallies("quarantined"), Withdrawn: tallies("withdrawn"),
			},
		}
		row := rapid.SampledFrom([]*statepb.Row{
			{State: &statepb.Row_Event{Event: &statepb.EventState{Entity: e, MemberOf: "org"}}},
			{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: e, Facts: &statepb.OrderFacts{Id: "o"}}}},
			{State: &statepb.Row_Refund{Refund: &statepb.RefundState{Entity: e}}},
			{State: &statepb.Row_Organizer{Organizer: &statepb.OrganizerState{Entity: e}}},
			{State: &statepb.Row_Ledger{Ledger: &statepb.LedgerState{Entity: e}}},
			{State: &statepb.Row_Member{Member: &statepb.MemberState{Written: &statepb.Cause{Topic: 1}, Generation: 6}}},
			{State: &statepb.Row_Session{Session: &statepb.SessionState{Generation: 5}}},
			{},
		}).Draw(t, "row")
		got, err := EndsIn(encoded(row))
		if err != nil || got != EndsOf(row) {
			t.Fatalf("%+v, %v; want %+v", got, err, EndsOf(row))
		}
	})
}

// waitingRow draws a row of any kind, of which the entity waits, is sent again some time, both or neither.
func waitingRow(t *rapid.T) *statepb.Row {
	e := &statepb.Entity{Source: &statepb.Source{Offset: rapid.Int64().Draw(t, "offset")}, Generation: 8, KeptSource: &statepb.Source{Time: 4}}
	if rapid.Bool().Draw(t, "waits") {
		e.Wait = &statepb.Wait{Reason: rapid.Int32Range(0, 9).Draw(t, "reason"), Since: rapid.Int64().Draw(t, "since"), Deadline: rapid.Int64().Draw(t, "deadline")}
	}
	if rapid.Bool().Draw(t, "resend") {
		e.ResendAt = rapid.Int64().Draw(t, "resend at")
	}
	return rapid.SampledFrom([]*statepb.Row{
		{State: &statepb.Row_Event{Event: &statepb.EventState{Entity: e, MemberOf: "org"}}},
		{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: e, Facts: &statepb.OrderFacts{Id: "o"}}}},
		{State: &statepb.Row_Refund{Refund: &statepb.RefundState{Entity: e}}},
		{State: &statepb.Row_Organizer{Organizer: &statepb.OrganizerState{Entity: e}}},
		{State: &statepb.Row_Ledger{Ledger: &statepb.LedgerState{Entity: e}}},
		{State: &statepb.Row_Member{Member: &statepb.MemberState{Written: &statepb.Cause{Topic: 4, Offset: 13}, Left: true, Generation: 6}}},
		{State: &statepb.Row_Session{Session: &statepb.SessionState{Generation: 5}}},
		{},
	}).Draw(t, "row")
}

type waits struct {
	reason          WaitReason
	since, deadline int64
	ok              bool
}

func waitsOf(reason WaitReason, since, deadline int64, ok bool) waits {
	return waits{reason, since, deadline, ok}
}

func TestWaitingInARow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		row := waitingRow(t)
		if got, want := waitsOf(WaitingIn(encoded(row))), waitsOf(WaitingOf(row)); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// Of whatever decodes and is as this program writes it, both say the same.
func FuzzWaitingIn(f *testing.F) {
	f.Add(encoded(&statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: &statepb.Entity{Wait: &statepb.Wait{Reason: 2, Since: 5, Deadline: 9}}}}}))
	f.Add(encoded(&statepb.Row{State: &statepb.Row_Refund{Refund: &statepb.RefundState{Entity: &statepb.Entity{ResendAt: 77}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := waitsOf(WaitingIn(b))
		row, err := DecodeRow(b)
		if err != nil {
			return
		}
		own, err := encodeRow(row)
		if err != nil || !bytes.Equal(own, b) || len(row.ProtoReflect().GetUnknown()) > 0 {
			return
		}
		if want := waitsOf(WaitingOf(row)); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
}

// What is found on the bytes alone is what decoding finds, of whatever they are.
func FuzzGenerationIn(f *testing.F) {
	for _, seed := range stateSeeds(f) {
		f.Add(seed)
	}
	order := &statepb.Row{State: &statepb.Row_Order{Order: &statepb.OrderState{Entity: &statepb.Entity{Generation: 7}}}}
	f.Add(encoded(order))
	f.Add(append(encoded(order), encoded(&statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{}}})...))
	f.Add([]byte{0x2a, 4, 0x18, 1, 0x18, 2})                                               // a generation twice
	f.Add([]byte{0x3a, 11, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}) // too long for 64 bits
	f.Add([]byte{0x3a, 3, 8, 0xff, 0xff})                                                  // cut off
	f.Add([]byte{0x3a, 3, 0x0a, 1, 0})                                                     // a text for a generation
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := GenerationIn(b)
		row, wantErr := DecodeRow(b)
		if (err == nil) != (wantErr == nil) || got != Generation(row) {
			t.Fatalf("%d, %v; want %d, %v", got, err, Generation(row), wantErr)
		}
	})
}

// The rows that this program writes are not decoded.
func TestGenerationWithoutDecoding(t *testing.T) {
	for i, seed := range stateSeeds(t) {
		row, err := DecodeRow(seed)
		if err != nil || len(seed) == 0 || len(row.ProtoReflect().GetUnknown()) > 0 {
			continue
		}
		if n := testing.AllocsPerRun(100, func() { GenerationIn(seed) }); n != 0 {
			t.Errorf("seed %d, %v: %v allocations, want none", i, row, n)
		}
	}
}

func FuzzEndsIn(f *testing.F) {
	f.Add(encoded(&statepb.Row{State: &statepb.Row_Event{Event: &statepb.EventState{Entity: &statepb.Entity{Tallies: &statepb.Tallies{Emitted: 3}}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = EndsIn(b) // anything: an error or numbers, and an end
	})
}

// What the lag in seconds costs for every record behind intake.
func BenchmarkLegacyTime(b *testing.B) {
	value := encoded(&statepb.Input{
		Source:  &statepb.Source{Partition: 3, Offset: 123456, Time: 1777651200000},
		Settled: 123400, Body: &statepb.Input_Order{Order: &statepb.OrderFacts{Id: "6650a0b1c2d3e4f5a6b7c8d9", Event: "6650a0b1c2d3e4f5a6b7c8d0"}},
	})
	b.ReportAllocs()
	for b.Loop() {
		LegacyTime(value)
	}
}
