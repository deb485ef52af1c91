package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/compare"
	"github.com/ticketscloud/vibe-bridge/compare/once"
	"github.com/ticketscloud/vibe-bridge/compare/rowpb"
	"github.com/ticketscloud/vibe-bridge/compare/sample"
)

// read takes everything up to the marks, one side after the other, while the clients of
// the others fetch ahead. What was taken is committed also when it ends with an error.
func (p *comparison) read(ctx context.Context, progress io.Writer, w *comparedWork) error {
	var failed error // of the engine
	var readers []*topicReader
	for _, side := range []once.Side{once.Quarantine, once.Left, once.Right, once.Baseline} {
		if len(p.of(side)) > 0 {
			readers = append(readers, p.readerOf(side, w, &failed))
		}
	}
	m := newCompareMeter(progress, w.marks.Marks, readers)
	for _, r := range readers {
		err := r.readAll(ctx, func() error {
			m.say()
			return failed
		})
		if err = errors.Join(err, failed); err != nil {
			return errors.Join(err, w.engine.Commit())
		}
	}
	return w.engine.Commit()
}

// readerOf reads a side from where its rows end up to the marks.
func (p *comparison) readerOf(side once.Side, w *comparedWork, failed *error) *topicReader {
	at, streams, names := map[partitionID]*cursor{}, map[string]compare.Stream{}, []string(nil)
	for _, t := range p.of(side) {
		streams[t.name], names = t.stream, append(names, t.name)
	}
	for _, mark := range w.marks.Marks {
		if mark.Side != side.String() {
			continue
		}
		next := mark.Start
		if n, ok := w.engine.Next(side, mark.Topic, mark.Partition); ok {
			next = n
		}
		if next < mark.End {
			at[partitionID{mark.Topic, mark.Partition}] = &cursor{next: next, end: mark.End}
		}
	}
	r := readerAt(p.sides[side], names, at)
	r.read = func(rec *kgo.Record) func() {
		record := comparedRecord(rec)
		return func() {
			switch {
			case *failed != nil:
			case side == once.Quarantine:
				*failed = w.engine.TakeQuarantine(rec.Topic, &record)
			default:
				*failed = w.engine.Take(side, streams[rec.Topic], rec.Topic, &record)
			}
		}
	}
	return r
}

func comparedRecord(r *kgo.Record) compare.Record {
	out := compare.Record{
		Place: compare.Place{Partition: r.Partition, Offset: r.Offset, Time: timestampOf(r), AppendTime: r.Attrs.TimestampType() == logAppendTime},
		Key:   r.Key, Value: r.Value,
	}
	if len(r.Headers) > 0 {
		out.Headers = make([]compare.Header, len(r.Headers))
	}
	for i, h := range r.Headers {
		out.Headers[i] = compare.Header{Key: h.Key, Value: h.Value}
	}
	return out
}

// compareMeter says where the reading is, every few seconds.
type compareMeter struct {
	out         io.Writer
	readers     []*topicReader
	total       int64 // offsets in all
	first       int64 // of those, left when it began
	began, said time.Time
}

const compareProgressInterval = 5 * time.Second

func newCompareMeter(out io.Writer, marks []compare.Mark, readers []*topicReader) *compareMeter {
	m := &compareMeter{out: out, readers: readers, began: time.Now(), said: time.Now()}
	for _, mark := range marks {
		m.total += mark.End - mark.Start
	}
	m.first = m.left()
	return m
}

func (m *compareMeter) left() (n int64) {
	for _, r := range m.readers {
		n += r.left()
	}
	return n
}

func (m *compareMeter) say() {
	if time.Since(m.said) < compareProgressInterval || m.total == 0 {
		return
	}
	m.said = time.Now()
	left := m.left()
	rate := float64(m.first-left) / time.Since(m.began).Seconds()
	text := fmt.Sprintf("read %d of %d records (%.1f %%), %.0f records/s", m.total-left, m.total, 100*float64(m.total-left)/float64(m.total), rate)
	if rate > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(left)/rate*float64(time.Second)).Round(time.Second))
	}
	fmt.Fprintln(m.out, text)
}

