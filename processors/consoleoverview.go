package processors

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

func compareText(a, b string) int { return strings.Compare(a, b) }

// Overview is what this instance knows of its part.
func (c *Console) Overview(ctx context.Context) (console.Overview, error) {
	cfg := c.config()
	o := console.Overview{
		Deployment: cfg.Topics.Name, Edition: cfg.Rules.Encoding.Edition.String(), Format: cfg.Rules.Encoding.Format.String(), Version: cfg.Version,
		Time: time.Now().UTC(), Rights: []console.Right{}, Nodes: nodesOf(cfg.Topics), Edges: []console.Edge{}, Parked: []console.ParkedSum{},
		Quarantine: c.metrics.quarantineSums(cfg.Topics), Paused: []console.Paused{}, Accounts: console.NewAccounts(map[string]int64{}, false),
	}
	o.Instances, o.Unassigned = c.instances(ctx)
	if c.comparison != nil {
		o.Compare = c.comparison.Verdict()
	}
	moved, latency, err := c.rates.look(ctx, c.sample)
	if err != nil {
		return o, err
	}
	o.Latency = latency
	b, _ := c.current()
	if b == nil || b.gate.Load() == nil {
		o.Edges = edgesOf(cfg.Topics, moved, nil)
		return o, nil
	}
	o.Edges = edgesOf(cfg.Topics, moved, b.lags(time.Now()))
	o.Accounts = b.accounts()
	o.Paused = append(o.Paused, b.breaker.paused()...)
	for reason, w := range c.metrics.instance.waiting.of(b, time.Now()) {
		if w.count > 0 {
			o.Parked = append(o.Parked, console.ParkedSum{Reason: reason.String(), Count: w.count, OldestSeconds: age0(time.Since(time.UnixMilli(w.oldest)))})
		}
	}
	slices.SortFunc(o.Parked, func(a, b console.ParkedSum) int { return compareText(a.Reason, b.Reason) })
	return o, nil
}

// Nodes of the topology. Streams have their default names in ids.
func nodesOf(t Topics) []console.Node {
	var nodes []console.Node
	add := func(kind, name, label string) {
		nodes = append(nodes, console.Node{ID: kind + ":" + name, Kind: kind, Label: label})
	}
	for _, s := range mapping.Streams {
		add("legacy", s.String(), t.Legacy[s])
	}
	for _, s := range mapping.Streams {
		add("intake", s.String(), string(t.intakeGroup(s)))
	}
	add("group", "organizers", string(t.organizersGroup()))
	add("group", "gate", string(t.gateGroup()))
	for _, s := range slimStreams {
		add("slim", slimNode(s), t.Slim[s])
	}
	add("quarantine", "quarantine", t.Quarantine())
	return nodes
}

// slimNode is the slim stream's name in the contract.
func slimNode(s mapping.Stream) string { return kinds[s] + "s" }

// lag of one topic for the group that reads it, or of what is sent to it.
type lag struct {
	records int64
	seconds float64
}

// edge is a topic between two nodes, and where its figures are found in rates and lags: by the reading group and the
// topic, or by the topic that is written to.
type edge struct{ from, to, topic, at string }

func (t Topics) edges() []edge {
	var all []edge
	read := func(from, to, group, topic string) {
		all = append(all, edge{from, to, topic, group + " " + topic})
	}
	for _, s := range mapping.Streams {
		read("legacy:"+s.String(), "intake:"+s.String(), string(t.intakeGroup(s)), t.Legacy[s])
	}
	read("intake:"+mapping.Partners.String(), "group:organizers", string(t.organizersGroup()), string(t.internal(mapping.Partners)))
	for _, s := range slimStreams {
		read("intake:"+s.String(), "group:gate", string(t.gateGroup()), string(t.internal(s)))
	}
	read("group:gate", "group:organizers", string(t.organizersGroup()), string(t.memberships()))
	read("group:organizers", "group:gate", string(t.gateGroup()), string(t.answers()))
	for _, s := range slimStreams {
		all = append(all, edge{"group:gate", "slim:" + slimNode(s), t.Slim[s], "slim " + s.String()})
	}
	for _, s := range mapping.Streams {
		all = append(all, edge{"intake:" + s.String(), "quarantine:quarantine", t.Quarantine(), mapping.StageIntake + " " + s.String()})
	}
	return append(all, edge{"group:gate", "quarantine:quarantine", t.Quarantine(), mapping.StageGate})
}

