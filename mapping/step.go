package mapping

import (
	"errors"
	"slices"

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
	Generation int32 // of the present session: higher than those of all earlier ones on this partition
	// Replay says that the input may have been processed before, in a session
	// that ended: it was in its topic when the present session began.
	Replay bool
	// Inherited says more: an instance that had the partition before, and may not
	// know that it lost it, may have been processing the input when the session
	// began. What it sent may still be on its way, and arrive after what is sent now.
	Inherited bool
	// Status tells about a cause of the same partition, without waiting.
	Status func(Cause) Status
	// Settle is Status that waits while the cause is in flight. An error means
	// that the step cannot be finished in this session.
	Settle func(Cause) (Status, error)
	// Waiting tells whether any key with the prefix waits.
	Waiting func(prefix string) bool
	// Event, if not nil, reads what OrderView leaves of the row of an order's event. Other steps may see it too: nobody
	// changes it.
	Event func(key string) (*statepb.Row, error)
	// Personal opens what it or its like has sealed. nil: nothing is sealed.
	Personal Personal
}

// Personal encrypts the personal texts of orders where they rest: in inputs and rows.
type Personal interface {
	// Seal and Open change the facts of the order at a key of the gate in place; nil facts
	// stay nil, and Open leaves facts that are not sealed as they are. What is sealed has
	// the same bytes each time while the keys are the same: whether a row has changed is
	// told by its bytes.
	Seal(key string, f *statepb.OrderFacts) error
	Open(key string, f *statepb.OrderFacts) error
}

func (env *Env) event(read Reader, key string) (*statepb.Row, error) {
	if env.Event == nil {
		return readRow(read, key)
	}
	return env.Event(key)
}

// open makes facts of the order at key readable.
func (env *Env) open(key string, facts ...*statepb.OrderFacts) error {
	for _, f := range facts {
		switch {
		case env.Personal != nil:
			if err := env.Personal.Open(key, f); err != nil {
				return err
			}
		case f.GetSealed() != nil:
			return errors.New("the personal texts of an order are sealed, and there are no keys")
		}
	}
	return nil
}

// seal makes the facts of the order at key fit to rest.
func (env *Env) seal(key string, facts ...*statepb.OrderFacts) error {
	if env.Personal == nil {
		return nil
	}
	for _, f := range facts {
		if err := env.Personal.Seal(key, f); err != nil {
			return err
		}
	}
	return nil
}

// Emit is a slim record to send.
type Emit struct {
	Stream Stream // Events, Orders or Refunds
	Key    string // the entity's id
	Value  []byte
	Source *statepb.Source // the entity's own legacy record, for the trace header
	// First says that the legacy record ends with this, in the accounts; otherwise it is sent again. Released says
	// that it had been parked.
	First, Released bool
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

	rewrite bool // write the row whether it changed or not
}

// step is one run of a step function over one entity.
type step struct {
	r   *Rules
	env *Env
	key string
	e   *statepb.Entity
	out Effects

	fresh  bool   // the input is a legacy record not accounted for before, or whose end is taken back
	keeps  bool   // the facts that the input replaces are to be kept
	again  bool   // send and write what comes out, proven or not
	before uint64 // digest of the claim that stood before this step, 0 for none
}

func newStep(r *Rules, env *Env, key string, e *statepb.Entity) *step {
	s := &step{r: r, env: env, key: key, e: e}
	if e.Tallies == nil {
		e.Tallies = &statepb.Tallies{}
	}
	s.before = e.GetSent().GetDigest()
	s.review(&e.Sent)
	s.reportAgain()
	if s.own(e.Spread) {
		e.Spread = &statepb.Claim{} // void, but there was one: see spreadNews
	}
	return s
}

// newSlimStep is newStep for an entity with a slim record.
func newSlimStep(r *Rules, env *Env, key string, e *statepb.Entity) *step {
	if env.Inherited && r.RepeatAfter > 0 {
		e.ResendAt = env.Now + r.RepeatAfter.Milliseconds()
	}
	return newStep(r, env, key, e)
}

