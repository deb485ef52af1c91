package mapping

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Quarantine in the model. Intake rejects some records whatever they say, and the
// gate those whose slim record is too large, until the limits are raised. Records
// from quarantine are replayed at any moment, any number of times: before the limits
// are raised, after, and again, as if the mark of an earlier replay had been lost.
//
// Limits are raised as the documentation asks: intake has come to an orderly end.
// What is on its way in the gate is not waited for.
//
// Timestamps do not run backwards within a partition here. Where they do, which
// partition has the newest record depends on when a replay comes.

// simLimits is what is too large at intake; the gate's limit is in the rules.
type simLimits struct {
	raised bool
	sent   int // replays that were sent on
}

// newSimWithLimits is a model in which records end in quarantine and are replayed.
func newSimWithLimits(c chooser, rules *Rules) *sim {
	small := *rules
	small.MaxRecordBytes = headerReserve + 200 + c.Intn("limit", 200)
	s := newSim(c, &small)
	s.quarantine = &simLimits{}
	return s
}

// rejects is the rule of intake before the limits are raised: one record in five.
func (l *simLimits) rejects(stream Stream, in *statepb.Input) bool {
	return l.wouldReject(stream, in) && !l.raised
}

// wouldReject is the rule, raised or not.
func (l *simLimits) wouldReject(stream Stream, in *statepb.Input) bool {
	src := in.GetSource()
	return l != nil && !undecodable(in) && (7*src.GetOffset()+3*int64(src.GetPartition())+int64(stream))%5 == 0
}

// undecodable records stay in quarantine for good.
func undecodable(in *statepb.Input) bool { return in.GetNote().GetQuarantined() != "" }

func (s *sim) rejectAtIntake(stream Stream, in *statepb.Input) []simSend {
	out := quarantined(stream, in.GetSource(), ReasonTooLarge)
	out.Input.Settled = in.GetSettled()
	return []simSend{
		{topic: internalOf[stream], m: simMessage{key: out.Key, body: out.Input}},
		quarantineRecord(stream, in.GetSource(), StageIntake, ReasonTooLarge),
	}
}

func quarantineRecord(stream Stream, src *statepb.Source, stage string, reason Reason) simSend {
	body := &statepb.Input{Source: src, Replay: &statepb.Replay{Stage: stage, Reason: string(reason)}}
	return simSend{topic: simQuarantine, m: simMessage{key: stream.String(), body: body}}
}

// drawForQuarantine makes some records large, and some of the bad ones such as end
// without an entity.
func (s *sim) drawForQuarantine(stream Stream, key string, in *statepb.Input) string {
	if undecodable(in) && stream != Partners && s.c.Intn("skipped", 2) == 0 {
		in.Body = &statepb.Input_Note{Note: &statepb.Note{Skipped: "status_new"}}
	}
	if s.c.Intn("large", 2) > 0 {
		return key
	}
	text := strings.Repeat("x", 50+s.c.Intn("length", 250))
	switch f := in.GetBody().(type) {
	case *statepb.Input_Organizer:
		f.Organizer.Name += text
	case *statepb.Input_Event:
		if sets := f.Event.GetSets(); len(sets) > 0 && s.c.Intn("set", 2) == 0 {
			sets[0].Name += text
		} else {
			f.Event.Name += text
		}
	case *statepb.Input_Order:
		f.Order.Customer.Name = text
	case *statepb.Input_Refund:
		f.Refund.TicketIds = append(f.Refund.TicketIds, text)
	}
	return key
}

// actOnQuarantine may replay a record, and may raise the limits.
func (s *sim) actOnQuarantine() {
	if s.quarantine == nil {
		return
	}
	switch kind := s.c.Intn("quarantine", 600); {
	case kind < 60:
		if n := len(s.logs[simQuarantine]); n > 0 {
			s.replay(s.c.Intn("record", n))
		}
	case kind == 60:
		s.raiseLimits()
	}
}

// replay does what the command does with one quarantine record: nothing, when intake
// would still reject it.
func (s *sim) replay(at int) {
	record := s.logs[simQuarantine][at]
	stream := streamNamed(record.key)
	src := record.body.(*statepb.Input).GetSource()
	legacy := s.logs[legacyTopic(stream, int(src.GetPartition()))][src.GetOffset()]
	in := proto.CloneOf(legacy.body.(*statepb.Input))
	if s.quarantine.rejects(stream, in) {
		return
	}
	in.Replay = record.body.(*statepb.Input).GetReplay()
	key := legacy.key
	if KindOf(key) == LedgerKind {
		key = ReplayKey(stream, src.GetPartition(), src.GetOffset())
	}
	topic := internalOf[stream]
	s.logs[topic] = append(s.logs[topic], simMessage{key: key, body: in})
	s.quarantine.sent++
}

