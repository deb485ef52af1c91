package mapping

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// gathering is a Gatherer that is told versions as event:name, and tells what it sends as event:of:offsets. Time is that
// of the source.
type gathering struct {
	Gatherer
	next  int64
	acked int64 // below it, everything is
}

func newGathering(limits GatherLimits) *gathering {
	g := &gathering{Gatherer: Gatherer{Partition: 3, Limits: limits}, acked: 1 << 40}
	g.Acked = func(offset int64) bool { return offset < g.acked }
	return g
}

func (g *gathering) take(versions ...string) (sent []string) {
	for _, v := range versions {
		event, name, _ := strings.Cut(v, ":")
		src := &statepb.Source{Partition: 3, Offset: g.next, Time: 1000 + g.next}
		due, kept := g.Take(Intake{Key: event, Input: &statepb.Input{
			Source: src, Body: &statepb.Input_Event{Event: &statepb.EventFacts{Id: event, Name: name}},
		}}, src.Time)
		g.next++
		if sent = append(sent, told(due)...); !kept {
			sent = append(sent, v)
		}
	}
	return sent
}

// held is how many records are kept back.
func (g *gathering) held() (n int) {
	for _, generation := range []map[string]*gathered{g.recent, g.older} {
		for _, e := range generation {
			n += len(e.offsets)
		}
	}
	return n
}

func told(batches []Batch) (sent []string) {
	for _, b := range batches {
		in, r := b.Input, b.Input.GetRepeats()
		last := len(r.Offsets) - 1
		if in.Source.Partition != 3 || in.Source.Offset != r.Offsets[last] || in.Source.Time != r.Times[last] || r.Times[0] != 1000+r.Offsets[0] {
			sent = append(sent, fmt.Sprint("wrong: ", in))
		}
		sent = append(sent, fmt.Sprint(b.Key, ":", r.Of, ":", b.Offsets()))
	}
	return sent
}

func TestGatherer(t *testing.T) {
	wide := GatherLimits{Records: 100, For: 100, Batch: 100, Keys: 100, Facts: 100, Refresh: 100}
	limited := func(set func(*GatherLimits)) GatherLimits {
		l := wide
		set(&l)
		return l
	}
	for _, c := range []struct {
		name   string
		limits GatherLimits
		in     string
		sent   string
		rest   string
	}{
		{"others come between", wide, "a:1 b:1 a:1 b:1 a:1", "a:1 b:1", "a:0:[2 4] b:1:[3]"},
		{"another version sends what it replaces first", wide, "a:1 a:1 a:2 a:2 a:1", "a:1 a:0:[1] a:2 a:2:[3] a:1", ""},
		{"as far back as records may be", limited(func(l *GatherLimits) { l.Records = 3 }), "a:1 a:1 a:1 b:1 b:1 a:1", "a:1 b:1 a:0:[1 2]", "b:3:[4] a:0:[5]"},
		{"as long as records are kept", limited(func(l *GatherLimits) { l.For = 3 }), "a:1 a:1 b:1 b:1 b:1", "a:1 b:1 a:0:[1]", "b:2:[3 4]"},
		{"as many as go into one", limited(func(l *GatherLimits) { l.Batch = 2 }), "a:1 a:1 a:1 a:1", "a:1 a:0:[1 2]", "a:0:[3]"},
		{"as many events as are remembered", limited(func(l *GatherLimits) { l.Keys = 1 }), "a:1 a:1 b:1 b:1 a:1 c:1 b:1 d:1 a:1", "a:1 b:1 b:2:[3] c:1 a:0:[1 4] b:1 d:1 a:1", ""},
		{"in full again after a while", limited(func(l *GatherLimits) { l.Refresh = 3 }), "a:1 a:1 a:1 a:1 a:1", "a:1 a:0:[1 2] a:1", "a:0:[4]"},
		{"not what is too large to be kept", limited(func(l *GatherLimits) { l.Facts = 8 }), "a:123456 a:123456 a:1 a:1 a:123456 a:1", "a:123456 a:123456 a:1 a:2:[3] a:123456 a:1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGathering(c.limits)
			if sent := strings.Join(g.take(strings.Fields(c.in)...), " "); sent != c.sent {
				t.Errorf("sent %s\nwant %s", sent, c.sent)
			}
			if rest := strings.Join(told(g.All()), " "); rest != c.rest {
				t.Errorf("the rest is %s\nwant %s", rest, c.rest)
			}
			if again := g.All(); len(again) > 0 || g.held() != 0 {
				t.Errorf("%v is sent again, %d are held", told(again), g.held())
			}
		})
	}
}