// due tells whether the entity is to be sent again now. It stays so until something
// is sent: an entity that has to wait first is sent when it may.
func (s *step) due() bool { return s.e.ResendAt != 0 && s.env.Now >= s.e.ResendAt }

func (s *step) resends() bool { return s.again || s.due() }

// nothingDue ends what is due of an entity of which there is nothing to send.
func (s *step) nothingDue() {
	if s.due() {
		s.e.ResendAt = 0
	}
}

// command takes notice of a command to this entity alone.
func (s *step) command(cmd *statepb.Loop) {
	due := s.due()
	if cmd.GetKind() != statepb.Loop_RESEND && !due {
		return
	}
	s.again, s.out.rewrite = true, true
	if cmd.GetBelow() {
		s.loop(s.key, statepb.Loop_RESEND_BELOW)
	}
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
// that is, not accounted for before; a replay is not. One from quarantine is, when
// its end there is taken back.
func (s *step) account(in *statepb.Input) bool {
	if in.GetReplay() != nil {
		s.forgetRejection(in.GetSource())
		s.fresh = s.withdraw(in)
		return s.fresh
	}
	if s.r.bugs.highestSeen {
		in.Settled = in.GetSource().GetOffset()
	}
	s.fresh = see(s.e, in)
	return s.fresh
}

// see marks the record as accounted for. It is false when it was before.
//
// The records of a legacy partition mostly reach a key in the order of their
// offsets, but not always: one that the brokers refused comes again after those
// that got through behind it. So the highest offset seen would not do. What an
// input says to be settled had reached this key's topic before it, and so this
// row; above that, every offset is remembered.
func see(e *statepb.Entity, in *statepb.Input) bool {
	offset := in.GetSource().GetOffset()
	seen := seenOf(e, in.GetSource().GetPartition())
	if in.GetSettled() > seen.Settled {
		seen.Settled = in.GetSettled()
		covered, _ := slices.BinarySearch(seen.Above, seen.Settled)
		seen.Above = slices.Delete(seen.Above, 0, covered)
	}
	at, known := slices.BinarySearch(seen.Above, offset)
	if known || offset < seen.Settled {
		return false
	}
	seen.Above = slices.Insert(seen.Above, at, offset)
	return true
}

func seenOf(e *statepb.Entity, partition int32) *statepb.Seen {
	for _, seen := range e.Seen {
		if seen.GetPartition() == partition {
			return seen
		}
	}
	seen := &statepb.Seen{Partition: partition}
	e.Seen = append(e.Seen, seen)
	return seen
}

// newer tells whether src is a newer legacy record than cur, or the same one.
// Offsets decide within a partition. Between partitions, over which the records
// of one entity spread only when its legacy topic was repartitioned, time does:
// of each partition the latest time of the entity's records there. That never
// goes back, so the newest record does not depend on which partition is read
// first, even where timestamps run backwards within one.
func newer(src, cur *statepb.Source) bool {
	switch {
	case cur == nil:
		return true
	case src.GetPartition() == cur.GetPartition():
		return src.GetOffset() >= cur.GetOffset()
	case latest(src) != latest(cur):
		return latest(src) > latest(cur)
	}
	return src.GetPartition() > cur.GetPartition()
}

func latest(src *statepb.Source) int64 { return max(src.GetTime(), src.GetLatest()) }

// successor is the newest record's source after another of the same partition was seen.
func successor(newest, other *statepb.Source) *statepb.Source {
	if newest.GetPartition() != other.GetPartition() || latest(other) <= latest(newest) {
		return newest
	}
	return &statepb.Source{Partition: newest.GetPartition(), Offset: newest.GetOffset(), Time: newest.GetTime(), Latest: latest(other)}
}

// accept decides whether an eligible record's facts replace the state's, and
// accounts for what they replace. The record's own end comes with emit, park, skip
// or reject.
//
// When the facts that are replaced have to be kept until it is known whether
// their successors can be sent, it sets keeps.
func (s *step) accept(in *statepb.Input) bool {
	fresh, src, cur := s.account(in), in.GetSource(), s.e.GetSource()
	if !s.wins(in, cur) {
		overtake(s.e, src, cur)
		s.e.Source = successor(cur, src) // behind its successor, its time counts all the same
		if fresh {
			s.e.Tallies.Unchanged++ // an older record of another partition changes nothing
			s.fresh = false
		}
		return false
	}
	replaces := cur != nil && !samePosition(src, cur)
	if s.e.GetDisposition() == statepb.Disposition_PARKED && (fresh || replaces) { // one that is not fresh has an end: it was rejected
		s.e.Tallies.Superseded++
		s.e.Disposition = statepb.Disposition_NONE
	}
	if fresh {
		s.e.Disposition = statepb.Disposition_NONE
	}
	overtake(s.e, cur, src)
	if s.keeps = replaces && s.e.KeptSource == nil; s.keeps {
		s.e.KeptSource = cur
	}
	if s.e.Source = successor(src, cur); s.r.bugs.ownTime {
		s.e.Source = src
	}
	return true
}

func samePosition(a, b *statepb.Source) bool {
	return a.GetPartition() == b.GetPartition() && a.GetOffset() == b.GetOffset()
}

// note accounts for a record that ended before the gate.
func (s *step) note(in *statepb.Input) {
	if !s.account(in) {
		return
	}
	switch n := in.GetNote(); {
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

func untally(list []*statepb.Tally, reason string) []*statepb.Tally {
	for _, t := range list {
		if t.GetReason() == reason {
			t.Count--
		}
	}
	return slices.DeleteFunc(list, func(t *statepb.Tally) bool { return t.GetCount() == 0 })
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
	if !s.resends() && s.proven(s.e.Sent, digest) {
		s.finish(statepb.Disposition_UNCHANGED)
		return false
	}
	s.nothingDue() // any more
	s.e.Sent = s.claim(digest)
	released := s.e.Disposition == statepb.Disposition_PARKED
	first := s.finish(statepb.Disposition_EMITTED)
	s.out.Emits = append(s.out.Emits, Emit{Stream: stream, Key: id, Value: value, Source: s.e.Source, First: first, Released: released})
	s.out.Counts = append(s.out.Counts, counts...)
	if !first {
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

// fits tells whether a slim record is within the target's limit.
func (s *step) fits(id string, value []byte) bool {
	return len(id)+len(value) <= s.r.MaxRecordBytes-headerReserve
}

// verdict is what becomes of facts that cannot be sent.
type verdict int

const (
	standing verdict = iota // they stay: what was sent of them stays too
	reverted                // the kept facts take their place again
	dropped                 // nothing takes their place
)

// reject quarantines the newest record, whose slim record does not fit. As a
// quarantined record it changes nothing: the facts that it replaced come back.
//
// A record that was sent once stays, though it could not be sent today: what it
// takes from others has grown. It is quarantined for somebody to see.
func (s *step) reject(stream Stream) verdict {
	s.quarantine(stream, ReasonTooLarge)
	s.nothingDue()
	s.e.Wait = nil
	if s.e.KeptSource != nil {
		s.e.Source, s.e.KeptSource = s.e.KeptSource, nil
		return reverted
	}
	if s.e.Sent != nil || s.before != 0 {
		return standing
	}
	s.e.Source = nil
	return dropped
}

// quarantine ends the newest record as quarantined, and says so to the quarantine
// topic until that is proven: the row alone proves nothing.
func (s *step) quarantine(stream Stream, reason Reason) {
	if s.fresh || s.e.Disposition == statepb.Disposition_PARKED {
		s.countQuarantined(s.e.Source, reason)
		s.e.Disposition = statepb.Disposition_NONE
	}
	s.report(stream, s.e.Source, reason)
}

func (s *step) countQuarantined(src *statepb.Source, reason Reason) {
	s.e.Tallies.Quarantined = tally(s.e.Tallies.Quarantined, string(reason))
	remember(s.e, src, reason)
	s.fresh = false
}

// sendable forgets the kept facts: their successors could be sent.
func (s *step) sendable() { s.e.KeptSource = nil }

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
