package mapping

import (
	"strconv"
	"strings"
)

// Stream is one of the four legacy streams.
type Stream int

// The legacy streams, in the order in which the contract lists them.
const (
	Partners Stream = iota
	Events
	Orders
	Refunds
	streamCount
)

// Streams lists all legacy streams.
var Streams = [streamCount]Stream{Partners, Events, Orders, Refunds}

// String gives the default name of the stream's legacy topic.
func (s Stream) String() string {
	switch s {
	case Partners:
		return "partners"
	case Events:
		return "events"
	case Orders:
		return "orders_done"
	case Refunds:
		return "refund_requests"
	}
	return "stream(" + strconv.Itoa(int(s)) + ")"
}

// Keys of internal topics and group tables.
//
// Invariant: everything that belongs to one event starts with the event's key
// and a slash, and the partition is taken from the part before the first slash.
// Ids are opaque and may hold any byte, so a slash or a percent sign inside an
// id is escaped. A key that starts with an unescaped percent sign is therefore
// never an entity's.
var keyEscaper = strings.NewReplacer("%", "%25", "/", "%2F")

// EventKey is the key of an event.
func EventKey(event string) string { return escapeID(event) }

// OrderKey is the key of an order: EVENT/ORDER.
func OrderKey(event, order string) string { return escapeID(event) + "/" + escapeID(order) }

// RefundKey is the key of a refund request: EVENT/ORDER/REFUND.
func RefundKey(event, order, refund string) string {
	return OrderKey(event, order) + "/" + escapeID(refund)
}

// OrganizerKey is the key of an organizer in the organizers group.
func OrganizerKey(org string) string { return escapeID(org) }

// MemberKey is the key of an organizer's event in the organizers group: ORG/EVENT.
func MemberKey(org, event string) string { return escapeID(org) + "/" + escapeID(event) }

// LedgerKey is the key that accounts for records of a legacy partition that belong to no entity.
func LedgerKey(s Stream, partition int32) string {
	return "%" + s.String() + ":" + strconv.Itoa(int(partition))
}

// ReplayKey is LedgerKey for one record from quarantine that belongs to no entity. It
// has a row of its own, so that the ledger's does not grow with what is replayed.
func ReplayKey(s Stream, partition int32, offset int64) string {
	return LedgerKey(s, partition) + "/" + strconv.FormatInt(offset, 10)
}

// KeyPrefix is the part of a key before the first slash, which alone decides the partition.
func KeyPrefix(key string) string {
	prefix, _, _ := strings.Cut(key, "/")
	return prefix
}

// ParentKey is the key of what key depends on: the event of an order, the
// order of a refund; "" for an event.
func ParentKey(key string) string {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		return key[:i]
	}
	return ""
}

// IDs are the ids in a key of an event, an order or a refund; those that the key
// has not are empty.
func IDs(key string) (event, order, refund string) {
	parts := append(strings.SplitN(key, "/", 3), "", "")
	return unescapeID(parts[0]), unescapeID(parts[1]), unescapeID(parts[2])
}

// KeyKind says which entity a gate key belongs to.
type KeyKind int

// The kinds of keys in the gate's table.
const (
	LedgerKind KeyKind = iota
	EventKind
	OrderKind
	RefundKind
)

// KindOf tells events, orders, refunds and ledgers apart by their key.
func KindOf(key string) KeyKind {
	if strings.HasPrefix(key, "%") && !strings.HasPrefix(key, "%25") && !strings.HasPrefix(key, "%2F") {
		return LedgerKind
	}
	switch strings.Count(key, "/") {
	case 0:
		return EventKind
	case 1:
		return OrderKind
	default:
		return RefundKind
	}
}

func escapeID(id string) string {
	if strings.IndexByte(id, '%') < 0 && strings.IndexByte(id, '/') < 0 {
		return id
	}
	return keyEscaper.Replace(id)
}

// unescapeID turns one part of a key back into the id.
func unescapeID(part string) string {
	return strings.NewReplacer("%2F", "/", "%25", "%").Replace(part)
}

// StreamOf is the stream of an event's, order's or refund's key; ok is false for other keys.
func StreamOf(key string) (s Stream, ok bool) {
	switch KindOf(key) {
	case EventKind:
		return Events, true
	case OrderKind:
		return Orders, true
	case RefundKind:
		return Refunds, true
	}
	return 0, false
}
