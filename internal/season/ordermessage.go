package season

import (
	"strconv"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

const firstOrderNumber = 1_000_000

// orderMessage returns a new order of 1 to 6 tickets for the event.
func (g *generator) orderMessage(e *event, status legacyproto.Order_Status) *legacyproto.Order {
	r := &g.random
	vendor := g.ids.fixed(agentNumbers + r.intn(agentCount))
	m := &legacyproto.Order{
		Id:            g.newID(idOrder),
		Number:        firstOrderNumber + int64(g.step),
		Origin:        legacyproto.Order_Origin(r.intn(7)),
		Status:        status,
		MetaEvent:     e.meta,
		Event:         e.id,
		Org:           g.partners[e.org].id,
		Vendor:        vendor,
		Deal:          g.ids.fixed(agentNumbers + 50 + r.intn(agentCount)),
		CreatedAt:     g.timestamp(),
		Settings:      &legacyproto.Order_Settings{Customer: g.customer(), SendTickets: true, SmartTickets: r.chance(0.5)},
		Sessions:      orderSessions(r),
		PaymentSystem: pick(r, paymentSystems),
		LastRequest: &legacyproto.Order_LastRequest{
			Client:    &legacyproto.Order_LastRequest_IpPort{Ip: clientIP(r), Port: uint32(r.between(1024, 65535))},
			Server:    &legacyproto.Order_LastRequest_IpPort{Ip: "198.51.100.8", Port: 443},
			UserAgent: pick(r, userAgents),
		},
	}
	if r.chance(0.5) {
		m.Managers = &legacyproto.Order_Managers{
			Org:    &legacyproto.Order_Managers_Item{Account: g.ids.fixed(1), Sale: g.ids.fixed(2)},
			Vendor: &legacyproto.Order_Managers_Item{Account: g.ids.fixed(3)},
		}
	}
	g.addTickets(e, m)
	if status == legacyproto.Order_DONE {
		g.settle(m)
	}
	return m
}

// ticketCounts is how many tickets orders have, as often as they have so many.
var ticketCounts = []int{1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 4, 4, 5, 6}

func (g *generator) addTickets(e *event, m *legacyproto.Order) {
	r := &g.random
	row := r.between(1, 30)
	count := pick(r, ticketCounts)
	m.Tickets = make([]*legacyproto.Order_Ticket, count)
	for i := range m.Tickets {
		m.Tickets[i] = g.ticketMessage(chooseSet(r, e), row, i)
	}
	m.TicketsQuantity = uint32(count)
	if r.chance(0.05) {
		m.PromocodeId = g.newID(idOther)
		m.Discount = 10_000
	}
}

// chooseSet returns a set that is for sale; the first always is.
func chooseSet(r *rng, e *event) *set {
	s := &e.sets[r.intn(len(e.sets))]
	if s.removed {
		return &e.sets[0]
	}
	return s
}

func (g *generator) ticketMessage(s *set, row, place int) *legacyproto.Order_Ticket {
	r := &g.random
	extra := s.price / 20
	t := &legacyproto.Order_Ticket{
		Id:      g.newID(idTicket),
		Serial:  pick(r, []string{"АА", "БВ", "TC", ""}),
		Number:  int64(r.intn(1_000_000)),
		Barcode: "2" + r.digits(12),
		Set:     s.id,
		Price:   s.price,
		Nominal: s.price,
		Extra: &legacyproto.Order_Ticket_Extra{
			Deal: rate(2, extra/2), Org: rate(3, extra-extra/2), Full: rate(5, extra),
		},
		Full:      s.price + extra,
		Acquiring: s.price / 50,
		DealFees:  &legacyproto.Order_Ticket_DealFees{Agent: rate(3, s.price*3/100), Org: rate(1, s.price/100)},
	}
	if r.chance(0.03) {
		t.Number = 0
	}
	if s.seats {
		t.Sector = s.name
		t.Seat = &legacyproto.Order_Ticket_Seat{Row: strconv.Itoa(row), Number: strconv.Itoa(place + 1)}
	}
	return t
}

func orderSessions(r *rng) *legacyproto.Order_Sessions {
	if r.chance(0.3) {
		return nil
	}
	return &legacyproto.Order_Sessions{
		Utm: &legacyproto.Order_Sessions_UTM{Source: pick(r, utmSources), Campaign: "season", Medium: "web"},
		Ga:  "GA1.2." + r.digits(9) + "." + r.digits(10),
		Ym:  r.digits(18),
	}
}

// settle marks an order as paid.
func (g *generator) settle(m *legacyproto.Order) {
	r := &g.random
	var nominal, full int64
	for _, t := range m.Tickets {
		nominal += t.Nominal
		full += t.Full
	}
	full -= min(m.Discount, full)
	extra := nominal / 20
	m.Status = legacyproto.Order_DONE
	m.DoneAt = g.timestamp()
	m.Payments = []*legacyproto.Order_Payment{{
		Id:            g.newID(idOther),
		Type:          m.PaymentSystem,
		Amount:        full,
		ShortId:       r.digits(6),
		AuthRefNumber: r.digits(12),
		CardInfo:      &legacyproto.Order_Payment_CardInfo{MaskedPan: "000000******" + r.digits(4), BankName: pick(r, bankNames)},
	}}
	m.DoneValues = &legacyproto.Order_DoneValues{
		Nominal: nominal,
		Extra: &legacyproto.Order_DoneValues_Extra{
			Deal: rate(2, extra/2), Org: rate(3, extra-extra/2), Full: rate(5, extra),
		},
		Full:        full,
		Transaction: full,
		Acquiring: &legacyproto.Order_DoneValuesAcquiring{
			Core: rate(1, full/100), PaymentCore: rate(2, full/50), PaymentPartner: rate(0, 0),
		},
		DealFees: &legacyproto.Order_DoneValuesDealFees{Org: rate(1, nominal/100), Agent: rate(3, nominal*3/100)},
		Profit:   &legacyproto.Order_DoneValuesProfit{Org: nominal * 9 / 10, Agent: nominal * 3 / 100, Core: extra},
	}
}
