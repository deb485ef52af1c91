// Package found runs a comparison over planted seasons, and says where what it found is
// not what was planted.
//
// What belongs here: handing the records of a season to package compare/once, without a
// broker, and holding its result against the plan. What does not: the faults (package
// planted), and the rules of comparison (package compare).
package found

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/once"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/internal/dryrun"
	"github.com/ticketscloud/vibe-bridge/internal/planted"
	"github.com/ticketscloud/vibe-bridge/internal/recordfile"
	"github.com/ticketscloud/vibe-bridge/internal/season"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Encoding of the slim records, which planted can spoil.
var Encoding = slim.Encoding{Edition: slim.Edition1, Format: slim.JSON}

var (
	legacyTopics = [compare.Streams]string{season.TopicPartners, season.TopicEvents, season.TopicOrders, season.TopicRefunds}
	slimTopics   = [compare.Streams]string{"", "events", "orders", "refunds"}
)

// Options are those of an engine in a folder, for seasons in Encoding. fs nil is the disk.
func Options(fs vfs.FS, dir string) (once.Options, error) {
	zone, err := time.LoadLocation(planted.Zone)
	if err != nil {
		return once.Options{}, err
	}
	o := once.Options{Dir: dir, FS: fs, Form: compare.Form{Edition: 1}, Legacy: true, LegacyTopics: legacyTopics}
	o.Readers[once.Left], err = compare.NewLegacyReader(compare.LegacyOptions{
		Form: o.Form, Edition: 1, ContentType: "application/json", SchemaVersion: Encoding.Edition.String(), ApplicationID: planted.ApplicationID,
	})
	if err != nil {
		return once.Options{}, err
	}
	o.Readers[once.Right], err = compare.NewSlimReader(compare.SlimOptions{
		Form: o.Form, Edition: 1, Format: Encoding.Format.String(), ApplicationID: planted.ApplicationID, DefaultZone: zone,
	})
	return o, err
}

// Judging is that of topics from which nothing has been deleted, in which nothing is
// young, and the times of which are one broker's. All differences are kept as samples.
func Judging(directory []byte, lateAfter time.Duration) (once.Judging, error) {
	zone, err := time.LoadLocation(planted.Zone)
	if err != nil {
		return once.Judging{}, err
	}
	places, err := compare.NewPlaces(compare.Form{Edition: 1}, directory, nil, zone)
	if err != nil {
		return once.Judging{}, err
	}
	return once.Judging{
		Judge: compare.Judge{
			Directory: places.Text,
			Young:     func(bool, compare.Stream, *rowpb.Side) bool { return false },
			Ordered:   [compare.Streams]bool{compare.Orders: true, compare.Refunds: true},
			LateAfter: lateAfter,
		},
		QuarantineKnown: true, Now: season.DefaultStart, Samples: math.MaxInt,
	}, nil
}

// Take hands a record to an engine: one of a legacy topic to the left side, one of a slim
// topic, as the broker appended it, to the right one, or one of quarantine.
func Take(e *once.Engine, left bool, r recordfile.Record) error {
	record := compare.Record{
		Place: compare.Place{Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, AppendTime: !left}, Key: r.Key, Value: r.Value,
	}
	for _, h := range r.Headers {
		record.Headers = append(record.Headers, compare.Header{Key: h.Key, Value: h.Value})
	}
	if !left && r.Topic == dryrun.QuarantineTopic {
		return e.TakeQuarantine(r.Topic, &record)
	}
	side, topics := once.Right, slimTopics
	if left {
		side, topics = once.Left, legacyTopics
	}
	s := slices.Index(topics[:], r.Topic)
	if s < 0 {
		return fmt.Errorf("topic %s is none of a season", r.Topic)
	}
	return e.Take(side, compare.Stream(s), r.Topic, &record)
}

// Base is a season of which all but the slim records has been taken once, so that each
// kind of fault need only take those. It may be used by several goroutines at once.
type Base struct {
	season *planted.Season
	fs     vfs.FS
	dir    string
	runs   atomic.Int64

	mu    sync.Mutex
	clean map[time.Duration]once.Result // by LateAfter, of the slim records as they are
}

