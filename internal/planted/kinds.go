package planted

import (
	"bytes"
	"slices"
	"time"
)

// Late is by how much the records of the kind "late" come too late.
const Late = 3 * time.Hour

// Kinds are all kinds of faults.
func Kinds() []Kind {
	return []Kind{
		{Name: "event_missing", Stream: "events", Category: "missing", spoil: func(p *planter, k *key) bool {
			if p.season.sold[k.id] {
				return false // its orders would be out of order, too
			}
			p.drop(k)
			return true
		}},
		{Name: "order_missing", Stream: "orders", Category: "missing", spoil: func(p *planter, k *key) bool {
			if p.season.refunded[k.id] {
				return false
			}
			p.drop(k)
			return true
		}},
		{Name: "refund_missing", Stream: "refunds", Category: "missing", spoil: func(p *planter, k *key) bool {
			p.drop(k)
			return true
		}},
		{Name: "order_deleted", Stream: "orders", Category: "missing", spoil: func(p *planter, k *key) bool {
			if p.season.refunded[k.id] {
				return false
			}
			r := *p.newest(k)
			r.Value = nil
			last := &p.slots[k.slots[len(k.slots)-1]]
			last.after = append(last.after, r)
			return true
		}},
		{Name: "order_extra", Stream: "orders", Category: "extra", spoil: func(p *planter, k *key) bool { return p.copyAs(k, "f") }},
		{Name: "refund_extra", Stream: "refunds", Category: "extra", spoil: func(p *planter, k *key) bool { return p.copyAs(k, "e") }},
		text("event_name", "events", "name"),
		{Name: "event_an_hour_off", Stream: "events", Category: "value", Field: "finish_at", spoil: number("finish_at", 3600)},
		{Name: "event_category", Stream: "events", Category: "value", Field: "category", spoil: func(p *planter, k *key) bool {
			return p.edit(k, func(v map[string]any) bool {
				if v["category"] == "sport" {
					return false
				}
				v["category"] = "sport"
				return true
			})
		}},
		text("organizer_name", "events", "organizer", "name"),
		{Name: "media_gone", Stream: "events", Category: "value", Field: "media", spoil: func(p *planter, k *key) bool {
			return p.edit(k, func(v map[string]any) bool {
				_, has := v["media"]
				delete(v, "media")
				return has
			})
		}},
		text("venue_address", "events", "venue", "address"),
		{Name: "phone", Stream: "orders", Category: "value", Field: "customer.phone", spoil: func(p *planter, k *key) bool {
			return !p.season.refunded[k.id] && p.edit(k, func(v map[string]any) bool {
				v["customer"].(map[string]any)["phone"] = "+79000009999"
				return true
			})
		}},
		text("refund_email", "refunds", "customer", "email"),
		{Name: "price", Stream: "orders", Category: "value", Field: "tickets[].price_nominal", spoil: ticket(func(t map[string]any) bool {
			price, ok := t["price_nominal"].(float64)
			t["price_nominal"] = price / 100 // roubles for kopecks
			return ok && price >= 100 && int64(price)%100 == 0
		})},
		{Name: "ticket_category", Stream: "orders", Category: "value", Field: "tickets[].category", spoil: ticket(func(t map[string]any) bool {
			name, _ := t["category"].(string)
			t["category"] = ""
			return name != ""
		})},
		{Name: "currency", Stream: "orders", Category: "value", Field: "tickets[].currency", spoil: ticket(func(t map[string]any) bool {
			currency, has := t["currency"]
			t["currency"] = "CNY"
			return has && currency != "CNY"
		})},
		{Name: "ticket_dropped", Stream: "orders", Category: "value", Field: "tickets", spoil: func(p *planter, k *key) bool {
			return p.edit(k, func(v map[string]any) bool {
				list := tickets(v)
				if len(list) < 2 {
					return false
				}
				v["tickets"] = list[1:]
				return true
			})
		}},
		{Name: "refund_of_fewer_tickets", Stream: "refunds", Category: "value", Field: "ticket_ids", spoil: func(p *planter, k *key) bool {
			return p.edit(k, func(v map[string]any) bool {
				list, _ := v["ticket_ids"].([]any)
				if len(list) == 0 {
					return false
				}
				v["ticket_ids"] = append(slices.Clone(list[1:]), "000000000000000000000000")
				return true
			})
		}},
		{Name: "price_as_text", Stream: "orders", Category: "type", Field: "tickets[].price_nominal", spoil: ticket(func(t map[string]any) bool {
			t["price_nominal"] = "100.00"
			return true
		})},
		{Name: "finish_missing", Stream: "events", Category: "type", Field: "finish_at", spoil: func(p *planter, k *key) bool {
			return p.edit(k, func(v map[string]any) bool { delete(v, "finish_at"); return true })
		}},
		{Name: "null_name", Stream: "orders", Category: "type", Field: "customer.name", spoil: func(p *planter, k *key) bool {
			return p.edit(k, func(v map[string]any) bool {
				customer := v["customer"].(map[string]any)
				_, has := customer["name"]
				customer["name"] = nil
				return has
			})
		}},
		{Name: "unknown_field", Stream: "orders", Category: "type", Field: "promo", spoil: func(p *planter, k *key) bool {
			return p.edit(k, func(v map[string]any) bool { v["promo"] = true; return true })
		}},
		{Name: "not_json", Stream: "refunds", Category: "type", spoil: func(p *planter, k *key) bool {
			value := p.newest(k).Value
			p.replace(k, value[:len(value)/2])
			return true
		}},
		{Name: "order_stale", Stream: "orders", Category: "stale", spoil: func(p *planter, k *key) bool {
			return p.stale(k, func(v map[string]any) any { return v["customer"] })
		}},
		{Name: "event_stale", Stream: "events", Category: "stale", spoil: func(p *planter, k *key) bool {
			return p.stale(k, func(v map[string]any) any {
				return []any{v["name"], v["description"], v["media"], v["start_at"], v["finish_at"]}
			})
		}},
		{Name: "other_bytes", Stream: "orders", Category: "duplicate", spoil: func(p *planter, k *key) bool {
			r := *p.newest(k)
			r.Value = append(bytes.Clone(r.Value), '\n')
			last := &p.slots[k.slots[len(k.slots)-1]]
			last.after = append(last.after, r)
			return true
		}},
		{Name: "order_before_event", Stream: "orders", Category: "order_violation", spoil: func(p *planter, k *key) bool {
			return p.moveBefore(k, p.named["events/"+eventOf(decode(p.newest(k).Value))])
		}},
		{Name: "refund_before_order", Stream: "refunds", Category: "refund_violation", spoil: func(p *planter, k *key) bool {
			return p.moveBefore(k, p.named["orders/"+p.season.orderOf[k.id]])
		}},
		{Name: "schema_version", Stream: "events", Category: "value", Field: "header.schema-version", spoil: func(p *planter, k *key) bool {
			r := *p.newest(k)
			r.Headers = slices.Clone(r.Headers)
			for i := range r.Headers {
				if r.Headers[i].Key == "schema-version" {
					r.Headers[i].Value = []byte("0.9")
				}
			}
			p.slots[k.slots[len(k.slots)-1]].record = &r
			return true
		}},
		{Name: "late", Stream: "orders", Category: "late", spoil: func(p *planter, k *key) bool {
			// What is older than the first slim record was a backlog.
			if p.season.refunded[k.id] || len(k.slots) > 1 || p.newest(k).Offset == 0 {
				return false
			}
			r := *p.newest(k)
			r.Timestamp += Late.Milliseconds()
			p.slots[k.slots[0]].record = &r
			return true
		}},
	}
}

