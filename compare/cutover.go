package compare

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// RunningLimits are the thresholds of what is looked at beside a report. What is equal to
// its threshold is within it.
type RunningLimits struct {
	MaxReportAge     time.Duration
	MaxLag           int64 // records, of all groups
	MaxParkedAge     time.Duration
	MaxParked        int64 // how many may be parked for longer than MaxParkedAge
	MaxQuarantineAge time.Duration
}

// Running is what a deployment was found to be like at a moment.
type Running struct {
	Deployment string
	Time       time.Time

	Idle []string // consumer groups in which no instance is
	// Lag is how many records lay in all inputs of all groups that the groups had not
	// taken, in two looks, the first one first. Taken is how many they took meanwhile.
	Lag   [2]int64
	Taken int64

	Parked []ParkedSince
	// Quarantine has the records that were not replayed.
	Quarantine QuarantineFacts
	Paused     map[string]string // legacy topics that are not read, and why
}

// ParkedSince is one event, order or refund that waits.
type ParkedSince struct {
	Reason string
	Since  time.Time
}

// CutoverCheck is a report and the running bridge, held against all thresholds.
type CutoverCheck struct {
	Deployment string        `json:"deployment"`
	Time       time.Time     `json:"time"`
	Verdict    Verdict       `json:"verdict"`
	Report     CheckedReport `json:"report"`
	Lag        int64         `json:"lag_records"`
	Parked     []ParkedCount `json:"parked"` // by reason
	Quarantine int64         `json:"quarantine_records"`
	Paused     []string      `json:"paused_topics"`
}

// CheckedReport says which report it was.
type CheckedReport struct {
	Deployment string    `json:"deployment"`
	Time       time.Time `json:"time"`
	Digest     string    `json:"digest"`
	Verdict    Verdict   `json:"verdict"` // on its figures, by the thresholds of now
	Said       Verdict   `json:"said"`    // by the thresholds that it was made with
}

// ParkedCount is what waits for one reason.
type ParkedCount struct {
	Reason string    `json:"reason"`
	Count  int64     `json:"count"`
	Old    int64     `json:"old"` // of these, longer than cutover.max_parked_age
	Oldest time.Time `json:"oldest_since"`
}

// ReadReport reads a report as it is written in JSON.
func ReadReport(text []byte) (*Report, error) {
	const no = "not a report of compare once or compare run"
	var r Report
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(text, &r); {
	case errors.As(err, &syntax):
		return nil, fmt.Errorf("%s: %w", no, err)
	case err != nil, r.Version == 0: // JSON of another kind; how it would not go into a report helps nobody
		return nil, errors.New(no + ": want what compare once writes with --out, or compare report prints with --json")
	case r.Version != 1:
		return nil, fmt.Errorf("not a report that this version can read: its version is %d, want 1", r.Version)
	case r.Run.Time.IsZero():
		return nil, errors.New(no + ": it has no time")
	}
	return &r, nil
}

// Of says what is compared: "vibe: legacy (partners, …) against slim 1.0 json (events, …)". The
// same is said of the same deployment, sides, topics, editions and formats alone.
func Of(deployment string, left, right Party) string {
	return deployment + ": " + left.named() + " against " + right.named()
}

func (p Party) named() string {
	return strings.Join(slices.DeleteFunc([]string{p.Kind, p.Edition, p.Format}, func(s string) bool { return s == "" }), " ") +
		" (" + strings.Join(p.Topics, ", ") + ")"
}

// DecideCutover holds the figures of a report against the thresholds of a comparison, and the
// running bridge against its own. It is GO when all are kept, whatever the report says of itself.
func DecideCutover(t Cutover, l RunningLimits, r *Report, now Running) CutoverCheck {
	judged, _ := r.judge(t, r.Trend)
	c := CutoverCheck{
		Deployment: now.Deployment, Time: now.Time,
		Report: CheckedReport{Deployment: r.Deployment, Time: r.Run.Time, Digest: r.Digest, Verdict: judged, Said: r.Verdict},
		Lag:    max(now.Lag[0], now.Lag[1]), Parked: now.parked(l.MaxParkedAge), Quarantine: now.Quarantine.Records,
		Paused: slices.Sorted(maps.Keys(now.Paused)),
	}
	v := &c.Verdict
	v.Go = true
	add := func(name string, ok bool, want, got, why string) {
		check := Check{Name: name, OK: ok, Want: want, Got: got}
		if !ok {
			check.Why = why
		}
		v.Checks = append(v.Checks, check)
		v.Go = v.Go && ok
	}
	add("report.verdict", judged.Go, "GO", judged.besides(r.Verdict),
		"look at the report: it says what to do; then compare again")
	age := now.Time.Sub(r.Run.Time)
	add("cutover.max_report_age", -clocksApart <= age && age <= l.MaxReportAge,
		"at most "+exactTime(l.MaxReportAge), ageOf(age), "compare again: what the report says may not hold any more")
	add("bridge.running", len(now.Idle) == 0,
		"an instance in every group", idleGroups(now.Idle), "start the bridge, or look at GET /readyz of its instances: what it does not read does not come")
	why := "nothing was read between two looks: look at GET /readyz of the instances"
	if now.Taken > 0 {
		why = "the bridge is behind and reads: look again when it has caught up, or start more instances"
	}
	add("cutover.max_lag", c.Lag <= l.MaxLag,
		"at most "+plural(l.MaxLag, "record", "records"), groupDigits(now.Lag[0])+", then "+groupDigits(now.Lag[1]), why)
	add("cutover.max_parked", oldOf(c.Parked) <= l.MaxParked,
		"at most "+groupDigits(l.MaxParked)+" over "+exactTime(l.MaxParkedAge), parkedText(c.Parked, now.Time),
		"look at what waits, and for what: vibe-bridge parked; what has to come, or to be explained and allowed by cutover.max_parked")
	quarantine := VerdictFacts{QuarantineKnown: now.Quarantine.Known, Quarantined: now.Quarantine.Records}
	if now.Quarantine.Records > 0 {
		quarantine.OldestQuarantine = max(0, now.Time.Sub(now.Quarantine.Oldest))
	}
	add("cutover.max_quarantine_age", quarantine.quarantineAttended(l.MaxQuarantineAge),
		"none older than "+exactTime(l.MaxQuarantineAge), quarantine.quarantine(),
		"replay what is in quarantine, or find out why it cannot be: vibe-bridge quarantine list")
	var pauses []string
	for _, topic := range c.Paused {
		pauses = append(pauses, topic+" is paused "+now.Paused[topic])
	}
	add("bridge.paused", len(pauses) == 0, "no legacy topic paused", cmp.Or(strings.Join(c.Paused, ", "), "none"),
		"put right what floods the quarantine, then vibe-bridge quarantine resume: "+strings.Join(pauses, "; "))
	return c
}

