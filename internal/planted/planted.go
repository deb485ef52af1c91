// Package planted puts known faults into slim records that are right, so that tests and
// the demo can see whether a comparison finds each of them, under its name and field,
// and nothing else.
//
// What belongs here: making the right records of a season, without a broker, and
// spoiling some. What does not: finding the faults (package compare), and rules of the
// contract.
package planted

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto/intake"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// ApplicationID is what the records of a Season say.
const ApplicationID = "ticketscloud"

// Zone is that of events without a known one.
const Zone = "Europe/Moscow"

// Season is a drained deployment: legacy records, and what the bridge makes of them.
// All topics have one partition. The times of slim records are those of a broker,
// 500 ms after the legacy record that caused them.
type Season struct {
	Legacy     []recordfile.Record // in the order in which they were read
	Slim       []recordfile.Record // topics "events", "orders" and "refunds", in the order of production
	Quarantine []recordfile.Record
	Directory  []byte

	refunded map[string]bool   // orders with a refund request
	orderOf  map[string]string // of refund requests
	sold     map[string]bool   // events with orders

	partners map[string]bool            // that there are
	orgs     map[string]string          // of events, the newest one
	sets     map[string]map[string]bool // of events, the newest ones
	needs    map[string]need            // of orders, the newest one
}

// need is what an order takes from its event.
type need struct {
	event string
	sets  []string
}

// lag is how long a slim record comes after its legacy record.
const lag = 500 * time.Millisecond