// What is repeated has to be acknowledged; it need not be the version just before.
func TestGathererWaitsForTheAcknowledgement(t *testing.T) {
	g := newGathering((&Rules{MaxRecordBytes: DefaultMaxRecordBytes}).GatherLimits())
	g.acked = 0
	if sent := g.take("a:1", "a:1", "a:1"); len(sent) != 3 {
		t.Errorf("sent %v: nothing is acknowledged", sent)
	}
	g.acked = 1
	if sent := g.take("a:1"); len(sent) != 0 || g.held() != 1 {
		t.Errorf("sent %v, %d held: the first is acknowledged", sent, g.held())
	}
}

// Notes and what comes from quarantine are passed on.
func TestGathererTakesEventsAlone(t *testing.T) {
	g := newGathering((&Rules{MaxRecordBytes: DefaultMaxRecordBytes}).GatherLimits())
	g.take("a:1")
	for _, in := range []*statepb.Input{
		{Source: &statepb.Source{Offset: 1}, Body: &statepb.Input_Note{Note: &statepb.Note{Tombstone: true}}},
		{Source: &statepb.Source{Offset: 2}, Body: &statepb.Input_Event{Event: &statepb.EventFacts{Id: "a", Name: "1"}}, Replay: &statepb.Replay{}},
	} {
		if due, kept := g.Take(Intake{Key: "a", Input: in}, 0); kept || len(due) > 0 {
			t.Errorf("%v is kept back", in)
		}
	}
}

