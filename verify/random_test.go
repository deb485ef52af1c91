package verify

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
)

// randomPlaces is a directory with everything that a directory may leave out.
const randomPlaces = `{"categories":[{"id":"c1","name":"РАЗВИТИЕ"},{"id":"c2","name":" quests "},{"id":"c3","name":"Opera"},{"id":"c4","name":"Цирк"}],
"cities":[{"id":1,"name":"Mumbai","timezone":"Asia/Kolkata"},{"id":2,"name":"Нигде"},{"id":3,"name":"London","timezone":"Europe/London"}],
"venues":[{"id":"v1","name":"Hall","description":"big","address":"1, Street","city":1,"lat":55.75,"lon":-0.125},
{"id":"v2","name":"Club","city":2},{"id":"v3","name":"Pub & <Grill>","address":"","city":3,"lat":0,"lon":0},{"id":"v4","name":"Barn"}]}`

func pick[T any](t *rapid.T, name string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, name)
}

var awkwardText = []string{"", "", "plain", "Имя", "a<b>&\"c\"\\", "line\nand\ttab\u0001", "\u2028\u2029", "😀", " "}

func randomPartner(t *rapid.T) proto.Message {
	m := &legacyproto.Partner{
		Id: pick(t, "id", "p1", "p2", "p3", ""), Name: pick(t, "name", awkwardText...),
		Currency: pick(t, "currency", "", "rub", "RUB", "Eur", "kzt", "cny", " usd"),
	}
	if rapid.Bool().Draw(t, "legal") {
		m.Legal = &legacyproto.Partner_Legal{
			Name: pick(t, "legal name", "", "ООО"), Inn: pick(t, "inn", "", "1234567890", "123456789012", "12345678901x", "１２３４５６７８９０１２"),
			Address: pick(t, "address", "", "street"),
		}
		switch pick(t, "ogrn", 0, 1, 2) {
		case 1:
			m.Legal.Ogrns = &legacyproto.Partner_Legal_Ogrn{Ogrn: pick(t, "number", "", "77")}
		case 2:
			m.Legal.Ogrns = &legacyproto.Partner_Legal_Ogrnip{Ogrnip: pick(t, "number", "", "88")}
		}
	}
	return m
}

func randomTime(t *rapid.T, name string) *timestamppb.Timestamp {
	return pick(t, name, nil, nil, &timestamppb.Timestamp{Seconds: 1777651200}, &timestamppb.Timestamp{Seconds: 1767651200, Nanos: 999_999_999},
		&timestamppb.Timestamp{}, &timestamppb.Timestamp{Seconds: -2_500_000_000, Nanos: 5_000_000}, &timestamppb.Timestamp{Seconds: 1_300_000_000, Nanos: 1}, &timestamppb.Timestamp{Seconds: 1e15}, &timestamppb.Timestamp{Nanos: 2e9})
}

func randomLegalRu(t *rapid.T) *legacyproto.Event_LegalRu {
	l := &legacyproto.Event_LegalRu{
		Id: pick(t, "legal id", "", "x"), Type: legacyproto.Event_LegalRu_Type(pick(t, "legal type", 0, 1, 7)),
		Name: pick(t, "legal name", "", "ИП Иванов"), Inn: pick(t, "inn", "", "1234567890", "123456789012"), Address: pick(t, "address", "", "street"),
	}
	switch pick(t, "ogrn", 0, 1, 2) {
	case 1:
		l.Ogrns = &legacyproto.Event_LegalRu_Ogrn{Ogrn: pick(t, "number", "", "77")}
	case 2:
		l.Ogrns = &legacyproto.Event_LegalRu_Ogrnip{Ogrnip: pick(t, "number", "", "88")}
	}
	return l
}

