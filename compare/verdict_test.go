package compare

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func goodFacts() VerdictFacts {
	return VerdictFacts{Coverage: 1, Compared: 1_000_000, QuarantineKnown: true, Entities: 3_000_000, DaysClean: 10, Behind: 5}
}

func fullCutover() Cutover {
	c := DefaultCutover()
	c.DaysClean, c.MaxBehind, c.MinEntities, c.MaxViolations = 7, time.Minute, 1000, 2
	return c
}

// Each threshold by itself: what is equal to it is within it, the next value is not.
func TestDecideBoundaries(t *testing.T) {
	tests := []struct {
		name   string // of the check
		change func(*VerdictFacts)
		ok     bool
		want   string
		got    string
	}{
		{"min_entities", func(f *VerdictFacts) { f.Entities = 1000 }, true, "at least 1,000 entities compared", "1,000"},
		{"min_entities", func(f *VerdictFacts) { f.Entities = 999 }, false, "at least 1,000 entities compared", "999"},
		{"min_coverage", func(f *VerdictFacts) { f.Coverage = 0.9995 }, true, "at least 99.9 %", "99.95 %"},
		{"min_coverage", func(f *VerdictFacts) { f.Coverage, f.CoverageStream = 999_000./1_000_000, "orders" }, true, "at least 99.9 %", "99.9 % in orders"},
		{"min_coverage", func(f *VerdictFacts) { f.Coverage = 998_999. / 1_000_000 }, false, "at least 99.9 %", "99.8999 %"},
		{"min_coverage", func(f *VerdictFacts) { f.Coverage = math.Nextafter(0.999, 0) }, false, "at least 99.9 %", ""},
		{"min_coverage", func(f *VerdictFacts) { f.Coverage = 0.9999999 }, true, "at least 99.9 %", "99.99999 %"},
		{"min_coverage", func(f *VerdictFacts) { f.Coverage = math.NaN() }, false, "at least 99.9 %", "NaN %"},
		{"max_unexplained_rate", func(f *VerdictFacts) { f.Unexplained = 12 }, true, "at most 0.01 %", "0.0012 % (12 of 1,000,000)"},
		{"max_unexplained_rate", func(f *VerdictFacts) { f.Unexplained, f.UnexplainedStream = 100, "refunds" }, true, "at most 0.01 %", "0.01 % (100 of 1,000,000) in refunds"},
		{"max_unexplained_rate", func(f *VerdictFacts) { f.Unexplained = 101 }, false, "at most 0.01 %", "0.0101 % (101 of 1,000,000)"},
		{"max_unexplained_rate", func(f *VerdictFacts) { f.Unexplained, f.Compared = 7, 70_000 }, true, "at most 0.01 %", "0.01 % (7 of 70,000)"},
		{"max_unexplained_rate", func(f *VerdictFacts) { f.Unexplained, f.Compared = 1, 0 }, false, "at most 0.01 %", "100 % (1 of 0)"},
		{"max_violations", func(f *VerdictFacts) { f.Violations = 2 }, true, "at most 2", "2"},
		{"max_violations", func(f *VerdictFacts) { f.Violations = 3 }, false, "at most 2", "3"},
		{"max_quarantine_age", func(f *VerdictFacts) {}, true, "none older than 1 d", "none"},
		{"max_quarantine_age", func(f *VerdictFacts) { f.Quarantined, f.OldestQuarantine = 3, 24*time.Hour }, true, "none older than 1 d", "3 records, the oldest 1 d"},
		{"max_quarantine_age", func(f *VerdictFacts) { f.Quarantined, f.OldestQuarantine = 1, 24*time.Hour+1 }, false, "none older than 1 d", "1 record, the oldest 1 d 1 min"},
		{"max_quarantine_age", func(f *VerdictFacts) { f.QuarantineKnown = false }, false, "none older than 1 d", "not known: the quarantine topic was not read"},
		{"days_clean", func(f *VerdictFacts) { f.DaysClean = 7 }, true, "at least 7 days", "7 days"},
		{"days_clean", func(f *VerdictFacts) { f.DaysClean = 6.9999 }, false, "at least 7 days", "6.9 days"},
		{"max_behind", func(f *VerdictFacts) { f.Behind = 60 }, true, "at most 1 min", "1 min"},
		{"max_behind", func(f *VerdictFacts) { f.Behind = 60.001 }, false, "at most 1 min", "1 min 1 s"},
		{"max_behind", func(f *VerdictFacts) { f.Behind = -1 }, false, "at most 1 min", "no records"},
		{"max_behind", func(f *VerdictFacts) { f.Behind = 1e300 }, false, "at most 1 min", "11574 d 1 h 47 min"},
	}
	for _, tt := range tests {
		f := goodFacts()
		tt.change(&f)
		v := Decide(fullCutover(), f)
		if len(v.Checks) != 7 || v.Go != tt.ok {
			t.Errorf("%s %+v: %d checks, go is %v", tt.name, f, len(v.Checks), v.Go)
		}
		for _, check := range v.Checks {
			if check.Name != "cutover."+tt.name {
				if !check.OK {
					t.Errorf("%s %+v: %+v", tt.name, f, check)
				}
				continue
			}
			if check.OK != tt.ok || check.Want != tt.want || tt.got != "" && check.Got != tt.got || (check.Why == "") != tt.ok {
				t.Errorf("%+v\ngot  %+v\nwant %v, %q, %q", f, check, tt.ok, tt.want, tt.got)
			}
		}
	}
}

