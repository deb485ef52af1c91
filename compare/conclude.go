package compare

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
)

// QuarantineFacts are what the verdict has to know of the quarantine topic.
type QuarantineFacts struct {
	Known   bool      `json:"known"`           // it was read
	Records int64     `json:"records"`         // that were not replayed
	Oldest  time.Time `json:"oldest,omitzero"` // when the oldest of them came there; zero for none
}

// Conclude gives a report that is filled its verdict, its trend, of which history are the earlier points, and its digest.
// The report's Run.Time is the moment that counts as now.
func (r *Report) Conclude(c Cutover, q QuarantineFacts, history []TrendPoint) (err error) {
	r.Quarantine = q
	r.Verdict, r.Trend = r.judge(c, history)
	r.Digest, err = r.digest()
	return err
}

// judge holds the figures against the thresholds. trend is the history with this result.
func (r *Report) judge(c Cutover, history []TrendPoint) (v Verdict, trend []TrendPoint) {
	f := r.facts()
	point := TrendPoint{
		Time: r.Run.Time, Coverage: f.Coverage, Unexplained: unexplainedRate(f.Unexplained, f.Compared), Violations: f.Violations,
	}
	if f.Entities < c.MinEntities {
		point.Coverage = 0 // it says nothing, and is no clean day
	}
	trend = slices.DeleteFunc(slices.Clone(history), func(p TrendPoint) bool { return p.Time.Equal(point.Time) })
	f.DaysClean = DaysClean(append(trend, point), c, r.Run.Time)
	v = Decide(c, f)
	point.Go = v.Go
	trend = append(trend, point)
	slices.SortStableFunc(trend, func(a, b TrendPoint) int { return a.Time.Compare(b.Time) })
	return v, trend
}

func (r *Report) facts() VerdictFacts {
	f := VerdictFacts{Coverage: 1, Behind: r.Right.Behind, QuarantineKnown: r.Quarantine.Known, Quarantined: r.Quarantine.Records}
	if !r.Quarantine.Oldest.IsZero() {
		f.OldestQuarantine = max(0, r.Run.Time.Sub(r.Quarantine.Oldest))
	}
	worst := -1.0
	for _, s := range r.Streams {
		compared := s.Equal + s.Different
		f.Entities += compared
		if s.Coverage < f.Coverage {
			f.Coverage, f.CoverageStream = s.Coverage, s.Stream
		}
		if rate := unexplainedRate(s.Unexplained, compared); rate > worst {
			worst, f.Unexplained, f.Compared, f.UnexplainedStream = rate, s.Unexplained, compared, s.Stream
		}
	}
	for _, c := range r.Counts {
		if c.Category == OrderViolation || c.Category == RefundViolation {
			f.Violations += c.Count - c.Expected
		}
	}
	for _, e := range r.Expected {
		if e.Expired {
			f.Expired += e.Count
		}
	}
	return f
}

// digest is of all that the same marks give again.
func (r *Report) digest() (string, error) {
	same := *r
	same.Trend, same.Digest, same.Run = nil, "", Run{}
	same.Verdict = Verdict{Checks: slices.DeleteFunc(slices.Clone(r.Verdict.Checks), func(c Check) bool { return c.Name == "cutover.days_clean" })}
	same.Samples = slices.Clone(r.Samples)
	for i := range same.Samples {
		s := &same.Samples[i]
		s.Item, s.Left, s.Right = "", Shown{Place: s.Left.Place}, Shown{Place: s.Right.Place}
	}
	text, err := json.Marshal(same)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