// NewBase takes a season. Its rows are kept below the folder, in fs.
func NewBase(s *planted.Season, fs vfs.FS, dir string) (*Base, error) {
	b := &Base{season: s, fs: fs, dir: dir, clean: map[time.Duration]once.Result{}}
	o, err := Options(fs, b.path("base"))
	if err != nil {
		return nil, err
	}
	e, err := once.Open(o)
	if err != nil {
		return nil, err
	}
	for _, r := range s.Legacy {
		if err := Take(e, true, r); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	for _, r := range s.Quarantine {
		if err := Take(e, false, r); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	return b, errors.Join(e.Commit(), e.Close())
}

func (b *Base) path(name string) string { return b.fs.PathJoin(b.dir, name) }

// Compare judges the season with these slim records.
func (b *Base) Compare(ctx context.Context, slim []recordfile.Record, lateAfter time.Duration) (once.Result, error) {
	dir := b.path(fmt.Sprint("run", b.runs.Add(1)))
	if _, err := vfs.Clone(b.fs, b.fs, b.path("base"), dir); err != nil {
		return once.Result{}, err
	}
	o, err := Options(b.fs, dir)
	if err != nil {
		return once.Result{}, err
	}
	e, err := once.Open(o)
	if err != nil {
		return once.Result{}, err
	}
	r, err := judged(ctx, e, slim, b.season.Directory, lateAfter)
	return r, errors.Join(err, e.Close(), b.fs.RemoveAll(dir))
}

func judged(ctx context.Context, e *once.Engine, slim []recordfile.Record, directory []byte, lateAfter time.Duration) (once.Result, error) {
	for i, r := range slim {
		if i%4096 == 0 && ctx.Err() != nil {
			return once.Result{}, ctx.Err()
		}
		if err := Take(e, false, r); err != nil {
			return once.Result{}, err
		}
	}
	j, err := Judging(directory, lateAfter)
	if err != nil {
		return once.Result{}, err
	}
	return e.Judge(ctx, j)
}

// cleanResult is that of the slim records as they are.
func (b *Base) cleanResult(ctx context.Context, lateAfter time.Duration) (once.Result, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r, known := b.clean[lateAfter]; known {
		return r, nil
	}
	r, err := b.Compare(ctx, b.season.Slim, lateAfter)
	if err == nil {
		b.clean[lateAfter] = r
	}
	return r, err
}

// Clean says what is found in the season as it is, by words; nothing when all is well.
func (b *Base) Clean(ctx context.Context) (once.Result, []string, error) {
	r, err := b.cleanResult(ctx, 0)
	return r, FalseOnes(r.Totals), err
}

// FalseOnes are the differences and the undecidable entities of a season that has neither.
func FalseOnes(t compare.Totals) (wrong []string) {
	for _, f := range t.Fields {
		wrong = append(wrong, fmt.Sprintf("%d %s of category %s in field %q", f.Count, f.Stream, f.Category, f.Field))
	}
	for _, s := range slices.Sorted(maps.Keys(t.Streams)) {
		if c := t.Streams[s]; len(c.Undecidable) > 0 || c.Different > 0 {
			wrong = append(wrong, fmt.Sprintf("%s: %d different, undecidable %v", s, c.Different, c.Undecidable))
		}
	}
	return wrong
}

// Outcome is what became of a kind of fault.
type Outcome struct {
	Planted int
	Found   int      // of those, as they were planted
	False   int      // entities, by category and field, with a difference that was not planted
	Wrong   []string // why it is not as it should be; nothing when all is well
}

// mostWrong bounds how many sentences an Outcome has.
const mostWrong = 10

func (o *Outcome) wrong(format string, args ...any) {
	if len(o.Wrong) < mostWrong {
		o.Wrong = append(o.Wrong, fmt.Sprintf(format, args...))
	}
}

// seen is one difference of an entity.
type seen struct {
	stream, id string
	category   string
	field      string
}

func differences(t compare.Totals) map[seen]bool {
	all := map[seen]bool{}
	for _, s := range t.Samples {
		all[seen{s.Stream, s.ID, string(s.Category), s.Field}] = true
	}
	return all
}

// Kind plants a kind in n entities and compares.
func (b *Base) Kind(ctx context.Context, kind planted.Kind, n int, seed uint64) (Outcome, error) {
	lateAfter := time.Duration(0)
	if kind.Category == string(compare.Late) {
		lateAfter = planted.Late / 2
	}
	clean, err := b.cleanResult(ctx, lateAfter)
	if err != nil {
		return Outcome{}, err
	}
	records, ids := b.season.Plant(kind, n, seed)
	result, err := b.Compare(ctx, records, lateAfter)
	if err != nil {
		return Outcome{}, err
	}
	return outcome(kind, ids, clean.Totals, result.Totals), nil
}

// outcome holds what was found against the plan: the differences of the planted entities
// beside those of the season as it is, and nothing that became pending, undecidable,
// skipped or quarantined.
func outcome(kind planted.Kind, ids []string, clean, got compare.Totals) Outcome {
	o := Outcome{Planted: len(ids)}
	before, after := differences(clean), differences(got)
	for _, id := range ids {
		want := seen{kind.Stream, id, kind.Category, kind.Field}
		if after[want] && !before[want] {
			o.Found++
		} else {
			o.wrong("%s %s is not told", kind.Stream, id)
		}
		delete(after, want)
	}
	for d := range before {
		if !after[d] {
			o.wrong("%s %s: %s in field %q is not told any more", d.stream, d.id, d.category, d.field)
		}
		delete(after, d)
	}
	o.False = len(after)
	for _, d := range slices.SortedFunc(maps.Keys(after), func(a, b seen) int { return cmp.Or(cmp.Compare(a.stream, b.stream), cmp.Compare(a.id, b.id)) }) {
		o.wrong("%s %s: %s in field %q was not planted", d.stream, d.id, d.category, d.field)
	}
	o.checkCounts(kind, clean, got)
	return o
}

// checkCounts: an entity that is planted is different and was equal; all others are as they were.
func (o *Outcome) checkCounts(kind planted.Kind, clean, got compare.Totals) {
	for s := compare.Events; s < compare.Streams; s++ {
		want, have := streamOf(clean, s), streamOf(got, s)
		if s.String() == kind.Stream {
			n := int64(o.Planted)
			switch kind.Category {
			case string(compare.Late): // told beside equal
			case string(compare.Extra):
				want.Entities, want.Different, want.Unexplained = want.Entities+n, want.Different+n, want.Unexplained+n
			default:
				want.Equal, want.Different, want.Unexplained = want.Equal-n, want.Different+n, want.Unexplained+n
			}
		}
		want.Right = have.Right
		if fmt.Sprintf("%+v", want) != fmt.Sprintf("%+v", have) {
			o.wrong("counts of %s are %+v, want %+v", s, have, want)
		}
	}
}

func streamOf(t compare.Totals, s compare.Stream) compare.StreamTotals {
	if c := t.Streams[s.String()]; c != nil {
		return *c
	}
	return compare.StreamTotals{}
}
