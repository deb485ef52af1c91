package mapping

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping/statepb"
)

func TestSplitName(t *testing.T) {
	for _, c := range []struct{ name, first, last string }{
		{"", "", ""},
		{"Анна", "Анна", ""},
		{"Анна Примерова", "Анна", "Примерова"},
		// Three words with a patronymic at the end.
		{"Примеров Иван Иванович", "Иван", "Примеров"},
		{"Примеров Иван Ильич", "Иван", "Примеров"},
		{"Примеров Иван Кузьмич", "Иван", "Примеров"},
		{"Примерова Анна Ивановна", "Анна", "Примерова"},
		{"Примерова Анна Ильинична", "Анна", "Примерова"},
		{"Примерова Анна Никитична", "Анна", "Примерова"},
		{"Примерова Анна Кузьминична", "Анна", "Примерова"},
		{"ПРИМЕРОВ ИВАН ИВАНОВИЧ", "ИВАН", "ПРИМЕРОВ"},
		{"примерова анна ивановна", "анна", "примерова"},
		{"Примерова-Тестова Анна-Мария Ивановна", "Анна-Мария", "Примерова-Тестова"},
		// A patronymic of two words.
		{"Примеров Али Вели оглы", "Али", "Примеров"},
		{"Примерова Лейла Вели кызы", "Лейла", "Примерова"},
		{"ПРИМЕРОВА ЛЕЙЛА ВЕЛИ КЫЗЫ", "ЛЕЙЛА", "ПРИМЕРОВА"},
		// A patronymic at another place, or none.
		{"Иван Иванович Примеров", "Иван", "Иванович Примеров"},
		{"Иван Иванович", "Иван", "Иванович"},
		{"Анна Ивановна", "Анна", "Ивановна"},
		{"Анна Мария Примерова", "Анна", "Мария Примерова"},
		{"Али Вели оглы", "Али", "Вели оглы"},
		{"Примеров Иван Иванович младший", "Примеров", "Иван Иванович младший"},
		{"Примеров Иван Петр Иванович", "Примеров", "Иван Петр Иванович"},
		{"Примеров Али Вели Гасан оглы", "Примеров", "Али Вели Гасан оглы"},
		{"оглы", "оглы", ""},
		// Other alphabets have no Russian endings.
		{"Anna Example", "Anna", "Example"},
		{"Example Ivan Ivanovich", "Example", "Ivan Ivanovich"},
		{"Anna van der Example", "Anna", "van der Example"},
	} {
		if first, last := splitName(c.name); first != c.first || last != c.last {
			t.Errorf("splitName(%q) = %q, %q; want %q, %q", c.name, first, last, c.first, c.last)
		}
	}
}

func TestCollapse(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"", ""}, {"   ", ""}, {"Anna", "Anna"}, {" Anna\t \nExample ", "Anna Example"},
		{" Anna", "Anna"}, {"Anna ", "Anna"}, {"Anna  Example", "Anna Example"}, {"Anna Example", "Anna Example"}, {" ", ""},
		{"Anna\u00a0Example", "Anna Example"}, {"\u2003Anna\u2003", "Anna"},
	} {
		if got := collapse(c.name); got != c.want {
			t.Errorf("collapse(%q) = %q, want %q", c.name, got, c.want)
		}
	}
	for r := range rune(0x3100) {
		for _, name := range []string{string(r), "Anna" + string(r) + "Example", "Anna " + string(r)} {
			if got, want := collapse(name), strings.Join(strings.Fields(name), " "); got != want {
				t.Errorf("collapse(%q) = %q, want %q", name, got, want)
			}
		}
	}
	space := rapid.SampledFrom([]rune{' ', '\t', '\n', '\u0085', '\u00a0', '\u2003', 'a', 'я'})
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(space, 0, 6, -1).Draw(t, "name")
		if got, want := collapse(name), strings.Join(strings.Fields(name), " "); got != want {
			t.Fatalf("collapse(%q) = %q, want %q", name, got, want)
		}
	})
}

func TestNormalizePhone(t *testing.T) {
	for _, c := range []struct{ phone, want string }{ // "": not a possible number
		{"+79001234567", "+79001234567"},
		{"8 (900) 123-45-67", "+79001234567"},
		{"79001234567", "+79001234567"},
		{"9001234567", "+79001234567"},
		{"89001234567", "+79001234567"},
		{"+7\u00a0900\u2011123\u201145\u201167", "+79001234567"},
		{"tel:+79001234567", "+79001234567"},
		{"8 10 44 20 7946 0958", "+442079460958"}, // the exit code of Russia
		{"+375 29 123-45-67", "+375291234567"},
		{"+998 90 123 45 67", "+998901234567"},
		{"+1 212 555 0100", "+12125550100"},
		// Signs around the number.
		{"\t+79001234567\r\n", "+79001234567"},
		{"(+79001234567)", "+79001234567"},
		{"+79001234567;", "+79001234567"},
		{"+79001234567,\u00a0", "+79001234567"},
		// What an extension is cut off from.
		{"+79001234567 доб. 12", "+79001234567"},
		{"+79001234567 ext 12", "+79001234567"},
		// Impossible ones.
		{"", ""}, {" ", ""}, {"+", ""}, {";", ""}, {"abc", ""}, {"112", ""}, {"+7900123456", ""}, {"+790012345678", ""},
		{"+0123456789", ""}, {"+79001234567+79007654321", ""}, {"buyer@example.com", ""},
		{"+7900123456789012345678901234567890", ""},
	} {
		got, ok := normalizePhone(c.phone)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("normalizePhone(%q) = %q, %v; want %q", c.phone, got, ok, c.want)
		}
		if !ok {
			continue
		}
		if again, ok := normalizePhone(got); again != got || !ok {
			t.Errorf("normalizePhone(%q) = %q, %v; it is normalised already", got, again, ok)
		}
	}
}

