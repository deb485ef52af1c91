package page

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// The reports of the tests. Everything in them is made up.

var marked = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)

func same(text string) compare.Part    { return compare.Part{Text: text} }
func differs(text string) compare.Part { return compare.Part{Text: text, Differs: true} }

func at(place string, parts ...compare.Part) compare.Shown {
	return compare.Shown{Place: place, Parts: parts}
}

func masked(s compare.Shown) compare.Shown { s.Masked = true; return s }

func id(n int) string { return fmt.Sprintf("65a1f0c2d4e5b6a7%08x", n) }

// goReport is a comparison that has gone well: all kinds of counts, and nothing
// unexplained.
func goReport() *compare.Report {
	r := &compare.Report{
		Version:    1,
		Deployment: "season-2026",
		Left: compare.Party{Label: "legacy", Kind: "legacy", Topics: []string{"partners", "events", "orders_done", "refund_requests"},
			Records: 797_412, Newest: marked.Add(-1400 * time.Millisecond).UnixMilli(), Behind: 1.4},
		Right: compare.Party{Label: "slim", Kind: "slim", Edition: "1.0", Format: "json", Topics: []string{"slim-events", "slim-orders", "slim-refunds"},
			Records: 331_907, Newest: marked.Add(-3200 * time.Millisecond).UnixMilli(), Behind: 3.2},
		Verdict: compare.Verdict{Go: true, Checks: []compare.Check{
			{Name: "cutover.min_coverage", OK: true, Want: ">= 99.9 %", Got: "99.996 %"},
			{Name: "cutover.max_unexplained", OK: true, Want: "<= 0.01 %", Got: "0 %"},
			{Name: "cutover.violations", OK: true, Want: "0", Got: "0"},
			{Name: "cutover.max_behind", OK: true, Want: "<= 1 min", Got: "3.2 s"},
			{Name: "cutover.quarantine_age", OK: true, Want: "<= 24 h", Got: "2 h 10 min"},
			{Name: "cutover.days_clean", OK: true, Want: ">= 7", Got: "9"},
		}},
		Streams: []compare.StreamCount{
			{Stream: "events", Left: 1_204, Right: 1_196, Entities: 1_204, Equal: 1_180, Different: 16,
				Skipped: map[string]int64{"status": 8}, Coverage: 1},
			{Stream: "orders", Left: 300_000, Right: 287_406, Entities: 300_000, Equal: 283_155, Different: 4_251,
				Pending: map[string]int64{"window": 8}, Undecidable: map[string]int64{"deleted": 2},
				Skipped: map[string]int64{"status": 12_480, "no_tickets": 92}, Quarantined: map[string]int64{"no_phone": 9, "too_large": 3}, Coverage: 287_406.0 / 287_416},
			{Stream: "refunds", Left: 15_020, Right: 14_377, Entities: 15_020, Equal: 14_377,
				Pending: map[string]int64{"window": 1}, Skipped: map[string]int64{"status": 642}, Coverage: 14_377.0 / 14_378},
		},
		Counts: []compare.FieldCount{
			{Stream: "events", Category: compare.Value, Field: "description", Count: 16, Noise: 16, Compared: 1_196},
			{Stream: "orders", Category: compare.Value, Field: "customer.phone", Count: 4_251, Expected: 4_251, Compared: 287_406},
			{Stream: "orders", Category: compare.Late, Count: 37, Compared: 287_406},
		},
		Samples: []compare.Sample{
			{Stream: "orders", Category: compare.Value, Field: "customer.phone", ID: id(0x1f3), Rule: "phones-e164",
				Left:  masked(at("orders_done/3/10412", same("9 (999) 999-99-99"))),
				Right: masked(at("slim-orders/3/9921", same("+99999999999")))},
		},
		Expected: []compare.ExpectedCount{
			{ID: "phones-e164", Owner: "integration team", Reason: "Phones are written as E.164; legacy has them as they were typed.", Expires: "2027-03-31", Count: 4_251},
		},
		Noise: &compare.NoiseCount{Of: "left", Compared: map[string]int64{"events": 1_204, "orders": 300_000, "refunds": 15_020},
			Fields: []compare.NoiseField{{Stream: "events", Field: "description", Count: 18}}},
		Digest: "b1946ac92492d2347c6235b4d2611184a5f8e4c9f20d3c6ab7e1d90f54c38e21",
		Run: compare.Run{Time: marked, Seconds: 38.4, Records: 1_129_319, RecordsPerSecond: 29_409,
			PeakMemory: 344 << 20},
	}
	for side, topics := range map[string][]string{"left": r.Left.Topics, "right": r.Right.Topics} {
		for _, topic := range topics {
			for p := range int32(4) {
				end := int64(10_000 + 371*int(p) + 97*len(topic))
				r.Marks = append(r.Marks, compare.Mark{Side: side, Topic: topic, Partition: p, Start: 0, Settled: end - 12, End: end})
			}
		}
	}
	sortMarks(r.Marks)
	return r
}

