package processors

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/internal/store"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// instanceCollector shows the gauges of the bridge that runs, looked up at the moment they are asked for. While
// none runs, between two builds, it shows that the instance is not ready and nothing else.
type instanceCollector struct {
	current atomic.Pointer[Bridge]
	waiting waitingCache
}

// show makes the gauges those of b until the returned function is called.
func (c *instanceCollector) show(b *Bridge) (end func()) {
	c.current.Store(b)
	return func() { c.current.CompareAndSwap(b, nil) }
}

// Describe implements prometheus.Collector.
func (c *instanceCollector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range collected {
		to <- m.desc
	}
}

var collected = []*metric{
	mLagRecords, mLagSeconds, mInFlight, mInFlightOldest, mInFlightLimit, mParked, mParkedOldest,
	mAccounted, mBalance, mAccountsUnread, mAccountsReset, mReady, mJoined, mAssigned, mStalled,
	mRestorePartitions, mRestoreRecords, mRestoreLeft, mStateBytes, mDiskFree, mDiskSize,
	mBadShare, mBadLimit, mControlFollowed, mDeployment,
	mClientRequests, mClientSent, mClientReceived, mClientOpen, mClientLatency, mClientThrottle,
	mProducerRecords, mProducerOpen, mConsumerFetches,
}

// sink takes what is collected.
type sink chan<- prometheus.Metric

func (s sink) gauge(m *metric, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, value, labels...)
}

func (s sink) counter(m *metric, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(m.desc, prometheus.CounterValue, value, labels...)
}

// Collect implements prometheus.Collector.
func (c *instanceCollector) Collect(metrics chan<- prometheus.Metric) {
	to := sink(metrics)
	b := c.current.Load()
	if b == nil {
		to.gauge(mReady, 0)
		return
	}
	to.gauge(mReady, oneIf(len(b.NotReady()) == 0))
	to.gauge(mDeployment, 1, b.topics.Name, b.cfg.Rules.Encoding.Edition.String(), b.cfg.Rules.Encoding.Format.String())
	stalled := 0
	if names := b.stalled.Load(); names != nil {
		stalled = len(*names)
	}
	to.gauge(mStalled, float64(stalled))
	b.collectGroups(to, time.Now())
	b.collectQuarantine(to)
	b.clients.collect(to)
	b.collectUnacknowledged(to)
	if disk, err := vfs.Default.GetDiskUsage(b.cfg.StateDir); err == nil {
		to.gauge(mDiskFree, float64(disk.AvailBytes))
		to.gauge(mDiskSize, float64(disk.TotalBytes))
	}
	for reason, w := range c.waiting.of(b, time.Now()) {
		age := 0.0
		if w.count > 0 {
			age = age0(time.Since(time.UnixMilli(w.oldest)))
		}
		to.gauge(mParked, float64(w.count), reasonTopics[reason].String(), reason.String())
		to.gauge(mParkedOldest, age, reasonTopics[reason].String(), reason.String())
	}
}

// age0 is an age in seconds: clocks differ, and it may seem to be negative.
func age0(d time.Duration) float64 { return max(d.Seconds(), 0) }

// collectGroups shows where the groups stand, and with that the accounts.
func (b *Bridge) collectGroups(to sink, now time.Time) {
	labels := b.topics.topicLabels()
	accounts := accountsGathered{}
	to.gauge(mInFlightLimit, kafka.DefaultWindow)
	for _, g := range b.groups() {
		name, stage := b.topics.groupLabel(string(g.name)), b.topics.stageOf(string(g.name))
		positions := g.tracker.Assigned()
		to.gauge(mJoined, oneIf(g.tracker.Joined()), name)
		to.gauge(mAssigned, float64(len(positions)), name)
		for _, p := range positions {
			topic, partition := labels[p.Topic], strconv.Itoa(int(p.Partition))
			to.gauge(mLagRecords, float64(max(p.End-p.Acknowledged, 0)), stage, topic, partition)
			to.gauge(mLagSeconds, lagSeconds(p, g.markers(), now), stage, topic, partition)
			to.gauge(mInFlight, float64(p.Pending), stage, topic, partition)
			held := 0.0
			if !p.Delivered.IsZero() {
				held = age0(now.Sub(p.Delivered))
			}
			to.gauge(mInFlightOldest, held, stage, topic, partition)
			if stage == "intake" {
				accounts.consume(b.streamOfLegacy(p.Topic), p)
			}
		}
		if stage != "intake" {
			b.collectState(to, g, stage, &accounts)
		}
	}
	accounts.collect(to)
}

// lagSeconds is the age of the oldest record that is not done. One that was not read yet is as old as the session at
// least. Offsets at the end of a partition that may be no records do not count.
func lagSeconds(p kafka.Position, markers int64, now time.Time) float64 {
	switch {
	case !p.Oldest.IsZero():
		return age0(now.Sub(p.Oldest))
	case !p.Unread.IsZero() && p.End-p.Acknowledged > markers:
		return age0(now.Sub(p.Unread))
	}
	return 0
}