func edgesOf(t Topics, moved map[string]float64, lags map[string]lag) []console.Edge {
	var edges []console.Edge
	for _, e := range t.edges() {
		l := lags[e.at]
		edges = append(edges, console.Edge{From: e.from, To: e.to, Topic: e.topic, RecordsPerSecond: moved[e.at], LagRecords: l.records, LagSeconds: l.seconds})
	}
	return edges
}

// lags of all topics that are read, and what is sent and not acknowledged of those that are written.
func (b *Bridge) lags(now time.Time) map[string]lag {
	lags := map[string]lag{}
	unacknowledged := map[string]int64{}
	for _, g := range b.groups() {
		for _, p := range g.tracker.Assigned() {
			at := string(g.name) + " " + p.Topic
			l := lags[at]
			lags[at] = lag{l.records + max(p.End-p.Acknowledged, 0), max(l.seconds, lagSeconds(p, g.markers(), now))}
		}
		if p := g.sender.Load(); p != nil {
			for topic, n := range p.Unacknowledged() {
				unacknowledged[topic] += n
			}
		}
	}
	for _, s := range slimStreams {
		lags["slim "+s.String()] = lag{records: unacknowledged[b.topics.Slim[s]]}
	}
	return lags
}

// accounts of this instance. Those of a stream whose offsets were set by hand are left out: they say nothing.
func (b *Bridge) accounts() console.Accounts {
	gathered, known := accountsGathered{}, true
	for _, g := range b.groups() {
		if b.topics.stageOf(string(g.name)) == "intake" {
			for _, p := range g.tracker.Assigned() {
				gathered.consume(b.streamOfLegacy(p.Topic), p)
			}
			continue
		}
		for p := range b.cfg.Settings.Partitions {
			if f := g.fence(p); f != nil && !gathered.add(&f.accounts) {
				known = false
			}
		}
		known = known && g.tracker.Joined()
	}
	topics := map[string]int64{}
	for _, s := range mapping.Streams {
		if !gathered.reset[s] {
			topics[s.String()] = gathered.consumed[s] - gathered.ends[s].All()
		}
	}
	return console.NewAccounts(topics, known)
}

// paused are the legacy topics that are.
func (b *breaker) paused() (list []console.Paused) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for topic := range b.streams {
		if b.pausedLocked(topic) {
			p := b.pauseOf(topic)
			list = append(list, console.Paused{Topic: topic, Since: writable(p.Since), Why: p.String()})
		}
	}
	slices.SortFunc(list, func(a, b console.Paused) int { return compareText(a.Topic, b.Topic) })
	return list
}

func (m *Metrics) quarantineSums(t Topics) []console.BadSum {
	names := map[string]string{}
	for _, s := range mapping.Streams {
		names[s.String()] = t.Legacy[s]
	}
	sums := map[[2]string]int64{}
	for _, metric := range metricsOf(m.quarantinedC) {
		sums[[2]string{names[labelOf(metric, "topic")], labelOf(metric, "reason")}] += int64(metric.GetCounter().GetValue())
	}
	list := []console.BadSum{}
	for at, n := range sums {
		if n > 0 {
			list = append(list, console.BadSum{Topic: at[0], Reason: at[1], Count: n})
		}
	}
	slices.SortFunc(list, func(a, b console.BadSum) int { return compareText(a.Topic+" "+a.Reason, b.Topic+" "+b.Reason) })
	return list
}