func streamNamed(name string) Stream {
	for _, stream := range Streams {
		if stream.String() == name {
			return stream
		}
	}
	panic("no stream " + name)
}

func (s *sim) raiseLimits() {
	if s.quarantine.raised {
		return
	}
	for _, g := range s.groups {
		if g.table != 0 {
			continue
		}
		for len(g.zombies) > 0 {
			g.wake()
		}
		for _, topic := range g.inputs {
			for g.process(topic) {
			}
		}
		g.sendHeld()
		g.flush()
		for _, topic := range g.inputs {
			g.commit(topic)
		}
		if s.gathers && s.c.Intn("restarted", 2) == 0 { // or it goes on, and knows what it knew
			g.start()
		}
	}
	raised := *s.rules
	raised.MaxRecordBytes = DefaultMaxRecordBytes
	s.rules, s.quarantine.raised = &raised, true
}

// replayAll replays what is in quarantine once the limits are raised, in any order.
func (s *sim) replayAll() {
	if s.quarantine == nil {
		return
	}
	s.raiseLimits()
	for done := 0; done < len(s.logs[simQuarantine]); {
		n := len(s.logs[simQuarantine])
		first := done + s.c.Intn("first", n-done)
		for i := range n - done {
			s.replay(done + (first-done+i)%(n-done))
		}
		done = n
		s.drain()
	}
}

// checkQuarantined: what is not undecodable has left quarantine.
func (s *sim) checkQuarantined(stream Stream, got map[string]uint64) error {
	want := map[string]uint64{}
	for p := range simPartitions {
		for _, m := range s.logs[legacyTopic(stream, p)] {
			if in := m.body.(*statepb.Input); undecodable(in) {
				want[in.GetNote().GetQuarantined()]++
			}
		}
	}
	if !maps.Equal(got, want) {
		return fmt.Errorf("%s quarantined %v, want %v", stream, got, want)
	}
	return nil
}

// TestConvergenceReplays: with records that go to quarantine at intake and at the
// gate, limits that are raised midway, and replays at any moment, everything ends
// with the reference's newest slim records, no record is accounted for twice, and
// nothing stays in quarantine that need not be there.
func TestConvergenceReplays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSimWithLimits(rapidChooser{t}, simRules(slim.Edition1))
		if err := simulateOn(s, rapid.IntRange(1, 12).Draw(t, "records"), rapid.IntRange(0, 60).Draw(t, "actions")); err != nil {
			t.Fatal(err)
		}
	})
}

// TestConvergenceReplaysLong does the same over long histories from fixed seeds, and
// wants both stages to have rejected records.
func TestConvergenceReplaysLong(t *testing.T) {
	from, runs, records, actions := modelRuns(t)
	stages, sent := map[string]int{}, 0
	for seed := from; seed < from+runs; seed++ {
		s := newSimWithLimits(seeded(seed), simRules(slim.Edition1))
		if err := simulateOn(s, records, actions); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for _, m := range s.logs[simQuarantine] {
			stages[m.body.(*statepb.Input).GetReplay().GetStage()]++
		}
		sent += s.quarantine.sent
	}
	if stages[StageIntake] < int(runs) || stages[StageGate] < int(runs) || sent < int(runs) {
		t.Errorf("%d histories: %v rejections, %d replays", runs, stages, sent)
	}
	t.Logf("%d histories: %v rejections, %d replays", runs, stages, sent)
}

// TestPlantedReplayBugs plants faults of replaying and wants the property to catch them.
func TestPlantedReplayBugs(t *testing.T) {
	for name, planted := range map[string]bugs{
		"a replay accounted for each time":   {countReplays: true},
		"a replay that replaces newer facts": {replayWins: true},
		"a rejection that a crash loses":     {forgetReports: true},
	} {
		t.Run(name, func(t *testing.T) {
			rules := simRules(slim.Edition1)
			rules.bugs = planted
			wantCaught(t, 0, func(seed uint64) error { return simulateOn(newSimWithLimits(seeded(seed), rules), 40, 400) })
		})
	}
}
