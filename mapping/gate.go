package mapping

import (
	"github.com/cespare/xxhash/v2"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// The gate's steps. Each changes the state it is given and returns the effects;
// the caller writes the state and does the effects, all caused by env.Self.
// An error comes from env.Settle alone; state and effects are then void.

// EventRecord takes a legacy event.
func (r *Rules) EventRecord(env *Env, key string, st *statepb.EventState, in *statepb.Input) Effects {
	s := r.eventStep(env, key, st)
	s.acceptEvent(st, in, in.GetEvent())
	return s.decideEvent(st)
}

func (s *step) setEventFacts(st *statepb.EventState, f *statepb.EventFacts) {
	if st.Facts.GetOrg() != f.GetOrg() {
		s.endHold()
		if st.Organizer.GetOrganizer().GetId() != f.GetOrg() {
			st.Organizer = nil
		}
	}
	st.Facts = f
}

// EventAnswer takes the facts of an organizer. Those of an organizer that the
// event does not have are ignored, and the organizer is told. While the event has no
// facts, because none could be sent, it is not known to have another.
func (r *Rules) EventAnswer(env *Env, key string, st *statepb.EventState, a *statepb.Answer) Effects {
	s := r.eventStep(env, key, st)
	org := a.GetOrganizer().GetId()
	if st.Facts == nil && st.MemberOf == org {
		return s.decideEvent(st)
	}
	if st.Facts == nil || st.Facts.GetOrg() != org {
		s.out.Memberships = append(s.out.Memberships, MembershipChange{Org: org, Event: unescapeID(key), Leave: true})
		return s.decideEvent(st)
	}
	if st.Organizer == nil || newer(a.GetSource(), st.Organizer.GetSource()) {
		st.Organizer = a
		s.endHold()
	}
	return s.decideEvent(st)
}

// EventCommand decides again: a hold may be over, the directory may have changed,
// the slim record may have to be sent again.
func (r *Rules) EventCommand(env *Env, key string, st *statepb.EventState, cmd *statepb.Loop) Effects {
	s := r.eventStep(env, key, st)
	s.command(cmd)
	return s.decideEvent(st)
}

func (r *Rules) eventStep(env *Env, key string, st *statepb.EventState) *step {
	if st.Entity == nil {
		st.Entity = &statepb.Entity{}
	}
	s := newSlimStep(r, env, key, st.Entity)
	s.review(&st.Asked)
	return s
}

// decideEvent settles what the slim topic should hold for the event. Orders that
// wait for the event are woken by its emission. Those that wait because the
// record that last changed its sets is unseen are reached by the remapping that
// the replay of that record asks for.
func (s *step) decideEvent(st *statepb.EventState) Effects {
	if st.Facts == nil { // not known, or none could be sent
		s.nothingDue()
		return s.out
	}
	s.askOrganizer(st)
	if !s.publishEvent(st) {
		return s.rejectEvent(st)
	}
	s.spreadNews(orderDigest(st))
	return s.out
}

// rejectEvent decides again with what remains. There is less of it every time.
func (s *step) rejectEvent(st *statepb.EventState) Effects {
	kept := st.Kept
	st.Kept = nil
	switch s.reject(Events) {
	case reverted:
		s.setEventFacts(st, kept)
		st.Replayed = st.KeptReplayed
		return s.decideEvent(st)
	case dropped:
		st.Facts, st.Organizer, st.Replayed = nil, nil, false
		st.Asked = nil // the next facts need the organizer's again
		s.endHold()
		return s.out
	}
	s.spreadNews(orderDigest(st))
	return s.out
}

// publishEvent is false when the slim event does not fit.
func (s *step) publishEvent(st *statepb.EventState) bool {
	partner := st.GetOrganizer().GetOrganizer()
	if partner == nil && st.Facts.GetOrg() != "" {
		if deadline, over := s.hold(s.r.OrganizerHold.Milliseconds()); !over {
			s.park(WaitOrganizer, deadline)
			return true
		}
	}
	organizer := s.r.organizer(st.Facts, partner)
	if organizer == nil && s.r.organizerRequired() {
		if WaitReason(s.e.GetWait().GetReason()) != WaitOrganizerMissing {
			s.out.Counts = append(s.out.Counts, CountOrganizerMissing)
		}
		s.park(WaitOrganizerMissing, 0)
		return true
	}
	ev, counts := s.r.slimEvent(st.Facts, organizer)
	value := s.r.encodeEvent(&ev)
	if !s.fits(st.Facts.GetId(), value) {
		return false
	}
	st.Kept = nil
	s.sendable()
	if s.emit(Events, st.Facts.GetId(), value, counts) {
		s.release()
	}
	return true
}

// askOrganizer joins the event to its organizer once, and again until the asking is proven.
func (s *step) askOrganizer(st *statepb.EventState) {
	org := st.Facts.GetOrg()
	if st.MemberOf != "" && st.MemberOf != org {
		s.out.Memberships = append(s.out.Memberships, MembershipChange{Org: st.MemberOf, Event: st.Facts.GetId(), Leave: true})
	}
	st.MemberOf = org
	if org == "" {
		st.Asked = nil // the same organizer may come back, and has been left
		return
	}
	digest := xxhash.Sum64String(org)
	if !s.resends() && s.proven(st.Asked, digest) {
		return
	}
	st.Asked = s.claim(digest)
	s.out.Memberships = append(s.out.Memberships, MembershipChange{Org: org, Event: st.Facts.GetId()})
}

// orderDigest covers what orders take from their event: sets, organizer, currency.
func orderDigest(st *statepb.EventState) uint64 {
	deps := &statepb.EventFacts{Org: st.Facts.GetOrg(), Sets: st.Facts.GetSets()}
	b := encodeFacts(deps)
	d := xxhash.New()
	d.Write(b)
	d.WriteString("\x00" + st.GetOrganizer().GetOrganizer().GetCurrency())
	return d.Sum64()
}

// OrderRecord takes a legacy order, or the note of a skipped one. ev is the
// state of its event, nil when there is none.
func (r *Rules) OrderRecord(env *Env, key string, st *statepb.OrderState, ev *statepb.EventState, in *statepb.Input) (Effects, error) {
	s := r.orderStep(env, key, st)
	if in.GetNote() != nil {
		s.skippedOrder(st, in)
		return s.decideOrder(st, ev)
	}
	if s.accept(in) {
		if s.keeps {
			st.Kept = st.Facts
		}
		st.Facts = in.GetOrder()
	}
	return s.decideOrder(st, ev)
}

// OrderCommand decides again about an order.
func (r *Rules) OrderCommand(env *Env, key string, st *statepb.OrderState, ev *statepb.EventState, cmd *statepb.Loop) (Effects, error) {
	s := r.orderStep(env, key, st)
	s.command(cmd)
	return s.decideOrder(st, ev)
}

func (r *Rules) orderStep(env *Env, key string, st *statepb.OrderState) *step {
	if st.Entity == nil {
		st.Entity = &statepb.Entity{}
	}
	return newSlimStep(r, env, key, st.Entity)
}

func (s *step) skippedOrder(st *statepb.OrderState, in *statepb.Input) {
	reason := in.GetNote().GetSkipped()
	if s.account(in) && st.Facts != nil && isStatusReason(reason) {
		s.out.Counts = append(s.out.Counts, CountStatusRegressed)
	}
	if s.fresh {
		s.e.Tallies.Skipped = tally(s.e.Tallies.Skipped, reason)
		s.fresh = false
	}
	st.Skipped = true
}

func (s *step) decideOrder(st *statepb.OrderState, ev *statepb.EventState) (Effects, error) {
	if st.Facts == nil {
		s.nothingDue()
		if st.Skipped {
			s.release() // refunds that wait for this order will not see it
		}
		return s.out, nil
	}
	ready, err := s.eventReady(ev)
	if err != nil {
		return Effects{}, err
	}
	if !ready {
		s.park(WaitEvent, 0)
		return s.out, nil
	}
	if !hasUnknownSet(st.Facts, ev.GetFacts()) {
		s.endHold()
	} else if deadline, over := s.hold(s.r.SetHold.Milliseconds()); !over {
		s.park(WaitSet, deadline)
		return s.out, nil
	}
	o, counts := s.r.slimOrder(st.Facts, ev.GetFacts(), ev.GetOrganizer().GetOrganizer().GetCurrency())
	value := s.r.encodeOrder(&o)
	if !s.fits(st.Facts.GetId(), value) {
		return s.rejectOrder(st, ev)
	}
	st.Kept = nil
	s.sendable()
	if s.emit(Orders, st.Facts.GetId(), value, counts) {
		s.release()
	}
	s.spreadNews(refundDigest(st))
	return s.out, nil
}

// rejectOrder decides again with what remains, as rejectEvent does.
func (s *step) rejectOrder(st *statepb.OrderState, ev *statepb.EventState) (Effects, error) {
	kept := st.Kept
	st.Kept = nil
	switch s.reject(Orders) {
	case reverted:
		st.Facts = kept
		return s.decideOrder(st, ev)
	case dropped:
		st.Facts = nil
		s.endHold()
	}
	return s.out, nil
}

// eventReady tells whether the event is published, and what orders take from it
// is durable. An order that used sets that are then lost with a crash would not
// be mapped again: nothing would have changed.
func (s *step) eventReady(ev *statepb.EventState) (bool, error) {
	ready, err := published(s.r, s.env, ev.GetEntity())
	if err != nil || !ready || s.r.bugs.noSpread {
		return ready, err
	}
	return settled(s.env, ev.GetEntity().GetSpread())
}

// refundDigest covers what refunds take from their order: the customer.
func refundDigest(st *statepb.OrderState) uint64 {
	b := encodeFacts(st.Facts.GetCustomer())
	return xxhash.Sum64(b)
}

// RefundRecord takes an approved refund request. order is the state of its
// order, nil when there is none.
func (r *Rules) RefundRecord(env *Env, key string, st *statepb.RefundState, order *statepb.OrderState, in *statepb.Input) (Effects, error) {
	s := r.refundStep(env, key, st)
	if s.accept(in) {
		if s.keeps {
			st.Kept = st.Facts
		}
		st.Facts = in.GetRefund()
	}
	return s.decideRefund(st, order)
}

// RefundCommand decides again about a refund request.
func (r *Rules) RefundCommand(env *Env, key string, st *statepb.RefundState, order *statepb.OrderState, cmd *statepb.Loop) (Effects, error) {
	s := r.refundStep(env, key, st)
	s.command(cmd)
	return s.decideRefund(st, order)
}

func (r *Rules) refundStep(env *Env, key string, st *statepb.RefundState) *step {
	if st.Entity == nil {
		st.Entity = &statepb.Entity{}
	}
	return newSlimStep(r, env, key, st.Entity)
}

func (s *step) decideRefund(st *statepb.RefundState, order *statepb.OrderState) (Effects, error) {
	if st.Facts == nil {
		s.nothingDue()
		return s.out, nil
	}
	ready, err := published(s.r, s.env, order.GetEntity())
	switch {
	case err != nil:
		return Effects{}, err
	case !ready && order.GetFacts() == nil && order.GetSkipped():
		s.skip(ReasonOrderNotPublished, WaitSkippedOrder)
		return s.out, nil
	case !ready:
		s.park(WaitOrder, 0)
		return s.out, nil
	}
	published := publishedOrder(order)
	f, counts := s.r.slimRefund(st.Facts, published.GetCustomer(), published)
	value := s.r.encodeRefund(&f)
	if !s.fits(st.Facts.GetId(), value) {
		return s.rejectRefund(st, order)
	}
	st.Kept = nil
	s.sendable()
	s.emit(Refunds, st.Facts.GetId(), value, counts)
	return s.out, nil
}

// publishedOrder is what the slim topic holds of a published order, also while
// newer facts wait to replace it.
func publishedOrder(order *statepb.OrderState) *statepb.OrderFacts {
	if kept := order.GetKept(); kept != nil {
		return kept
	}
	return order.GetFacts()
}

// rejectRefund decides again with what remains, as rejectEvent does.
func (s *step) rejectRefund(st *statepb.RefundState, order *statepb.OrderState) (Effects, error) {
	kept := st.Kept
	st.Kept = nil
	switch s.reject(Refunds) {
	case reverted:
		st.Facts = kept
		return s.decideRefund(st, order)
	case dropped:
		st.Facts = nil
	}
	return s.out, nil
}

// LedgerRecord accounts for a record that belongs to no entity.
func (r *Rules) LedgerRecord(st *statepb.LedgerState, in *statepb.Input) {
	if st.Entity == nil {
		st.Entity = &statepb.Entity{}
	}
	s := newStep(r, &Env{}, "", st.Entity)
	s.note(in)
}