// New bridges a season. Only JSON can be spoiled later.
func New(c season.Config, enc slim.Encoding) (*Season, error) {
	s := &Season{
		Directory: season.Directory(c), refunded: map[string]bool{}, orderOf: map[string]string{}, sold: map[string]bool{},
		partners: map[string]bool{}, orgs: map[string]string{}, sets: map[string]map[string]bool{}, needs: map[string]need{},
	}
	err := Bridge(c, enc, func(r recordfile.Record) error {
		s.Legacy = append(s.Legacy, r)
		s.note(r)
		return nil
	}, func(r recordfile.Record) error {
		if r.Topic == dryrun.QuarantineTopic {
			s.Quarantine = append(s.Quarantine, r)
		} else {
			s.Slim = append(s.Slim, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.Slim = renumber(s.Slim)
	for _, r := range s.Slim {
		if r.Topic == "orders" && enc.Format == slim.JSON {
			s.sold[eventOf(decode(r.Value))] = true
		}
	}
	return s, nil
}

// Bridge makes the records of a season without keeping them: each legacy record, and
// behind it the slim records and those of quarantine that it causes.
func Bridge(c season.Config, enc slim.Encoding, legacy, made func(recordfile.Record) error) error {
	places, err := directory.Parse(season.Directory(c), nil)
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(Zone)
	if err != nil {
		return err
	}
	now := int64(0)
	engine, err := dryrun.New(dryrun.Config{
		Rules: &mapping.Rules{
			Encoding: enc, Directory: places, DefaultLocation: zone,
			OrganizerHold: time.Minute, SetHold: time.Minute, MaxRecordBytes: mapping.DefaultMaxRecordBytes,
		},
		ApplicationID: ApplicationID, SourceHeader: true,
	}, func(r recordfile.Record) error {
		r.Timestamp = now
		return made(r)
	})
	if err != nil {
		return err
	}
	offsets := map[string]int64{}
	for r := range season.Generate(c) {
		rec := recordfile.Record{
			Topic: r.Topic, Offset: offsets[r.Topic], Timestamp: r.Time.UnixMilli(), Key: r.Key, Value: r.Value,
		}
		offsets[r.Topic]++
		now = rec.Timestamp + lag.Milliseconds()
		if err := legacy(rec); err != nil {
			return err
		}
		if err := engine.Process(rec); err != nil {
			return err
		}
	}
	return engine.ExpireHolds()
}

// note keeps what a legacy record refers to.
func (s *Season) note(r recordfile.Record) {
	var partner intake.Partner
	var event intake.Event
	var order intake.Order
	var request intake.RefundRequest
	switch {
	case r.Value == nil:
	case r.Topic == season.TopicPartners && intake.DecodePartner(r.Value, &partner) == nil:
		s.partners[partner.GetId()] = true
	case r.Topic == season.TopicEvents && intake.DecodeEvent(r.Value, &event) == nil:
		sets := map[string]bool{}
		for _, set := range event.GetSets() {
			sets[set.GetId()] = true
		}
		s.orgs[event.GetId()], s.sets[event.GetId()] = event.GetOrg(), sets
	case r.Topic == season.TopicOrders && intake.DecodeOrder(r.Value, &order) == nil:
		n := need{event: order.GetEvent()}
		for _, ticket := range order.GetTickets() {
			n.sets = append(n.sets, ticket.GetSet())
		}
		s.needs[order.GetId()] = n
	case r.Topic == season.TopicRefunds && intake.DecodeRefundRequest(r.Value, &request) == nil:
		s.refunded[request.GetOrder()] = true
		s.orderOf[request.GetId()] = request.GetOrder()
	}
}

// waits tells whether the newest of an entity may rightly not have come yet: its
// organizer or a ticket's set never did.
func (s *Season) waits(topic, id string) bool {
	switch topic {
	case "events":
		org := s.orgs[id]
		return org != "" && !s.partners[org]
	case "orders":
		n := s.needs[id]
		return s.waits("events", n.event) || slices.ContainsFunc(n.sets, func(set string) bool { return set != "" && !s.sets[n.event][set] })
	}
	return s.waits("orders", s.orderOf[id])
}

// renumber gives the records of each topic offsets in their present order.
func renumber(records []recordfile.Record) []recordfile.Record {
	next := map[string]int64{}
	for i := range records {
		records[i].Partition, records[i].Offset = 0, next[records[i].Topic]
		next[records[i].Topic]++
	}
	return records
}

// Kind is one kind of fault.
type Kind struct {
	Name string // a word
	// What a comparison has to say of it, in the words of package compare.
	Stream, Category, Field string

	// spoil changes what the planter holds of a key; false when it cannot be done to it.
	spoil func(p *planter, k *key) bool
}

// Plant gives the slim records with a fault of the kind in n entities at most, and the ids of those. The season itself
// stays as it is. The same seed plants the same faults.
//
// Entities that wait for an organizer or a set that never came are passed over: nobody can
// tell by the topics alone whether the bridge still holds what is right.
func (s *Season) Plant(kind Kind, n int, seed uint64) (records []recordfile.Record, ids []string) {
	p := newPlanter(s)
	random := rand.New(rand.NewPCG(seed, 1))
	keys := slices.Clone(p.keys[kind.Stream])
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	for _, k := range keys {
		if len(ids) == n {
			break
		}
		if !s.waits(k.topic, k.id) && kind.spoil(p, k) {
			ids = append(ids, k.id)
		}
	}
	slices.Sort(ids)
	return p.records(), ids
}

// planter is a season's slim records while they are spoiled.
type planter struct {
	season *Season
	slots  []slot            // in the order of production
	keys   map[string][]*key // by topic
	named  map[string]*key   // by topic/id
}

// slot is a record, and what is put at its place.
type slot struct {
	before, after []recordfile.Record
	record        *recordfile.Record // nil: taken away
}

// key is an entity's records.
type key struct {
	topic, id string
	slots     []int
}

func newPlanter(s *Season) *planter {
	p := &planter{season: s, slots: make([]slot, len(s.Slim)), keys: map[string][]*key{}, named: map[string]*key{}}
	for i := range s.Slim {
		r := &s.Slim[i]
		p.slots[i].record = r
		name := r.Topic + "/" + string(r.Key)
		k := p.named[name]
		if k == nil {
			k = &key{topic: r.Topic, id: string(r.Key)}
			p.named[name] = k
			p.keys[r.Topic] = append(p.keys[r.Topic], k)
		}
		k.slots = append(k.slots, i)
	}
	return p
}

func (p *planter) records() []recordfile.Record {
	var out []recordfile.Record
	for _, s := range p.slots {
		out = append(out, s.before...)
		if s.record != nil {
			out = append(out, *s.record)
		}
		out = append(out, s.after...)
	}
	return renumber(slices.Clone(out))
}

// newest is the last record of the key.
func (p *planter) newest(k *key) *recordfile.Record { return p.slots[k.slots[len(k.slots)-1]].record }

// drop takes all records of the key away.
func (p *planter) drop(k *key) {
	for _, i := range k.slots {
		p.slots[i].record = nil
	}
}

// replace puts another value into the newest record.
func (p *planter) replace(k *key, value []byte) {
	r := *p.newest(k)
	r.Value = value
	p.slots[k.slots[len(k.slots)-1]].record = &r
}

// edit changes the value of the newest record; false when change says so. It is not done
// where the record before comes from the same legacy record: the two would then
// contradict each other, which is a fault of another kind.
func (p *planter) edit(k *key, change func(map[string]any) bool) bool {
	if n := len(k.slots); n > 1 && bytes.Equal(sourceOf(p.newest(k)), sourceOf(p.slots[k.slots[n-2]].record)) {
		return false
	}
	value := decode(p.newest(k).Value)
	if !change(value) {
		return false
	}
	p.replace(k, encode(value))
	return true
}

// sourceOf is the place of the legacy record that a slim one comes from.
func sourceOf(r *recordfile.Record) []byte {
	for _, h := range r.Headers {
		if h.Key == slim.HeaderBridgeSource {
			return h.Value
		}
	}
	return nil
}

func decode(b []byte) map[string]any {
	var value map[string]any
	if err := json.Unmarshal(b, &value); err != nil {
		panic(fmt.Sprintf("planted: a slim record of dry-run is no JSON: %v", err))
	}
	return value
}

func encode(value any) []byte {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // made of JSON
	}
	return b
}

func tickets(order map[string]any) []any { list, _ := order["tickets"].([]any); return list }

func eventOf(order map[string]any) string {
	for _, t := range tickets(order) {
		id, _ := t.(map[string]any)["event_id"].(string)
		return id
	}
	return ""
}
