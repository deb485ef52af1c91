package verify

import "strconv"

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// newestPartner is an organizer's newest facts; nil while its partner has not been
// seen.
func (c *Checker) newestPartner(p *partner) *partnerFacts {
	if p == nil {
		return nil
	}
	at := p.newest(nil)
	if at == nil {
		return nil
	}
	return &p.versions[at.version]
}

func (c *Checker) newestEvent(ev *event) *eventFacts {
	at := ev.newest(c.out(Events))
	if at == nil {
		return nil
	}
	return &ev.versions[at.version]
}

// organizerUnknown: the partner of the newest version has not been seen, so that a
// hold decides when it goes out without.
func (c *Checker) organizerUnknown(f *eventFacts) bool {
	return f != nil && f.org != nil && len(f.org.positions) == 0
}

// event holds an event's newest slim record against what it must be.
func (e *evaluation) event(ev *event) {
	c := e.c
	at := ev.newest(c.out(Events))
	if at == nil {
		if len(ev.positions) > 0 && !ev.slim.published {
			e.wait(Events, "quarantined")
		}
		return
	}
	f := &ev.versions[at.version]
	organizer, ok := c.rules.organizer(orgOf(f), f.legal, c.newestPartner(f.org))
	reason := ""
	switch {
	case c.organizerUnknown(f):
		reason = "organizer"
	case !ok && c.rules.v2:
		reason = "organizer_missing"
	}
	switch {
	case !ev.slim.published && reason != "":
		e.wait(Events, reason)
	case !ev.slim.published && c.loose(Events, ev.positions):
		e.doubt("no slim event, and a version of it is in quarantine")
	case !ev.slim.published:
		e.lost(Events, ev.id, at)
	case ev.slim.judged:
	case ok || !c.rules.v2: // it can go out
		e.compareEvent(ev, f, organizer, reason)
	default: // it cannot, and an older version may stand
		e.wait(Events, reason)
	}
}

func orgOf(f *eventFacts) string {
	if f.org == nil {
		return ""
	}
	return f.org.id
}

func (e *evaluation) compareEvent(ev *event, f *eventFacts, organizer *Organizer, reason string) {
	want := Event{Organizer: organizer}
	e.c.rules.place(&want, f.category, f.venue, f.at)
	borrowed := borrowedEvent(e.c.rules, &want)
	switch {
	case ev.slim.own == f.own && ev.slim.borrowed == borrowed:
	case reason != "": // not yet: what stands is explained, or has a finding
		e.wait(Events, reason)
	case e.c.loose(Events, ev.positions):
		e.doubt("an older value, and a version is in quarantine")
	default:
		e.stale(Events, ev.id, &ev.slim, f.own^borrowed)
	}
}

// order holds an order's newest slim record against what it must be, and its first
// one against its event's.
func (e *evaluation) order(o *order) {
	c := e.c
	at := o.newest(c.out(Orders))
	if at == nil {
		if len(o.positions) > 0 && !o.slim.published {
			e.wait(Orders, "quarantined")
		}
		return
	}
	f := &o.versions[at.version]
	if o.slim.published {
		e.position(OrderViolation, Orders, o.id, &o.slim, Events, &f.event.slim)
	}
	newest := c.newestEvent(f.event)
	switch {
	case o.slim.published && o.slim.judged:
	case o.slim.published:
		e.compareOrder(o, f, newest)
	case !f.event.slim.published:
		e.wait(Orders, "event")
	case len(f.unknownSets(newest)) > 0:
		e.wait(Orders, "set")
	case c.organizerUnknown(newest):
		e.wait(Orders, "organizer")
	case c.loose(Orders, o.positions) || c.loose(Events, f.event.positions):
		e.doubt("no slim order, and a version of it or its event is in quarantine")
	default:
		e.lost(Orders, o.id, at)
	}
}

// unknownSets are the sets that the newest version of the event does not have.
func (f *orderFacts) unknownSets(newest *eventFacts) []uint64 {
	var unknown []uint64
	for _, set := range f.sets {
		if set == 0 {
			continue // nothing can come (decision 4)
		}
		if newest == nil {
			unknown = append(unknown, set)
		} else if _, known := newest.sets[set]; !known {
			unknown = append(unknown, set)
		}
	}
	return unknown
}

