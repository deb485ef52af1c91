package live

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Every metric of the comparison stands here once: name, labels, and what it says to an operator. docs/metrics.md and
// the golden list are made of it, and a test holds it against what an instance shows.
//
// Names and labels are relied upon by rules, dashboards and people. Labels have values of
// fixed sets: never an id, and nothing that a record brings.

type metric struct {
	name   string // without namespace
	help   string
	labels []string
	desc   *prometheus.Desc
}

const namespace = "vibe_bridge_compare"

var allMetrics []*metric

// define adds a gauge: there is nothing else here, as all is looked up when it is asked for.
func define(name, help string, labels ...string) *metric {
	m := &metric{name: name, help: help, labels: labels, desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)}
	allMetrics = append(allMetrics, m)
	return m
}

func (m *metric) fullName() string { return namespace + "_" + m.name }

// String is a line of the golden list.
func (m *metric) String() string {
	return fmt.Sprintf("%s gauge {%s}", m.fullName(), strings.Join(m.labels, ","))
}

// What was found: of the whole, whichever instance is asked.
var (
	mVerdict = define("verdict",
		"1 for GO, 0 for NO-GO, also while nothing is known.")
	mEntities = define("entities",
		"Entities by what became of them: equal, different, pending, undecidable, skipped, quarantined.", "stream", "state")
	mDifferent = define("different_entities",
		"Entities that differ in this, expected or not, by category and field; one that differs in several fields is in each of them.", "stream", "category", "field")
	mUnexplained = define("unexplained_entities",
		"Entities with a difference that is not expected.", "stream")
	mCoverage = define("coverage_ratio",
		"Share compared of the entities that are to be, 0 to 1.", "stream")
)

// How far behind it is: of this instance.
var (
	mLagRecords = define("lag_records",
		"Records in partitions that this instance owns which the group has not finished; at the end of a topic that is written in transactions a few offsets are no records.", "group", "partition")
	mLagSeconds = define("lag_seconds",
		"Age of the oldest record of the partition that the comparison has not taken in, from its append to the topic of that side; 0 without a backlog.", "side", "stream", "partition")
	mHorizonAge = define("horizon_age_seconds",
		"How long ago everything was in the topics that by this instance's knowledge has been taken in; not there before all that there was has been read once.")
	mAudit = define("audit_duration_seconds",
		"How long the last look of this instance at all that is known took; 0 before the first.")
)
