package compare

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// FuzzLegacyReader reads any bytes on any topic, in any form, without a panic. The sheet
// is the same each time and keeps its invariant. Its outcome and reason are what the
// bridge's intake says.
func FuzzLegacyReader(f *testing.F) {
	seen := map[string]int{}
	for r := range season.Generate(season.Config{Orders: 40, Seed: 4, Hostile: 0.4}) {
		if seen[r.Topic]++; seen[r.Topic] > 15 || len(r.Value) > 3<<10 {
			continue
		}
		s := uint8(streamOfTopic(r.Topic))
		f.Add(s, uint8(seen[r.Topic]), r.Value)
		if n := len(r.Value); n > 0 && seen[r.Topic]%4 == 0 {
			f.Add(s, uint8(1), r.Value[:n-1])
			f.Add(s, uint8(2), append(r.Value[:n:n], r.Value...))
		}
	}
	refund, err := proto.Marshal(&legacyproto.RefundRequest{Id: "r", Order: "o", Event: "e", Status: legacyproto.RefundRequest_APPROVED, Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "t"}, {}, {Id: "u"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(Refunds), uint8(0), refund)
	f.Add(uint8(Events), uint8(1), []byte{0x0a, 0x01, 'e', 0x13, 0x14})
	f.Add(uint8(Partners), uint8(1), []byte{0x0a, 0x01, 0xff, 0x08})
	bridge := &mapping.Rules{Directory: directory.Empty(), DefaultLocation: time.UTC, MaxRecordBytes: mapping.DefaultMaxRecordBytes}
	f.Fuzz(func(t *testing.T, stream, encoding uint8, value []byte) {
		s, e := Stream(stream)%Streams, legacyEncodings[int(encoding)%len(legacyEncodings)]
		reader, sheet, again := newLegacyReader(t, legacyOptionsOf(e)), &Sheet{}, &Sheet{}
		reader.Read(s, &Record{Value: value}, sheet)
		reader.Read(s, &Record{Value: value}, again)
		checkSheet(t, s, sheet)
		if !sameSheet(sheet, again) {
			t.Errorf("%s: read twice, %+v and %+v", s, sheet, again)
		}
		bridge.Encoding = e
		in := bridge.Intake(mapping.Stream(s), &statepb.Source{Partition: 1, Offset: 7}, value)
		if in.Quarantine == mapping.ReasonTooLarge {
			return // sizes are not the reader's business
		}
		outcome, reason := outcomeOf(in)
		if sheet.Outcome != outcome || sheet.Reason != reason {
			t.Errorf("%s: %d %q, by the bridge %d %q", s, sheet.Outcome, sheet.Reason, outcome, reason)
		}
	})
}

// checkSheet holds a sheet against its invariant.
func checkSheet(t testing.TB, s Stream, sheet *Sheet) {
	t.Helper()
	known := sheet.Reason != ""
	switch sheet.Outcome {
	case Present:
		if sheet.ID == "" || known || len(sheet.Cells) != len(Fields(s)) || s == Orders && len(sheet.Items) == 0 {
			t.Errorf("%s: present with id %q, reason %q, %d cells, %d items", s, sheet.ID, sheet.Reason, len(sheet.Cells), len(sheet.Items))
		}
		for _, item := range sheet.Items {
			if item.ID == "" || len(item.Cells) != len(ItemFields()) {
				t.Errorf("%s: a ticket with id %q, %d cells", s, item.ID, len(item.Cells))
			}
		}
	case Skipped, Quarantined:
		if !known {
			t.Errorf("%s: outcome %d without a reason", s, sheet.Outcome)
		}
	}
}

func sameSheet(a, b *Sheet) bool {
	same := a.Outcome == b.Outcome && a.ID == b.ID && len(a.Cells) == len(b.Cells) && len(a.Items) == len(b.Items) && len(a.Facts) == len(b.Facts)
	for i := 0; same && i < len(a.Cells); i++ {
		same = a.Cells[i] == b.Cells[i]
	}
	for i := 0; same && i < len(a.Facts); i++ {
		same = a.Facts[i] == b.Facts[i]
	}
	return same
}

func outcomeOf(in mapping.Intake) (Outcome, string) {
	note := in.Input.GetNote()
	switch {
	case in.Quarantine != "":
		return Quarantined, string(in.Quarantine)
	case note.GetTombstone():
		return Tombstone, ""
	case note != nil:
		return Skipped, note.GetSkipped()
	}
	return Present, ""
}