// judge holds all rows against each other.
func (p *comparison) judge(ctx context.Context, progress io.Writer, w *comparedWork) (err error) {
	p.withoutGaps(w.engine)
	judge := p.conclusions
	judge.Young, judge.LateAfter = youngAt(w.marks.Marks, p.topics), p.config.Compare.LateAfter
	if p.places != nil {
		judge.Directory = p.places.Text
	}
	began, said := time.Now(), time.Now()
	w.result, err = w.engine.Judge(ctx, once.Judging{
		Judge: judge, QuarantineKnown: p.known, Expected: p.expected, Now: w.marks.time(), Samples: p.config.Compare.Samples,
		Progress: func(entities int64) {
			if time.Since(said) >= compareProgressInterval {
				said = time.Now()
				fmt.Fprintf(progress, "compared %d entities, %.0f entities/s\n", entities, float64(entities)/time.Since(began).Seconds())
			}
		},
	})
	return err
}

// youngAt tells whether what a side says came at or behind the settled mark of its partition.
func youngAt(marks []compare.Mark, topics []*comparedTopic) func(bool, compare.Stream, *rowpb.Side) bool {
	type partition struct {
		left      bool
		stream    compare.Stream
		partition int32
	}
	settled := map[partition]int64{}
	for _, mark := range marks {
		for _, t := range topics {
			if t.is(mark) && (t.side == once.Left || t.side == once.Right) {
				settled[partition{t.side == once.Left, t.stream, mark.Partition}] = mark.Settled
			}
		}
	}
	return func(left bool, s compare.Stream, side *rowpb.Side) bool {
		at := side.GetChanged()
		if at == nil {
			return false
		}
		mark, known := settled[partition{left, s, at.GetPartition()}]
		return known && at.GetOffset() >= mark
	}
}

// report fills in all but the verdict.
func (p *comparison) report(ctx context.Context, w *comparedWork) (*compare.Report, error) {
	stats := w.engine.Stats()
	r := &compare.Report{
		Version: 1, Deployment: p.config.Name, Left: p.party(once.Left, stats, w), Right: p.party(once.Right, stats, w),
		Notes: append(p.notes, stats.Nameless...),
		Run:   compare.Run{Time: w.marks.time(), Records: stats.Total(), Resumed: w.resumed},
	}
	if p.legacy && w.marks.behind() {
		r.Notes = append(r.Notes, bridgeBehind)
	}
	r.Marks, w.warnings = w.counted(p.topics)
	r.Notes = append(r.Notes, w.warnings...)
	w.warnings = append(w.warnings, w.result.Noise.Notes()...)
	w.result.Totals.Fill(r, p.expected, w.result.Noise, w.marks.time())
	var err error
	r.Samples, err = p.samples(ctx, w.result.Totals.Samples)
	return r, err
}

// mostSampling bounds the reading of samples. What has not been read by then is shown as such.
const mostSampling = time.Minute

func (p *comparison) samples(ctx context.Context, refs []compare.SampleRef) ([]compare.Sample, error) {
	f := &sample.Fetcher{Topics: [2][compare.Streams]string{p.names(once.Left), p.names(once.Right)}}
	defer f.Close()
	s := &sample.Sampler{Form: p.form, Fetch: f.Fetch}
	for n, side := range []once.Side{once.Left, once.Right} {
		f.Clusters[n] = p.config.ClusterNamed(p.of(side)[0].cluster)
		s.Sides[n] = sample.Side{Topics: f.Topics[n], Reader: p.readers[side]}
	}
	if p.places != nil {
		s.Directory = p.places.Text
	}
	limited, cancel := context.WithTimeout(ctx, mostSampling)
	defer cancel()
	var out []compare.Sample
	for _, ref := range refs {
		one, _ := s.Sample(limited, ref)
		out = append(out, one)
	}
	return out, ctx.Err()
}

func (p *comparison) party(side once.Side, stats once.Stats, w *comparedWork) compare.Party {
	out := p.side(side)
	out.Records, out.Newest, out.Behind = stats.Records[side], stats.Newest[side], -1
	if out.Records > 0 {
		out.Behind = float64(max(0, w.marks.time().UnixMilli()-out.Newest)) / 1000
	}
	return out
}

// side is the left or the right one, with nothing that was read of it.
func (p *comparison) side(side once.Side) compare.Party {
	out, e := compare.Party{Label: "slim", Kind: "slim"}, p.right
	if side == once.Left {
		e = p.left
		out.Label = "other slim"
	}
	if side == once.Left && p.legacy {
		out.Label, out.Kind = "legacy", "legacy"
	} else {
		out.Edition, out.Format = e.Edition.String(), e.Format.String()
	}
	for _, t := range p.of(side) {
		out.Topics = append(out.Topics, t.name)
	}
	return out
}

// named says what is compared, as compare.Of does.
func (p *comparison) named() string {
	return compare.Of(p.config.Name, p.side(once.Left), p.side(once.Right))
}