func (b *Bridge) streamOfLegacy(topic string) mapping.Stream {
	for _, s := range mapping.Streams {
		if b.topics.Legacy[s] == topic {
			return s
		}
	}
	return mapping.Partners // intake reads no other topics
}

// collectState shows the table of a group.
func (b *Bridge) collectState(to sink, g *group, stage string, accounts *accountsGathered) {
	var restoring, records, left, unread, size float64
	for p := range b.cfg.Settings.Partitions {
		if st := b.stores.Open(tableOf(g.name), p); st != nil {
			size += float64(st.Sizes().DiskBytes)
		}
		f := g.fence(p)
		if f == nil {
			continue
		}
		if all, still, is := f.restoring(); is {
			restoring, records, left = restoring+1, records+float64(all), left+float64(still)
		}
		if !accounts.add(&f.accounts) {
			unread++
		}
	}
	to.gauge(mStateBytes, size, stage)
	to.gauge(mRestorePartitions, restoring, stage)
	to.gauge(mRestoreRecords, records, stage)
	to.gauge(mRestoreLeft, left, stage)
	to.gauge(mAccountsUnread, unread, stage)
}

// restoring tells how many records of the changelog the store has to read, and how many of them are left.
func (f *fence) restoring() (all, left int64, is bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.live || f.closed {
		return 0, 0, false
	}
	return f.end - 1 - f.first, max(f.end-1-f.known, 0), true
}

func (b *Bridge) collectQuarantine(to sink) {
	limit := 0.0
	if b.cfg.Breaker.enabled() {
		limit = b.cfg.Breaker.MaxShare
	}
	to.gauge(mBadLimit, limit)
	shares, followed := b.breaker.shares()
	for stream, share := range shares {
		to.gauge(mBadShare, share, stream.String())
	}
	to.gauge(mControlFollowed, oneIf(followed))
}

// shares of bad records in the last window, and whether the control topic is followed.
func (b *breaker) shares() (shares map[mapping.Stream]float64, followed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	shares = map[mapping.Stream]float64{}
	for topic, w := range b.windows {
		w.advance(int64(time.Since(b.began) / w.width))
		if shares[b.streams[topic]] = 0; w.total.records > 0 {
			shares[b.streams[topic]] = float64(w.total.bad) / float64(w.total.records)
		}
	}
	return shares, b.trouble == ""
}

func (b *Bridge) collectUnacknowledged(to sink) {
	open := map[string]int64{kafka.StateCluster: 0, kafka.TargetCluster: 0}
	for _, g := range b.groups() {
		if p := g.sender.Load(); p != nil {
			for topic, n := range p.Unacknowledged() {
				open[b.topics.clusterOf(topic)] += n
			}
		}
	}
	for cluster, n := range open {
		to.gauge(mProducerOpen, float64(n), cluster)
	}
}

// reasonTopics are the reasons to be parked, and the stream of what is.
var reasonTopics = map[mapping.WaitReason]mapping.Stream{
	mapping.WaitOrganizer: mapping.Events, mapping.WaitOrganizerMissing: mapping.Events,
	mapping.WaitEvent: mapping.Orders, mapping.WaitSet: mapping.Orders,
	mapping.WaitOrder: mapping.Refunds, mapping.WaitSkippedOrder: mapping.Refunds,
}

// waitingCache keeps what was found waiting: to find it, every waiting key is visited, and there may be
// a million of them. No more than a twentieth of the time goes into that.
type waitingCache struct {
	mu    sync.Mutex
	whose *Bridge
	found map[mapping.WaitReason]waitingSum
	until time.Time
}

type waitingSum struct {
	count  int64
	oldest int64 // since when, Unix milliseconds
}

const waitingLookEvery = 5 * time.Second

func (c *waitingCache) of(b *Bridge, now time.Time) map[mapping.WaitReason]waitingSum {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whose != b || now.After(c.until) {
		c.whose, c.found = b, b.waitingSums()
		c.until = now.Add(max(waitingLookEvery, 20*time.Since(now)))
	}
	return c.found
}

func (b *Bridge) waitingSums() map[mapping.WaitReason]waitingSum {
	sums := map[mapping.WaitReason]waitingSum{}
	for reason := range reasonTopics {
		sums[reason] = waitingSum{}
	}
	b.visitWaiting(func(w store.Waiting) {
		reason := mapping.WaitReason(w.Reason)
		sum, held := sums[reason]
		if !held {
			return // sent, and to be sent again
		}
		if sum.count == 0 || w.Since < sum.oldest {
			sum.oldest = w.Since
		}
		sum.count++
		sums[reason] = sum
	})
	return sums
}
