package mapping

import "strings"

// Reason is a stable snake_case word from the mapping contract: a metric label,
// a quarantine header and a line of the comparison report.
type Reason string

// Why a record goes to quarantine.
const (
	ReasonUndecodable          Reason = "undecodable"
	ReasonInvalidUTF8          Reason = "invalid_utf8"
	ReasonTooLarge             Reason = "too_large"
	ReasonPartnerWithoutID     Reason = "partner_without_id"
	ReasonEventWithoutID       Reason = "event_without_id"
	ReasonEventWithoutName     Reason = "event_without_name"
	ReasonEventWithoutDates    Reason = "event_without_dates"
	ReasonOrderWithoutID       Reason = "order_without_id"
	ReasonOrderWithoutEvent    Reason = "order_without_event"
	ReasonInvalidPhone         Reason = "invalid_phone"
	ReasonTicketWithoutID      Reason = "ticket_without_id"
	ReasonRefundWithoutID      Reason = "refund_without_id"
	ReasonRefundWithoutOrder   Reason = "refund_without_order"
	ReasonRefundWithoutEvent   Reason = "refund_without_event"
	ReasonRefundWithoutTickets Reason = "refund_without_tickets"
)

// QuarantineReasons are all of them.
var QuarantineReasons = []Reason{
	ReasonUndecodable,
	ReasonInvalidUTF8,
	ReasonTooLarge,
	ReasonPartnerWithoutID,
	ReasonEventWithoutID,
	ReasonEventWithoutName,
	ReasonEventWithoutDates,
	ReasonOrderWithoutID,
	ReasonOrderWithoutEvent,
	ReasonInvalidPhone,
	ReasonTicketWithoutID,
	ReasonRefundWithoutID,
	ReasonRefundWithoutOrder,
	ReasonRefundWithoutEvent,
	ReasonRefundWithoutTickets,
}

// Why a record is skipped, besides status_<name>.
const (
	ReasonNoPhone           Reason = "no_phone"
	ReasonNoTickets         Reason = "no_tickets"
	ReasonOrderNotPublished Reason = "order_not_published"
)

// What is counted beside the accounts.
const (
	CountUnknownEventStatus Reason = "unknown_event_status"
	CountUnknownCategory    Reason = "unknown_category"
	CountUnknownVenue       Reason = "unknown_venue"
	CountOrganizerMissing   Reason = "organizer_missing"
	CountInvalidTimestamp   Reason = "invalid_timestamp"
	CountStatusRegressed    Reason = "status_regressed"
	CountNoEmail            Reason = "no_email"
	CountNoBarcode          Reason = "no_barcode"
	CountUnknownSet         Reason = "unknown_set"
	CountUnmappedCurrency   Reason = "unmapped_currency"
	CountForeignTicket      Reason = "foreign_ticket"
	// CountReEmitted: sent again because something it depends on changed.
	CountReEmitted Reason = "re_emitted"
	// CountRepeated: the same bytes sent again, because the first sending was not proven.
	CountRepeated Reason = "repeated"
)

// WaitReason says what an entity waits for. Numbers are stored.
type WaitReason int32

// The reasons to wait.
const (
	WaitNone             WaitReason = 0
	WaitEvent            WaitReason = 1 // an order: its event is not published
	WaitSet              WaitReason = 2 // an order: a ticket's set is unknown to the event
	WaitOrganizer        WaitReason = 3 // an event: its partner was not seen yet
	WaitOrganizerMissing WaitReason = 4 // an event of edition 2.0 that cannot go out without its partner
	WaitOrder            WaitReason = 5 // a refund: its order is not published
	WaitSkippedOrder     WaitReason = 6 // a refund that was skipped with its order, and kept
	WaitRepeat           WaitReason = 7 // not held back: sent, and to be sent again after a takeover
)

// String gives the word used in metrics and listings.
func (w WaitReason) String() string {
	switch w {
	case WaitNone:
		return "none"
	case WaitEvent:
		return "event"
	case WaitSet:
		return "set"
	case WaitOrganizer:
		return "organizer"
	case WaitOrganizerMissing:
		return "organizer_missing"
	case WaitOrder:
		return "order"
	case WaitSkippedOrder:
		return "order_not_published"
	case WaitRepeat:
		return "repeat"
	}
	return "unknown"
}

// isStatusReason tells a skip by status from the others.
func isStatusReason(reason string) bool { return strings.HasPrefix(reason, "status_") }
