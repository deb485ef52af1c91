package processors

import (
	"fmt"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// Every metric of the bridge stands here once: name, type, labels, and what it says to
// an operator. docs/metrics.md and the golden list are made of it, and a test holds it
// against what an instance shows.
//
// Names and labels are relied upon by rules, dashboards and people. Labels have values of
// fixed sets (see labelValues): never an id, and nothing that a record brings.

type metricKind string

const (
	counterKind   metricKind = "counter"
	gaugeKind     metricKind = "gauge"
	histogramKind metricKind = "histogram"
)

type metric struct {
	name   string // without namespace
	kind   metricKind
	help   string
	labels []string
	desc   *prometheus.Desc
}

const namespace = "vibe_bridge"

var allMetrics []*metric

func define(kind metricKind, name, help string, labels ...string) *metric {
	m := &metric{name: name, kind: kind, help: help, labels: labels, desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)}
	allMetrics = append(allMetrics, m)
	return m
}

func (m *metric) fullName() string { return namespace + "_" + m.name }

// String is a line of the golden list.
func (m *metric) String() string {
	return fmt.Sprintf("%s %s {%s}", m.fullName(), m.kind, strings.Join(m.labels, ","))
}

func (m *metric) counter() prometheus.Counter { return prometheus.NewCounter(m.counterOpts()) }
func (m *metric) counterVec() *prometheus.CounterVec {
	return prometheus.NewCounterVec(m.counterOpts(), m.labels)
}
func (m *metric) gauge() prometheus.Gauge { return prometheus.NewGauge(m.gaugeOpts()) }
func (m *metric) gaugeVec() *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(m.gaugeOpts(), m.labels)
}

func (m *metric) counterOpts() prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: namespace, Name: m.name, Help: m.help}
}
func (m *metric) gaugeOpts() prometheus.GaugeOpts {
	return prometheus.GaugeOpts{Namespace: namespace, Name: m.name, Help: m.help}
}

// histogramVec has native buckets, for whoever scrapes them, beside the classic ones.
func (m *metric) histogramVec(buckets []float64) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: m.name, Help: m.help, Buckets: buckets,
		NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeBuckets,
	}, m.labels)
}

const (
	nativeFactor  = 1.1 // of two bounds of native buckets
	nativeBuckets = 160
)

// What flows. Counters are of this instance since it started, repeats after a crash included.
var (
	mConsumed = define(counterKind, "consumed_records_total",
		"Legacy records that intake has read.", "topic")
	mKeptBack = define(counterKind, "kept_back_records_total",
		"Legacy records that repeat one before them, and that intake has kept back to send them on several at a time.", "topic")
	mEmitted = define(counterKind, "emitted_records_total",
		"Slim records that the target cluster has acknowledged, by the legacy topic of their entity.", "topic")
	mSkipped = define(counterKind, "skipped_records_total",
		"Legacy records that by the rules have no slim record, such as orders without a phone number.", "topic", "reason")
	mQuarantined = define(counterKind, "quarantined_records_total",
		"Legacy records sent to quarantine, by what is wrong with them and where that was found.", "topic", "stage", "reason")
	mCounted = define(counterKind, "counted_total",
		"Oddities that do not keep a record back, such as an unknown venue, and slim records that were sent again.", "topic", "reason")
	mViolations = define(counterKind, "order_violations_total",
		"Slim orders and refunds sent without proof that what they need was acknowledged: anything but 0 is an error of the bridge.", "topic")
	mLatency = define(histogramKind, "end_to_end_latency_seconds",
		"Time from the append of a legacy record to the acknowledgement of its slim record, for records sent at once (path direct) and for those that were parked first (path parked).", "topic", "path")
)

// How far behind it is.
var (
	mLagRecords = define(gaugeKind, "lag_records",
		"Records in a partition that this instance owns which are not finished; at the end of a legacy topic that is written in transactions a few offsets are no records.", "stage", "topic", "partition")
	mLagSeconds = define(gaugeKind, "lag_seconds",
		"Age of the oldest record of the partition that is not finished, from its append to the legacy topic on also in the stages behind intake; 0 without a backlog.", "stage", "topic", "partition")
	mInFlight = define(gaugeKind, "in_flight_records",
		"Records from the oldest unacknowledged one to the newest that was read.", "stage", "topic", "partition")
	mInFlightOldest = define(gaugeKind, "in_flight_oldest_seconds",
		"How long ago the oldest unacknowledged record was read.", "stage", "topic", "partition")
	mInFlightLimit = define(gaugeKind, "in_flight_limit_records",
		"Records of one partition that may be in flight: at this many the instance reads no further.")
)