func TestDecideDefaults(t *testing.T) {
	f := goodFacts()
	f.DaysClean, f.Behind = 0, -1 // not asked for
	if v := Decide(DefaultCutover(), f); !v.Go || len(v.Checks) != 5 {
		t.Errorf("%+v", v)
	}
	if v := Decide(DefaultCutover(), VerdictFacts{Coverage: 1, QuarantineKnown: true}); v.Go {
		t.Error("GO without any entity")
	}
	f.Unexplained, f.Expired = 1000, 1
	for _, check := range Decide(DefaultCutover(), f).Checks {
		if strings.Contains(check.Name, "rate") && !strings.Contains(check.Why, "1 entity has a rule there that has expired") {
			t.Errorf("%+v", check)
		}
	}
}

func TestCutoverValidate(t *testing.T) {
	if err := DefaultCutover().Validate(); err != nil {
		t.Error(err)
	}
	if err := (Cutover{MinCoverage: 1, MaxUnexplainedRate: 1, MinEntities: 1}).Validate(); err != nil {
		t.Error(err)
	}
	for key, change := range map[string]func(*Cutover){
		"min_coverage is 1.1":         func(c *Cutover) { c.MinCoverage = 1.1 },
		"min_coverage is NaN":         func(c *Cutover) { c.MinCoverage = math.NaN() },
		"max_unexplained_rate is -1":  func(c *Cutover) { c.MaxUnexplainedRate = -1 },
		"max_violations is -1":        func(c *Cutover) { c.MaxViolations = -1 },
		"max_quarantine_age is -1ns":  func(c *Cutover) { c.MaxQuarantineAge = -1 },
		"days_clean is NaN":           func(c *Cutover) { c.DaysClean = math.NaN() },
		"days_clean is -0.5":          func(c *Cutover) { c.DaysClean = -0.5 },
		"min_entities is 0":           func(c *Cutover) { c.MinEntities = 0 },
		"max_behind is -1ns":          func(c *Cutover) { c.MaxBehind = -1 },
		"max_unexplained_rate is NaN": func(c *Cutover) { c.MaxUnexplainedRate = math.NaN() },
	} {
		c := DefaultCutover()
		change(&c)
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "cutover."+key+": ") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestDaysClean(t *testing.T) {
	now := time.Date(2026, 7, 10, 12, 0, 0, 0, time.UTC)
	c := DefaultCutover()
	clean := func(ago time.Duration) TrendPoint { return TrendPoint{Time: now.Add(-ago), Coverage: c.MinCoverage} }
	bad := func(ago time.Duration, change func(*TrendPoint)) TrendPoint {
		p := clean(ago)
		change(&p)
		return p
	}
	const h = time.Hour
	for _, tt := range []struct {
		name   string
		points []TrendPoint
		want   float64
	}{
		{"none", nil, 0},
		{"one", []TrendPoint{clean(0)}, 0},
		{"three nights", []TrendPoint{clean(72 * h), clean(48 * h), clean(24 * h), clean(0)}, 3},
		{"in any order", []TrendPoint{clean(0), clean(24 * h), clean(48 * h)}, 2},
		{"up to the newest result", []TrendPoint{clean(48 * h), clean(24 * h), clean(12 * h)}, 1.5},
		{"at most a gap old", []TrendPoint{clean(MaxTrendGap + 24*h), clean(MaxTrendGap)}, 1},
		{"too old", []TrendPoint{clean(MaxTrendGap + 24*h), clean(MaxTrendGap + 1)}, 0},
		{"a gap", []TrendPoint{clean(48*h + MaxTrendGap + 1), clean(48 * h), clean(24 * h), clean(0)}, 2},
		{"no gap", []TrendPoint{clean(48*h + MaxTrendGap), clean(48 * h), clean(24 * h), clean(0)}, 2 + MaxTrendGap.Hours()/24},
		{"coverage", []TrendPoint{clean(36 * h), bad(24*h, func(p *TrendPoint) { p.Coverage = math.Nextafter(c.MinCoverage, 0) }), clean(12 * h), clean(0)}, 0.5},
		{"the rate", []TrendPoint{clean(36 * h), bad(24*h, func(p *TrendPoint) { p.Unexplained = 0.00011 }), clean(12 * h), clean(0)}, 0.5},
		{"the rate's threshold", []TrendPoint{bad(24*h, func(p *TrendPoint) { p.Unexplained = 0.0001 }), clean(0)}, 1},
		{"violations", []TrendPoint{clean(12 * h), bad(0, func(p *TrendPoint) { p.Violations = 1 })}, 0},
		{"NO-GO for another reason", []TrendPoint{bad(12*h, func(p *TrendPoint) { p.Go = false }), clean(0)}, 0.5},
		{"of the future", []TrendPoint{clean(24 * h), clean(0), bad(-1, func(p *TrendPoint) { p.Violations = 1 })}, 1},
	} {
		if got := DaysClean(tt.points, c, now); math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v days, want %v", tt.name, got, tt.want)
		}
	}
}

