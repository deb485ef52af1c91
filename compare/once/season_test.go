package once

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/slim"
)

var legacyTopics = [compare.Streams]string{season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds}

// encodings are the three ways in which slim records are written.
var encodings = []slim.Encoding{{Edition: slim.Edition1, Format: slim.JSON}, {Edition: slim.Edition1, Format: slim.Protobuf}, {Edition: slim.Edition2, Format: slim.JSON}}

const applicationID = planted.ApplicationID

// taken is a record for an Engine. Those of the quarantine topic have Quarantine.
type taken struct {
	side   Side
	stream compare.Stream
	topic  string
	record compare.Record
}

// world is a season and what the bridge makes of it.
type world struct {
	encoding slim.Encoding
	season   *planted.Season
	legacy   []taken
	slim     []taken
	rest     []taken // the quarantine topic
}

func newWorld(t testing.TB, c season.Config, e slim.Encoding) *world {
	t.Helper()
	s, err := planted.New(c, e)
	if err != nil {
		t.Fatal(err)
	}
	return &world{encoding: e, season: s, legacy: legacyTaken(Left, s.Legacy), slim: slimTaken(Right, s.Slim), rest: slimTaken(Quarantine, s.Quarantine)}
}

func legacyTaken(side Side, records []recordfile.Record) (out []taken) {
	for _, r := range records {
		out = append(out, taken{side, compare.Stream(slices.Index(legacyTopics[:], r.Topic)), r.Topic, recordOf(r)})
	}
	return out
}

var slimTopics = [compare.Streams]string{"", "events", "orders", "refunds"}

func slimTaken(side Side, records []recordfile.Record) (out []taken) {
	for _, r := range records {
		s := max(0, slices.Index(slimTopics[:], r.Topic))
		t := taken{side, compare.Stream(s), r.Topic, recordOf(r)}
		t.record.AppendTime = side == Right
		out = append(out, t)
	}
	return out
}

func recordOf(r recordfile.Record) compare.Record {
	out := compare.Record{
		Place: compare.Place{Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp}, Key: r.Key, Value: r.Value,
	}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, compare.Header{Key: h.Key, Value: h.Value})
	}
	return out
}

func zone(t testing.TB) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Europe/Moscow")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func edition(e slim.Encoding) int {
	if e.Edition == slim.Edition2 {
		return 2
	}
	return 1
}

func formOf(e slim.Encoding) compare.Form {
	return compare.Form{Edition: edition(e), Protobuf: e.Format == slim.Protobuf}
}

func legacyReader(t testing.TB, e slim.Encoding) compare.Reader {
	t.Helper()
	contentType := map[slim.Format]string{slim.JSON: "application/json", slim.Protobuf: "application/x-protobuf"}
	r, err := compare.NewLegacyReader(compare.LegacyOptions{
		Form: formOf(e), Edition: edition(e), ContentType: contentType[e.Format], SchemaVersion: e.Edition.String(), ApplicationID: applicationID,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func slimReader(t testing.TB, form compare.Form, e slim.Encoding, normalise bool) compare.Reader {
	t.Helper()
	r, err := compare.NewSlimReader(compare.SlimOptions{
		Form: form, Edition: edition(e), Format: e.Format.String(), ApplicationID: applicationID, NormaliseHeaders: normalise, DefaultZone: zone(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (w *world) options(t testing.TB, fs vfs.FS) Options {
	t.Helper()
	return Options{
		Dir: "rows", FS: fs, Form: formOf(w.encoding), Legacy: true, LegacyTopics: legacyTopics,
		Readers: [3]compare.Reader{Left: legacyReader(t, w.encoding), Right: slimReader(t, formOf(w.encoding), w.encoding, false)},
	}
}

func open(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (e *Engine) take(t testing.TB, records ...taken) {
	t.Helper()
	for i := range records {
		r := &records[i]
		var err error
		if r.side == Quarantine {
			err = e.TakeQuarantine(r.topic, &r.record)
		} else {
			err = e.Take(r.side, r.stream, r.topic, &r.record)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// judging is that of topics that nothing is missing of, in which nothing is young.
func (w *world) judging(t testing.TB) Judging {
	t.Helper()
	places, err := compare.NewPlaces(formOf(w.encoding), w.season.Directory, nil, zone(t))
	if err != nil {
		t.Fatal(err)
	}
	return Judging{
		Judge: compare.Judge{
			Directory: places.Text,
			Young:     func(bool, compare.Stream, *rowpb.Side) bool { return false },
		},
		QuarantineKnown: true, Now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC), Samples: 3,
	}
}

func (e *Engine) judge(t testing.TB, j Judging) Result {
	t.Helper()
	r, err := e.Judge(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// totals compares everything at once, in memory.
func (w *world) totals(t testing.TB) compare.Totals {
	t.Helper()
	return w.judged(t, w.options(t, vfs.NewMem()), w.judging(t), w.legacy, w.slim, w.rest).Totals
}

// judged takes the records and judges.
func (w *world) judged(t testing.TB, o Options, j Judging, records ...[]taken) Result {
	t.Helper()
	e := open(t, o)
	defer e.Close()
	for _, list := range records {
		e.take(t, list...)
	}
	return e.judge(t, j)
}

// differences are STREAM CATEGORY FIELD COUNT, sorted.
func differences(t compare.Totals) (all []string) {
	for _, f := range t.Fields {
		all = append(all, strings.Join(strings.Fields(fmt.Sprint(f.Stream, " ", f.Category, " ", f.Field, " ", f.Count)), " "))
	}
	return all
}
