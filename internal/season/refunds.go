package season

import (
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// requestRefund plans a refund of the order, which must be published.
func (g *generator) requestRefund(order *legacyproto.Order) {
	g.later(maxDelay, func() {
		kind := g.refundTrouble.next(&g.random)
		g.count(kind)
		status := legacyproto.RefundRequest_APPROVED
		if kind == noTrouble {
			status = chooseRefundStatus(&g.random)
		}
		g.publishRefund(g.refundMessage(order, status), kind)
	})
}

func chooseRefundStatus(r *rng) legacyproto.RefundRequest_Status {
	switch n := r.intn(100); {
	case n < 85:
		return legacyproto.RefundRequest_APPROVED
	case n < 91:
		return legacyproto.RefundRequest_REJECTED
	case n < 96:
		return legacyproto.RefundRequest_IN_PROGRESS
	default:
		return legacyproto.RefundRequest_NEW
	}
}

// publishRefund publishes a refund request, with its trouble. Some approved
// requests are published when they are new, and again when they are approved.
func (g *generator) publishRefund(m *legacyproto.RefundRequest, kind Kind) {
	g.totals.Entities[TopicRefunds]++
	r := &g.random
	switch kind {
	case noTrouble:
		if m.Status == legacyproto.RefundRequest_APPROVED && r.chance(0.3) {
			m.Status = legacyproto.RefundRequest_NEW
			m.FinishedAt = nil
			g.later(300, func() { g.approveRefund(m) })
		}
	case RefundForeignTicket:
		m.Tickets = append(m.Tickets, &legacyproto.RefundRequest_Ticket{Id: g.newID(idTicket)})
	case RefundDuplicate:
		g.publishLater(1000, TopicRefunds, m.Id, marshal(m))
	default:
		g.publish(TopicRefunds, m.Id, g.breakRefund(m, kind))
		if r.chance(0.5) {
			g.later(500, func() { g.publish(TopicRefunds, m.Id, marshal(m)) })
		}
		return
	}
	g.publish(TopicRefunds, m.Id, marshal(m))
}

func (g *generator) approveRefund(m *legacyproto.RefundRequest) {
	m.Status = legacyproto.RefundRequest_APPROVED
	m.UpdatedAt = g.timestamp()
	m.FinishedAt = g.timestamp()
	g.publish(TopicRefunds, m.Id, marshal(m))
}

// breakRefund returns the bytes of a request that is broken in the given way.
// The request itself stays whole.
func (g *generator) breakRefund(m *legacyproto.RefundRequest, kind Kind) []byte {
	r := &g.random
	bad := proto.CloneOf(m)
	switch kind {
	case RefundGarbage:
		return garbage(r)
	case RefundTombstone:
		return nil
	case RefundEmpty:
		return []byte{}
	case RefundTruncated:
		return truncate(r, marshal(m))
	case RefundInvalidUTF8:
		return appendInvalidText(marshal(m), 7)
	case RefundWithoutID:
		bad.Id = ""
	case RefundWithoutOrder:
		bad.Order = ""
	case RefundWithoutEvent:
		bad.Event = ""
	case RefundWithoutTickets:
		bad.Tickets = nil
	case RefundUnknownStatus:
		bad.Status = unknownStatus
	default:
		panic("season: there is no way to break a refund request that is called " + string(kind))
	}
	return marshal(bad)
}

// refundOfUnknownOrder returns a request for an order that does not exist, at
// the event of one that does.
func (g *generator) refundOfUnknownOrder(order *legacyproto.Order) *legacyproto.RefundRequest {
	unknown := proto.CloneOf(order)
	unknown.Id = g.newID(idOrder)
	for _, t := range unknown.Tickets {
		t.Id = g.newID(idTicket)
	}
	return g.refundMessage(unknown, legacyproto.RefundRequest_APPROVED)
}

// refundMessage returns a request for all tickets of an order, or for some.
func (g *generator) refundMessage(order *legacyproto.Order, status legacyproto.RefundRequest_Status) *legacyproto.RefundRequest {
	r := &g.random
	m := &legacyproto.RefundRequest{
		Id:           g.newID(idRefund),
		Status:       status,
		Partner:      order.Vendor,
		User:         order.Settings.Customer.User,
		Culprit:      legacyproto.RefundRequest_USER,
		Order:        order.Id,
		CreatedAt:    g.timestamp(),
		UpdatedAt:    g.timestamp(),
		RequestedAt:  g.timestamp(),
		Policy:       legacyproto.RefundRequest_LAW_RU_193,
		Restrictions: &legacyproto.RefundRequest_Restrictions{LawRu_193: percent(0, 0)},
		MoneyDetail:  &legacyproto.RefundRequest_MoneyDetail{},
		ReasonType:   legacyproto.RefundRequest_ReasonType(r.intn(5)),
		Event:        order.Event,
		Org:          order.Org,
		Vendor:       order.Vendor,
		LastRequest: &legacyproto.RefundRequest_LastRequest{
			Client:    &legacyproto.RefundRequest_LastRequest_IpPort{Ip: clientIP(r), Port: uint32(r.between(1024, 65535))},
			Server:    &legacyproto.RefundRequest_LastRequest_IpPort{Ip: "198.51.100.9", Port: 443},
			UserAgent: pick(r, userAgents),
		},
	}
	switch status {
	case legacyproto.RefundRequest_APPROVED:
		m.FinishedAt = g.timestamp()
	case legacyproto.RefundRequest_REJECTED:
		m.FinishedAt = g.timestamp()
		m.ReasonRejection = legacyproto.RefundRequest_ReasonRejection(r.between(1, 13))
	}
	count := len(order.Tickets)
	if r.chance(0.3) {
		count = r.between(1, count)
	}
	for _, t := range order.Tickets[:count] {
		addRefundTicket(m, t)
	}
	return m
}

func addRefundTicket(m *legacyproto.RefundRequest, t *legacyproto.Order_Ticket) {
	customer := t.Nominal * 9 / 10
	m.Tickets = append(m.Tickets, &legacyproto.RefundRequest_Ticket{
		Id: t.Id, Price: t.Price, Nominal: t.Nominal, Full: t.Full, Acquiring: t.Acquiring,
		Extra: &legacyproto.RefundRequest_Ticket_Extra{Full: rate(5, t.Full-t.Nominal)},
		MoneyDetail: &legacyproto.RefundRequest_Ticket_MoneyDetail{
			RefundNominal: t.Nominal, Customer: customer, Org: t.Nominal - customer,
		},
	})
	m.TicketsQuantity++
	m.Transaction += customer
	m.MoneyDetail.RefundNominal += t.Nominal
	m.MoneyDetail.Customer += customer
	m.MoneyDetail.Org += t.Nominal - customer
}