// clocksApart is how far in the future a report may be made.
const clocksApart = time.Minute

// besides is the verdict, and what was said by other thresholds where that is not the same.
func (v Verdict) besides(said Verdict) string {
	text := v.word() + listed(": ", v.failed())
	if other := said.word() + listed(": ", said.failed()); other != text {
		text += "; by the thresholds that it was made with the report said " + other
	}
	return text
}

func ageOf(age time.Duration) string {
	if age < 0 {
		return roundedTime(-age) + " in the future"
	}
	return roundedTime(age)
}

// failed are the names of the checks that were not kept.
func (v Verdict) failed() (names []string) {
	for _, c := range v.Checks {
		if !c.OK {
			names = append(names, c.Name)
		}
	}
	return names
}

// listed is a list behind some words, and nothing without any.
func listed(begin string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return begin + strings.Join(names, ", ")
}

func idleGroups(idle []string) string {
	if len(idle) == 0 {
		return "so it is"
	}
	return "none" + listed(" in ", idle)
}

func (now Running) parked(limit time.Duration) []ParkedCount {
	found := map[string]*ParkedCount{}
	for _, p := range now.Parked {
		c := found[p.Reason]
		if c == nil {
			c = &ParkedCount{Reason: p.Reason, Oldest: p.Since}
			found[p.Reason] = c
		}
		c.Count++
		if now.Time.Sub(p.Since) > limit {
			c.Old++
		}
		if p.Since.Before(c.Oldest) {
			c.Oldest = p.Since
		}
	}
	counts := []ParkedCount{}
	for _, reason := range slices.Sorted(maps.Keys(found)) {
		counts = append(counts, *found[reason])
	}
	return counts
}

func oldOf(counts []ParkedCount) (n int64) {
	for _, c := range counts {
		n += c.Old
	}
	return n
}

// parkedText is "2 of 14: event 2; the oldest 3 d 2 h".
func parkedText(counts []ParkedCount, now time.Time) string {
	var all int64
	old := map[string]int64{}
	oldest := now
	for _, c := range counts {
		all += c.Count
		old[c.Reason] = c.Old
		if c.Oldest.Before(oldest) {
			oldest = c.Oldest
		}
	}
	if all == 0 {
		return "nothing is parked"
	}
	text := groupDigits(oldOf(counts)) + " of " + groupDigits(all)
	if reasons := reasonsOf(old); reasons != "" {
		text += ": " + reasons
	}
	return text + "; the oldest " + roundedTime(now.Sub(oldest))
}

// WriteText writes it for a terminal: 100 columns, the verdict first.
func (c CutoverCheck) WriteText(w io.Writer) error {
	p := &textReport{}
	p.line("%s  %s: the report of %s and the running bridge", c.Verdict.word(), c.Deployment, c.Report.Time.UTC().Format(time.RFC3339))
	p.checks(c.Verdict.Checks)
	var whys []string
	for _, check := range c.Report.Verdict.Checks {
		if !check.OK {
			whys = append(whys, check.Name+": "+check.Got+"; want "+check.Want+": "+check.Why)
		}
	}
	p.list("What the report says", whys)
	if len(c.Parked) > 0 {
		p.heading("Parked")
		rows := [][]string{{"REASON", "COUNT", "OLD", "OLDEST"}}
		for _, r := range c.Parked {
			rows = append(rows, []string{r.Reason, groupDigits(r.Count), groupDigits(r.Old), r.Oldest.UTC().Format(time.RFC3339)})
		}
		p.table(1, rows)
	}
	_, err := io.WriteString(w, p.b.String())
	return err
}
