package verify

import (
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// Outcome says what a legacy record is by itself.
type Outcome int

// Outcomes. Eligible is the zero value.
const (
	Eligible    Outcome = iota
	Skipped             // not for the slim topics by policy
	Quarantined         // cannot be mapped
	Tombstone           // no value
)

// verdict is an outcome with its reason, a word of the mapping contract.
type verdict struct {
	outcome Outcome
	reason  string
}

func skip(reason string) verdict       { return verdict{Skipped, reason} }
func quarantine(reason string) verdict { return verdict{Quarantined, reason} }

func readPartner(value []byte) (*legacyproto.Partner, verdict) {
	var p legacyproto.Partner
	if v := decode(value, partnerShape, &p); v.outcome != Eligible {
		return nil, v
	}
	if p.GetId() == "" {
		return nil, quarantine("partner_without_id")
	}
	return &p, verdict{}
}

// readEvent checks in the order of the contract's rows: id, name, dates.
func readEvent(value []byte) (*legacyproto.Event, verdict) {
	var e legacyproto.Event
	if v := decode(value, eventShape, &e); v.outcome != Eligible {
		return nil, v
	}
	start, finish := dates(&e)
	switch {
	case e.GetId() == "":
		return nil, quarantine("event_without_id")
	case e.GetName() == "":
		return nil, quarantine("event_without_name")
	case start == nil && finish == nil:
		return nil, quarantine("event_without_dates")
	}
	return &e, verdict{}
}

// dates are those of an event; what is no point in time is absent.
func dates(e *legacyproto.Event) (start, finish *timestamppb.Timestamp) {
	start, finish = e.GetLifetime().GetStart(), e.GetLifetime().GetFinish()
	if !start.IsValid() {
		start = nil
	}
	if !finish.IsValid() {
		finish = nil
	}
	return start, finish
}

var orderStatuses = map[legacyproto.Order_Status]string{
	legacyproto.Order_EXECUTED: "status_executed", legacyproto.Order_IN_PROGRESS: "status_in_progress",
	legacyproto.Order_CANCELLED: "status_cancelled", legacyproto.Order_EXPIRED: "status_expired",
}

// readOrder checks in the order of the contract's rows, and for tickets at last,
// which stands below the table. The phone of an eligible order is brought to E.164.
func readOrder(value []byte) (*legacyproto.Order, verdict) {
	var o legacyproto.Order
	if v := decode(value, orderShape, &o); v.outcome != Eligible {
		return nil, v
	}
	if v := checkOrder(&o); v.outcome != Eligible {
		return &o, v
	}
	for _, t := range o.GetTickets() {
		if t.GetId() == "" {
			return &o, quarantine("ticket_without_id")
		}
	}
	if len(o.GetTickets()) == 0 {
		return &o, skip("no_tickets")
	}
	return &o, verdict{}
}

func checkOrder(o *legacyproto.Order) verdict {
	phone := o.GetSettings().GetCustomer().GetPhone()
	switch {
	case o.GetStatus() != legacyproto.Order_DONE:
		return skip(statusReason(orderStatuses[o.GetStatus()]))
	case o.GetId() == "":
		return quarantine("order_without_id")
	case o.GetEvent() == "":
		return quarantine("order_without_event")
	case phone == "":
		return skip("no_phone")
	}
	normal, possible := normalPhone(phone)
	if !possible {
		return quarantine("invalid_phone")
	}
	o.Settings.Customer.Phone = normal
	return verdict{}
}

func statusReason(known string) string {
	if known == "" {
		return "status_unknown"
	}
	return known
}

var refundStatuses = map[legacyproto.RefundRequest_Status]string{
	legacyproto.RefundRequest_NEW: "status_new", legacyproto.RefundRequest_IN_PROGRESS: "status_in_progress",
	legacyproto.RefundRequest_REJECTED: "status_rejected",
}

// readRefund checks in the order of the contract's rows.
func readRefund(value []byte) (*legacyproto.RefundRequest, verdict) {
	var r legacyproto.RefundRequest
	if v := decode(value, refundShape, &r); v.outcome != Eligible {
		return nil, v
	}
	switch {
	case r.GetStatus() != legacyproto.RefundRequest_APPROVED:
		return nil, skip(statusReason(refundStatuses[r.GetStatus()]))
	case r.GetId() == "":
		return nil, quarantine("refund_without_id")
	case r.GetOrder() == "":
		return nil, quarantine("refund_without_order")
	case r.GetEvent() == "":
		return nil, quarantine("refund_without_event")
	case len(ticketIDs(&r)) == 0:
		return nil, quarantine("refund_without_tickets")
	}
	return &r, verdict{}
}

// ticketIDs are the ids that a refund request lists; an empty one is absent.
func ticketIDs(r *legacyproto.RefundRequest) []string {
	var ids []string
	for _, t := range r.GetTickets() {
		if t.GetId() != "" {
			ids = append(ids, t.GetId())
		}
	}
	return ids
}
