package compare

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Cutover are the thresholds of the verdict. What is equal to its threshold is within it.
type Cutover struct {
	MinCoverage        float64 // share of the entities of the worst stream, 0 to 1
	MaxUnexplainedRate float64 // unexplained ÷ compared of the worst stream, 0 to 1
	MaxViolations      int64   // of the order of events, orders and refunds
	// MaxQuarantineAge is how old the oldest record may be that is in quarantine and was
	// not replayed. An older one is unattended.
	MaxQuarantineAge time.Duration
	DaysClean        float64 // how long results must have been clean; 0: no history is needed
	MinEntities      int64   // compared, at least 1: an empty comparison says nothing
	// MaxBehind is how much older the newest record of the right side may be than the
	// comparison; 0: not checked.
	MaxBehind time.Duration
}

// DefaultCutover are the thresholds where the configuration says nothing.
func DefaultCutover() Cutover {
	return Cutover{MinCoverage: 0.999, MaxUnexplainedRate: 0.0001, MaxQuarantineAge: 24 * time.Hour, MinEntities: 1}
}

// Validate names the first key that is out of its bounds.
func (c Cutover) Validate() error {
	share := func(v float64) bool { return 0 <= v && v <= 1 }
	switch {
	case !share(c.MinCoverage):
		return fmt.Errorf("cutover.min_coverage is %v: it must be from 0 to 1", c.MinCoverage)
	case !share(c.MaxUnexplainedRate):
		return fmt.Errorf("cutover.max_unexplained_rate is %v: it must be from 0 to 1", c.MaxUnexplainedRate)
	case c.MaxViolations < 0:
		return fmt.Errorf("cutover.max_violations is %d: it must not be negative", c.MaxViolations)
	case c.MaxQuarantineAge < 0:
		return fmt.Errorf("cutover.max_quarantine_age is %v: it must not be negative", c.MaxQuarantineAge)
	case !(0 <= c.DaysClean && c.DaysClean <= 3650):
		return fmt.Errorf("cutover.days_clean is %v: it must be from 0 to 3650", c.DaysClean)
	case c.MinEntities < 1:
		return fmt.Errorf("cutover.min_entities is %d: it must be at least 1", c.MinEntities)
	case c.MaxBehind < 0:
		return fmt.Errorf("cutover.max_behind is %v: it must not be negative", c.MaxBehind)
	}
	return nil
}

// VerdictFacts are what the verdict is made of.
type VerdictFacts struct {
	Coverage       float64 // of the worst stream
	CoverageStream string
	// Unexplained entities of the stream where they are the largest share of those Compared.
	Unexplained, Compared int64
	UnexplainedStream     string
	Expired               int64 // entities that only an expired rule declares; they are unexplained
	Violations            int64
	QuarantineKnown       bool
	Quarantined           int64         // records that were not replayed
	OldestQuarantine      time.Duration // age of the oldest of these
	DaysClean             float64       // what func DaysClean says, this result included
	Entities              int64         // compared, of all streams
	Behind                float64       // of the right side, in seconds; negative without records
}

// Decide holds the facts against the thresholds. It is GO when all are kept.
func Decide(c Cutover, f VerdictFacts) Verdict {
	rate := unexplainedRate(f.Unexplained, f.Compared)
	v := Verdict{Go: true}
	add := func(name string, ok bool, want, got, why string) {
		check := Check{Name: "cutover." + name, OK: ok, Want: want, Got: got}
		if !ok {
			check.Why = why
		}
		v.Checks = append(v.Checks, check)
		v.Go = v.Go && ok
	}
	add("min_entities", f.Entities >= c.MinEntities,
		"at least "+plural(c.MinEntities, "entity", "entities")+" compared", groupDigits(f.Entities),
		"too little was compared to say anything: look at the topics and their marks")
	add("min_coverage", f.Coverage >= c.MinCoverage,
		"at least "+exactPercent(c.MinCoverage), nearPercent(f.Coverage, c.MinCoverage)+ofStream(f.CoverageStream),
		"look at what is pending or undecidable, and at the notes; what is pending may only need time")
	why := "look at the differences and their samples; declare in the file of expected differences what is meant to differ"
	if f.Expired > 0 {
		why += "; " + plural(f.Expired, "entity has", "entities have") + " a rule there that has expired"
	}
	add("max_unexplained_rate", rate <= c.MaxUnexplainedRate,
		"at most "+exactPercent(c.MaxUnexplainedRate),
		fmt.Sprintf("%s (%s of %s)%s", nearPercent(rate, c.MaxUnexplainedRate), groupDigits(f.Unexplained), groupDigits(f.Compared), ofStream(f.UnexplainedStream)), why)
	add("max_violations", f.Violations <= c.MaxViolations,
		"at most "+groupDigits(c.MaxViolations), groupDigits(f.Violations),
		"an order came before its event, or a refund before its order: look at the samples")
	add("max_quarantine_age", f.quarantineAttended(c.MaxQuarantineAge),
		"none older than "+exactTime(c.MaxQuarantineAge), f.quarantine(),
		"replay what is in quarantine, or find out why it cannot be: vibe-bridge quarantine list")
	if c.DaysClean > 0 {
		add("days_clean", f.DaysClean >= c.DaysClean,
			"at least "+shortDays(c.DaysClean, c.DaysClean)+" days", shortDays(f.DaysClean, c.DaysClean)+" days",
			"wait, and let the comparison run: every result of so many days must keep coverage, rate and violations, without a gap")
	}
	if c.MaxBehind > 0 {
		got := "no records"
		if f.Behind >= 0 {
			got = roundedTime(durationOf(f.Behind))
		}
		add("max_behind", f.Behind >= 0 && f.Behind <= c.MaxBehind.Seconds(),
			"at most "+exactTime(c.MaxBehind), got,
			"the right side lags behind, or nothing happens: look at the lag of the bridge")
	}
	return v
}

