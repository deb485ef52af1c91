package mapping

import (
	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// The organizers' steps: a foreign-key join. A row ORG holds an organizer's
// facts, a row ORG/EVENT says that the event wants them. There is no list of
// events inside a value, so an organizer may have any number of them.

// OrganizerRecord takes a legacy partner. When its facts are news, the effects
// hold a REMAP command to the organizer itself, which answers all member events.
func (r *Rules) OrganizerRecord(env *Env, key string, st *statepb.OrganizerState, in *statepb.Input) Effects {
	if st.Entity == nil {
		st.Entity = &statepb.Entity{}
	}
	s := newStep(r, env, key, st.Entity)
	if s.accept(in) {
		s.sendable() // facts are for events: there is nothing that could be too large
		changed := st.Facts == nil || !proto.Equal(st.Facts, in.GetOrganizer())
		st.Facts = in.GetOrganizer()
		s.finishOrganizer(changed)
	}
	if digest := organizerDigest(st.Facts); !s.proven(s.e.Spread, digest) {
		s.e.Spread = s.claim(digest)
		s.loop(key, statepb.Loop_REMAP) // the first time too: events may have asked already
	}
	return s.out
}

func (s *step) finishOrganizer(changed bool) {
	if changed {
		s.finish(statepb.Disposition_EMITTED)
		return
	}
	s.finish(statepb.Disposition_UNCHANGED)
}

func organizerDigest(f *statepb.OrganizerFacts) uint64 {
	b := encodeFacts(f)
	return xxhash.Sum64(b)
}

// AnswerOf is what member events are told of an organizer; nil while its
// partner was not seen.
func AnswerOf(st *statepb.OrganizerState) *statepb.Answer {
	if st.GetFacts() == nil {
		return nil
	}
	return &statepb.Answer{Organizer: st.GetFacts(), Source: st.GetEntity().GetSource()}
}

// MemberEvent is the gate's key of the event in a member key ORG/EVENT.
func MemberEvent(memberKey string) string {
	return memberKey[len(KeyPrefix(memberKey))+1:]
}
