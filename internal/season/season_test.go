package season_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"iter"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"
	"google.golang.org/protobuf/proto"

	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
)

// fingerprint hashes everything that a sequence of records says.
func fingerprint(records iter.Seq[season.Record]) string {
	h := sha256.New()
	write := func(b []byte) {
		length := int64(len(b))
		if b == nil {
			length = -1
		}
		binary.Write(h, binary.BigEndian, length)
		h.Write(b)
	}
	for r := range records {
		write([]byte(r.Topic))
		write(r.Key)
		write(r.Value)
		write([]byte(r.Time.Format(time.RFC3339Nano)))
		for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
			write([]byte(name))
			write(r.Headers[name])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// goldenFingerprint is that of goldenConfig. It changes when the generator
// does: then this constant is brought up to date, on purpose.
const goldenFingerprint = "49de9029df0b34d71abb6146a03ec99ed17e024ff5071b7822aeb01de1cbedfb"

var goldenConfig = season.Config{Orders: 500, Seed: 7, Hostile: 0.2}

func TestSeasonIsDeterministic(t *testing.T) {
	golden := fingerprint(season.Generate(goldenConfig))
	if golden != goldenFingerprint {
		t.Errorf("the golden season's fingerprint is %s, want %s", golden, goldenFingerprint)
	}
	if again := fingerprint(season.Generate(goldenConfig)); again != golden {
		t.Error("a second season of the same configuration differs")
	}
	other := goldenConfig
	other.Seed++
	if fingerprint(season.Generate(other)) == golden {
		t.Error("a season of another seed does not differ")
	}
}

// Records belong to the caller: what the caller does to them must not show in
// later ones, which matters for those that are published twice.
func TestRecordsShareNoMemory(t *testing.T) {
	scribble := func(yield func(season.Record) bool) {
		for r := range season.Generate(goldenConfig) {
			if !yield(r) {
				return
			}
			clear(r.Key)
			clear(r.Value)
			clear(r.Headers)
		}
	}
	if fingerprint(scribble) != goldenFingerprint {
		t.Error("changing a record changed a later one")
	}
}

func TestStoppingEarlyGivesPrefix(t *testing.T) {
	total := 0
	for range season.Generate(goldenConfig) {
		total++
	}
	take := func(n int) iter.Seq[season.Record] {
		return func(yield func(season.Record) bool) {
			i := 0
			for r := range season.Generate(goldenConfig) {
				if i++; i > n || !yield(r) {
					return
				}
			}
		}
	}
	for _, n := range []int{0, 1, 100, total - 1} {
		count := 0
		for range take(n) {
			count++
		}
		if count != n {
			t.Errorf("took %d records of %d, wanted %d", count, total, n)
		}
	}
	if fingerprint(take(total)) != goldenFingerprint {
		t.Error("all records taken one by one differ from the season")
	}
}

// TestFlawlessSeasonIsInOrder is the promise of Hostile 0.
func TestFlawlessSeasonIsInOrder(t *testing.T) {
	partners, sets, payable := map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]bool{}
	refunds, statuses := 0, map[intake.Order_Status]int{}
	for r := range season.Generate(season.Config{Orders: 5_000, Seed: 3}) {
		m, err := decode(r)
		if err != nil {
			t.Fatalf("%s %s: %v", r.Topic, r.Key, err)
		}
		switch m := m.(type) {
		case *intake.Partner:
			partners[m.GetId()] = true
		case *intake.Event:
			if !partners[m.GetOrg()] {
				t.Fatalf("event %s comes before its partner", m.GetId())
			}
			sets[m.GetId()] = map[string]bool{}
			for _, s := range m.GetSets() {
				sets[m.GetId()][s.GetId()] = true
			}
		case *intake.Order:
			statuses[m.GetStatus()]++
			tickets := map[string]bool{}
			for _, ticket := range m.GetTickets() {
				tickets[ticket.GetId()] = true
				if !sets[m.GetEvent()][ticket.GetSet()] {
					t.Fatalf("order %s comes before its event or set", m.GetId())
				}
			}
			if len(tickets) < 1 || len(tickets) > 6 || len(tickets) != len(m.GetTickets()) {
				t.Fatalf("order %s has %d tickets", m.GetId(), len(tickets))
			}
			if m.GetStatus() == intake.Order_DONE {
				payable[m.GetId()] = tickets
			}
		case *intake.RefundRequest:
			refunds++
			if len(m.GetTickets()) == 0 {
				t.Fatalf("refund %s has no tickets", m.GetId())
			}
			for _, ticket := range m.GetTickets() {
				if !payable[m.GetOrder()][ticket.GetId()] {
					t.Fatalf("refund %s comes before its order", m.GetId())
				}
			}
		}
	}
	if refunds < 150 || refunds > 300 {
		t.Errorf("%d refund records, want about 4 %% of the orders and some twice", refunds)
	}
	if len(statuses) != 5 || statuses[intake.Order_DONE] < 4_500 {
		t.Errorf("statuses of orders: %v", statuses)
	}
}

func TestFlawlessSeasonHasNoTrouble(t *testing.T) {
	found := observe(t, season.Config{Orders: 4_000, Seed: 4})
	// A healthy publisher, too, repeats an order now and then.
	if found[season.OrderDuplicate] == 0 {
		t.Error("no order was published again unchanged")
	}
	delete(found, season.OrderDuplicate)
	if len(found) > 0 {
		t.Errorf("found trouble: %v", found)
	}
}

func TestHostileSeasonHasEveryKind(t *testing.T) {
	cfg := season.Config{Orders: 20_000, Seed: 5, Hostile: 0.05}
	found, made := observe(t, cfg), season.Stats(cfg).Hostile
	kinds := season.Kinds()
	for _, kind := range kinds {
		if found[kind] == 0 || made[kind] == 0 {
			t.Errorf("%s: found %d times, made %d times", kind, found[kind], made[kind])
		}
	}
	for kind := range found {
		if !slices.Contains(kinds, kind) {
			t.Errorf("found %s, which is not in Kinds", kind)
		}
	}
	if len(kinds) != 59 {
		t.Errorf("%d kinds", len(kinds))
	}
}

// More hostility is more trouble, in about that proportion.
func TestHostileIsAShare(t *testing.T) {
	const orders = 4_000
	for _, hostile := range []float64{0.05, 0.5} {
		made := season.Stats(season.Config{Orders: orders, Hostile: hostile}).Hostile
		want := 0.15 * hostile * orders // the dose of orders without a phone
		if got := float64(made[season.OrderWithoutPhone]); math.Abs(got-want) > want/10 {
			t.Errorf("hostile %v: %v orders without a phone, want about %v", hostile, got, want)
		}
	}
}

// TestIdentitiesHold states what holds whatever the hostility.
func TestIdentitiesHold(t *testing.T) {
	for _, hostile := range []float64{0, 0.05, 1} {
		homes := map[string]string{} // orders to events, refund requests to orders and events
		stay := func(id, home string) {
			if before, ok := homes[id]; ok && before != home {
				t.Errorf("hostile %v: %s moved from %s to %s", hostile, id, before, home)
			}
			homes[id] = home
		}
		var last time.Time
		for r := range season.Generate(season.Config{Orders: 3_000, Seed: 6, Hostile: hostile}) {
			if r.Time.Before(last) {
				t.Fatalf("hostile %v: time goes back from %v to %v", hostile, last, r.Time)
			}
			last = r.Time
			if !objectID.Match(r.Key) {
				t.Fatalf("hostile %v: key %q", hostile, r.Key)
			}
			m, err := decode(r)
			if err != nil || len(r.Value) == 0 {
				continue
			}
			id := m.(interface{ GetId() string }).GetId()
			if id == "" {
				continue
			}
			if id != string(r.Key) {
				t.Fatalf("hostile %v: %s has key %s", hostile, id, r.Key)
			}
			switch m := m.(type) {
			case *intake.Order:
				if m.GetEvent() != "" {
					stay(m.GetId(), m.GetEvent())
				}
			case *intake.RefundRequest:
				if m.GetEvent() != "" && m.GetOrder() != "" {
					stay(m.GetId(), m.GetOrder()+m.GetEvent())
				}
			}
		}
		if passed := last.Sub(season.DefaultStart); passed < 110*24*time.Hour || passed > 140*24*time.Hour {
			t.Errorf("hostile %v: the season lasts %v", hostile, passed)
		}
	}
}

var objectID = regexp.MustCompile(`^[0-9a-f]{24}$`)

func TestIDsAreUnique(t *testing.T) {
	kinds := map[string]string{}
	note := func(id, kind string) {
		if before, ok := kinds[id]; ok && before != kind {
			t.Fatalf("id %s is used for %s and for %s", id, before, kind)
		}
		kinds[id] = kind
	}
	for r := range season.Generate(season.Config{Orders: 2_000}) {
		note(string(r.Key), r.Topic)
		m, err := decode(r)
		if err != nil {
			t.Fatal(err)
		}
		switch m := m.(type) {
		case *intake.Event:
			for _, s := range m.GetSets() {
				note(s.GetId(), "set of "+m.GetId())
			}
		case *intake.Order:
			for _, ticket := range m.GetTickets() {
				note(ticket.GetId(), "ticket of "+m.GetId())
			}
		}
	}
}

// Not only the projections must be able to read a flawless season.
func TestFlawlessSeasonFitsFullSchema(t *testing.T) {
	full := map[string]proto.Message{
		season.TopicPartners: new(legacyproto.Partner), season.TopicEvents: new(legacyproto.Event),
		season.TopicOrders: new(legacyproto.Order), season.TopicRefunds: new(legacyproto.RefundRequest),
	}
	for r := range season.Generate(season.Config{Orders: 1_000}) {
		m := full[r.Topic]
		if err := proto.Unmarshal(r.Value, m); err != nil {
			t.Fatalf("%s %s: %v", r.Topic, r.Key, err)
		}
		if len(m.ProtoReflect().GetUnknown()) > 0 {
			t.Fatalf("%s %s has fields that the schema does not have", r.Topic, r.Key)
		}
	}
}

func TestRecordSizes(t *testing.T) {
	sizes := map[string][]int{}
	for r := range season.Generate(season.Config{Orders: 2_000}) {
		sizes[r.Topic] = append(sizes[r.Topic], len(r.Value))
	}
	limits := map[string]struct{ least, meanLeast, meanMost, most int }{
		season.TopicPartners: {400, 500, 1000, 1200},
		season.TopicEvents:   {1200, 2000, 4000, 5000},
		season.TopicOrders:   {500, 900, 1400, 2600},
		season.TopicRefunds:  {250, 400, 800, 1500},
	}
	for topic, limit := range limits {
		slices.Sort(sizes[topic])
		least, most := sizes[topic][0], sizes[topic][len(sizes[topic])-1]
		sum := 0
		for _, size := range sizes[topic] {
			sum += size
		}
		mean := sum / len(sizes[topic])
		if least < limit.least || most > limit.most || mean < limit.meanLeast || mean > limit.meanMost {
			t.Errorf("%s: %d to %d bytes, on average %d; want %+v", topic, least, most, mean, limit)
		}
	}
}

func TestHugeDescriptionsStayInRange(t *testing.T) {
	for r := range season.Generate(season.Config{Orders: 2_000, Hostile: 0.5}) {
		if r.Topic == season.TopicEvents && len(r.Value) > 5_000 && (len(r.Value) < 50_000 || len(r.Value) > 210_000) {
			t.Fatalf("an event of %d bytes", len(r.Value))
		}
	}
}

var fictionalPhone = regexp.MustCompile(`^(\+7900000\d{4}|\+44207946\d{4}|\+120255501\d{2})$`)

func TestContactsAreMadeUp(t *testing.T) {
	notations := map[string]bool{}
	for r := range season.Generate(season.Config{Orders: 3_000, Seed: 8}) {
		if r.Topic != season.TopicOrders {
			continue
		}
		m := new(legacyproto.Order)
		if err := proto.Unmarshal(r.Value, m); err != nil {
			t.Fatal(err)
		}
		customer := m.GetSettings().GetCustomer()
		number, err := phonenumbers.Parse(customer.GetPhone(), "RU")
		if err != nil || !phonenumbers.IsPossibleNumber(number) {
			t.Fatalf("phone %q is not possible (%v)", customer.GetPhone(), err)
		}
		if e164 := phonenumbers.Format(number, phonenumbers.E164); !fictionalPhone.MatchString(e164) {
			t.Fatalf("phone %q is %s, which may be somebody's", customer.GetPhone(), e164)
		}
		if !strings.HasSuffix(customer.GetEmail(), "@mail.example.com") {
			t.Fatalf("e-mail %q", customer.GetEmail())
		}
		notations[regexp.MustCompile(`\d`).ReplaceAllString(customer.GetPhone(), "0")] = true
	}
	if len(notations) < 8 {
		t.Errorf("phones are written in only %d ways", len(notations))
	}
}

// Most event records change nothing that the bridge looks at, and some do.
func TestMostEventUpdatesChangeNothing(t *testing.T) {
	last := map[string]*intake.Event{}
	updates, changes := 0, 0
	for r := range season.Generate(season.Config{Orders: 6_000}) {
		if r.Topic != season.TopicEvents {
			continue
		}
		e := new(intake.Event)
		if err := intake.DecodeEvent(r.Value, e); err != nil {
			t.Fatal(err)
		}
		if before := last[e.GetId()]; before != nil {
			updates++
			if !proto.Equal(before, e) {
				changes++
			}
		}
		last[e.GetId()] = e
	}
	share := float64(changes) / float64(updates)
	if updates < 1_500 || share < 0.02 || share > 0.2 {
		t.Errorf("%d of %d event updates change something", changes, updates)
	}
}

// TestSalesHavePeaks looks for a hundred orders in a row of which most are for
// one event, and which come much faster than usual.
func TestSalesHavePeaks(t *testing.T) {
	const window = 100
	var events []string
	var times []time.Time
	seen := map[string]bool{}
	for r := range season.Generate(season.Config{Orders: 6_000}) {
		if r.Topic != season.TopicOrders || seen[string(r.Key)] {
			continue
		}
		seen[string(r.Key)] = true
		m := new(intake.Order)
		if err := intake.DecodeOrder(r.Value, m); err != nil {
			t.Fatal(err)
		}
		events, times = append(events, m.GetEvent()), append(times, r.Time)
	}
	usual := times[len(times)-1].Sub(times[0]) / time.Duration(len(times)/window)
	for i := 0; i+window < len(events); i += window {
		counts := map[string]int{}
		for _, e := range events[i : i+window] {
			counts[e]++
		}
		if slices.Max(slices.Collect(maps.Values(counts))) > window/2 && times[i+window-1].Sub(times[i]) < usual/5 {
			return
		}
	}
	t.Error("there is no peak")
}

func BenchmarkGenerate(b *testing.B) {
	cfg := season.Config{Orders: 50_000, Hostile: 0.05}
	b.ReportAllocs()
	for b.Loop() {
		season.Stats(cfg)
	}
	b.ReportMetric(float64(cfg.Orders)*float64(b.N)/b.Elapsed().Seconds(), "orders/s")
}
