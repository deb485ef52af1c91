package mapping

import (
	"slices"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// What becomes of records that are replayed from quarantine. To the gate a replay is
// one more input: it is parked, sent, or too old like any other. What is its own is
// the accounting, because the record has an end already, and that may be in another
// row: intake's rejections are counted in a ledger, the gate's in the entity's row.
//
// Invariant: a replay is accounted for anew only when the end that it had is taken
// back in the same write. The gate's rejection is taken back in its own count; of
// intake's the row says once that it is withdrawn. However often a record is
// replayed, in whatever order, it has one end.
//
// A replay has no say in Seen.settled and Seen.above, which are about the order in
// which intake sends records on.

// Replay is what intake makes of a record from quarantine by the present rules. A
// record that still has to be there has a Quarantine reason, and is not to be sent on.
func (r *Rules) Replay(s Stream, src *statepb.Source, value []byte, stage string, reason Reason) Intake {
	in := r.Intake(s, src, value)
	in.Input.Replay = &statepb.Replay{Stage: stage, Reason: string(reason)}
	if KindOf(in.Key) == LedgerKind {
		in.Key = ReplayKey(s, src.GetPartition(), src.GetOffset())
	}
	return in
}

// mostRemembered bounds the offsets of each kind that a row keeps per partition:
// rows have to stay small. A record beyond it is replayed as any other, and stays
// accounted for as quarantined.
const mostRemembered = 1000

// withdraw takes back the end that a record from quarantine had. It is false when
// there is nothing to take back: the record was replayed before, or has been
// accounted for as something else than quarantined.
func (s *step) withdraw(in *statepb.Input) bool {
	src := in.GetSource()
	seen := seenOf(s.e, src.GetPartition())
	if reason, counted := forget(seen, src.GetOffset()); counted {
		s.e.Tallies.Quarantined = untally(s.e.Tallies.Quarantined, reason)
		return true
	}
	if in.GetReplay().GetStage() != StageIntake {
		return false
	}
	at, known := slices.BinarySearch(seen.Replayed, src.GetOffset())
	if s.r.bugs.countReplays {
		known = false
	}
	if known || len(seen.Replayed) >= mostRemembered {
		return false
	}
	seen.Replayed = slices.Insert(seen.Replayed, at, src.GetOffset())
	s.e.Tallies.Withdrawn = tally(s.e.Tallies.Withdrawn, in.GetReplay().GetReason())
	return true
}

// remember keeps which record the row counts as quarantined.
func remember(e *statepb.Entity, src *statepb.Source, reason Reason) {
	seen := seenOf(e, src.GetPartition())
	list := quarantinedFor(seen, string(reason))
	at, known := slices.BinarySearch(list.Offsets, src.GetOffset())
	if !known {
		list.Offsets = slices.Insert(list.Offsets, at, src.GetOffset())
	}
	if len(list.Offsets) > mostRemembered {
		list.Offsets = list.Offsets[1:]
	}
}

func quarantinedFor(seen *statepb.Seen, reason string) *statepb.Offsets {
	for _, list := range seen.Quarantined {
		if list.GetReason() == reason {
			return list
		}
	}
	list := &statepb.Offsets{Reason: reason}
	seen.Quarantined = append(seen.Quarantined, list)
	return list
}

// forget takes a record from those that the row counts as quarantined.
func forget(seen *statepb.Seen, offset int64) (reason string, counted bool) {
	for i, list := range seen.Quarantined {
		at, found := slices.BinarySearch(list.Offsets, offset)
		if !found {
			continue
		}
		if list.Offsets = slices.Delete(list.Offsets, at, at+1); len(list.Offsets) == 0 {
			seen.Quarantined = slices.Delete(seen.Quarantined, i, i+1)
		}
		return list.GetReason(), true
	}
	return "", false
}

// wins tells whether an eligible record is the newest from now on.
//
// The records of a partition come in the order of their offsets, but for those from
// quarantine. One that is older than another of its own partition cannot be the
// newest, whatever the times say.
func (s *step) wins(in *statepb.Input, cur *statepb.Source) bool {
	src := in.GetSource()
	switch {
	case in.GetReplay() != nil && s.r.bugs.replayWins:
		return true
	case in.GetReplay() != nil && cur != nil && src.GetOffset() < seenOf(s.e, src.GetPartition()).GetOvertaken():
		return false
	}
	return newer(src, cur)
}

// overtake notes that src, and what is older in its partition, is not the newest
// because of winner. Within a partition offsets say so.
func overtake(e *statepb.Entity, src, winner *statepb.Source) {
	if src != nil && winner != nil && src.GetPartition() != winner.GetPartition() {
		seen := seenOf(e, src.GetPartition())
		seen.Overtaken = max(seen.Overtaken, src.GetOffset()) // itself may come again
	}
}