func (f VerdictFacts) quarantineAttended(most time.Duration) bool {
	return f.QuarantineKnown && (f.Quarantined == 0 || f.OldestQuarantine <= most)
}

func (f VerdictFacts) quarantine() string {
	switch {
	case !f.QuarantineKnown:
		return "not known: the quarantine topic was not read"
	case f.Quarantined == 0:
		return "none"
	}
	return plural(f.Quarantined, "record", "records") + ", the oldest " + roundedTime(f.OldestQuarantine)
}

func unexplainedRate(unexplained, compared int64) float64 {
	if unexplained == 0 {
		return 0
	}
	return float64(unexplained) / float64(max(compared, 1))
}

// MaxTrendGap is how far apart two results may be that follow each other: a nightly
// comparison may be late.
const MaxTrendGap = 26 * time.Hour

// DaysClean is how long all results were clean up to the newest one: within the
// thresholds of coverage, unexplained rate and violations. A gap of more than
// MaxTrendGap, also between the newest result and now, ends it.
func DaysClean(points []TrendPoint, c Cutover, now time.Time) float64 {
	points = slices.Clone(points)
	points = slices.DeleteFunc(points, func(p TrendPoint) bool { return p.Time.After(now) })
	slices.SortStableFunc(points, func(a, b TrendPoint) int { return b.Time.Compare(a.Time) })
	next := now
	for i, p := range points {
		clean := p.Coverage >= c.MinCoverage && p.Unexplained <= c.MaxUnexplainedRate && p.Violations <= c.MaxViolations
		if !clean || next.Sub(p.Time) > MaxTrendGap {
			points = points[:i]
			break
		}
		next = p.Time
	}
	if len(points) == 0 {
		return 0
	}
	return points[0].Time.Sub(next).Hours() / 24
}

func ofStream(name string) string {
	if name == "" {
		return ""
	}
	return " in " + name
}

// exactPercent is a threshold as somebody wrote it: 0.999 is 99.9 %.
func exactPercent(share float64) string {
	text := strconv.FormatFloat(share, 'f', -1, 64)
	whole, fraction, _ := strings.Cut(text, ".")
	for len(fraction) < 2 {
		fraction += "0"
	}
	whole = strings.TrimLeft(whole+fraction[:2], "0")
	if whole == "" {
		whole = "0"
	}
	if fraction = fraction[2:]; fraction != "" {
		whole += "." + fraction
	}
	return whole + " %"
}

// nearPercent rounds a measured share: to two places, or two digits of a small one; and
// not so much that it would be on the other side of the threshold, or of 0 or 1.
func nearPercent(share, threshold float64) string {
	if share == threshold {
		return exactPercent(share)
	}
	percent := share * 100
	places := 2
	if small := math.Abs(percent); 0 < small && small < 0.1 {
		places = min(1-int(math.Floor(math.Log10(small))), 15)
	}
	for ; places < 15; places++ {
		rounded, _ := strconv.ParseFloat(strconv.FormatFloat(percent, 'f', places, 64), 64)
		if sameSide(rounded, percent, 0) && sameSide(rounded, percent, 100) && sameSide(rounded, percent, threshold*100) {
			break
		}
	}
	text := strconv.FormatFloat(percent, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + " %"
}

func sameSide(a, b, of float64) bool { return (a < of) == (b < of) && (a > of) == (b > of) }

// shortDays rounds down, so that nothing seems reached that is not.
func shortDays(days, threshold float64) string {
	if days == threshold {
		return strconv.FormatFloat(days, 'f', -1, 64)
	}
	return strconv.FormatFloat(math.Floor(days*10)/10, 'f', -1, 64)
}

// groupDigits puts commas between the thousands.
func groupDigits(n int64) string {
	text := strconv.FormatInt(n, 10)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(text) - 3; i > first; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return groupDigits(n) + " " + many
}

// exactTime is a threshold as people say it: "1 d 12 h".
func exactTime(d time.Duration) string {
	if d == 0 {
		return "0 s"
	}
	if d < time.Second || d%time.Second != 0 {
		return d.String()
	}
	text := ""
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, " d "}, {time.Hour, " h "}, {time.Minute, " min "}, {time.Second, " s "}} {
		if n := d / unit.size; n > 0 {
			text += strconv.FormatInt(int64(n), 10) + unit.name
			d -= n * unit.size
		}
	}
	return strings.TrimSpace(text)
}

// roundedTime is a measured duration, rounded up so that nothing seems kept that is not:
// to minutes when it is of hours, else to seconds.
func roundedTime(d time.Duration) string {
	unit := time.Second
	if d >= time.Hour {
		unit = time.Minute
	}
	return exactTime((d + unit - 1).Truncate(unit))
}
