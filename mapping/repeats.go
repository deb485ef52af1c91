package mapping

import (
	"slices"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// EventRepeats takes versions of an event that repeat an earlier one of their legacy partition. What comes of them is
// what would have come of the versions themselves.
//
// The facts that they repeat are in the row, unless they could not be sent: then these cannot either.
func (r *Rules) EventRepeats(env *Env, key string, st *statepb.EventState, in *statepb.Input) Effects {
	s := r.eventStep(env, key, st)
	facts := r.repeatedFacts(st, in)
	times := in.GetRepeats().GetTimes()
	var decided *statepb.EventFacts // about these facts, in this step
	for i, offset := range in.GetRepeats().GetOffsets() {
		src := &statepb.Source{Partition: in.GetSource().GetPartition(), Offset: offset, Time: times[i]}
		one := &statepb.Input{Source: src, Settled: in.GetSettled()}
		if facts == nil {
			s.rejectRepeat(one)
			continue
		}
		s.acceptEvent(st, one, facts)
		if decided != nil && decided == st.Facts {
			s.passOver(st)
			continue
		}
		s.decideEvent(st)
		if decided = st.Facts; len(s.out.Rejections) > 0 {
			decided = nil
		}
	}
	if facts == nil {
		return s.decideEvent(st)
	}
	return s.out
}

func repeatsWellFormed(r *statepb.Repeats) bool {
	return len(r.GetOffsets()) > 0 && len(r.GetOffsets()) == len(r.GetTimes())
}

// repeatedFacts are those of the record that is repeated; nil when the row has not got them. The records of the
// partition between the first with these facts and those at hand have the same facts, but for those from quarantine:
// intake did not know theirs.
func (r *Rules) repeatedFacts(st *statepb.EventState, in *statepb.Input) *statepb.EventFacts {
	partition, of := in.GetSource().GetPartition(), in.GetRepeats().GetOf()
	src := st.GetEntity().GetSource()
	here := src.GetPartition() == partition && (src.GetOffset() == of || src.GetOffset() > of && !st.Replayed)
	if st.Facts != nil && (here || r.bugs.anyFacts) {
		return st.Facts
	}
	for _, o := range st.Others {
		if o.GetPartition() == partition && o.GetOffset() >= of {
			return o.GetFacts()
		}
	}
	return nil
}

// acceptEvent is accept for an event: the facts of the newest record become the row's. Those that later records may
// repeat, and that are not the row's, are kept beside them.
func (s *step) acceptEvent(st *statepb.EventState, in *statepb.Input, facts *statepb.EventFacts) {
	src, cur, had := in.GetSource(), s.e.GetSource(), st.Facts
	replay := in.GetReplay() != nil
	elsewhere := cur.GetPartition() != src.GetPartition()
	if !s.accept(in) {
		if !replay && (elsewhere || st.Replayed) {
			s.keepOther(st, src, facts)
		}
		return
	}
	if had != nil && !st.Replayed && (elsewhere || replay) {
		s.keepOther(st, cur, had)
	}
	if s.keeps {
		st.Kept, st.KeptReplayed = st.Facts, st.Replayed
	}
	st.Replayed = replay
	s.setEventFacts(st, facts)
}

// keepOther keeps the newest facts of a partition. Intake has nothing repeat facts that are too large for it. Together
// they have no more than MaxRecordBytes: more than 64 partitions have to be at odds about one event to come so far.
func (s *step) keepOther(st *statepb.EventState, src *statepb.Source, facts *statepb.EventFacts) {
	if s.r.bugs.noOthers || facts.SizeVT() > s.r.repeatableBytes() {
		return
	}
	kept := &statepb.OtherFacts{Partition: src.GetPartition(), Offset: src.GetOffset(), Facts: facts}
	size := kept.SizeVT()
	for _, o := range st.Others {
		switch {
		case o.GetPartition() != src.GetPartition():
			size += o.SizeVT()
		case o.GetOffset() > src.GetOffset():
			return
		}
	}
	st.Others = slices.DeleteFunc(st.Others, func(o *statepb.OtherFacts) bool { return o.GetPartition() == src.GetPartition() })
	if size <= s.r.MaxRecordBytes {
		st.Others = append(st.Others, kept)
	}
}

// passOver ends a record about whose equal, just before it, was decided: it waits for the same, or changes nothing.
func (s *step) passOver(st *statepb.EventState) {
	waits := s.e.GetWait() != nil
	if !waits { // what could be sent needs nothing to go back to
		st.Kept = nil
		s.sendable()
	}
	switch {
	case !s.fresh:
	case waits:
		s.e.Disposition = statepb.Disposition_PARKED
	default:
		s.finish(statepb.Disposition_UNCHANGED)
	}
	s.fresh = false
}

// rejectRepeat quarantines a record that repeats one that could not be sent.
func (s *step) rejectRepeat(in *statepb.Input) {
	if s.account(in) {
		s.countQuarantined(in.GetSource(), ReasonTooLarge)
	}
	s.report(Events, in.GetSource(), ReasonTooLarge)
}