// What waits, and the accounts.
var (
	mParked = define(gaugeKind, "parked_records",
		"Events, orders and refunds in this instance's partitions that are held back, by what they wait for.", "topic", "reason")
	mParkedOldest = define(gaugeKind, "parked_oldest_seconds",
		"For how long the one that is held back longest has been, by what it waits for; 0 when there is none.", "topic", "reason")
	mAccounted = define(gaugeKind, "accounted_records",
		"Legacy records by their end, over the whole life of the deployment, from the state in this instance's partitions.", "topic", "end")
	mBalance = define(gaugeKind, "accounting_balance_records",
		"Consumed records less those with an end: the sum over all instances is what is on its way, and has to be 0 when lag_records is.", "topic")
	mAccountsUnread = define(gaugeKind, "accounting_unread_partitions",
		"Partitions of this instance whose state is not added up yet: until it is 0 everywhere, balances say nothing.", "stage")
	mAccountsReset = define(gaugeKind, "accounting_reset",
		"1 when somebody has set an offset of the topic by hand: its balance says nothing any more.", "topic")
)

// The instance in its groups.
var (
	mReady = define(gaugeKind, "ready",
		"Whether the instance is ready, as /readyz says: 1 or 0.")
	mJoined = define(gaugeKind, "group_joined",
		"Whether the instance is a member of the consumer group at this moment: 1 or 0.", "group")
	mAssigned = define(gaugeKind, "assigned_partitions",
		"Topic-partitions that the instance reads in the consumer group.", "group")
	mRebalances = define(counterKind, "rebalances_total",
		"How often the instance had to give its partitions back, whatever it got after that.", "group")
	mRebalanceTime = define(histogramKind, "rebalance_duration_seconds",
		"Time from giving the partitions back, or from the start, until the instance reads again; the restoring of state included.", "group")
	mStalled = define(gaugeKind, "stalled_partitions",
		"Partitions with records of which none gets finished, and groups that do not join: /readyz names them.")
	mRebuilds = define(counterKind, "rebuilds_total",
		"How often the instance failed and was built anew in the same process.")
)

// Start, restore and disk.
var (
	mPrimingLeft = define(gaugeKind, "priming_records_left",
		"Records of partners and events that orders and refunds still wait for at the start; 0 once they are read.")
	mRestorePartitions = define(gaugeKind, "restore_partitions",
		"Partitions of the table that are being filled from the changelog: nothing is processed in them meanwhile.", "stage")
	mRestoreRecords = define(gaugeKind, "restore_records",
		"Changelog records that those partitions had to read when they began.", "stage")
	mRestoreLeft = define(gaugeKind, "restore_records_left",
		"Changelog records that those partitions still have to read.", "stage")
	mStateBytes = define(gaugeKind, "state_bytes",
		"Size on disk of the local state of this instance's partitions.", "stage")
	mDiskFree = define(gaugeKind, "state_disk_free_bytes",
		"Free space on the disk of the state folder; without any the instance stops.")
	mDiskSize = define(gaugeKind, "state_disk_size_bytes",
		"Size of the disk of the state folder.")
)

// Quarantine.
var (
	mPaused = define(gaugeKind, "paused",
		"Whether the legacy topic is paused because too many of its records went to quarantine: 1 or 0.", "topic")
	mBadShare = define(gaugeKind, "quarantine_share_ratio",
		"Share of the records of the last window (quarantine.window) that this instance sent to quarantine.", "topic")
	mBadLimit = define(gaugeKind, "quarantine_share_limit_ratio",
		"Share above which a topic is paused (quarantine.max_share); 0: never.")
	mControlFollowed = define(gaugeKind, "control_topic_followed",
		"Whether the instance sees what other instances pause and resume: 1 or 0.")
)

// Kafka clients, all of one kind and cluster together.
var (
	mClientRequests = define(counterKind, "client_requests_total",
		"Requests to the brokers.", "cluster", "client")
	mClientSent = define(counterKind, "client_sent_bytes_total",
		"Bytes sent to the brokers.", "cluster", "client")
	mClientReceived = define(counterKind, "client_received_bytes_total",
		"Bytes received from the brokers.", "cluster", "client")
	mClientOpen = define(gaugeKind, "client_requests_in_flight",
		"Requests that the brokers have not answered yet.", "cluster", "client")
	mClientLatency = define(gaugeKind, "client_request_p99_seconds",
		"99th percentile of the time to an answer over the last minutes, of the slowest client; fetches and joins wait on purpose.", "cluster", "client")
	mClientThrottle = define(gaugeKind, "client_throttle_p99_seconds",
		"99th percentile of the time for which the brokers slowed the client down because of a quota, of the client slowed most.", "cluster", "client")
	mProducerRecords = define(counterKind, "producer_records_total",
		"Records handed to the brokers, tries after a failure included.", "cluster")
	mProducerOpen = define(gaugeKind, "producer_unacknowledged_records",
		"Records sent and neither acknowledged nor refused: it grows while the cluster is away.", "cluster")
	mConsumerFetches = define(counterKind, "consumer_fetches_total",
		"Fetches of topics, empty ones included: a consumer that stands makes none.", "cluster")
)

// What runs.
var (
	mBuild = define(gaugeKind, "build_info",
		"1, with what the program was built from.", "version", "commit", "goversion")
	mDeployment = define(gaugeKind, "deployment_info",
		"1, with the deployment's name and what its slim records are.", "deployment", "edition", "format")
)