func TestSlimCurrency(t *testing.T) {
	for _, c := range []struct{ currency, want string }{
		{"rub", "RUB"}, {"EUR", "EUR"}, {"Usd", "USD"}, {"gbp", "GBP"}, {"cny", "CNY"},
		{"kzt", ""}, {"", ""}, {" rub", ""}, {"RUBLES", ""},
	} {
		if got, ok := slimCurrency(c.currency); got != c.want || ok != (c.want != "") {
			t.Errorf("slimCurrency(%q) = %q, %v; want %q", c.currency, got, ok, c.want)
		}
	}
	// Of whatever letter upper case is that of a code: a long s is an S too, say.
	for r := range rune(0x3000) {
		currency := "u" + string(r) + "D"
		if _, ok := slimCurrency(currency); ok != (strings.ToUpper(currency) == "USD") {
			t.Errorf("slimCurrency(%q) = %v", currency, ok)
		}
	}
}

func TestStatusReason(t *testing.T) {
	for want, statuses := range map[Reason][]interface{ String() string }{
		"status_executed":    {intake.Order_EXECUTED},
		"status_in_progress": {intake.Order_IN_PROGRESS, intake.RefundRequest_IN_PROGRESS},
		"status_cancelled":   {intake.Order_CANCELLED},
		"status_expired":     {intake.Order_EXPIRED},
		"status_new":         {intake.RefundRequest_NEW},
		"status_rejected":    {intake.RefundRequest_REJECTED},
		"status_unknown":     {intake.Order_Status(5), intake.Order_Status(-1), intake.RefundRequest_Status(1 << 30)},
	} {
		for _, s := range statuses {
			if got := statusReason(s); got != want {
				t.Errorf("statusReason(%s) = %s, want %s", s, got, want)
			}
		}
	}
}

func TestMillis(t *testing.T) {
	for _, c := range []struct {
		name string
		ts   *timestamppb.Timestamp
		want *int64
		bad  bool
	}{
		{"absent", nil, nil, false},
		{"zero", &timestamppb.Timestamp{}, proto.Int64(0), false},
		{"part of a millisecond", &timestamppb.Timestamp{Seconds: 1, Nanos: 1_999_999}, proto.Int64(1001), false},
		{"before 1970", &timestamppb.Timestamp{Seconds: -1, Nanos: 500_000_000}, proto.Int64(-500), false},
		{"year 1", timestamppb.New(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)), proto.Int64(-62135596800000), false},
		{"year 9999", &timestamppb.Timestamp{Seconds: 253402300799}, proto.Int64(253402300799000), false},
		{"year 10000", &timestamppb.Timestamp{Seconds: 253402300800}, nil, true},
		{"year 0", &timestamppb.Timestamp{Seconds: -62135596801}, nil, true},
		{"nanos below 0", &timestamppb.Timestamp{Nanos: -1}, nil, true},
		{"nanos above a second", &timestamppb.Timestamp{Nanos: 1_000_000_000}, nil, true},
	} {
		got, bad := millis(c.ts)
		if bad != c.bad || (got == nil) != (c.want == nil) || (got != nil && *got != *c.want) {
			t.Errorf("%s: %v, bad %v; want %v, %v", c.name, got, bad, c.want, c.bad)
		}
	}
}

// Few sets are searched and many are looked up; both find the last set of an id, and none without one.
func TestSetsFor(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.SampledFrom([]string{"", "a", "b", "c", "d"})
		ev := &statepb.EventFacts{}
		want := map[string]*statepb.TicketSet{}
		for range rapid.SampledFrom([]int{0, 1, 5, fewPairs, fewPairs + 1}).Draw(rt, "sets") {
			s := &statepb.TicketSet{Id: id.Draw(rt, "set")}
			ev.Sets = append(ev.Sets, s)
			want[s.GetId()] = s
		}
		f := &statepb.OrderFacts{Tickets: []*statepb.Ticket{{Set: id.Draw(rt, "ticket")}}}
		got := setsFor(f, ev).of(f.Tickets[0].GetSet())
		if set := f.Tickets[0].GetSet(); set == "" && got != nil || set != "" && got != want[set] {
			rt.Fatalf("of %d sets %q is %v, want %v", len(ev.Sets), set, got, want[set])
		}
	})
}
