package state

import (
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

// A codec by hand for the fields that rows of published events and orders have; a row with
// any other is read and written by the generated code. Texts stay where they are in the bytes,
// as with UnmarshalVTUnsafe. It is here to say what there would be to win, no more: it is held
// against the library by one row of each kind.

const (
	varint = uint64(protowire.VarintType)
	length = uint64(protowire.BytesType)
)

// entityParts are what nearly every row has, in one piece of memory.
type entityParts struct {
	entity       statepb.Entity
	source       statepb.Source
	sent, spread statepb.Claim
	causes       [3]statepb.Cause
	seen         statepb.Seen
	seenList     [1]*statepb.Seen
	above        [1]int64
	tallies      statepb.Tallies
}

type orderParts struct {
	entityParts
	state    statepb.Row_Order
	order    statepb.OrderState
	facts    statepb.OrderFacts
	customer statepb.Customer
}

type eventParts struct {
	entityParts
	state         statepb.Row_Event
	event         statepb.EventState
	facts         statepb.EventFacts
	start, finish int64
	answer        statepb.Answer
	organizer     statepb.OrganizerFacts
	answered      statepb.Source
	asked         statepb.Claim
	askedCause    statepb.Cause
}

func readRow(row *statepb.Row, b []byte) error {
	if scanRow(row, unsafe.String(unsafe.SliceData(b), len(b))) {
		return nil
	}
	row.Reset()
	return row.UnmarshalVTUnsafe(b)
}

func scanRow(row *statepb.Row, s string) bool {
	key, _, content, next := scanField(s, 0)
	if next != len(s) {
		return false
	}
	switch key {
	case 1<<3 | length:
		p := new(eventParts)
		p.state.Event = &p.event
		row.State = &p.state
		return scanEvent(p, content)
	case 2<<3 | length:
		p := new(orderParts)
		p.state.Order = &p.order
		row.State = &p.state
		return scanOrder(p, content)
	}
	return false
}

// fields calls take with every field of s, until it is not known.
func fields(s string, take func(key, v uint64, content string) bool) bool {
	for i := 0; i < len(s); {
		key, v, content, next := scanField(s, i)
		if next < 0 || !take(key, v, content) {
			return false
		}
		i = next
	}
	return true
}

func scanOrder(p *orderParts, s string) bool {
	return fields(s, func(key, v uint64, content string) bool {
		switch key {
		case 1<<3 | length:
			p.order.Entity = &p.entity
			return scanEntity(&p.entityParts, content)
		case 2<<3 | length:
			p.order.Facts = &p.facts
			return scanFacts(p, content)
		case 3<<3 | varint:
			p.order.Skipped = v != 0
			return true
		}
		return false
	})
}

func scanFacts(p *orderParts, s string) bool {
	f := &p.facts
	return fields(s, func(key, v uint64, content string) bool {
		switch key {
		case 1<<3 | length:
			f.Id = content
		case 2<<3 | length:
			f.Event = content
		case 3<<3 | varint:
			f.Number = int64(v)
		case 4<<3 | length:
			f.Org = content
		case 5<<3 | length:
			f.Customer = &p.customer
			return fields(content, func(key, _ uint64, content string) bool {
				switch key {
				case 1<<3 | length:
					p.customer.Name = content
				case 2<<3 | length:
					p.customer.Email = content
				case 3<<3 | length:
					p.customer.Phone = content
				default:
					return false
				}
				return true
			})
		case 6<<3 | length:
			t := new(statepb.Ticket)
			f.Tickets = append(f.Tickets, t)
			return fields(content, func(key, v uint64, content string) bool {
				switch key {
				case 1<<3 | length:
					t.Id = content
				case 2<<3 | length:
					t.Barcode = content
				case 3<<3 | varint:
					t.Number = int64(v)
				case 4<<3 | length:
					t.Serial = content
				case 5<<3 | length:
					t.Row = content
				case 6<<3 | length:
					t.Seat = content
				case 7<<3 | length:
					t.Set = content
				case 8<<3 | varint:
					t.Nominal = int64(v)
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
}

func scanEvent(p *eventParts, s string) bool {
	return fields(s, func(key, _ uint64, content string) bool {
		switch key {
		case 1<<3 | length:
			p.event.Entity = &p.entity
			return scanEntity(&p.entityParts, content)
		case 2<<3 | length:
			p.event.Facts = &p.facts
			return scanEventFacts(p, content)
		case 3<<3 | length:
			p.event.Organizer = &p.answer
			return fields(content, func(key, _ uint64, content string) bool {
				switch key {
				case 1<<3 | length:
					p.answer.Organizer = &p.organizer
					return scanOrganizer(&p.organizer, content)
				case 2<<3 | length:
					p.answer.Source = &p.answered
					return scanSource(&p.answered, content)
				}
				return false
			})
		case 4<<3 | length:
			p.event.MemberOf = content
			return true
		case 5<<3 | length:
			p.event.Asked = &p.asked
			return scanClaim(&p.asked, &p.askedCause, content)
		}
		return false
	})
}

func scanOrganizer(o *statepb.OrganizerFacts, s string) bool {
	return fields(s, func(key, _ uint64, content string) bool {
		switch key {
		case 1<<3 | length:
			o.Id = content
		case 2<<3 | length:
			o.Name = content
		case 3<<3 | length:
			o.Currency = content
		default:
			return false
		}
		return true
	})
}

func scanEventFacts(p *eventParts, s string) bool {
	f := &p.facts
	return fields(s, func(key, v uint64, content string) bool {
		switch key {
		case 1<<3 | length:
			f.Id = content
		case 2<<3 | length:
			f.GroupId = content
		case 3<<3 | length:
			f.Name = content
		case 4<<3 | varint:
			f.Status = int32(v)
		case 5<<3 | length:
			f.Category = content
		case 6<<3 | varint:
			p.start = int64(v)
			f.Start = &p.start
		case 7<<3 | varint:
			p.finish = int64(v)
			f.Finish = &p.finish
		case 8<<3 | length:
			f.Media = content
		case 9<<3 | length:
			f.Venue = content
		case 10<<3 | length:
			f.Description = content
		case 11<<3 | length:
			f.Org = content
		case 13<<3 | length:
			t := new(statepb.TicketSet)
			f.Sets = append(f.Sets, t)
			return fields(content, func(key, _ uint64, content string) bool {
				switch key {
				case 1<<3 | length:
					t.Id = content
				case 2<<3 | length:
					t.Name = content
				case 3<<3 | length:
					t.Description = content
				default:
					return false
				}
				return true
			})
		default:
			return false
		}
		return true
	})
}

func scanEntity(p *entityParts, s string) bool {
	e := &p.entity
	return fields(s, func(key, v uint64, content string) bool {
		switch key {
		case 1<<3 | length:
			e.Source = &p.source
			return scanSource(&p.source, content)
		case 2<<3 | length:
			e.Sent = &p.sent
			return scanClaim(&p.sent, &p.causes[0], content)
		case 3<<3 | length:
			e.Spread = &p.spread
			return scanClaim(&p.spread, &p.causes[1], content)
		case 6<<3 | varint:
			e.Disposition = statepb.Disposition(v)
		case 7<<3 | length:
			if e.Seen != nil {
				return false
			}
			p.seenList[0] = &p.seen
			e.Seen = p.seenList[:]
			return scanSeen(p, content)
		case 8<<3 | length:
			e.Tallies = &p.tallies
			return fields(content, func(key, v uint64, _ string) bool {
				switch key {
				case 1<<3 | varint:
					p.tallies.Emitted = v
				case 2<<3 | varint:
					p.tallies.Unchanged = v
				case 3<<3 | varint:
					p.tallies.Superseded = v
				default:
					return false
				}
				return true
			})
		case 9<<3 | length:
			e.Written = &p.causes[2]
			return scanCause(e.Written, content)
		case 10<<3 | varint:
			e.Generation = int32(v)
		default:
			return false
		}
		return true
	})
}

func scanSource(m *statepb.Source, s string) bool {
	return fields(s, func(key, v uint64, _ string) bool {
		switch key {
		case 1<<3 | varint:
			m.Partition = int32(v)
		case 2<<3 | varint:
			m.Offset = int64(v)
		case 3<<3 | varint:
			m.Time = int64(v)
		default:
			return false
		}
		return true
	})
}

func scanClaim(m *statepb.Claim, cause *statepb.Cause, s string) bool {
	return fields(s, func(key, v uint64, content string) bool {
		switch key {
		case 1<<3 | varint:
			m.Digest = v
		case 2<<3 | length:
			m.Cause = cause
			return scanCause(cause, content)
		default:
			return false
		}
		return true
	})
}

func scanCause(m *statepb.Cause, s string) bool {
	return fields(s, func(key, v uint64, _ string) bool {
		switch key {
		case 1<<3 | varint:
			m.Topic = int32(v)
		case 2<<3 | varint:
			m.Offset = int64(v)
		default:
			return false
		}
		return true
	})
}

func scanSeen(p *entityParts, s string) bool {
	return fields(s, func(key, v uint64, content string) bool {
		switch key {
		case 1<<3 | varint:
			p.seen.Partition = int32(v)
		case 3<<3 | varint:
			p.seen.Settled = int64(v)
		case 4<<3 | length:
			p.seen.Above = p.above[:0]
			for i := 0; i < len(content); {
				if v, i = scanVarint(content, i); i < 0 {
					return false
				}
				p.seen.Above = append(p.seen.Above, int64(v))
			}
		default:
			return false
		}
		return true
	})
}

// scanField reads the field that begins at s[i], as legacyproto/intake does.
func scanField(s string, i int) (key, v uint64, content string, next int) {
	if key, i = scanVarint(s, i); i < 0 {
		return 0, 0, "", -1
	}
	switch key & 7 {
	case varint:
		v, next = scanVarint(s, i)
	case length:
		if v, i = scanVarint(s, i); i < 0 || v > uint64(len(s)-i) {
			return 0, 0, "", -1
		}
		next = i + int(v)
		content = s[i:next]
	default:
		return 0, 0, "", -1
	}
	return key, v, content, next
}

func scanVarint(s string, i int) (v uint64, next int) {
	for n := range min(len(s)-i, 10) {
		c := s[i+n]
		v |= uint64(c&0x7f) << (7 * n)
		if c < 0x80 {
			return v, i + n + 1
		}
	}
	return 0, -1
}