func (e *evaluation) compareOrder(o *order, f *orderFacts, newest *eventFacts) {
	c := e.c
	if newest == nil {
		e.doubt("an order whose event has no legacy record")
		return
	}
	borrowed := c.borrowedOrder(f, newest)
	switch {
	case o.slim.own == f.own && o.slim.borrowed == borrowed:
	case len(f.unknownSets(newest)) > 0 && c.mayStand(o, f, newest):
		e.wait(Orders, "set")
	case c.organizerUnknown(newest) && c.mayStand(o, f, newest):
		e.wait(Orders, "organizer")
	case c.loose(Orders, o.positions) || c.loose(Events, f.event.positions):
		e.doubt("an older value, and a version is in quarantine")
	default:
		e.stale(Orders, o.id, &o.slim, f.own^borrowed)
	}
}

// borrowedOrder hashes what the order's tickets must borrow: an unknown set gives
// nothing.
func (c *Checker) borrowedOrder(f *orderFacts, newest *eventFacts) uint64 {
	currency := ""
	if p := c.newestPartner(newest.org); p != nil {
		currency = p.currency
	}
	return f.borrowed(func(set uint64) setText { return newest.sets[set] }, currency, c.organizerOf(f, newest))
}

// borrowed hashes what the tickets borrow under these circumstances.
func (f *orderFacts) borrowed(text func(set uint64) setText, currency string, organizer uint64) uint64 {
	b := newBorrowed()
	for _, set := range f.sets {
		b.ticket(text(set), currency, organizer)
	}
	return b.sum()
}

// organizerOf is what organizer_id says with this version of the event.
func (c *Checker) organizerOf(f *orderFacts, e *eventFacts) uint64 {
	switch {
	case c.rules.v2:
		return 0
	case f.org != 0:
		return f.org
	}
	return e.orgHash()
}

// refund is order, for refunds.
func (e *evaluation) refund(r *refund) {
	c := e.c
	at := r.newest(c.out(Refunds))
	if at == nil {
		if len(r.positions) > 0 && !r.slim.published {
			e.wait(Refunds, "quarantined")
		}
		return
	}
	f := &r.versions[at.version]
	o := c.orders[f.order]
	if r.slim.published {
		var parent *slimState
		if o != nil {
			parent = &o.slim
		}
		e.position(RefundViolation, Refunds, r.id, &r.slim, Orders, parent)
	}
	switch {
	case r.slim.published && r.slim.judged:
	case r.slim.published:
		e.compareRefund(r, f, o)
	case o == nil || len(o.positions) == 0 && !o.skipped:
		e.wait(Refunds, "order")
	case len(o.positions) == 0:
		e.wait(Refunds, "order_not_published")
	case !o.slim.published:
		e.wait(Refunds, "order")
	case c.eventOf(o) != f.event:
		e.wait(Refunds, "event_of_another_order")
	case c.loose(Refunds, r.positions) || c.loose(Orders, o.positions):
		e.doubt("no slim refund, and a version of it or its order is in quarantine")
	default:
		e.lost(Refunds, r.id, at)
	}
}

// eventOf is the event of the order's newest version, nil without one.
func (c *Checker) eventOf(o *order) *event {
	at := o.newest(c.out(Orders))
	if at == nil {
		return nil
	}
	return o.versions[at.version].event
}

func (e *evaluation) compareRefund(r *refund, f *refundFacts, o *order) {
	c := e.c
	if o == nil || len(o.positions) == 0 {
		e.doubt("a refund whose order has no eligible legacy record")
		return
	}
	at := o.newest(c.out(Orders))
	switch {
	case at == nil, c.loose(Refunds, r.positions), c.loose(Orders, o.positions):
		if at == nil || r.slim.own != f.own || r.slim.borrowed != o.versions[at.version].customer {
			e.doubt("an older value, and a version is in quarantine")
		}
	case r.slim.own == f.own && r.slim.borrowed == o.versions[at.version].customer:
	case r.slim.own == f.own && o.slim.own != o.versions[at.version].own:
		// The order's newest version is not out itself, which has a reason or a
		// finding of its own.
		e.wait(Refunds, "order")
	default:
		e.stale(Refunds, r.id, &r.slim, f.own^o.versions[at.version].customer)
	}
}
