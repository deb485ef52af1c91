package live

import (
	"context"
	"fmt"
	"time"

	"github.com/ticketscloud/vibe-bridge/compare"
)

// Report is what the walks of all instances have found last, with the places of samples and without their texts. It is
// an error as long as not all partitions have been walked over.
func (i *Instance) Report(now time.Time) (*compare.Report, error) {
	r, _, err := i.counted(now)
	return r, err
}

// SampledReport is Report with the texts of samples, which are read from the topics when they have not been yet. It
// waits for them for samplePatience.
func (i *Instance) SampledReport(ctx context.Context, now time.Time) (*compare.Report, error) {
	r, refs, err := i.counted(now)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, samplePatience)
		defer cancel()
		r.Samples = i.samples.show(ctx, i.cfg, refs)
	}
	return r, err
}

func (i *Instance) counted(now time.Time) (*compare.Report, []compare.SampleRef, error) {
	s, _ := i.session()
	q := compare.QuarantineFacts{}
	if s != nil && s.quarantine != nil {
		q = s.quarantine.facts()
	}
	return i.cfg.report(i.results, q, now)
}

// NotWalkedError says that there is no result yet.
type NotWalkedError struct{ Have, Want int }

func (e *NotWalkedError) Error() string {
	return fmt.Sprintf("no result yet: %d of %d partitions have been compared; `vibe-bridge compare run` has to run until all are", e.Have, e.Want)
}

// ReadReport makes the report from the topics, whether or not instances run.
func ReadReport(ctx context.Context, cfg Config, now time.Time) (*compare.Report, error) {
	r := newResults(cfg.Settings.Partitions)
	if err := cfg.State.Read(ctx, cfg.topics().totals(), r.take); err != nil {
		return nil, err
	}
	facts := compare.QuarantineFacts{}
	if cfg.Quarantine != "" {
		q := newQuarantine(cfg.LegacyTopics)
		if err := cfg.State.Read(ctx, cfg.Quarantine, q.take); err != nil {
			return nil, err
		}
		facts = q.facts()
	}
	report, refs, err := cfg.report(r, facts, now)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, commandPatience)
		defer cancel()
		report.Samples = newSamples().show(ctx, cfg, refs)
	}
	return report, err
}

// report has the places of samples alone, and gives what they are of. Its digest does not depend on what they say.
func (c Config) report(results *results, q compare.QuarantineFacts, now time.Time) (*compare.Report, []compare.SampleRef, error) {
	w := results.whole(c.Samples)
	if !w.Complete {
		return nil, nil, &NotWalkedError{w.Parts, tables * int(c.Settings.Partitions)}
	}
	r := &compare.Report{
		Version: 1, Deployment: c.Name, Left: c.Left.party(w, 0), Right: c.Right.party(w, 1),
		Run: compare.Run{
			Time: w.Time, Seconds: now.Sub(time.UnixMilli(w.Horizon)).Seconds(), Records: w.Records[0] + w.Records[1], Continuous: true,
		},
		Notes: []string{fmt.Sprintf("what was in the topics at %s has been compared", time.UnixMilli(w.Horizon).UTC().Format(time.RFC3339))},
	}
	w.Totals.Fill(r, c.Expected, c.Noise, w.Time)
	r.Samples = c.places(w.Totals.Samples)
	history, err := c.history(results, q)
	if err != nil {
		return nil, nil, err
	}
	return r, w.Totals.Samples, r.Conclude(c.Cutover, q, history)
}

// history are the results of the hours before. Of the quarantine then nothing is known: that of now is
// taken, which only the words GO and NO-GO of the points depend on.
func (c Config) history(results *results, q compare.QuarantineFacts) ([]compare.TrendPoint, error) {
	var points []compare.TrendPoint
	for _, w := range results.hours() {
		r := &compare.Report{Right: c.Right.party(w, 1), Run: compare.Run{Time: w.Time}}
		w.Totals.Fill(r, c.Expected, c.Noise, w.Time)
		if err := r.Conclude(c.Cutover, q, points); err != nil {
			return nil, err
		}
		points = r.Trend
	}
	return points, nil
}

func (s Side) party(w Whole, n int) compare.Party {
	p := compare.Party{Label: s.Label, Kind: "slim", Edition: s.Edition, Format: s.Format, Records: w.Records[n], Newest: w.Newest[n], Behind: -1}
	if s.Legacy {
		p.Kind = "legacy"
	}
	for stream := range compare.Streams {
		if topic := s.Topics[stream]; topic != "" {
			p.Topics = append(p.Topics, topic)
		}
	}
	if p.Newest != 0 {
		p.Behind = max(0, float64(w.Horizon-p.Newest)/1000)
	}
	return p
}
