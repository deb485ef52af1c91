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

// Wakes tells whether a RELEASE below parent concerns a key that waits for
// reason: an event releases its orders, an order its refunds. An order that
// waits for a set is no part of it: new sets are spread to all orders.
func Wakes(parent string, reason WaitReason) bool {
	if KindOf(parent) == EventKind {
		return reason == WaitEvent
	}
	return reason == WaitOrder || reason == WaitSkippedOrder
}
