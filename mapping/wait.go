package mapping

import "github.com/ticketscloud/vibe-bridge/mapping/statepb"

// EntityOf is the bookkeeping part of a row; nil for a member row.
func EntityOf(row *statepb.Row) *statepb.Entity {
	switch st := row.GetState().(type) {
	case *statepb.Row_Event:
		return st.Event.GetEntity()
	case *statepb.Row_Order:
		return st.Order.GetEntity()
	case *statepb.Row_Refund:
		return st.Refund.GetEntity()
	case *statepb.Row_Organizer:
		return st.Organizer.GetEntity()
	case *statepb.Row_Ledger:
		return st.Ledger.GetEntity()
	}
	return nil
}

// WaitingOf says why a row is in the index of waiting keys, since when, and until
// when (Unix milliseconds, 0: without limit). ok is false for one that is not. What
// has to wait is sent again when it may be sent at all, so it has no time for that.
func WaitingOf(row *statepb.Row) (reason WaitReason, since, deadline int64, ok bool) {
	e := EntityOf(row)
	if w := e.GetWait(); w != nil {
		return WaitReason(w.GetReason()), w.GetSince(), w.GetDeadline(), true
	}
	resend := e.GetResendAt()
	return WaitRepeat, resend, resend, resend != 0
}

// Wakes tells whether a RELEASE below parent concerns a key that waits for
// reason: an event releases its orders, an order its refunds. An order that
// waits for a set is no part of it: new sets are spread to all orders.
func Wakes(parent string, reason WaitReason) bool {
	if KindOf(parent) == EventKind {
		return reason == WaitEvent
	}
	return reason == WaitOrder || reason == WaitSkippedOrder
}
