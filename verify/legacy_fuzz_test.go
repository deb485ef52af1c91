package verify

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// bridgeRules are the bridge's own, with room for any record.
func bridgeRules(edition, format string) *mapping.Rules {
	e, _ := slim.ParseEdition(edition)
	f, _ := slim.ParseFormat(format)
	return &mapping.Rules{
		Encoding: slim.Encoding{Edition: e, Format: f}, Directory: directory.Empty(), DefaultLocation: time.UTC,
		MaxRecordBytes: mapping.DefaultMaxRecordBytes,
	}
}

// addLegacy adds the first records of a season with much trouble in it, of which
// each is also cut short, doubled, and spoilt in one byte.
func addLegacy(f *testing.F, add func(stream uint8, value []byte)) {
	f.Helper()
	seen := map[string]int{}
	for r := range season.Generate(season.Config{Orders: 60, Seed: 3, Hostile: 0.4}) {
		if seen[r.Topic]++; seen[r.Topic] > 25 || len(r.Value) > 3<<10 {
			continue
		}
		stream := uint8(streamOf(f, r.Topic))
		add(stream, r.Value)
		if n := len(r.Value); n > 0 && seen[r.Topic]%5 == 0 {
			spoilt := append([]byte(nil), r.Value...)
			spoilt[n*seen[r.Topic]/26] ^= 0x80
			add(stream, r.Value[:n-1])
			add(stream, append(r.Value[:n:n], r.Value...))
			add(stream, spoilt)
		}
	}
}

func streamOf(t testing.TB, topic string) Stream {
	for s, name := range testTopics().Legacy {
		if name == topic {
			return Stream(s)
		}
	}
	t.Fatalf("a season has a topic %s", topic)
	return 0
}

// FuzzLegacyVerdict holds the two readers of legacy records against each other: the
// bridge's, which decodes projections, and the plain one here, which cuts the bytes
// and decodes the full schema. For any bytes on any topic, both say that the record
// is eligible, or the same end for the same reason. What the full schema reads of an
// eligible record makes the same facts as the record itself.
func FuzzLegacyVerdict(f *testing.F) {
	addLegacy(f, func(stream uint8, value []byte) { f.Add(stream, value) })
	for _, m := range []*legacyproto.RefundRequest{
		{Id: "r", Order: "o", Event: "e", Tickets: []*legacyproto.RefundRequest_Ticket{{Id: "t"}, {}}},
		{Order: "o", Event: "e"}, {Id: "r", Event: "e"}, {Id: "r", Order: "o"}, {Id: "r", Order: "o", Event: "e"},
	} {
		m.Status = legacyproto.RefundRequest_APPROVED
		value, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(Refunds), value)
	}
	f.Add(uint8(Orders), []byte(nil))
	f.Add(uint8(Events), []byte{0x0a, 0x01, 'e', 0x13, 0x14})
	f.Add(uint8(Refunds), []byte{0x10, 0x02, 0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f})
	rules := bridgeRules("1.0", "json")
	f.Fuzz(func(t *testing.T, stream uint8, value []byte) {
		s := Stream(stream % uint8(streams))
		src := &statepb.Source{Partition: 1, Offset: 7}
		in := rules.Intake(mapping.Stream(s), src, value)
		if in.Quarantine == mapping.ReasonTooLarge {
			return // limits are not the plain rules' business
		}
		m, plain := plainRead(s, value)
		if got := verdictOf(in); got != plain {
			t.Fatalf("%s: the bridge says %+v, the plain rules %+v", s, got, plain)
		}
		if plain.outcome != Eligible {
			return
		}
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		again := rules.Intake(mapping.Stream(s), src, b)
		if again.Key != in.Key || !proto.Equal(again.Input, in.Input) {
			t.Errorf("%s: of the record %v, of what the full schema read of it %v", s, in.Input, again.Input)
		}
	})
}

func plainRead(s Stream, value []byte) (proto.Message, verdict) {
	switch s {
	case Partners:
		return asMessage(readPartner(value))
	case Events:
		return asMessage(readEvent(value))
	case Orders:
		return asMessage(readOrder(value))
	}
	return asMessage(readRefund(value))
}

func asMessage[M proto.Message](m M, v verdict) (proto.Message, verdict) { return m, v }

// verdictOf says in the words of the plain rules what intake did.
func verdictOf(in mapping.Intake) verdict {
	note := in.Input.GetNote()
	switch {
	case in.Quarantine != "":
		return quarantine(string(in.Quarantine))
	case note.GetTombstone():
		return verdict{Tombstone, "tombstone"}
	case note != nil:
		return skip(note.GetSkipped())
	}
	return verdict{}
}

