package mapping

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/slim"
)

// Intake in the model that keeps versions of events back (see Gatherer). Limits are such
// that batches are due at any moment; what a session has kept back when it ends is
// read again. The reference knows nothing of it.

func newSimGathering(c chooser, rules *Rules) *sim {
	s := newSim(c, rules)
	s.gathers = true
	return s
}

func newSimGatheringWithLimits(c chooser, rules *Rules) *sim {
	s := newSimWithLimits(c, rules)
	s.gathers = true
	return s
}

func (g *simGroup) gatherer(topic int) *Gatherer {
	gatherer := g.gatherers[topic]
	if gatherer == nil {
		c := g.s.c
		gatherer = &Gatherer{
			Partition: int32((topic - simLegacy) / int(streamCount)),
			Limits: GatherLimits{
				Records: int64(1 + c.Intn("gather records", 12)), For: 1000, Batch: 1 + c.Intn("gather batch", 4), Keys: 1 + c.Intn("gather keys", 2),
				Facts: g.s.rules.repeatableBytes(), Refresh: 100_000,
			},
			Acked: func(offset int64) bool {
				return g.s.rashly || g.status(Cause{Topic: int32(topic), Offset: offset}).Done()
			},
		}
		g.gatherers[topic] = gatherer
	}
	return gatherer
}

func (g *simGroup) batches(topic int, due []Batch) (sends []simSend) {
	for _, b := range due {
		b.Input.Settled = g.settled(topic)
		send := simSend{topic: internalOf[Events], m: simMessage{key: b.Key, body: b.Input}}
		for _, offset := range b.Offsets() {
			send.slots = append(send.slots, g.slots[topic][offset-g.initial[topic]])
		}
		sends = append(sends, send)
	}
	return sends
}

// sendHeld sends what is kept back, as intake does when nothing more comes.
func (g *simGroup) sendHeld() (sent bool) {
	for _, topic := range slices.Sorted(maps.Keys(g.gatherers)) {
		sends := g.batches(topic, g.gatherers[topic].All())
		for _, send := range sends {
			g.buffers[send.topic] = append(g.buffers[send.topic], send)
			sent = true
		}
	}
	return sent
}

// TestConvergenceGathering is TestConvergence with an intake that keeps versions back, and
// with records that go to quarantine and are replayed.
func TestConvergenceGathering(t *testing.T) {
	for name, build := range gatheringSims {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				s := build(rapidChooser{t}, simRules(slim.Edition1))
				if err := simulateOn(s, rapid.IntRange(1, 12).Draw(t, "records"), rapid.IntRange(0, 60).Draw(t, "actions")); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

var gatheringSims = map[string]func(chooser, *Rules) *sim{"alone": newSimGathering, "with quarantine": newSimGatheringWithLimits}

// TestConvergenceGatheringLong does the same over long histories from fixed seeds, and
// wants many records to have been kept back.
func TestConvergenceGatheringLong(t *testing.T) {
	from, runs, records, actions := modelRuns(t)
	for name, build := range gatheringSims {
		t.Run(name, func(t *testing.T) {
			repeats := 0
			for seed := from; seed < from+runs; seed++ {
				s := build(seeded(seed), simRules(slim.Edition1))
				if err := simulateOn(s, records, actions); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				repeats += s.repeats
			}
			if repeats < int(runs) {
				t.Errorf("%d histories: %d records kept back", runs, repeats)
			}
			t.Logf("%d histories: %d records kept back", runs, repeats)
		})
	}
}

// TestPlantedGatheringBugs plants faults and wants the property to catch them.
func TestPlantedGatheringBugs(t *testing.T) {
	for _, c := range []struct {
		name    string
		rashly  bool
		planted bugs
	}{
		{"what is repeated is not acknowledged", true, bugs{}},
		{"what another partition repeats is not kept", false, bugs{noOthers: true}},
		{"the newest facts are taken for those repeated", false, bugs{anyFacts: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			rules := simRules(slim.Edition1)
			rules.bugs = c.planted
			wantCaught(t, 0, func(seed uint64) error {
				s := newSimGathering(seeded(seed), rules)
				s.rashly = c.rashly
				return simulateOn(s, 40, 400)
			})
		})
	}
}