// A measured share never looks as if it were on the other side of its threshold.
func TestPercents(t *testing.T) {
	for share, want := range map[float64]string{0: "0 %", 1: "100 %", 0.999: "99.9 %", 0.0001: "0.01 %", 0.07: "7 %", 0.5: "50 %", 0.12345678: "12.345678 %", 0.005: "0.5 %"} {
		if got := exactPercent(share); got != want {
			t.Errorf("%v is %s, want %s", share, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		threshold := rapid.Float64Range(0, 1).Draw(t, "threshold")
		share := threshold + rapid.SampledFrom([]float64{0, 1e-3, -1e-3, 1e-7, -1e-7, 1e-9}).Draw(t, "distance")
		share = min(max(share, 0), 1)
		text := nearPercent(share, threshold)
		if (text == "0 %") != (share == 0) || (text == "100 %") != (share == 1) {
			t.Errorf("%v is %s", share, text)
		}
		got, err1 := strconv.ParseFloat(strings.TrimSuffix(text, " %"), 64)
		want, err2 := strconv.ParseFloat(strings.TrimSuffix(exactPercent(threshold), " %"), 64)
		if err1 != nil || err2 != nil || (share < threshold) != (got < want) || (share > threshold) != (got > want) {
			t.Errorf("%v of %v is %s of %s", share, threshold, text, exactPercent(threshold))
		}
	})
}
