package config

import (
	"slices"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Bounds of the comparison.
const (
	maxGrace     = time.Hour // nobody waits longer at a terminal
	maxLateAfter = 30 * 24 * time.Hour
	maxSamples   = 100

	minAuditInterval = time.Second
	maxAuditInterval = time.Hour // the trend has a point for each hour

	maxCount     = 1 << 40
	maxDaysClean = 3650
	maxAge       = 10 * 365 * 24 * time.Hour
)

// compare checks what the slim topics are compared with.
func (v *validator) compare(c Config) {
	oneOf(v, "compare.against", c.Compare.Against, AgainstLegacy, AgainstSlim)
	between(v, "compare.grace", c.Compare.Grace, 0, maxGrace)
	between(v, "compare.audit_interval", c.Compare.AuditInterval, minAuditInterval, maxAuditInterval)
	between(v, "compare.late_after", c.Compare.LateAfter, 0, maxLateAfter)
	between(v, "compare.samples", c.Compare.Samples, 0, maxSamples)
	oneOf(v, "compare.other.cluster", c.Compare.Other.Cluster, clusters...)
	oneOf(v, "compare.baseline.cluster", c.Compare.Baseline.Cluster, clusters...)
	oneOf(v, "compare.baseline.of", c.Compare.Baseline.Of, BaselineLeft, BaselineRight)
	v.otherEncoding(c)
	v.comparedTopics(c)
}

var clusters = []string{kafka.SourceCluster, kafka.TargetCluster, kafka.StateCluster}

func (v *validator) otherEncoding(c Config) {
	o := c.Compare.Other
	_, editionErr := slim.ParseEdition(o.Edition)
	if o.Edition != "" && editionErr != nil {
		oneOf(v, "compare.other.edition", o.Edition, "1.0", "2.0")
		return
	}
	_, formatErr := slim.ParseFormat(o.Format)
	if o.Format != "" && formatErr != nil {
		oneOf(v, "compare.other.format", o.Format, "json", "protobuf")
		return
	}
	if o.Edition+o.Format != "" && c.CheckOutput() == nil {
		if err := c.OtherEncoding().Validate(); err != nil {
			v.add("compare.other.format", "%s with edition %s: %v", c.withOther().Format, c.withOther().Edition, err)
		}
	}
	if o.ApplicationID != "" && (len(o.ApplicationID) > maxApplicationIDBytes || !isPlainText(o.ApplicationID)) {
		v.add("compare.other.application_id", "%s: want up to %d bytes of printable UTF-8", quote(o.ApplicationID), maxApplicationIDBytes)
	}
}

// comparedTopics checks the names of topics that are only compared with. They must
// not be the deployment's own: a topic is always equal to itself.
func (v *validator) comparedTopics(c Config) {
	other, baseline := c.otherTopics(), c.baselineTopics()
	for _, topic := range other {
		switch {
		case topic.name != "":
			v.topicName(topic)
		case c.Compare.Against == AgainstSlim:
			v.add(topic.path, `"": compare.against is slim: want the name of the other topic`)
		}
	}
	for _, topic := range baseline {
		if topic.name != "" {
			v.topicName(topic)
		}
	}
	if c.Compare.Baseline.Partners != "" && !c.Compare.BaselineLegacy() {
		v.add("compare.baseline.partners", "%s: there are partners only in a replay of the legacy streams: remove the key", quote(c.Compare.Baseline.Partners))
	}
	v.repeated(named(other))
	v.repeated(named(baseline))
	v.own(c, named(other), c.Compare.Other.Cluster)
	v.own(c, named(baseline), c.Compare.Baseline.Cluster)
	if c.Compare.Against == AgainstSlim && c.clustersMeet(c.Compare.Other.Cluster, c.Compare.Baseline.Cluster) {
		v.taken(named(baseline), other)
	}
}

func (c Config) otherTopics() []namedTopic {
	o := c.Compare.Other
	return []namedTopic{{"compare.other.events", o.Events}, {"compare.other.orders", o.Orders}, {"compare.other.refunds", o.Refunds}}
}

func (c Config) baselineTopics() []namedTopic {
	b := c.Compare.Baseline
	return []namedTopic{
		{"compare.baseline.partners", b.Partners}, {"compare.baseline.events", b.Events},
		{"compare.baseline.orders", b.Orders}, {"compare.baseline.refunds", b.Refunds},
	}
}

func named(topics []namedTopic) []namedTopic {
	return slices.DeleteFunc(slices.Clone(topics), func(t namedTopic) bool { return t.name == "" })
}

// own reports topics on a cluster that are the deployment's.
func (v *validator) own(c Config, topics []namedTopic, cluster string) {
	if c.clustersMeet(cluster, kafka.SourceCluster) {
		v.taken(topics, c.legacyTopics())
	}
	if c.clustersMeet(cluster, kafka.TargetCluster) {
		v.taken(topics, c.slimTopics())
	}
	if c.clustersMeet(cluster, kafka.StateCluster) {
		v.reserved(c, topics, "want a topic of another deployment")
	}
}

func (v *validator) taken(topics, by []namedTopic) {
	for _, topic := range topics {
		for _, other := range by {
			if topic.name == other.name {
				v.add(topic.path, "%s: is %s too, on the same cluster: want another topic", quote(topic.name), other.path)
			}
		}
	}
}

// clustersMeet: two of the clusters are one, as far as the configuration shows it.
func (c Config) clustersMeet(a, b string) bool {
	return a == b || shareBroker(c.ClusterNamed(a), c.ClusterNamed(b))
}

// ClusterNamed is the source, the target or the state cluster.
func (c Config) ClusterNamed(name string) kafka.Cluster {
	switch name {
	case kafka.SourceCluster:
		return c.Source
	case kafka.StateCluster:
		return c.State
	}
	return c.Target
}

func (v *validator) cutover(c Cutover) {
	between(v, "cutover.min_coverage", c.MinCoverage, 0, 1)
	between(v, "cutover.max_unexplained_rate", c.MaxUnexplainedRate, 0, 1)
	between(v, "cutover.max_violations", c.MaxViolations, 0, maxCount)
	between(v, "cutover.max_quarantine_age", c.MaxQuarantineAge, 0, maxAge)
	between(v, "cutover.days_clean", c.DaysClean, 0, maxDaysClean)
	between(v, "cutover.min_entities", c.MinEntities, 1, maxCount)
	between(v, "cutover.max_behind", c.MaxBehind, 0, maxAge)
	between(v, "cutover.max_report_age", c.MaxReportAge, 0, maxAge)
	between(v, "cutover.max_lag", c.MaxLag, 0, maxCount)
	between(v, "cutover.max_parked_age", c.MaxParkedAge, 0, maxAge)
	between(v, "cutover.max_parked", c.MaxParked, 0, maxCount)
}