// text changes a text of the newest record.
func text(name, stream string, path ...string) Kind {
	field := path[0]
	for _, part := range path[1:] {
		field += "." + part
	}
	return Kind{Name: name, Stream: stream, Category: "value", Field: field, spoil: func(p *planter, k *key) bool {
		return p.edit(k, func(v map[string]any) bool {
			for _, part := range path[:len(path)-1] {
				inner, ok := v[part].(map[string]any)
				if !ok {
					return false
				}
				v = inner
			}
			last := path[len(path)-1]
			old, ok := v[last].(string)
			v[last] = old + "."
			return ok && old != ""
		})
	}}
}

func number(field string, by float64) func(*planter, *key) bool {
	return func(p *planter, k *key) bool {
		return p.edit(k, func(v map[string]any) bool {
			old, ok := v[field].(float64)
			v[field] = int64(old) + int64(by)
			return ok
		})
	}
}

// ticket changes the last ticket.
func ticket(change func(map[string]any) bool) func(*planter, *key) bool {
	return func(p *planter, k *key) bool {
		return p.edit(k, func(v map[string]any) bool {
			list := tickets(v)
			return len(list) > 0 && change(list[len(list)-1].(map[string]any))
		})
	}
}

// copyAs adds a record of another key, which nothing explains.
func (p *planter) copyAs(k *key, digit string) bool {
	r := *p.newest(k)
	k.id = digit + digit + digit + digit + k.id[4:]
	r.Key = []byte(k.id)
	if k.topic == "orders" {
		value := decode(r.Value)
		value["id"] = k.id
		r.Value = encode(value)
	}
	last := &p.slots[k.slots[len(k.slots)-1]]
	last.after = append(last.after, r)
	return true
}

// stale takes the records of the key away that say what the newest says, as far as its
// legacy record decides that; false when there is none before them.
func (p *planter) stale(k *key, own func(map[string]any) any) bool {
	newest := encode(own(decode(p.newest(k).Value)))
	n := len(k.slots)
	for n > 0 && bytes.Equal(encode(own(decode(p.slots[k.slots[n-1]].record.Value))), newest) {
		n--
	}
	if n == 0 || k.topic == "orders" && p.season.refunded[k.id] {
		return false
	}
	for _, i := range k.slots[n:] {
		p.slots[i].record = nil
	}
	return true
}

// moveBefore takes the first record of the key to the front of the first record of another; false when there is no such, or nothing
// of it has been left.
func (p *planter) moveBefore(k, other *key) bool {
	if other == nil || p.slots[other.slots[0]].record == nil || p.slots[k.slots[0]].record == nil {
		return false
	}
	first := *p.slots[k.slots[0]].record
	p.slots[k.slots[0]].record = nil
	at := &p.slots[other.slots[0]]
	first.Timestamp = at.record.Timestamp - 1
	at.before = append(at.before, first)
	return true
}