func randomEvent(t *rapid.T) proto.Message {
	m := &legacyproto.Event{
		Id: pick(t, "id", "e1", "e2", "e3", ""), Meta: pick(t, "meta", "", "g"), Name: pick(t, "name", awkwardText...),
		Description: pick(t, "description", awkwardText...), Status: legacyproto.Event_EventStatus(pick(t, "status", 0, 1, 2, 3, 4, 77, -1)),
		Org: pick(t, "org", "", "p1", "p2", "p3"), Venue: pick(t, "venue", "", "v1", "v2", "v3", "v4", "v5"),
		Category: pick(t, "category", "", "c1", "c2", "c3", "c4", "c5"),
		Lifetime: &legacyproto.Lifetime{Start: randomTime(t, "start"), Finish: randomTime(t, "finish")},
		Media:    &legacyproto.Event_Media{Cover: pick(t, "cover", "", "1"), CoverOriginal: pick(t, "original", "", "2"), CoverSmall: pick(t, "small", "", "3")},
	}
	if rapid.Bool().Draw(t, "legal") {
		m.Legal = &legacyproto.Event_LegalRu_{LegalRu: randomLegalRu(t)}
	}
	for range pick(t, "sets", 0, 1, 3) {
		m.Sets = append(m.Sets, &legacyproto.Event_TicketSet{
			Id: pick(t, "set", "s1", "s2", "s3", ""), Name: pick(t, "set name", "", "Parterre", "Балкон"), Description: pick(t, "set description", "", "near"),
			Removed: rapid.Bool().Draw(t, "removed"),
		})
	}
	return m
}

var awkwardNames = []string{
	"", " ", "Анна", "  Анна   Петрова ", "Иванов Иван Иванович", "Петрова Анна Ильинична", "Мамедов Рашид Ахмед оглы", "Алиева Лейла Рашид КЫЗЫ",
	"Jean Claude Van Damme", "Anna Maria Petrova", "ИВАНОВ ИВАН ИВАНОВИЧ", "Сидоров\tПётр\u00a0Ильич", "Мамедов Рашид Ахмед-оглы", "Рашид Ахмед оглы", "Иванов Иван Иванович мл",
}

var awkwardPhones = []string{
	"", " ", "+79001234567", "8 (900) 123-45-67", "89001234567", "9001234567", "7 900 123 45 67", "+1 202 555 0143", "1234567", "12", "abc",
	"+7900123456", "8900123456789012", "8 900 123-45-67 доб. 12", "+79001234567 (мама)", "８９００１２３４５６７", "+44 20 7946 0958", "00 7 900 123 45 67", "8-800-FLOWERS", "тел. 89001234567;",
}

func randomOrder(t *rapid.T) proto.Message {
	id := pick(t, "id", "o1", "o2", "o3", "")
	m := &legacyproto.Order{
		Id: id, Number: pick(t, "number", int64(0), 17, -3), Status: legacyproto.Order_Status(pick(t, "status", 2, 2, 2, 2, 3, 77)),
		Event: eventOfOrder(id), Org: pick(t, "org", "", "p1", "p9"),
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{
			Name: pick(t, "name", awkwardNames...), Email: pick(t, "email", "", "a@example.com"), Phone: pick(t, "phone", awkwardPhones...),
		}},
	}
	for i := range pick(t, "tickets", 0, 1, 2) {
		m.Tickets = append(m.Tickets, &legacyproto.Order_Ticket{
			Id: pick(t, "ticket", fmt.Sprint("t", i), fmt.Sprint("t", i), fmt.Sprint("t", i), ""), Serial: pick(t, "serial", "", "A"), Number: pick(t, "ticket number", int64(0), 5, -5),
			Barcode: pick(t, "barcode", "", "460"), Set: pick(t, "set", "", "s1", "s2", "s4"), Nominal: pick(t, "nominal", int64(0), 100, -100),
			Seat: pick(t, "seat", nil, &legacyproto.Order_Ticket_Seat{Row: "1", Number: "2"}, &legacyproto.Order_Ticket_Seat{}),
		})
	}
	return m
}

// eventOfOrder: an order does not change its event (decision 5).
func eventOfOrder(id string) string {
	return map[string]string{"o1": "e1", "o2": "e2", "o3": "e3", "": "e1"}[id]
}