// noGoReport has differences of every category in many fields, a trend and an expired
// rule.
func noGoReport() *compare.Report {
	r := goReport()
	r.Verdict = compare.Verdict{Checks: []compare.Check{
		{Name: "cutover.min_coverage", OK: true, Want: ">= 99.9 %", Got: "99.927 %"},
		{Name: "cutover.max_unexplained", Want: "<= 0.01 %", Got: "0.479 %", Why: "1,449 entities differ in ways that no rule declares; most of them in tickets[].price_nominal. Look at its samples, then fix the mapping or declare the difference."},
		{Name: "cutover.max_behind", OK: true, Want: "<= 1 min", Got: "3.2 s"},
		{Name: "cutover.violations", Want: "0", Got: "5", Why: "4 orders came before their event and 1 refund before its order. Consumers that rely on the order of things would have failed."},
		{Name: "cutover.quarantine_age", OK: true, Want: "<= 24 h", Got: "2 h 10 min"},
		{Name: "cutover.days_clean", Want: ">= 7", Got: "0", Why: "The last result without a failing check is of 2026-11-18."},
	}}
	r.Left.Behind, r.Left.Newest = 134, marked.Add(-134*time.Second).UnixMilli()
	r.Streams = []compare.StreamCount{
		{Stream: "events", Left: 1_204, Right: 1_193, Entities: 1_207, Equal: 1_121, Different: 74, Unexplained: 45,
			Pending: map[string]int64{"window": 3, "organizer": 1}, Skipped: map[string]int64{"status": 8}, Coverage: 1_195.0 / 1_199},
		{Stream: "orders", Left: 300_000, Right: 287_201, Entities: 300_004, Equal: 281_405, Different: 5_797, Unexplained: 1_380,
			Pending: map[string]int64{"window": 128, "event": 61}, Undecidable: map[string]int64{"deleted": 17},
			Skipped: map[string]int64{"status": 12_480, "no_tickets": 92}, Quarantined: map[string]int64{"no_phone": 20, "too_large": 4}, Coverage: 287_202.0 / 287_408},
		{Stream: "refunds", Left: 15_020, Right: 14_366, Entities: 15_020, Equal: 14_342, Different: 24, Unexplained: 24,
			Pending: map[string]int64{"order": 12}, Skipped: map[string]int64{"status": 642}, Coverage: 14_366.0 / 14_378},
	}
	count := func(stream string, c compare.Category, field string, unexplained, expected, noise int64) {
		compared := map[string]int64{"events": 1_195, "orders": 287_202, "refunds": 14_366}[stream]
		r.Counts = append(r.Counts, compare.FieldCount{Stream: stream, Category: c, Field: field,
			Count: unexplained + expected + noise, Expected: expected, Noise: noise, Unexplained: unexplained, Compared: compared})
	}
	r.Counts = nil
	count("events", compare.Absent, "", 2, 0, 0)
	count("events", compare.Extra, "", 3, 0, 0)
	count("events", compare.Value, "description", 4, 0, 16)
	count("events", compare.Value, "name", 11, 0, 0)
	count("events", compare.Value, "venue.lat", 0, 13, 0)
	count("events", compare.Value, "category", 19, 0, 0)
	count("events", compare.Stale, "", 6, 0, 0)
	count("orders", compare.Absent, "", 21, 0, 0)
	count("orders", compare.Extra, "", 4, 0, 0)
	count("orders", compare.Value, "customer.phone", 37, 4_251, 0)
	count("orders", compare.Value, "tickets[].price_nominal", 1_208, 0, 0)
	count("orders", compare.Value, "tickets[].category", 62, 166, 0)
	count("orders", compare.Value, "tickets", 9, 0, 0)
	count("orders", compare.Value, "customer.name", 18, 0, 0)
	count("orders", compare.WrongValueType, "tickets[].price_nominal", 12, 0, 0)
	count("orders", compare.Duplicate, "", 5, 0, 0)
	count("orders", compare.OrderViolation, "", 4, 0, 0)
	r.Counts = append(r.Counts, compare.FieldCount{Stream: "orders", Category: compare.Late, Count: 37, Compared: 287_202})
	count("refunds", compare.RefundViolation, "", 1, 0, 0)
	count("refunds", compare.Value, "ticket_ids", 23, 0, 0)

	add := func(stream string, c compare.Category, field, id, item, detail, rule string, left, right compare.Shown) {
		r.Samples = append(r.Samples, compare.Sample{Stream: stream, Category: c, Field: field, ID: id, Item: item, Detail: detail, Rule: rule, Left: left, Right: right})
	}
	r.Samples = nil
	add("events", compare.Value, "category", id(0x21), "", "", "", at("events/0/311", differs("museum")), at("slim-events/0/298", differs("other")))
	add("events", compare.Value, "name", id(0x22), "", "", "", at("events/1/87", same("Winter"), differs("\u00a0"), same("Gala, Hall 2")), at("slim-events/1/80", same("Winter"), differs(" "), same("Gala, Hall 2")))
	add("events", compare.Value, "description", id(0x23), "", "the replay of legacy differs here, too", "", at("events/2/19", same("Doors open at 19:00.\n"), differs("Children under 6 are free."), same(" No re-entry.")), at("slim-events/2/19", same("Doors open at 19:00.\n"), same(" No re-entry.")))
	add("events", compare.Absent, "", id(0x24), "", "no slim record within 2 min 0 s of the legacy one", "", at("events/3/402", same("Open-air rehearsal")), compare.Shown{})
	add("orders", compare.Value, "tickets[].price_nominal", id(0x1201), id(0x9001), "", "", at("orders_done/3/10412", same("150"), differs("0")), at("slim-orders/3/9921", same("150"), differs("000")))
	add("orders", compare.Value, "tickets[].price_nominal", id(0x1202), id(0x9002), "", "", at("orders_done/0/8231", same("2500"), differs("")), at("slim-orders/0/7702", same("2500"), differs("00")))
	add("orders", compare.Value, "tickets[].price_nominal", id(0x1203), id(0x9003), "", "", at("orders_done/1/118", differs("0")), at("slim-orders/1/110"))
	add("orders", compare.Value, "customer.phone", id(0x1f3), "", "", "phones-e164", masked(at("orders_done/3/10413", same("9 (999) 999-99-99"))), masked(at("slim-orders/3/9922", same("+99999999999"))))
	add("orders", compare.Value, "customer.name", id(0x1f4), "", "", "", masked(at("orders_done/2/441", same("Aaaa Aaaaaaa"), differs(" "))), masked(at("slim-orders/2/430", same("Aaaa Aaaaaaa"))))
	add("orders", compare.Value, "tickets", id(0x1f5), "", "the same tickets in another order", "", at("orders_done/2/512", differs(id(0x9010)), same(" "), differs(id(0x9011))), at("slim-orders/2/499", differs(id(0x9011)), same(" "), differs(id(0x9010))))
	add("orders", compare.Value, "tickets[].category", id(0x1f6), id(0x9020), "", "set-names", at("orders_done/1/77", same("Stalls"), differs(", left")), at("slim-orders/1/71", same("Stalls")))
	add("orders", compare.OrderViolation, "", id(0x1f7), "", "its event's first record came 4.1 s later", "", at("orders_done/0/90"), at("slim-orders/0/81", same("11:02:07.114")))
	add("orders", compare.Extra, "", id(0x1f8), "", "", "", compare.Shown{}, compare.Shown{Place: "slim-orders/1/9", Gone: true})
	add("orders", compare.Duplicate, "", id(0x1f9), "", "the fields say the same", "", at("orders_done/2/700"), at("slim-orders/2/688", same(`{"number":`), differs(`"0017"`), same("}")))
	add("refunds", compare.Value, "ticket_ids", id(0x301), "", "", "", at("refund_requests/0/12", same(id(0x9001)), differs(" "+id(0x9002))), at("slim-refunds/0/11", same(id(0x9001))))
	add("refunds", compare.RefundViolation, "", id(0x302), "", "its order's first record came 0.8 s later", "", at("refund_requests/1/40"), at("slim-refunds/1/38", same("11:02:08.020")))

	r.Expected = []compare.ExpectedCount{
		{ID: "phones-e164", Owner: "integration team", Reason: "Phones are written as E.164; legacy has them as they were typed.", Expires: "2027-03-31", Count: 4_251},
		{ID: "set-names", Owner: "catalogue team", Reason: "Names of sets lose the side of the hall since the venues were drawn anew.", Expires: "2027-01-15", Count: 166},
		{ID: "short-coordinates", Owner: "catalogue team", Reason: "Five digits behind the point are enough for a venue.", Expires: "2026-12-31", Count: 13},
		{ID: "old-categories", Owner: "integration team", Reason: "Museums were \"other\" until the directory had them.", Expires: "2026-11-01", Expired: true, Count: 19},
	}
	r.Notes = []string{
		"slim-events has 4 partitions: that events came before their orders is checked by their presence alone.",
		"orders_done lost records below 2/118 to retention: entities last written there are undecidable.",
	}
	r.Trend = trendOf(28)
	r.Run.Continuous, r.Run.Resumed = true, true
	r.Run.Seconds, r.Run.Records, r.Run.RecordsPerSecond = 4_212, 18_412_909, 4_371
	return r
}

// trendOf so many results, one an hour.
func trendOf(n int) []compare.TrendPoint {
	var all []compare.TrendPoint
	for i := range n {
		t := float64(i)
		rate := max(0, 0.006+0.004*math.Sin(t/3)-0.0001*t)
		if i%9 > 5 {
			rate = 0
		}
		all = append(all, compare.TrendPoint{Time: marked.Add(time.Duration(i-n+1) * time.Hour), Go: rate == 0,
			Coverage: 0.9994 - 0.004*math.Exp(-t/6) + 0.0003*math.Sin(t), Unexplained: rate, Violations: int64(i % 3)})
	}
	all[n-1] = compare.TrendPoint{Time: marked, Coverage: 0.99927, Unexplained: 0.00479, Violations: 5}
	return all
}

func sortMarks(marks []compare.Mark) {
	slices.SortFunc(marks, func(a, b compare.Mark) int {
		return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
}
