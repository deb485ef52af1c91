package mapping

import (
	"slices"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Reports to the quarantine topic of what the gate cannot send. As with every other
// emission the row alone proves nothing; and the facts that were rejected are gone
// from the row, so that nothing else would have them reported again.

// report tells the quarantine topic of a rejected record, unless that is proven.
func (s *step) report(stream Stream, src *statepb.Source, reason Reason) {
	cause := &statepb.Cause{Topic: s.env.Self.Topic, Offset: s.env.Self.Offset}
	for _, x := range s.e.Rejections {
		if !samePosition(x.GetSource(), src) || x.GetReason() != string(reason) {
			continue
		}
		if made := causeOfWrite(x.GetCause()); made == s.env.Self || s.env.Status(made) != Unseen { // in this step, or proven
			return
		}
		x.Cause = cause
		s.say(stream, x)
		return
	}
	s.dropProven()
	x := &statepb.Rejection{Source: src, Reason: string(reason), Cause: cause}
	s.e.Rejections = append(s.e.Rejections, x)
	s.say(stream, x)
}

func (s *step) say(stream Stream, x *statepb.Rejection) {
	s.out.Rejections = append(s.out.Rejections, Rejection{Stream: stream, Source: x.GetSource(), Reason: Reason(x.GetReason())})
}

// dropProven makes room for another report. Those of records that may be decided
// about again are needed.
func (s *step) dropProven() {
	s.e.Rejections = slices.DeleteFunc(s.e.Rejections, func(x *statepb.Rejection) bool {
		needed := samePosition(x.GetSource(), s.e.GetSource()) || samePosition(x.GetSource(), s.e.GetKeptSource())
		return !needed && s.env.Status(causeOfWrite(x.GetCause())).Done()
	})
}

// reportAgain reports what the present input had reported when it was first
// processed: it comes again because that may be lost.
func (s *step) reportAgain() {
	for _, x := range s.e.Rejections {
		if causeOfWrite(x.GetCause()) == s.env.Self && !s.r.bugs.forgetReports {
			stream, _ := StreamOf(s.key) // an entity's
			s.say(stream, x)
		}
	}
}

// forgetRejection has a rejection of the record reported again, should there be
// another: the quarantine record that says it will be marked as replayed.
func (s *step) forgetRejection(src *statepb.Source) {
	s.e.Rejections = slices.DeleteFunc(s.e.Rejections, func(x *statepb.Rejection) bool {
		return samePosition(x.GetSource(), src) && causeOfWrite(x.GetCause()) != s.env.Self
	})
}
