package mapping

import (
	"sort"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// The largest records that intake lets through, whatever field is the large one,
// stay below InternalBytes in all that becomes of them.
func TestInternalRecordsFit(t *testing.T) {
	for _, fill := range []string{"x", "/", "я"} {
		for _, c := range []struct {
			name   string
			stream Stream
			grow   func(large string) proto.Message
		}{
			{"partner id", Partners, func(x string) proto.Message { return edited(validPartner(), func(m *intake.Partner) { m.Id = x }) }},
			{"partner name", Partners, func(x string) proto.Message { return edited(validPartner(), func(m *intake.Partner) { m.Name = x }) }},
			{"event id", Events, func(x string) proto.Message { return edited(validEvent(), func(m *intake.Event) { m.Id = x }) }},
			{"event's organizer", Events, func(x string) proto.Message { return edited(validEvent(), func(m *intake.Event) { m.Org = x }) }},
			{"event's set", Events, func(x string) proto.Message {
				return edited(validEvent(), func(m *intake.Event) { m.Sets[0].Name = x })
			}},
			{"order id", Orders, func(x string) proto.Message { return edited(validOrder(), func(m *intake.Order) { m.Id = x }) }},
			{"order's event", Orders, func(x string) proto.Message { return edited(validOrder(), func(m *intake.Order) { m.Event = x }) }},
			{"order's customer", Orders, func(x string) proto.Message {
				return edited(validOrder(), func(m *intake.Order) { m.Settings.Customer.Email = x })
			}},
			{"order's set", Orders, func(x string) proto.Message {
				return edited(validOrder(), func(m *intake.Order) { m.Tickets[0].Set = x })
			}},
			{"skipped order's id", Orders, func(x string) proto.Message {
				return edited(validOrder(), func(m *intake.Order) { m.Id, m.Status = x, intake.Order_CANCELLED })
			}},
			{"refund id", Refunds, func(x string) proto.Message { return edited(validRefund(), func(m *intake.RefundRequest) { m.Id = x }) }},
			{"refund's event", Refunds, func(x string) proto.Message {
				return edited(validRefund(), func(m *intake.RefundRequest) { m.Event = x })
			}},
			{"refund's ticket", Refunds, func(x string) proto.Message {
				return edited(validRefund(), func(m *intake.RefundRequest) { m.Tickets[0].Id = x })
			}},
		} {
			t.Run(c.name+" of "+fill, func(t *testing.T) {
				l := newLimitRun(t)
				in := l.largest(c.stream, fill, c.grow)
				l.measure("input", in.Key, in.Input)
				switch c.stream {
				case Partners:
					l.partner(in)
				case Events:
					l.event(in)
					l.successor(c.stream, in, fill, c.grow)
				default:
					l.gate(in.Key, in.Input)
					l.successor(c.stream, in, fill, c.grow)
					l.loop(ParentKey(in.Key), in.Key)
				}
			})
		}
	}
}

// limitRun keeps a table, and holds every record against the limit.
type limitRun struct {
	t      *testing.T
	rules  *Rules
	table  map[string][]byte
	offset int64
}

func newLimitRun(t *testing.T) *limitRun {
	rules := simRules(slim.Edition1)
	rules.MaxRecordBytes = 64 << 10
	return &limitRun{t: t, rules: rules, table: map[string][]byte{}}
}

func (l *limitRun) intake(s Stream, m proto.Message) Intake {
	l.offset++
	return l.rules.Intake(s, &statepb.Source{Offset: l.offset, Time: 1 << 40}, marshalled(l.t, m))
}

// largest is what intake makes of the largest record that does not go to quarantine.
func (l *limitRun) largest(s Stream, fill string, grow func(string) proto.Message) Intake {
	record := func(n int) Intake { return l.intake(s, grow(strings.Repeat(fill, n))) }
	n := sort.Search(4*l.rules.MaxRecordBytes, func(n int) bool { return record(n+1).Quarantine != "" })
	if n == 4*l.rules.MaxRecordBytes {
		l.t.Fatal("intake lets through any size")
	}
	return record(n)
}

// measure fails for a record above the bound that the comment of InternalBytes
// gives, entities' bookkeeping and Kafka's own bytes aside.
func (l *limitRun) measure(what, key string, value proto.Message) {
	l.t.Helper()
	if size, bound := len(key)+proto.Size(value), 5*l.rules.MaxRecordBytes+1<<10; size > bound {
		l.t.Errorf("%s: %d bytes, more than %d", what, size, bound)
	}
}

func (l *limitRun) partner(in Intake) {
	l.run(l.rules.Organizers, in.Key, in.Input)
	event := l.largest(Events, "x", func(x string) proto.Message {
		return edited(validEvent(), func(m *intake.Event) { m.Org, m.Sets[0].Name = in.Input.GetOrganizer().GetId(), x })
	})
	l.gate(event.Key, event.Input)
	row, err := DecodeRow(l.table[in.Key])
	if err != nil {
		l.t.Fatal(err)
	}
	answer := AnswerOf(row.GetOrganizer())
	l.measure("answer", event.Key, answer)
	l.gate(event.Key, answer)
	longID := l.largest(Events, "x", func(x string) proto.Message { return edited(validEvent(), func(m *intake.Event) { m.Id = x }) })
	l.measure("answer to a long id", longID.Key, answer)
	l.loop(in.Key, in.Key+"/"+longID.Key)
}

func (l *limitRun) event(in Intake) {
	out := l.gate(in.Key, in.Input)
	for _, m := range out.Memberships {
		key := MemberKey(m.Org, m.Event)
		change := &statepb.Membership{Event: m.Event, Leave: m.Leave}
		l.measure("membership", key, change)
		l.run(l.rules.Organizers, key, change)
	}
}

// successor of the same size comes while the first still waits: the row keeps both.
func (l *limitRun) successor(s Stream, first Intake, fill string, grow func(string) proto.Message) {
	if next := l.largest(s, fill, grow); next.Key == first.Key {
		l.gate(next.Key, next.Input)
	}
}

func (l *limitRun) loop(key, after string) {
	l.measure("loop", key, &statepb.Loop{After: after, Kind: statepb.Loop_REMAP})
}

func (l *limitRun) gate(key string, in proto.Message) Outcome { return l.run(l.rules.Gate, key, in) }

// run does a step in which everything before is acknowledged, and the row and the loops of the step are measured.
func (l *limitRun) run(step func(*Env, string, Reader, proto.Message) (Outcome, error), key string, in proto.Message) Outcome {
	l.t.Helper()
	l.offset++
	acked := func(Cause) Status { return Acked }
	env := &Env{
		Now: 1 << 40, Self: Cause{Topic: 1, Offset: l.offset}, Status: acked, Waiting: func(string) bool { return true },
		Settle: func(c Cause) (Status, error) { return acked(c), nil },
	}
	out, err := step(env, key, func(key string) ([]byte, error) { return l.table[key], nil }, in)
	if err != nil {
		l.t.Fatal(err)
	}
	if out.Value != nil {
		l.table[key] = out.Value
		row, err := DecodeRow(out.Value)
		if err != nil {
			l.t.Fatal(err)
		}
		l.measure("row", key, row)
	}
	for _, loop := range out.Loops {
		l.measure("loop", loop.Key, loop.Command)
	}
	return out
}