func metricsOf(c prometheus.Collector) (list []*dto.Metric) {
	found := make(chan prometheus.Metric)
	go func() {
		c.Collect(found)
		close(found)
	}()
	for metric := range found {
		m := &dto.Metric{}
		if metric.Write(m) == nil {
			list = append(list, m)
		}
	}
	return list
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// sample is what was counted at a moment.
type sample struct {
	at      time.Time
	read    map[place]int64    // up to which offset
	written map[string]float64 // how many records
	latency []bucket           // cumulative
}

// place is a partition that a group reads.
type place struct {
	at        string // group and topic
	partition int32
}

// bucket counts what took no longer than bound seconds.
type bucket struct {
	bound float64
	count uint64
}

func (c *Console) sample() sample {
	s := sample{at: time.Now(), read: map[place]int64{}, written: map[string]float64{}}
	if b, _ := c.current(); b != nil {
		for _, g := range b.groups() {
			for _, p := range g.tracker.Assigned() {
				s.read[place{string(g.name) + " " + p.Topic, p.Partition}] = p.Acknowledged
			}
		}
	}
	for topic, n := range c.metrics.Emitted() {
		s.written["slim "+topic] += float64(n)
	}
	for _, m := range metricsOf(c.metrics.quarantinedC) {
		at := labelOf(m, "stage")
		if at == mapping.StageIntake {
			at += " " + labelOf(m, "topic")
		}
		s.written[at] += m.GetCounter().GetValue()
	}
	s.latency = c.metrics.latencyBuckets()
	return s
}

func (m *Metrics) latencyBuckets() []bucket {
	sums := make([]bucket, len(latencyBuckets)+1)
	for i, bound := range append(slices.Clone(latencyBuckets), math.Inf(1)) {
		sums[i].bound = bound
	}
	for _, s := range slimStreams {
		for _, o := range []prometheus.Observer{m.latency[s].direct, m.latency[s].parked} {
			h, ok := o.(prometheus.Metric)
			read := &dto.Metric{}
			if !ok || h.Write(read) != nil {
				continue
			}
			for _, b := range read.GetHistogram().GetBucket() {
				if i := slices.Index(latencyBuckets, b.GetUpperBound()); i >= 0 {
					sums[i].count += b.GetCumulativeCount()
				}
			}
			sums[len(sums)-1].count += read.GetHistogram().GetSampleCount()
		}
	}
	return sums
}

// rates are made of what was counted between looks.
type rates struct {
	mu      sync.Mutex
	samples []sample // oldest first
}

const (
	rateOver     = 10 * time.Second // of two looks that are as far apart
	latencyOver  = time.Minute
	freshEnough  = 15 * time.Second       // a look that is older says nothing of now
	firstLook    = 500 * time.Millisecond // between two looks when there was none before
	leastBetween = 100 * time.Millisecond
)

// look gives records per second, by where they are read or written, and the latency. When nobody has looked for a
// while it looks twice.
func (r *rates) look(ctx context.Context, take func() sample) (moved map[string]float64, latency console.Latency, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.samples); n == 0 || time.Since(r.samples[n-1].at) > freshEnough {
		r.samples = append(r.samples, take())
		if !sleep(ctx, firstLook) {
			return nil, latency, ctx.Err()
		}
	}
	if n := len(r.samples); n < 2 || time.Since(r.samples[n-1].at) >= leastBetween {
		r.samples = append(r.samples, take())
	}
	now := r.samples[len(r.samples)-1]
	r.samples = slices.DeleteFunc(r.samples, func(s sample) bool { return now.at.Sub(s.at) > latencyOver })
	return now.since(r.before(now.at, rateOver)), now.latencySince(r.samples[0]), nil
}

// before is the newest sample that is at least so much older, or the oldest.
func (r *rates) before(now time.Time, by time.Duration) sample {
	found := r.samples[0]
	for _, s := range r.samples {
		if now.Sub(s.at) >= by {
			found = s
		}
	}
	return found
}

// since gives records per second. Partitions that came or went in between do not count.
func (s sample) since(before sample) map[string]float64 {
	moved := map[string]float64{}
	seconds := s.at.Sub(before.at).Seconds()
	if seconds <= 0 {
		return moved
	}
	for at, offset := range s.read {
		if was, known := before.read[at]; known && was >= 0 {
			moved[at.at] += float64(max(offset-was, 0)) / seconds
		}
	}
	for at, n := range s.written {
		moved[at] += max(n-before.written[at], 0) / seconds
	}
	return moved
}

func (s sample) latencySince(before sample) console.Latency {
	if len(before.latency) != len(s.latency) {
		return console.Latency{}
	}
	grown := slices.Clone(s.latency)
	for i := range grown {
		grown[i].count -= before.latency[i].count
	}
	return console.Latency{P50: percentile(grown, 0.5), P99: percentile(grown, 0.99)}
}

// percentile of cumulative buckets, taken as even within each; of the last one, which has no end, where it begins.
func percentile(buckets []bucket, share float64) float64 {
	if len(buckets) == 0 || buckets[len(buckets)-1].count == 0 {
		return 0
	}
	all := buckets[len(buckets)-1].count
	rank := share * float64(all)
	lower, below := 0.0, uint64(0)
	for _, b := range buckets {
		if float64(b.count) >= rank && b.count > below {
			if math.IsInf(b.bound, 1) {
				return lower
			}
			return lower + (b.bound-lower)*(rank-float64(below))/float64(b.count-below)
		}
		lower, below = b.bound, b.count
	}
	return lower
}
