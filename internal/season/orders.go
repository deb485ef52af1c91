package season

import (
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// How likely things are to happen to an order.
const (
	completedLater = 0.6   // an unfinished order is paid in the end
	publishedAgain = 0.02  // a paid order is published again
	refunded       = 0.043 // a refund is asked for
)

// sell makes the order of this step, and what follows from it.
func (g *generator) sell() {
	e := g.chooseEvent()
	if g.step < g.peak.until {
		g.advance(peakSpeed)
	} else {
		g.advance(1)
	}
	kind := g.orderTrouble.next(&g.random)
	g.count(kind)
	status := legacyproto.Order_DONE
	if kind == noTrouble {
		status = chooseOrderStatus(&g.random)
	}
	g.totals.Entities[TopicOrders]++
	g.publishFirst(e, g.orderMessage(e, status), kind)
}

func chooseOrderStatus(r *rng) legacyproto.Order_Status {
	switch n := r.intn(100); {
	case n < 90:
		return legacyproto.Order_DONE
	case n < 94:
		return legacyproto.Order_IN_PROGRESS
	case n < 97:
		return legacyproto.Order_CANCELLED
	case n < 99:
		return legacyproto.Order_EXPIRED
	default:
		return legacyproto.Order_EXECUTED
	}
}

// publishFirst publishes the first record of an order, with its trouble.
func (g *generator) publishFirst(e *event, m *legacyproto.Order, kind Kind) {
	r := &g.random
	customer, ticket := m.Settings.Customer, m.Tickets[0]
	switch kind {
	case noTrouble:
	case OrderWithoutPhone:
		customer.Phone = ""
	case OrderImpossiblePhone:
		customer.Phone = pick(r, impossiblePhones)
	case OrderWithoutEmail:
		customer.Email = ""
	case OrderWithoutBarcode:
		ticket.Barcode = ""
	case OrderUnknownSet:
		ticket.Set = g.newID(idSet)
	case OrderLateSet:
		late := g.newSet()
		ticket.Set = late.id
		g.later(500, func() { g.addLateSet(e, late) })
	case OrderDuplicate:
		g.publishLater(1500, TopicOrders, m.Id, marshal(m))
	case RefundUnknownOrder:
		g.later(500, func() { g.publishRefund(g.refundOfUnknownOrder(m), noTrouble) })
	case RefundEarly:
		g.publishRefund(g.refundMessage(m, legacyproto.RefundRequest_APPROVED), noTrouble)
		g.later(200, func() { g.publishOrder(e, m) })
		return
	default:
		g.publish(TopicOrders, m.Id, g.breakOrder(m, kind))
		if r.chance(0.5) {
			g.later(1000, func() { g.publishOrder(e, m) })
		}
		return
	}
	g.publishOrder(e, m)
}

// breakOrder returns the bytes of an order that is broken in the given way.
// The order itself stays whole.
func (g *generator) breakOrder(m *legacyproto.Order, kind Kind) []byte {
	r := &g.random
	bad := proto.CloneOf(m)
	switch kind {
	case OrderGarbage:
		return garbage(r)
	case OrderTombstone:
		return nil
	case OrderEmpty:
		return []byte{}
	case OrderTruncated:
		return truncate(r, marshal(m))
	case OrderInvalidUTF8:
		return appendInvalidText(marshal(m), 20, 1, 2)
	case OrderWithoutID:
		bad.Id = ""
	case OrderWithoutEvent:
		bad.Event = ""
	case OrderWithoutTickets:
		bad.Tickets = nil
	case OrderTicketWithoutID:
		bad.Tickets[len(bad.Tickets)-1].Id = ""
	case OrderUnknownStatus:
		bad.Status = unknownStatus
	default:
		panic("season: there is no way to break an order that is called " + string(kind))
	}
	return marshal(bad)
}

// publishOrder publishes a good order for the first time, and plans its future.
func (g *generator) publishOrder(e *event, m *legacyproto.Order) {
	g.publish(TopicOrders, m.Id, marshal(m))
	g.sold(e, len(m.Tickets))
	g.followUp(m)
}

// followUp plans what becomes of an order after its publication.
func (g *generator) followUp(m *legacyproto.Order) {
	r := &g.random
	switch m.Status {
	case legacyproto.Order_IN_PROGRESS, legacyproto.Order_EXECUTED:
		if r.chance(completedLater) {
			g.later(300, func() { g.completeOrder(m) })
		}
	case legacyproto.Order_DONE:
		if r.chance(publishedAgain) {
			g.later(2000, func() { g.changeOrder(m) })
		}
		if r.chance(refunded) {
			g.requestRefund(m)
		}
	}
}

func (g *generator) completeOrder(m *legacyproto.Order) {
	g.settle(m)
	g.publish(TopicOrders, m.Id, marshal(m))
	g.followUp(m)
}

// changeOrder publishes an order again. Its event never changes.
func (g *generator) changeOrder(m *legacyproto.Order) {
	r := &g.random
	customer := m.Settings.Customer
	switch n := r.intn(10); {
	case n < 3: // the same bytes
	case n < 6:
		m.DoneValues.Profit.Core += 100
	case n < 7:
		customer.Name = customerName(r)
	case n < 8:
		customer.Phone = customerPhone(r)
	case n < 9:
		customer.Email = "corrected." + customer.Email
	default:
		m.Status = legacyproto.Order_CANCELLED
	}
	g.publish(TopicOrders, m.Id, marshal(m))
}
