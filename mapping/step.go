package mapping

import (
	"github.com/cespare/xxhash/v2"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// Cause names the input record of a group that made it do something (protocol rule R1).
type Cause struct {
	Topic  int32 // number of the group's input topic
	Offset int64
}

// Status of a cause (protocol rule R3).
type Status int

// The states of a cause.
const (
	Unseen    Status = iota // a replay will come
	InFlight                // its callback has begun, and not all that it wrote is acknowledged
	Acked                   // all that it wrote in this session is acknowledged
	Committed               // acknowledged in an earlier session
)

// Done tells whether all that the cause wrote is acknowledged.
func (s Status) Done() bool { return s >= Acked }

// Env is what a step knows besides state and input.
type Env struct {
	Now        int64 // Unix milliseconds
	Self       Cause // the input being processed
	Generation int32 // of the consumer group session
	// Replay says that the input may have been processed before, in a session
	// that ended: it was in its topic when the present session began.
	Replay bool
	// Status tells about a cause of the same partition, without waiting.
	Status func(Cause) Status
	// Settle is Status that waits while the cause is in flight. An error means
	// that the step cannot be finished in this session.
	Settle func(Cause) (Status, error)
	// Waiting tells whether any key with the prefix waits.
	Waiting func(prefix string) bool
}

// Emit is a slim record to send.
type Emit struct {
	Stream Stream // Events, Orders or Refunds
	Key    string // the entity's id
	Value  []byte
	Source *statepb.Source // the entity's own legacy record, for the trace header
}

// Loop is a command to send to the group itself.
type Loop struct {
	Key     string
	Command *statepb.Loop
}

// MembershipChange is a message of the gate to the organizers group.
type MembershipChange struct {
	Org   string
	Event string
	Leave bool
}

// Rejection is a record that the gate found impossible to send. The raw record
// is not at hand any more; Source says where it is.
type Rejection struct {
	Stream Stream
	Source *statepb.Source
	Reason Reason
}

// Effects are what a step wants done. Their order carries no meaning: two
// topics have no order between them.
type Effects struct {
	Emits       []Emit
	Loops       []Loop
	Memberships []MembershipChange
	Rejections  []Rejection
	Counts      []Reason
}

// step is one run of a step function over one entity.
type step struct {
	r   *Rules
	env *Env
	key string
	e   *statepb.Entity
	out Effects

	fresh  bool   // the input is a legacy record not accounted for before
	before uint64 // digest of the claim that stood before this step, 0 for none
}

func newStep(r *Rules, env *Env, key string, e *statepb.Entity) *step {
	s := &step{r: r, env: env, key: key, e: e}
	if e.Tallies == nil {
		e.Tallies = &statepb.Tallies{}
	}
	s.before = e.GetSent().GetDigest()
	s.review(&e.Sent)
	if s.own(e.Spread) {
		e.Spread = &statepb.Claim{} // void, but there was one: see spreadNews
	}
	return s
}

// review takes from a claim what the present input puts in doubt.
//
// An input that may have been processed before may have sent something then
// that arrived, while the state that says so did not. If it now decides
// otherwise, because inputs of other topics come in another order this time, an
// older claim can equal the decision although the newest record on the topic
// does not. So the claims of earlier sessions lose their digest: what they sent
// was sent, but it is not known to be the last that was.
func (s *step) review(c **statepb.Claim) {
	switch {
	case s.own(*c):
		*c = nil
	case *c != nil && s.env.Replay && !s.r.bugs.trustOldClaim && s.env.Status(causeOf(*c)) == Committed:
		(*c).Digest = 0
	}
}

// own tells whether the present input made the claim when it was first
// processed. That it is processed again means that it was not acknowledged: what
// it sent may be lost, and once it is done it would seem to prove the sending.
func (s *step) own(c *statepb.Claim) bool {
	return c != nil && causeOf(c) == s.env.Self && !s.r.bugs.keepOwnClaim
}

// proven tells whether a thing of this digest need not be sent again: its cause
// is acknowledged, or it is in flight, and then it will be acknowledged or
// replayed, and a replay sends again.
func (s *step) proven(c *statepb.Claim, digest uint64) bool {
	if c == nil || digest == 0 || c.GetDigest() != digest {
		return false
	}
	if s.r.bugs.trustFlag {
		return true
	}
	cause := causeOf(c)
	return cause != s.env.Self && s.env.Status(cause) != Unseen
}

func (s *step) claim(digest uint64) *statepb.Claim {
	return &statepb.Claim{Digest: digest, Cause: &statepb.Cause{Topic: s.env.Self.Topic, Offset: s.env.Self.Offset}}
}

func causeOf(c *statepb.Claim) Cause {
	return Cause{Topic: c.GetCause().GetTopic(), Offset: c.GetCause().GetOffset()}
}

// published tells whether the entity's slim record is acknowledged, waiting for
// it while it is in flight (protocol rule R6).
func published(r *Rules, env *Env, e *statepb.Entity) (bool, error) {
	if r.bugs.orderUnproven {
		return e.GetSent() != nil, nil
	}
	return settled(env, e.GetSent())
}

// settled tells whether a claim's cause is acknowledged, waiting for it while it is in flight.
func settled(env *Env, c *statepb.Claim) (bool, error) {
	if c == nil {
		return false, nil
	}
	status, err := env.Settle(causeOf(c))
	return status.Done(), err
}

// account takes note of a legacy record. It tells whether the record is fresh,
// that is, not accounted for before; a replay is not.
func (s *step) account(src *statepb.Source) bool {
	s.fresh = see(s.e, src)
	return s.fresh
}

// see advances the entity's marks. Records of one legacy partition reach a key
// in the order of their offsets, replays aside. A record that the brokers refused
// while later ones got through is the exception: its replay is not counted.
func see(e *statepb.Entity, src *statepb.Source) bool {
	for _, seen := range e.Seen {
		if seen.GetPartition() != src.GetPartition() {
			continue
		}
		if src.GetOffset() <= seen.GetOffset() {
			return false
		}
		seen.Offset = src.GetOffset()
		return true
	}
	e.Seen = append(e.Seen, &statepb.Seen{Partition: src.GetPartition(), Offset: src.GetOffset()})
	return true
}

// newer tells whether src is a newer legacy record than cur, or the same one.
// Offsets decide within a partition; between partitions, which records of one
// entity normally do not have, time does.
func newer(src, cur *statepb.Source) bool {
	switch {
	case cur == nil:
		return true
	case src.GetPartition() == cur.GetPartition():
		return src.GetOffset() >= cur.GetOffset()
	case src.GetTime() != cur.GetTime():
		return src.GetTime() > cur.GetTime()
	}
	return src.GetPartition() > cur.GetPartition()
}

// accept decides whether an eligible record's facts replace the state's, and
// accounts for what they replace. The record's own end comes with emit, park, skip
// or reject.
func (s *step) accept(src *statepb.Source) bool {
	fresh := s.account(src)
	if !newer(src, s.e.GetSource()) {
		if fresh {
			s.e.Tallies.Unchanged++ // an older record of another partition changes nothing
			s.fresh = false
		}
		return false
	}
	if fresh && s.e.GetDisposition() == statepb.Disposition_PARKED {
		s.e.Tallies.Superseded++
	}
	if fresh {
		s.e.Disposition = statepb.Disposition_NONE
	}
	s.e.Source = src
	return true
}

// note accounts for a record that ended before the gate.
func (s *step) note(src *statepb.Source, n *statepb.Note) {
	if !s.account(src) {
		return
	}
	switch {
	case n.GetSkipped() != "":
		s.e.Tallies.Skipped = tally(s.e.Tallies.Skipped, n.GetSkipped())
	case n.GetQuarantined() != "":
		s.e.Tallies.Quarantined = tally(s.e.Tallies.Quarantined, n.GetQuarantined())
	default:
		s.e.Tallies.Tombstone++
	}
	s.fresh = false
}

func tally(list []*statepb.Tally, reason string) []*statepb.Tally {
	for _, t := range list {
		if t.GetReason() == reason {
			t.Count++
			return list
		}
	}
	return append(list, &statepb.Tally{Reason: reason, Count: 1})
}

// hold tells whether the entity may go on waiting for something that has a
// limit, and until when. The hold starts when it is first asked for.
func (s *step) hold(limit int64) (deadline int64, over bool) {
	now := max(s.env.Now, 1) // 0 stands for no hold
	if s.e.HoldSince == 0 {
		s.e.HoldSince = now
	}
	deadline = s.e.HoldSince + limit
	return deadline, now >= deadline
}

// endHold forgets the hold: what it was for has come.
func (s *step) endHold() { s.e.HoldSince = 0 }

// emit sends the slim record unless it is proven to be there. It tells whether it was sent.
func (s *step) emit(stream Stream, id string, value []byte, counts []Reason) bool {
	s.e.Wait = nil
	digest := xxhash.Sum64(value)
	if s.proven(s.e.Sent, digest) {
		s.finish(statepb.Disposition_UNCHANGED)
		return false
	}
	s.e.Sent = s.claim(digest)
	s.out.Emits = append(s.out.Emits, Emit{Stream: stream, Key: id, Value: value, Source: s.e.Source})
	s.out.Counts = append(s.out.Counts, counts...)
	if !s.finish(statepb.Disposition_EMITTED) {
		s.out.Counts = append(s.out.Counts, s.againReason(digest))
	}
	return true
}

func (s *step) againReason(digest uint64) Reason {
	if s.before == digest {
		return CountRepeated
	}
	return CountReEmitted
}

// finish accounts for the newest record where it is new or leaves the park.
// It is false for a record whose end was counted before.
func (s *step) finish(d statepb.Disposition) bool {
	if !s.fresh && s.e.Disposition != statepb.Disposition_PARKED {
		return false
	}
	s.e.Disposition = d
	if d == statepb.Disposition_EMITTED {
		s.e.Tallies.Emitted++
	} else {
		s.e.Tallies.Unchanged++
	}
	return true
}

// park holds the entity back. A record that was counted as emitted before stays so.
func (s *step) park(reason WaitReason, deadline int64) {
	since := s.env.Now
	if w := s.e.GetWait(); w != nil {
		since = w.GetSince()
	}
	s.e.Wait = &statepb.Wait{Reason: int32(reason), Since: since, Deadline: deadline}
	if s.fresh {
		s.e.Disposition = statepb.Disposition_PARKED
	}
}

// skip ends the newest record as skipped, and keeps the entity waiting for reason.
func (s *step) skip(reason Reason, wait WaitReason) {
	parked := s.e.GetDisposition() == statepb.Disposition_PARKED
	s.park(wait, 0)
	if s.fresh || parked {
		s.e.Disposition = statepb.Disposition_SKIPPED
		s.e.Tallies.Skipped = tally(s.e.Tallies.Skipped, string(reason))
	}
}

// fits tells whether a slim record is within the target's limit, and rejects it otherwise.
func (s *step) fits(stream Stream, id string, value []byte) bool {
	if len(id)+len(value) <= s.r.MaxRecordBytes-headerReserve {
		return true
	}
	s.reject(stream, ReasonTooLarge)
	return false
}

// reject ends the newest record as quarantined at the gate.
func (s *step) reject(stream Stream, reason Reason) {
	s.e.Wait = nil
	if !s.fresh && s.e.Disposition != statepb.Disposition_PARKED {
		return
	}
	s.e.Disposition = statepb.Disposition_NONE
	s.e.Tallies.Quarantined = tally(s.e.Tallies.Quarantined, string(reason))
	s.out.Rejections = append(s.out.Rejections, Rejection{Stream: stream, Source: s.e.Source, Reason: reason})
}

// spreadNews has everything below the entity mapped again when what it takes
// from the entity changed. The first time there is nothing to map again.
func (s *step) spreadNews(digest uint64) {
	if s.r.bugs.noSpread || s.proven(s.e.Spread, digest) {
		return
	}
	first := s.e.Spread == nil
	s.e.Spread = s.claim(digest)
	if !first {
		s.loop(s.key, statepb.Loop_REMAP)
	}
}

func (s *step) loop(key string, kind statepb.Loop_Kind) {
	s.out.Loops = append(s.out.Loops, Loop{Key: key, Command: &statepb.Loop{Kind: kind}})
}

// release wakes what waits below the entity.
func (s *step) release() {
	if !s.r.bugs.noRelease && s.env.Waiting(s.key+"/") {
		s.loop(s.key, statepb.Loop_RELEASE)
	}
}
