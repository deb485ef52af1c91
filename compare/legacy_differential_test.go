package compare

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/legacyproto"
	"github.com/ticketscloud/vibe-bridge/mapping"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// legacyEncodings are the three ways in which slim records are written.
var legacyEncodings = []slim.Encoding{{Edition: slim.Edition1, Format: slim.JSON}, {Edition: slim.Edition1, Format: slim.Protobuf}, {Edition: slim.Edition2, Format: slim.JSON}}

func legacyOptionsOf(e slim.Encoding) LegacyOptions {
	o := LegacyOptions{Form: Form{Edition: 1}, Edition: 1, ContentType: "application/json", SchemaVersion: "1.0", ApplicationID: "ticketscloud"}
	if e.Edition == slim.Edition2 {
		o.Form.Edition, o.Edition, o.SchemaVersion = 2, 2, "2.0"
	}
	if e.Format == slim.Protobuf {
		o.Form.Protobuf, o.ContentType = true, "application/x-protobuf"
	}
	return o
}

func newLegacyReader(t testing.TB, o LegacyOptions) *LegacyReader {
	t.Helper()
	r, err := NewLegacyReader(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testZone(t testing.TB, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

var legacyTopics = [Streams]string{season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds}

func streamOfTopic(topic string) Stream { return Stream(slices.Index(legacyTopics[:], topic)) }

// legacySeason is a generated season as a capture of one partition per topic.
func legacySeason(cfg season.Config) []recordfile.Record {
	var records []recordfile.Record
	offsets := map[string]int64{}
	for r := range season.Generate(cfg) {
		records = append(records, recordfile.Record{
			Topic: r.Topic, Offset: offsets[r.Topic], Timestamp: r.Time.UnixMilli(), Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value),
		})
		offsets[r.Topic]++
	}
	return records
}

// bridgeOutput is what the bridge's own rules make of legacy records, with all holds
// over at the end.
func bridgeOutput(t testing.TB, e slim.Encoding, places []byte, legacy []recordfile.Record) []recordfile.Record {
	t.Helper()
	d, err := directory.Parse(places, nil)
	if err != nil {
		t.Fatal(err)
	}
	var written []recordfile.Record
	engine, err := dryrun.New(dryrun.Config{
		Rules: &mapping.Rules{
			Encoding: e, Directory: d, DefaultLocation: testZone(t, "Europe/Moscow"),
			OrganizerHold: time.Minute, SetHold: time.Minute, MaxRecordBytes: mapping.DefaultMaxRecordBytes,
		},
		ApplicationID: "ticketscloud",
	}, func(r recordfile.Record) error {
		written = append(written, r)
		return nil
	})
	for i := 0; err == nil && i < len(legacy); i++ {
		err = engine.Process(legacy[i])
	}
	if err == nil {
		err = engine.ExpireHolds()
	}
	if err != nil {
		t.Fatal(err)
	}
	return written
}

// slimTexts are a slim record's cells by path, with ticket ids before those of tickets;
// without absent ones. The key of a ticket's cell is its number and path: ids need not
// be unique.
type slimTexts map[string]string

func (c slimTexts) put(path, text string) {
	if text != "" {
		c[path] = text
	}
}

func ticketPath(i int, path string) string { return strconv.Itoa(i) + " " + path }

func parsedSlim(t testing.TB, e slim.Encoding, r recordfile.Record) slimTexts {
	t.Helper()
	c := slimTexts{}
	for _, h := range r.Headers {
		c.put("header."+h.Key, string(h.Value))
	}
	var err error
	switch r.Topic {
	case "events":
		var v *slim.Event
		if v, err = slim.ParseEvent(e, r.Value); err == nil {
			c.event(e, v)
		}
	case "orders":
		var v *slim.Order
		if v, err = slim.ParseOrder(e, r.Value); err == nil {
			c.order(e, v)
		}
	case "refunds":
		var v *slim.Refund
		if v, err = slim.ParseRefund(e, r.Value); err == nil {
			c.customer(v.Customer)
			c.put("ticket_ids", strings.Join(v.TicketIDs, " "))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c slimTexts) event(e slim.Encoding, v *slim.Event) {
	c.put("id", v.ID)
	c.put("group_id", v.GroupID)
	c.put("name", v.Name)
	c.put("status", v.Status)
	c.put("category", v.Category)
	if v.StartAt != nil {
		c.put("start_at", fmt.Sprint(*v.StartAt))
	}
	c.put("finish_at", fmt.Sprint(v.FinishAt))
	if e.Edition == slim.Edition2 {
		c.put("offset", canonicalNumber(v.Offset))
	}
	c.put("media", v.Media)
	c.put("timezone", v.Timezone)
	c.put("description", v.Description)
	if o := v.Organizer; o != nil {
		c.put("organizer.id", o.ID)
		c.put("organizer.name", o.Name)
		if l := o.Legals; l != nil {
			c.put("organizer.legals.name", l.Name)
			c.put("organizer.legals.type", l.Type)
			c.put("organizer.legals.inn", l.INN)
			c.put("organizer.legals.ogrn", l.OGRN)
			c.put("organizer.legals.address", l.Address)
		}
	}
	if p := v.Venue; p != nil {
		c.put("venue.id", p.ID)
		c.put("venue.name", p.Name)
		c.put("venue.address", p.Address)
		c.put("venue.description", p.Description)
		c.put("venue.zipcode", p.Zipcode)
		c.put("venue.city_name", p.CityName)
		c.coordinate(e, "venue.lat", p.Lat)
		c.coordinate(e, "venue.lon", p.Lon)
	}
}

func (c slimTexts) coordinate(e slim.Encoding, path string, v *float64) {
	if v != nil && (*v != 0 || e.Format != slim.Protobuf) {
		c.put(path, canonicalNumber(*v))
	}
}

func (c slimTexts) customer(v slim.Customer) {
	c.put("customer.email", v.Email)
	c.put("customer.phone", v.Phone)
	c.put("customer.name", v.Name)
	c.put("customer.first_name", v.FirstName)
	c.put("customer.last_name", v.LastName)
}

func (c slimTexts) order(e slim.Encoding, v *slim.Order) {
	c.put("id", v.ID)
	c.put("number", v.Number)
	c.customer(v.Customer)
	var ids []string
	for i, t := range v.Tickets {
		ids = append(ids, t.ID)
		put := func(path, text string) { c.put(ticketPath(i, "tickets[]."+path), text) }
		put("event_id", t.EventID)
		put("organizer_id", t.OrganizerID)
		put("barcode", t.Barcode)
		put("number", t.Number)
		put("series", t.Series)
		put("row", t.Row)
		put("seat", t.Seat)
		put("category", t.Category)
		put("description", t.Description)
		put("price_nominal", fmt.Sprint(t.PriceNominal))
		put("currency", t.Currency)
	}
	c.put("tickets", strings.Join(ids, " "))
}

// legacyWorld are the newest sheets of all entities, and what follows from them once all
// holds are over: what is borrowed is looked up.
type legacyWorld struct {
	t      testing.TB
	form   Form
	places *Places
	sheets [Streams]map[string]*Sheet
	// blocked: keys of slim records that may be there or not, by the history: in edition
	// 2.0 an event cannot go out without an organizer's name, but an older version may stand.
	blocked map[string]bool
	// refused are the records that are for quarantine, by place.
	refused map[string]string
}

func newLegacyWorld(t testing.TB, o LegacyOptions, file []byte, legacy []recordfile.Record) *legacyWorld {
	t.Helper()
	places, err := NewPlaces(o.Form, file, nil, testZone(t, "Europe/Moscow"))
	if err != nil {
		t.Fatal(err)
	}
	w := &legacyWorld{t: t, form: o.Form, places: places, blocked: map[string]bool{}, refused: map[string]string{}}
	for s := range Streams {
		w.sheets[s] = map[string]*Sheet{}
	}
	reader := newLegacyReader(t, o)
	for _, rec := range legacy {
		s := streamOfTopic(rec.Topic)
		sheet := &Sheet{}
		reader.Read(s, &Record{Value: rec.Value}, sheet)
		switch sheet.Outcome {
		case Present:
			w.sheets[s][sheet.ID] = sheet
		case Quarantined:
			w.refused[fmt.Sprintf("%s/%d", rec.Topic, rec.Offset)] = sheet.Reason
		}
	}
	return w
}

func factOf(s *Sheet, key string) (string, bool) {
	if s == nil {
		return "", false
	}
	for _, f := range s.Facts {
		if f.Key == key {
			return f.Text, true
		}
	}
	return "", false
}

func (w *legacyWorld) organizerName(s *Sheet) string {
	c := s.Cells[indexOf(Fields(Events), "organizer.name")]
	if c.From == Partner {
		if name, known := factOf(w.sheets[Partners][s.Org], "organizer.name"); known {
			return name
		}
	}
	return c.Text
}

// text resolves a cell as Source describes it.
func (w *legacyWorld) text(s *Sheet, set, path string, c Cell) string {
	found, known := "", false
	switch c.From {
	case Organizer, Partner, PartnerName:
		name := w.organizerName(s)
		switch {
		case name == "":
			return ""
		case c.From == PartnerName:
			return name
		case c.From == Partner:
			found, known = factOf(w.sheets[Partners][s.Org], path)
		}
	case EventOrg:
		found, known = factOf(w.sheets[Events][s.Event], "org")
	case Set:
		found, known = factOf(w.sheets[Events][s.Event], SetKey(set, path))
	case Currency:
		if e := w.sheets[Events][s.Event]; e != nil {
			found, known = factOf(w.sheets[Partners][e.Org], "currency")
		}
	case OrderCell:
		if o := w.sheets[Orders][s.Order]; o != nil {
			i := indexOf(Fields(Orders), path)
			found, known = w.text(o, "", path, o.Cells[i]), true
		}
	case Directory:
		found, known = w.places.Text(path, s.Category, s.Venue, s.Start), true
	}
	if known && found != "" {
		return found
	}
	return c.Text
}

func (w *legacyWorld) texts(stream Stream, s *Sheet) slimTexts {
	c := slimTexts{}
	for i, f := range Fields(stream) {
		text := w.text(s, "", f.Path, s.Cells[i])
		if text != "" && !w.form.Has(f) {
			w.t.Errorf("%s has a text of a field that the form does not have", f.Path)
		}
		c.put(f.Path, text)
	}
	for n, item := range s.Items {
		for i, f := range ItemFields() {
			c.put(ticketPath(n, f.Path), w.text(s, item.Set, f.Path, item.Cells[i]))
		}
	}
	return c
}

// newest are the slim records that must stand at the end.
func (w *legacyWorld) newest() map[string]slimTexts {
	found := map[string]slimTexts{}
	put := func(key string, stream Stream, s *Sheet, parent string) {
		switch {
		case w.blocked[parent], parent == "" && w.form.Edition == 2 && w.organizerName(s) == "":
			w.blocked[key] = true
		case parent == "" || found[parent] != nil:
			found[key] = w.texts(stream, s)
		}
	}
	for id, s := range w.sheets[Events] {
		put("events/"+id, Events, s, "")
	}
	for id, s := range w.sheets[Orders] {
		put("orders/"+id, Orders, s, "events/"+s.Event)
	}
	for id, s := range w.sheets[Refunds] {
		if o := w.sheets[Orders][s.Order]; o != nil && o.Event == s.Event {
			put("refunds/"+id, Refunds, s, "orders/"+s.Order)
		}
	}
	return found
}

// compareWorlds holds what must stand against what the bridge wrote, field by field.
func compareWorlds(t testing.TB, e slim.Encoding, w *legacyWorld, written []recordfile.Record) (compared int) {
	t.Helper()
	got, refused := map[string]slimTexts{}, map[string]string{}
	for _, r := range written {
		if r.Topic != dryrun.QuarantineTopic {
			got[r.Topic+"/"+string(r.Key)] = parsedSlim(t, e, r)
			continue
		}
		h := map[string]string{}
		for _, one := range r.Headers {
			h[one.Key] = string(one.Value)
		}
		refused[h[mapping.HeaderErrorTopic]+"/"+h[mapping.HeaderErrorOffset]] = h[mapping.HeaderErrorClass]
	}
	want := w.newest()
	problems := 0
	complain := func(format string, args ...any) {
		if problems++; problems <= 10 {
			t.Errorf(format, args...)
		}
	}
	for key, texts := range want {
		if got[key] == nil {
			complain("%s: the bridge has none", key)
			continue
		}
		for path := range union(texts, got[key]) {
			if compared++; texts[path] != got[key][path] {
				complain("%s: %s is %q in the legacy sheet, %q in the slim record", key, path, texts[path], got[key][path])
			}
		}
	}
	for key := range got {
		if want[key] == nil && !w.blocked[key] {
			complain("%s: only the bridge has it", key)
		}
	}
	for place := range union(refused, w.refused) {
		if refused[place] != w.refused[place] {
			complain("%s: quarantined for %q, by the bridge for %q", place, w.refused[place], refused[place])
		}
	}
	return compared
}

func union(a, b map[string]string) map[string]bool {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return all
}

// TestLegacySheetsAreWhatTheBridgeWrites: two implementations of the mapping contract
// give the same fields for whole seasons.
func TestLegacySheetsAreWhatTheBridgeWrites(t *testing.T) {
	for _, hostile := range []float64{0, 0.2} {
		for _, e := range legacyEncodings {
			t.Run(fmt.Sprintf("%v %s %s", hostile, e.Edition, e.Format), func(t *testing.T) {
				cfg := season.Config{Orders: 3000, Seed: 17, Hostile: hostile}
				places, legacy := season.Directory(cfg), legacySeason(cfg)
				w := newLegacyWorld(t, legacyOptionsOf(e), places, legacy)
				compared := compareWorlds(t, e, w, bridgeOutput(t, e, places, legacy))
				if compared < 50_000 || (hostile > 0) != (len(w.refused) > 0) {
					t.Errorf("%d fields, %d quarantined: this shows nothing", compared, len(w.refused))
				}
			})
		}
	}
}

// legacyPlaces is a directory that leaves out all that it may.
const legacyPlaces = `{"categories":[{"id":"c1","name":"развитие"},{"id":"c2","name":"Quests "},{"id":"c3","name":"Opera"}],
"cities":[{"id":1,"name":"Pune","timezone":"Asia/Kolkata"},{"id":2,"name":"Somewhere"},{"id":3,"name":"London","timezone":"Europe/London"}],
"venues":[{"id":"v1","name":"Hall","description":"large","address":"1 Street","city":1,"lat":55.75,"lon":-0.1},
{"id":"v2","name":"Club","city":2,"lat":0,"lon":12},{"id":"v3","name":"Barn","city":3,"lat":0,"lon":-0.0},{"id":"v4","name":"Field"}]}`

func pickLegacy[T any](t *rapid.T, name string, values ...T) T {
	return rapid.SampledFrom(values).Draw(t, name)
}

func randomOgrn(t *rapid.T) (ogrn, ogrnip string, which int) {
	number := pickLegacy(t, "ogrn", "", "1027700")
	switch which = pickLegacy(t, "which ogrn", 0, 1, 2); which {
	case 1:
		return number, "", 1
	case 2:
		return "", number, 2
	}
	return "", "", 0
}

var randomINNs = []string{"", "7700000000", "770000000000", "77000000000x", "７７００００００００００"}

func randomLegacyPartner(t *rapid.T) proto.Message {
	p := &legacyproto.Partner{
		Id: pickLegacy(t, "id", "p1", "p2", ""), Name: pickLegacy(t, "name", "", "Театр", "Club \"A\" & <B>"),
		Currency: pickLegacy(t, "currency", "", "rub", "Usd", "KZT", "eur "), Role: pickLegacy(t, "role", "", "org"),
	}
	if pickLegacy(t, "legal", true, true, false) {
		p.Legal = &legacyproto.Partner_Legal{Name: pickLegacy(t, "legal name", "", "ООО"), Inn: pickLegacy(t, "inn", randomINNs...), Address: pickLegacy(t, "address", "", "street")}
		switch ogrn, ogrnip, which := randomOgrn(t); which {
		case 1:
			p.Legal.Ogrns = &legacyproto.Partner_Legal_Ogrn{Ogrn: ogrn}
		case 2:
			p.Legal.Ogrns = &legacyproto.Partner_Legal_Ogrnip{Ogrnip: ogrnip}
		}
	}
	return p
}

func randomMoment(t *rapid.T, name string) *timestamppb.Timestamp {
	return pickLegacy(t, name, nil, &timestamppb.Timestamp{Seconds: 1780000000}, &timestamppb.Timestamp{}, &timestamppb.Timestamp{Seconds: -99_999_999_999_999},
		&timestamppb.Timestamp{Seconds: 1770000000, Nanos: 999_999_999}, &timestamppb.Timestamp{Seconds: 1, Nanos: -1}, &timestamppb.Timestamp{Seconds: -3_000_000_000, Nanos: 1_500_000})
}

func randomLegacyEvent(t *rapid.T) proto.Message {
	e := &legacyproto.Event{
		Id: pickLegacy(t, "id", "e1", "e2", ""), Meta: pickLegacy(t, "meta", "", "g"), Name: pickLegacy(t, "name", "Show", "a\u0001b\u2028", "Show", ""),
		Description: pickLegacy(t, "description", "", "line\nline"), Status: legacyproto.Event_EventStatus(pickLegacy(t, "status", 0, 1, 2, 3, 9, -1)),
		Org: pickLegacy(t, "org", "", "p1", "p2", "p3"), Venue: pickLegacy(t, "venue", "", "v1", "v2", "v3", "v4", "v9"), Category: pickLegacy(t, "category", "", "c1", "c2", "c3"),
		Lifetime: &legacyproto.Lifetime{Start: randomMoment(t, "start"), Finish: randomMoment(t, "finish")},
		Media:    &legacyproto.Event_Media{Cover: pickLegacy(t, "cover", "", "1"), CoverOriginal: pickLegacy(t, "original", "", "2"), CoverSmall: pickLegacy(t, "small", "", "3")},
	}
	if pickLegacy(t, "legal", true, true, false) {
		l := &legacyproto.Event_LegalRu{
			Type: legacyproto.Event_LegalRu_Type(pickLegacy(t, "type", 0, 1, 5)), Name: pickLegacy(t, "legal name", "", "ИП"),
			Inn: pickLegacy(t, "inn", randomINNs...), Address: pickLegacy(t, "address", "", "street"),
		}
		switch ogrn, ogrnip, which := randomOgrn(t); which {
		case 1:
			l.Ogrns = &legacyproto.Event_LegalRu_Ogrn{Ogrn: ogrn}
		case 2:
			l.Ogrns = &legacyproto.Event_LegalRu_Ogrnip{Ogrnip: ogrnip}
		}
		e.Legal = &legacyproto.Event_LegalRu_{LegalRu: l}
	}
	for range pickLegacy(t, "sets", 0, 1, 3) {
		e.Sets = append(e.Sets, &legacyproto.Event_TicketSet{
			Id: pickLegacy(t, "set", "s1", "s2", ""), Name: pickLegacy(t, "set name", "", "Партер", "Balcony"),
			Description: pickLegacy(t, "set description", "", "near"), Removed: rapid.Bool().Draw(t, "removed"),
		})
	}
	return e
}

var legacyNames = []string{
	"", "  ", "Анна", " Анна \t Петрова ", "Петров Пётр Петрович", "Петрова Анна Ильинична", "Петрова Анна Сергеевна", "Мамедов Рашид Ахмед ОГЛЫ", "Алиева Лейла Рашид кызы",
	"Рашид Ахмед оглы", "Петров Пётр Петрович младший", "Anna Maria van Dam", "Anna\u00a0Maria Petrova",
}

var legacyPhones = []string{
	"", " ", "+79000000011", "89000000011", "8 (900) 000-00-11", "9000000011", "+7900000001", "+44 20 7946 0958", "1234567", "12", "abc", "8-800-FLOWERS",
	"+79000000011;", "+79000000011\n", "8 900 000-00-11 доб. 5", "+79000000011 (мама)", "８９０００００００１１", "+7 900 000 00 11 #", "0079000000011",
}

func randomLegacyOrder(t *rapid.T) proto.Message {
	id := pickLegacy(t, "id", "o1", "o2", "o3", "")
	o := &legacyproto.Order{
		Id: id, Event: orderEvents[id], Org: pickLegacy(t, "org", "", "p1", "p8"), Number: pickLegacy(t, "number", int64(0), 12, -4),
		Status: legacyproto.Order_Status(pickLegacy(t, "status", 2, 2, 2, 2, 0, 55)),
		Settings: &legacyproto.Order_Settings{Customer: &legacyproto.Order_Settings_Customer{
			Name: pickLegacy(t, "name", legacyNames...), Email: pickLegacy(t, "email", "", "b@example.com"), Phone: pickLegacy(t, "phone", legacyPhones...),
		}},
	}
	for i := range pickLegacy(t, "tickets", 0, 1, 2, 3) {
		o.Tickets = append(o.Tickets, &legacyproto.Order_Ticket{
			Id: pickLegacy(t, "ticket", fmt.Sprint("t", i), fmt.Sprint("t", i), fmt.Sprint("t", i), ""), Serial: pickLegacy(t, "serial", "", "A"),
			Number: pickLegacy(t, "ticket number", int64(0), 7, -7), Barcode: pickLegacy(t, "barcode", "", "4600"), Set: pickLegacy(t, "set", "", "s1", "s2", "s9"),
			Nominal: pickLegacy(t, "nominal", int64(0), 5000, -1), Seat: pickLegacy(t, "seat", nil, &legacyproto.Order_Ticket_Seat{Row: "3", Number: "4"}),
		})
	}
	return o
}

// orderEvents: an order does not change its event (decision 5).
var orderEvents = map[string]string{"o1": "e1", "o2": "e2", "o3": "e1", "": "e2"}

func randomLegacyRefund(t *rapid.T) proto.Message {
	id := pickLegacy(t, "id", "r1", "r2", "")
	order := map[string]string{"r1": "o1", "r2": "o2", "": "o1"}[id]
	r := &legacyproto.RefundRequest{Id: id, Order: order, Event: orderEvents[order], Status: legacyproto.RefundRequest_Status(pickLegacy(t, "status", 2, 2, 2, 0, 55))}
	for range pickLegacy(t, "tickets", 0, 1, 2, 3) {
		r.Tickets = append(r.Tickets, &legacyproto.RefundRequest_Ticket{Id: pickLegacy(t, "ticket", "t0", "t1", "")})
	}
	return r
}

// spoiltLegacy is what a hostile source may send in place of a value.
func spoiltLegacy(t *rapid.T, value []byte) []byte {
	switch pickLegacy(t, "spoilt", 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6) {
	case 1:
		return nil
	case 2:
		return value[:rapid.IntRange(0, len(value)).Draw(t, "length")]
	case 3: // the id, or that of a field that does not matter
		return append(value, pickLegacy(t, "text", "\x0a\x01\xff", "\x9a\x06\x01\xff")...)
	case 4: // a group that does not end, or does
		return append(value, pickLegacy(t, "group", "\x0b", "\x0b\x0c", "\x0b\x14")...)
	case 5: // a number where there ought to be a text, or a text for a number
		return append(value, pickLegacy(t, "other type", "\x08\x01", "\x22\x01\x02")...)
	case 6: // field numbers that cannot be
		return append(value, pickLegacy(t, "number", "\x00\x00", "\x80\x80\x80\x80\x10\x00")...)
	}
	return value
}

func randomLegacyHistory(t *rapid.T) []recordfile.Record {
	makers := [Streams]func(*rapid.T) proto.Message{randomLegacyPartner, randomLegacyEvent, randomLegacyOrder, randomLegacyRefund}
	var records []recordfile.Record
	offsets := [Streams]int64{}
	for range rapid.IntRange(1, 25).Draw(t, "records") {
		s := pickLegacy(t, "stream", Partners, Events, Events, Orders, Orders, Refunds)
		value, err := proto.Marshal(makers[s](t))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, recordfile.Record{Topic: legacyTopics[s], Offset: offsets[s], Timestamp: int64(len(records)), Value: spoiltLegacy(t, value)})
		offsets[s]++
	}
	return records
}

// Nor do they differ over small histories of awkward values.
func TestRandomLegacySheetsAreWhatTheBridgeWrites(t *testing.T) {
	for _, e := range legacyEncodings {
		t.Run(fmt.Sprint(e.Edition, " ", e.Format), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				legacy := randomLegacyHistory(rt)
				r := rapidReporter{t, rt}
				w := newLegacyWorld(r, legacyOptionsOf(e), []byte(legacyPlaces), legacy)
				compareWorlds(r, e, w, bridgeOutput(r, e, []byte(legacyPlaces), legacy))
			})
		})
	}
}

// rapidReporter tells rapid what a helper tells a test.
type rapidReporter struct {
	testing.TB
	rt *rapid.T
}

func (r rapidReporter) Errorf(format string, args ...any) { r.rt.Errorf(format, args...) }
func (r rapidReporter) Fatal(args ...any)                 { r.rt.Fatal(args...) }
func (r rapidReporter) Helper()                           {}