// FuzzQuarantined reads any headers as those of a quarantine record: they say which
// record it is, or are reported, without a panic. Those that the bridge writes for
// any position say that position; one below 0 is none.
func FuzzQuarantined(f *testing.F) {
	f.Add("orders_done", "3", "17", int32(3), int64(17))
	f.Add("", "", "", int32(0), int64(0))
	f.Add("events", "-1", "9223372036854775808", int32(-1), int64(-1))
	f.Add("partners", "+2", "0x1", int32(1<<31-1), int64(1<<63-1))
	f.Fuzz(func(t *testing.T, topic, partition, offset string, p int32, o int64) {
		c := plainChecker(t, "1.0", "json")
		c.Quarantine(Record{Headers: []Header{{headerTopic, []byte(topic)}, {headerPartition, []byte(partition)}, {headerOffset, []byte(offset)}}})
		inPartition, err1 := strconv.ParseInt(partition, 10, 32)
		at, err2 := strconv.ParseInt(offset, 10, 64)
		known := slices.Contains(c.cfg.Topics.Legacy[:], topic)
		if want := known && errors.Join(err1, err2) == nil && inPartition >= 0 && at >= 0; len(c.quarantined) == 1 != want || (len(c.found) == 0) != want {
			t.Errorf("%q, %q, %q: %d places, findings %v", topic, partition, offset, len(c.quarantined), c.found)
		}
		c = plainChecker(t, "1.0", "json")
		r := Record{}
		for _, h := range mapping.QuarantineHeaders(c.cfg.Topics.Legacy[Orders], &statepb.Source{Partition: p, Offset: o}, mapping.StageIntake, mapping.ReasonUndecodable) {
			r.Headers = append(r.Headers, Header{h.Key, h.Value})
		}
		c.Quarantine(r)
		note := c.quarantined[spot{Orders, p, o}]
		if isPlace := p >= 0 && o >= 0; (note != nil) != isPlace || note != nil && note.reason != string(mapping.ReasonUndecodable) {
			t.Errorf("of %d, %d are known %v", p, o, c.quarantined)
		}
	})
}

func plainChecker(t testing.TB, edition, format string) *Checker {
	t.Helper()
	d, err := ParseDirectory(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := New(Config{
		Edition: edition, Format: format, ApplicationID: "ticketscloud", Directory: d, Zone: time.UTC, Topics: testTopics(), Examples: 5,
		Layout: Layout{Partitions: [streams]int32{0, 1, 1, 1}, Comparable: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// FuzzChecker gives the checker a legacy record, and a slim one with any key, headers
// and value. It judges them without a panic, the same way each time, and repeats
// nothing of what stands in a value that it cannot read.
func FuzzChecker(f *testing.F) {
	scene := seasonScene(f, 12, 0.2, "1.0", "json")
	legacy := map[string][]byte{}
	for _, r := range scene.legacy {
		legacy[slim.Source(r.Topic, r.Partition, r.Offset)] = r.Value
	}
	seen := map[Stream]int{}
	for _, r := range scene.written {
		s, ok := slimStreams[r.Topic]
		if seen[s]++; !ok || seen[s] > 10 {
			continue
		}
		source := header(record(r), slim.HeaderBridgeSource)
		f.Add(uint8(0), uint8(s-1), legacy[source], r.Key, r.Value, slim.HeaderBridgeSource, source)
		f.Add(uint8(seen[s]), uint8(s-1), legacy[source], r.Key, []byte("{}"), slim.HeaderSchemaVersion, "1.0")
		f.Add(uint8(0), uint8(s-1), legacy[source], r.Key, []byte(nil), "", "")
	}
	f.Add(uint8(1), uint8(0), []byte{0x0a}, []byte(nil), []byte("{}"), "content-type", "")
	f.Fuzz(func(t *testing.T, encoding, stream uint8, legacy, key, value []byte, header, text string) {
		e := encodings[int(encoding)%len(encodings)]
		s := 1 + Stream(stream)%(streams-1)
		judge := func() *Report {
			c := plainChecker(t, e.edition, e.format)
			c.Legacy(s, Record{Offset: 1, Time: 5, Value: legacy})
			r := Record{Offset: 3, Time: 9, AppendTime: true, Key: key, Value: value, Headers: []Header{
				{"content-type", []byte("application/json")}, {"schema-version", []byte(e.edition)}, {"application-id", []byte("ticketscloud")}, {header, []byte(text)},
			}}
			c.Slim(s, r)
			c.Slim(s, r)
			return c.Evaluate(time.Unix(100, 0), 0)
		}
		first, again := judge(), judge()
		for _, k := range Kinds() {
			if first.Findings[k].Count != again.Findings[k].Count {
				t.Errorf("%s: %d, and then %d", k, first.Findings[k].Count, again.Findings[k].Count)
			}
		}
		if first.Slim[s.String()].Records != 2 {
			t.Errorf("%d records", first.Slim[s.String()].Records)
		}
	})
}