func randomRefund(t *rapid.T) proto.Message {
	id := pick(t, "id", "r1", "r2", "r3", "")
	order := map[string]string{"r1": "o1", "r2": "o2", "r3": "o3", "": "o1"}[id]
	m := &legacyproto.RefundRequest{
		Id: id, Order: order, Event: eventOfOrder(order), Status: legacyproto.RefundRequest_Status(pick(t, "status", 2, 2, 2, 1, 77)),
	}
	for range pick(t, "tickets", 0, 1, 2) {
		m.Tickets = append(m.Tickets, &legacyproto.RefundRequest_Ticket{Id: pick(t, "ticket", "t0", "t1", "")})
	}
	return m
}

// spoil makes of a value what a hostile source may send.
func spoil(t *rapid.T, value []byte) []byte {
	switch pick(t, "spoil", "", "", "", "", "", "", "", "", "tombstone", "cut", "utf8", "utf8 elsewhere", "group", "wrong type") {
	case "tombstone":
		return nil
	case "cut":
		return value[:rapid.IntRange(0, len(value)).Draw(t, "cut")]
	case "utf8":
		return append(value, "\x0a\x01\xff"...) // field 1 of all messages: id
	case "utf8 elsewhere": // fields 33 of events and 42 of orders do not exist or do not matter
		return protowire.AppendBytes(protowire.AppendTag(value, 42, protowire.BytesType), []byte{0xff})
	case "group":
		return append(value, protowire.AppendTag(nil, 9, protowire.StartGroupType)...)
	case "wrong type":
		return protowire.AppendVarint(protowire.AppendTag(value, 3, protowire.VarintType), 1)
	}
	return value
}

func randomHistory(t *rapid.T) []recordfile.Record {
	var records []recordfile.Record
	offsets := map[string]int64{}
	for range rapid.IntRange(1, 25).Draw(t, "records") {
		topic, m := season.TopicPartners, proto.Message(nil)
		switch pick(t, "topic", "partner", "event", "event", "order", "order", "refund") {
		case "partner":
			m = randomPartner(t)
		case "event":
			topic, m = season.TopicEvents, randomEvent(t)
		case "order":
			topic, m = season.TopicOrders, randomOrder(t)
		case "refund":
			topic, m = season.TopicRefunds, randomRefund(t)
		}
		value, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, recordfile.Record{Topic: topic, Offset: offsets[topic], Timestamp: int64(len(records)), Value: spoil(t, value)})
		offsets[topic]++
	}
	return records
}

// undecided: in edition 2.0 an event of which one version could go out and the
// newest cannot is published or not by its history (decision 4).
func undecided(w *plainWorld) func(key string) bool {
	return func(key string) bool {
		topic, id, _ := strings.Cut(key, "/")
		switch topic {
		case "refunds":
			id = w.orders[w.refunds[id].GetOrder()].GetEvent()
		case "orders":
			id = w.orders[id].GetEvent()
		}
		return w.rules.v2 && (w.moved[id] || w.moved[w.events[id].GetOrg()]) && w.eventValue(id) == nil
	}
}

// TestRandomHistoriesAgree looks for disagreements in small histories of awkward
// values.
func TestRandomHistoriesAgree(t *testing.T) {
	for _, e := range encodings {
		t.Run(e.edition+" "+e.format, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				legacy := randomHistory(rt)
				defer func() {
					for _, r := range legacy {
						rt.Logf("%s/%d %x", r.Topic, r.Offset, r.Value)
					}
				}()
				w := newPlainWorld(testRules(t, e.edition, e.format, []byte(randomPlaces)), legacy)
				got := bridge(t, e.edition, e.format, []byte(randomPlaces), legacy).newest()
				compareNewest(fatalOf{t, rt}, got, w.newest(), undecided(w))
			})
		})
	}
}

// fatalOf reports to rapid what a helper reports to a test.
type fatalOf struct {
	testing.TB
	rt *rapid.T
}

func (f fatalOf) Errorf(format string, args ...any) { f.rt.Errorf(format, args...) }
func (f fatalOf) Helper()                           {}
