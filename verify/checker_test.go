package verify

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"pgregory.net/rapid"
)

// scene is a drained deployment, whose records a test may change before they are
// checked.
type scene struct {
	t       testing.TB
	cfg     Config
	legacy  []recordfile.Record
	written []recordfile.Record // slim and quarantine, in the order of production
}

func testTopics() Topics {
	return Topics{
		Legacy:     [streams]string{"partners", "events", "orders_done", "refund_requests"},
		Slim:       [streams]string{"", "slim-events", "slim-orders", "slim-refunds"},
		Quarantine: "quarantine",
	}
}

func newScene(t testing.TB, edition, format string, places []byte, legacy []recordfile.Record) *scene {
	t.Helper()
	d, err := ParseDirectory(places, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, legacy: legacy, written: bridge(t, edition, format, places, legacy).written}
	s.cfg = Config{
		Edition: edition, Format: format, ApplicationID: "ticketscloud", SourceHeader: true, Directory: d, Zone: moscow(t),
		Topics: testTopics(), Examples: 5,
		Layout: Layout{Partitions: [streams]int32{0, 1, 1, 1}, Comparable: true},
	}
	s.clock()
	return s
}

// clock lets time pass from record to record, as under LogAppendTime with one broker.
func (s *scene) clock() {
	for i := range s.written {
		s.written[i].Timestamp = int64(1000 + i)
	}
}

var slimStreams = map[string]Stream{"events": Events, "orders": Orders, "refunds": Refunds}

func record(r recordfile.Record) Record {
	out := Record{Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, AppendTime: true, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, Header{h.Key, h.Value})
	}
	return out
}

// checker is given everything: legacy and quarantine records, and then slim ones
// with the offsets that they have now.
func (s *scene) checker() *Checker {
	s.t.Helper()
	c, reads := s.reads()
	for _, read := range reads {
		read()()
	}
	return c
}

// reads are the records for a new checker, in their order: each reads one, and returns what takes it.
func (s *scene) reads() (c *Checker, reads []func() (take func())) {
	s.t.Helper()
	c, err := New(s.cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range s.legacy {
		stream := Stream(slices.Index(s.cfg.Topics.Legacy[:], r.Topic))
		reads = append(reads, func() func() { return c.ReadLegacy(stream, record(r)) })
	}
	for _, r := range s.written {
		if r.Topic == dryrun.QuarantineTopic {
			reads = append(reads, func() func() { return func() { c.Quarantine(record(r)) } })
		}
	}
	offsets := map[string]int64{}
	for _, r := range s.written {
		if stream, ok := slimStreams[r.Topic]; ok {
			at := fmt.Sprint(r.Topic, r.Partition)
			r.Offset = offsets[at]
			offsets[at]++
			reads = append(reads, func() func() { return c.ReadSlim(stream, record(r)) })
		}
	}
	return c, reads
}

func (s *scene) report() *Report {
	s.t.Helper()
	return s.checker().Evaluate(time.Unix(0, 0), 0)
}

// counts are the findings of a report, without the kinds that have none.
func counts(r *Report) map[Kind]int {
	found := map[Kind]int{}
	for k, f := range r.Findings {
		if f.Count > 0 {
			found[k] = f.Count
		}
	}
	return found
}

func (s *scene) want(what string, want map[Kind]int) {
	s.t.Helper()
	r := s.report()
	if got := counts(r); fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("%s: found %v, want %v; %+v", what, got, want, r.Findings)
	}
	if r.Clean != (len(want) == 0) {
		s.t.Errorf("%s: clean is %v", what, r.Clean)
	}
}

func seasonScene(t testing.TB, orders int, hostile float64, edition, format string) *scene {
	t.Helper()
	cfg := season.Config{Orders: orders, Seed: 5, Hostile: hostile}
	return newScene(t, edition, format, season.Directory(cfg), seasonRecords(cfg))
}

// A bridge that did everything right gives no alarm, in any encoding, with any
// amount of trouble in its source.
func TestSeasonsAreClean(t *testing.T) {
	for _, hostile := range []float64{0, 0.05, 0.2} {
		for _, e := range encodings {
			t.Run(fmt.Sprintf("%v %s %s", hostile, e.edition, e.format), func(t *testing.T) {
				s := seasonScene(t, 2000, hostile, e.edition, e.format)
				s.want("drained", map[Kind]int{})
				r := s.report()
				if r.Ordering.Checked < 1000 || r.Slim["orders"].Keys < 1000 || len(r.Undecidable) > 0 {
					t.Errorf("checked %+v, %+v, undecidable %v", r.Ordering, r.Slim, r.Undecidable)
				}
			})
		}
	}
}

// Neither does any small history of awkward values, whenever its holds run out.
func TestRandomHistoriesAreClean(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.edition+" "+e.format, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				legacy := randomHistory(rt)
				s := newScene(t, e.edition, e.format, []byte(randomPlaces), legacy)
				over := rapid.IntRange(0, len(legacy)+1).Draw(rt, "holds over after")
				s.written = bridgeWithHolds(t, e.edition, e.format, []byte(randomPlaces), legacy, func(n int) bool { return n == over }).written
				s.clock()
				r := s.report()
				if !r.Clean {
					for _, rec := range legacy {
						rt.Logf("%s/%d %x", rec.Topic, rec.Offset, rec.Value)
					}
					rt.Errorf("%+v", r.Findings)
				}
			})
		})
	}
}