// TestRepeatsAreTheVersions: what an event's row is after repeats is what it is after the versions themselves, whatever
// it waits for, whichever of them it has seen, and wherever its newest record is.
func TestRepeatsAreTheVersions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := simRules([]slim.Edition{slim.Edition1, slim.Edition2}[rapid.IntRange(0, 1).Draw(t, "edition")])
		facts := &statepb.EventFacts{Id: "event", Name: "name", Start: proto.Int64(1000), Org: rapid.SampledFrom([]string{"", "org"}).Draw(t, "org")}
		input := func(partition int32, offset int64, f *statepb.EventFacts) *statepb.Input {
			src := &statepb.Source{Partition: partition, Offset: offset, Time: rapid.Int64Range(1, 30).Draw(t, "time")}
			return &statepb.Input{Source: src, Settled: rapid.Int64Range(0, 10).Draw(t, "settled"), Body: &statepb.Input_Event{Event: f}}
		}
		offset := int64(0)
		env := func() *Env {
			offset++
			return &Env{Now: 100_000 * rapid.Int64Range(1, 2).Draw(t, "now"), Self: Cause{Topic: simEvents, Offset: offset}, Status: func(Cause) Status { return Acked }, Waiting: func(string) bool { return true }}
		}
		st := &statepb.EventState{}
		r.EventRecord(env(), "event", st, input(0, 10, facts))
		if rapid.Bool().Draw(t, "answered") {
			r.EventAnswer(env(), "event", st, &statepb.Answer{Organizer: &statepb.OrganizerFacts{Id: "org", Name: "organizer"}, Source: &statepb.Source{}})
		}
		if rapid.Bool().Draw(t, "elsewhere") {
			other := proto.CloneOf(facts)
			other.Name = "other"
			r.EventRecord(env(), "event", st, input(1, 5, other))
		}
		if rapid.Bool().Draw(t, "seen") {
			r.EventRecord(env(), "event", st, input(0, 12, facts))
		}
		repeats := &statepb.Repeats{Of: 10}
		if rapid.Bool().Draw(t, "replayed") { // what intake did not know
			other := proto.CloneOf(facts)
			other.Name = "from quarantine"
			replay := input(0, 15, other)
			replay.Replay = &statepb.Replay{Stage: StageIntake, Reason: string(ReasonTooLarge)}
			r.EventRecord(env(), "event", st, replay)
			if rapid.Bool().Draw(t, "again") { // by a session that has forgotten
				repeats.Of = 14
				r.EventRecord(env(), "event", st, input(0, 14, facts))
			}
		}
		single, together := st, proto.CloneOf(st)
		for round := range int64(3) {
			if round == 1 && rapid.Bool().Draw(t, "another") {
				facts = proto.CloneOf(facts)
				facts.Name = "another"
				at, in := env(), input(0, 25, facts)
				r.EventRecord(at, "event", single, proto.CloneOf(in))
				r.EventRecord(at, "event", together, in)
				repeats.Of = 25
			}
			in := &statepb.Input{Settled: 11, Body: &statepb.Input_Repeats{Repeats: repeats}}
			repeats.Offsets, repeats.Times = nil, nil
			first := env()
			var emits []Emit
			for o := range rapid.Int64Range(1, 4).Draw(t, "versions") {
				one := input(0, 16+10*round+o, facts)
				one.Settled = in.Settled
				in.Source = one.Source
				repeats.Offsets, repeats.Times = append(repeats.Offsets, one.Source.Offset), append(repeats.Times, one.Source.Time)
				its := *first
				its.Self.Offset += o
				emits = append(emits, r.EventRecord(&its, "event", single, proto.CloneOf(one)).Emits...)
			}
			effects := r.EventRepeats(first, "event", together, in)
			for _, st := range []*statepb.EventState{single, together} { // which of the records it was is the difference
				for _, c := range []*statepb.Claim{st.Entity.Sent, st.Entity.Spread, st.Asked} {
					if c != nil {
						c.Cause = &statepb.Cause{}
					}
				}
			}
			if !proto.Equal(single, together) {
				t.Fatalf("%v:\n got %v\nwant %v", in, together, single)
			}
			if fmt.Sprint(effects.Emits) != fmt.Sprint(emits) {
				t.Fatalf("%v: sends %v, and %v one by one", in, effects.Emits, emits)
			}
		}
	})
}

// However many partitions an event's versions are in, each may be repeated; and the row stays small enough to be kept.
func TestRepeatsOfManyPartitions(t *testing.T) {
	r := simRules(slim.Edition1)
	for _, c := range []struct {
		partitions int32
		text       int
		rejected   bool
	}{{100, 10, false}, {100, r.repeatableBytes() - 100, true}} {
		st := &statepb.EventState{}
		facts := &statepb.EventFacts{Id: "event", Name: strings.Repeat("n", c.text), Start: proto.Int64(1000)}
		env := &Env{Now: 1, Status: func(Cause) Status { return Acked }, Waiting: func(string) bool { return false }}
		source := func(partition int32, offset int64) *statepb.Source {
			return &statepb.Source{Partition: partition, Offset: offset, Time: 100 - int64(partition)}
		}
		for p := range c.partitions {
			r.EventRecord(env, "event", st, &statepb.Input{Source: source(p, 1), Body: &statepb.Input_Event{Event: proto.CloneOf(facts)}})
		}
		for p := range c.partitions {
			r.EventRepeats(env, "event", st, &statepb.Input{Source: source(p, 2), Body: &statepb.Input_Repeats{Repeats: &statepb.Repeats{
				Of: 1, Offsets: []int64{2}, Times: []int64{100},
			}}})
		}
		if rejected := len(st.Entity.Tallies.Quarantined) > 0; rejected != c.rejected {
			t.Errorf("%d partitions, %d bytes: quarantined %v", c.partitions, c.text, st.Entity.Tallies.Quarantined)
		}
		if size := st.SizeVT(); size > 2*r.MaxRecordBytes {
			t.Errorf("%d partitions, %d bytes: the row has %d bytes", c.partitions, c.text, size)
		}
	}
}
