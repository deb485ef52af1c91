package mapping

import (
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
