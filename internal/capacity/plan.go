package capacity

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Load is what the legacy topics bring, and what there is in the state. Rates are those of the busiest hour.
type Load struct {
	OrdersPerSecond float64 `json:"orders_per_second"` // new ones
	Events          float64 `json:"events"`            // in the state: nothing leaves it
	OrdersKept      float64 `json:"orders_kept"`       // in the state, at the end of what is planned

	OrderRecords  float64 `json:"order_records"`  // legacy records of an order
	RefundShare   float64 `json:"refund_share"`   // refund requests of an order
	RefundRecords float64 `json:"refund_records"` // legacy records of a refund request
	EventRecords  float64 `json:"event_records"`  // legacy records of events and partners, for each order
}

// DefaultLoad has the proportions of a made-up season.
func DefaultLoad() Load {
	return Load{OrderRecords: 1.05, RefundShare: 0.05, RefundRecords: 1.25, EventRecords: 0.45}
}

func (l Load) orderRecords() float64 { // for each order: a refund's record passes the same stages and costs the same
	return l.OrderRecords + l.RefundShare*l.RefundRecords
}

// Deployment is what the bridge runs on.
type Deployment struct {
	Partitions  int     `json:"partitions"` // of internal topics and tables; 0: as many as the plan wants
	Instances   int     `json:"instances"`  // 0: as many as the plan wants
	Spare       int     `json:"spare"`      // of them, how many may be away
	Cores       float64 `json:"cores"`      // of an instance
	Utilisation float64 `json:"utilisation"`
	Skew        float64 `json:"skew"` // load of the busiest partition ÷ the average

	NetworkMiB float64 `json:"network_mib"` // of an instance and of a broker, each way, a second
	DiskGiB    float64 `json:"disk_gib"`    // of an instance, for its state

	Brokers       int     `json:"brokers"`
	Replication   int     `json:"replication"`
	BrokerDiskGiB float64 `json:"broker_disk_gib"` // 0: not known

	SessionTimeout    float64 `json:"session_timeout_seconds"`
	InternalRetention float64 `json:"internal_retention_seconds"`
}

// DefaultDeployment has the defaults of the configuration, and of deploy/.
func DefaultDeployment() Deployment {
	return Deployment{
		Spare: 1, Cores: 2, Utilisation: 0.6, Skew: 2, NetworkMiB: 100, DiskGiB: 20, Brokers: 3, Replication: 3,
		SessionTimeout: 15, InternalRetention: 7 * day,
	}
}

// What the model takes for given.
const (
	// DefaultPartitions is that of the configuration, and the least that a plan gives.
	DefaultPartitions = 12
	// A cluster takes no more.
	maxPartitions = 100_000
	// A compacted topic is cleaned when half of it is superseded (min.cleanable.dirty.ratio 0.5), so it may hold everything twice.
	uncleaned = 2
	// Tables keep superseded rows for so long (min.compaction.lag.ms).
	compactionLag = 600.0
	// Of a disk, so much may be full: Pebble rewrites what it compacts beside the old files.
	diskFill = 0.7
	// Rows of an event: its own, and its place in the table of organizers.
	rowsOfEvent = 2
	// The cache of the local state, for blocks and for the memtables of each partition (internal/store).
	cacheMiB    = 32
	memtableMiB = 8
	hour        = 3600.0
	day         = 24 * hour
)

// Validate reports the first value that makes no sense. Names are those of the flags.
func (l Load) Validate() error {
	return firstOf(
		within("orders-per-second", l.OrdersPerSecond, 0.001, 1e7),
		within("events", l.Events, 1, 1e9),
		within("orders-kept", l.OrdersKept, 1, 1e12),
		within("order-records", l.OrderRecords, 1, 1000),
		within("refund-share", l.RefundShare, 0, 10),
		within("refund-records", l.RefundRecords, 1, 1000),
		within("event-records", l.EventRecords, 0, 10000),
	)
}

// Validate reports the first value that makes no sense.
func (d Deployment) Validate() error {
	err := firstOf(
		within("partitions", float64(d.Partitions), 0, maxPartitions),
		within("instances", float64(d.Instances), 0, maxPartitions),
		within("spare", float64(d.Spare), 0, 1000),
		within("cores", d.Cores, 0.1, 1024),
		within("utilisation", d.Utilisation, 0.05, 1),
		within("skew", d.Skew, 1, 100000),
		within("network", d.NetworkMiB, 0.1, 1e6),
		within("disk", d.DiskGiB, 0.1, 1e6),
		within("brokers", float64(d.Brokers), 1, 10000),
		within("replication", float64(d.Replication), 1, 100),
		within("broker-disk", d.BrokerDiskGiB, 0, 1e7),
		seconds("session-timeout", d.SessionTimeout, 7, 300),
		seconds("internal-retention", d.InternalRetention, 60, 10*365*day),
	)
	switch {
	case err != nil:
		return err
	case d.Replication > d.Brokers:
		return fmt.Errorf("--replication %d: there are %d brokers (--brokers)", d.Replication, d.Brokers)
	case d.Instances > 0 && d.Instances <= d.Spare:
		return fmt.Errorf("--instances %d: with --spare %d away none is left", d.Instances, d.Spare)
	case d.Partitions > 0 && d.Skew > float64(d.Partitions):
		return fmt.Errorf("--skew %g: of %d partitions the busiest has %d times the average at most", d.Skew, d.Partitions, d.Partitions)
	}
	return nil
}

func within(name string, v, least, most float64) error {
	if v >= least && v <= most { // not NaN
		return nil
	}
	return fmt.Errorf("--%s %s: want %s to %s", name, plain(v), plain(least), plain(most))
}

func seconds(name string, v, least, most float64) error {
	if v >= least && v <= most {
		return nil
	}
	return fmt.Errorf("--%s: %s: want %s to %s", name, Quantity(v, "s"), Quantity(least, "s"), Quantity(most, "s"))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Line is one result, with the way to it.
type Line struct {
	Group string  `json:"group"`
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"` // records/s, cores, bytes, bytes/s, s, or nothing for a number
	From  string  `json:"from"` // the formula, with its figures
}

// Limit is what gives way at some rate.
type Limit struct {
	What            string  `json:"what"`
	OrdersPerSecond float64 `json:"orders_per_second"`
	From            string  `json:"from"`
}

// Plan is the answer.
type Plan struct {
	Load       Load       `json:"load"`
	Deployment Deployment `json:"deployment"` // with instances and partitions as planned
	Lines      []Line     `json:"lines"`
	Limits     []Limit    `json:"limits"` // the lowest first
	Faults     []string   `json:"faults"` // why it does not do; none: it does
	Unknown    []string   `json:"unknown"`
}

// planner has what all lines need.
type planner struct {
	Plan
	c          Coefficients
	orders     float64 // legacy records of orders and refunds, a second
	events     float64 // legacy records of events and partners, a second
	serving    int     // instances that are not away
	fullest    int     // partitions of the fullest of them
	share      float64 // of all work, of the fullest
	partitions float64
}

// New makes a plan. Instances and partitions that are not given are chosen.
func New(l Load, d Deployment, c Coefficients) (Plan, error) {
	if err := errors.Join(l.Validate(), d.Validate(), c.Validate()); err != nil {
		return Plan{}, err
	}
	p := &planner{Plan: Plan{Load: l, Deployment: d, Faults: []string{}}, c: c, orders: l.OrdersPerSecond * l.orderRecords(), events: l.OrdersPerSecond * l.EventRecords}
	p.line("load", "orders and refunds", p.orders, "records/s", "%s orders/s × (%s + %s × %s records)", number(l.OrdersPerSecond), number(l.OrderRecords), number(l.RefundShare), number(l.RefundRecords))
	p.line("load", "events and partners", p.events, "records/s", "%s orders/s × %s records", number(l.OrdersPerSecond), number(l.EventRecords))
	p.size()
	p.processors()
	p.disks()
	p.network()
	p.memory()
	p.times()
	p.judge()
	return p.Plan, nil
}

func (p *planner) line(group, name string, value float64, unit, format string, args ...any) {
	p.Lines = append(p.Lines, Line{group, name, value, unit, fmt.Sprintf(format, args...)})
}

func (p *planner) fault(format string, args ...any) {
	p.Faults = append(p.Faults, fmt.Sprintf(format, args...))
}

// of adds up a coefficient over the records of a second.
func (p *planner) of(y func(PerRecord) float64) float64 {
	return p.orders*y(p.c.Order) + p.events*y(p.c.Event)
}

// sum is the formula of of.
func (p *planner) sum(y func(PerRecord) float64, unit string) string {
	return fmt.Sprintf("%s order records/s × %s + %s event records/s × %s", number(p.orders), Quantity(y(p.c.Order), unit), number(p.events), Quantity(y(p.c.Event), unit))
}

func cpuOf(r PerRecord) float64       { return r.CPU }
func brokerCPUOf(r PerRecord) float64 { return r.BrokerCPU }
func receivedOf(r PerRecord) float64  { return r.Received }
func sentOf(r PerRecord) float64      { return r.Sent }
func internalOf(r PerRecord) float64  { return r.Internal }
func tableOf(r PerRecord) float64     { return r.Table }

func (p *planner) stateBytes() float64 {
	return p.Load.OrdersKept*p.c.StateBytesPerOrder + p.Load.Events*p.c.StateBytesPerEvent
}

// size chooses partitions and instances.
func (p *planner) size() {
	d := &p.Deployment
	needs := []struct {
		what string
		n    float64
	}{
		{"processor", p.of(cpuOf) / (d.Cores * d.Utilisation)},
		{"network in", p.of(receivedOf) / (d.NetworkMiB * mib * d.Utilisation)},
		{"network out", p.of(sentOf) / (d.NetworkMiB * mib * d.Utilisation)},
		{"disk", p.stateBytes() / (d.DiskGiB * 1024 * mib * diskFill)},
	}
	most, text := needs[0], ""
	for i, n := range needs {
		if n.n > most.n {
			most = n
		}
		if i > 0 {
			text += ", "
		}
		text += n.what + " " + number(n.n)
	}
	p.line("size", "instances' worth of work", most.n, "", "the largest of %s (below)", text)

	busiest := d.Skew * (p.orders + p.events) / (p.c.PartitionRecords * d.Utilisation)
	p.line("size", "partitions' worth of work", busiest, "", "(%s + %s records/s) × skew %s ÷ (%s records/s of one partition × %s)", number(p.orders), number(p.events), number(d.Skew), number(p.c.PartitionRecords), number(d.Utilisation))
	wanted := counted(most.n)
	instances := max(wanted+d.Spare, d.Instances)
	if given := d.Partitions; given == 0 {
		d.Partitions = min(maxPartitions, max(DefaultPartitions, counted(busiest), 2*instances, counted(d.Skew)))
		p.line("size", "partitions", float64(d.Partitions), "", "the largest of %d, %d for the busiest, and twice %d instances, for they cannot be changed later", DefaultPartitions, counted(busiest), instances)
	} else {
		p.line("size", "partitions", float64(given), "", "given; %d are wanted for the busiest", counted(busiest))
	}
	p.partitions = float64(d.Partitions)
	if d.Instances == 0 {
		n := wanted
		for n < d.Partitions && p.partitions/math.Ceil(p.partitions/float64(n)) < most.n {
			n++
		}
		n = max(n, 1)
		d.Instances = n + d.Spare
		p.line("size", "instances", float64(d.Instances), "", "%d with %d partitions at most, and %d that may be away", n, ceilDiv(d.Partitions, min(n, d.Partitions)), d.Spare)
	} else {
		p.line("size", "instances", float64(d.Instances), "", "given, of which %d may be away", d.Spare)
	}
	p.serving = min(d.Instances-d.Spare, d.Partitions)
	p.fullest = ceilDiv(d.Partitions, p.serving)
	p.share = float64(p.fullest) / p.partitions
	if d.Instances > d.Partitions {
		p.fault("%d instances, but %d partitions: the others have nothing to do", d.Instances, d.Partitions)
	}
}

// counted rounds up, to what can be counted.
func counted(v float64) int { return int(min(math.Ceil(v), 1e9)) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

func (p *planner) limit(what string, perOrder, capacity float64, unit string, per string) {
	p.Limits = append(p.Limits, Limit{what, capacity / perOrder, fmt.Sprintf("%s ÷ %s", per, Quantity(perOrder, unit))})
}

// serves is how many instances' worth the serving ones are, as partitions cannot be divided.
func (p *planner) serves() float64 { return p.partitions / float64(p.fullest) }

func (p *planner) servesText() string {
	return fmt.Sprintf("%d partitions ÷ %d in the fullest of %d instances", p.Deployment.Partitions, p.fullest, p.serving)
}

func (p *planner) processors() {
	d, n := p.Deployment, p.Load.OrdersPerSecond
	all := p.of(cpuOf)
	p.line("processors", "all instances", all, "cores", "%s", p.sum(cpuOf, "s"))
	p.line("processors", "the fullest instance", all*p.share, "cores", "that × %d ÷ %d partitions; it has %s", p.fullest, d.Partitions, number(d.Cores))
	p.limit("processors of the instances", all/n, p.serves()*d.Cores*d.Utilisation, "s", fmt.Sprintf("%s × %s cores × %s", p.servesText(), number(d.Cores), number(d.Utilisation)))
	p.limit("the sequence of the busiest partition", d.Skew*(p.orders+p.events)/n, p.partitions*p.c.PartitionRecords*d.Utilisation, "records",
		fmt.Sprintf("%d partitions × %s records/s × %s", d.Partitions, number(p.c.PartitionRecords), number(d.Utilisation)))
	p.line("processors", "brokers, at least", p.of(brokerCPUOf), "cores", "%s; one replica, no TLS, nobody else", p.sum(brokerCPUOf, "s"))
}

func (p *planner) disks() {
	d, l, c := p.Deployment, p.Load, p.c
	state := p.stateBytes()
	p.line("disk", "state, all instances", state, "bytes", "%s orders × %s + %s events × %s", number(l.OrdersKept), Quantity(c.StateBytesPerOrder, "bytes"), number(l.Events), Quantity(c.StateBytesPerEvent, "bytes"))
	p.line("disk", "state, the fullest instance", state*p.share, "bytes", "that × %d ÷ %d partitions; it has %s GiB", p.fullest, d.Partitions, number(d.DiskGiB))
	growth := l.OrdersPerSecond * day * c.StateBytesPerOrder
	p.line("disk", "state grows, in a day at this rate", growth, "bytes", "%s orders/s × 86,400 s × %s; nothing is thinned out", number(l.OrdersPerSecond), Quantity(c.StateBytesPerOrder, "bytes"))
	room := d.DiskGiB * 1024 * mib * diskFill
	left := (room/p.share - state) / growth * day
	p.line("disk", "the fullest disk is full after", max(left, 0), "s", "(%s GiB × %s ÷ its share of %s − the state) ÷ growth", number(d.DiskGiB), number(diskFill), number(p.share))
	if left <= 0 {
		p.fault("the state of the fullest instance, %s, does not fit in %s of its disk of %s GiB", Quantity(state*p.share, "bytes"), number(diskFill), number(d.DiskGiB))
	}
	rowOrder, rowEvent := c.Order.Table/c.Order.TableRows, c.Event.Table/c.Event.TableRows
	tables := uncleaned*p.tableRows(rowOrder, rowEvent) + compactionLag*p.of(tableOf)
	p.line("disk", "topics: tables", tables, "bytes", "%d × (%s order and refund rows × %s + %s event rows × %s) + %s s × %s/s", uncleaned, number(l.OrdersKept*(1+l.RefundShare)), Quantity(rowOrder, "bytes"),
		number(l.Events*rowsOfEvent), Quantity(rowEvent, "bytes"), number(compactionLag), Quantity(p.of(tableOf), "bytes"))
	kept := d.InternalRetention * p.of(internalOf)
	p.line("disk", "topics: between the stages", kept, "bytes", "%s at this rate × (%s)", Quantity(d.InternalRetention, "s"), p.sum(internalOf, "bytes"))
	slim := uncleaned * (l.OrdersKept*(1+l.RefundShare)*c.Order.Slim + l.Events*c.SlimBytesPerEvent)
	p.line("disk", "topics: slim", slim, "bytes", "%d × (%s orders and refunds × %s + %s events × %s)", uncleaned, number(l.OrdersKept*(1+l.RefundShare)), Quantity(c.Order.Slim, "bytes"), number(l.Events), Quantity(c.SlimBytesPerEvent, "bytes"))
	broker := (tables + kept + slim) * float64(d.Replication) / float64(d.Brokers)
	p.line("disk", "each broker", broker, "bytes", "the three × %d replicas ÷ %d brokers", d.Replication, d.Brokers)
	if d.BrokerDiskGiB > 0 && broker > d.BrokerDiskGiB*1024*mib*diskFill {
		p.fault("a broker's %s of topics do not fit in %s of its disk of %s GiB: shorten internal_retention, or add brokers", Quantity(broker, "bytes"), number(diskFill), number(d.BrokerDiskGiB))
	}
}

// tableRows adds up rows of the state, each weighted.
func (p *planner) tableRows(order, event float64) float64 {
	return p.Load.OrdersKept*(1+p.Load.RefundShare)*order + p.Load.Events*rowsOfEvent*event
}

func (p *planner) network() {
	d, n := p.Deployment, p.Load.OrdersPerSecond
	in, out := p.of(receivedOf), p.of(sentOf)
	p.line("network", "in, all instances", in, "bytes/s", "%s", p.sum(receivedOf, "bytes"))
	p.line("network", "out, all instances", out, "bytes/s", "%s", p.sum(sentOf, "bytes"))
	p.line("network", "in, the fullest instance", in*p.share, "bytes/s", "the first × %d ÷ %d partitions", p.fullest, d.Partitions)
	p.line("network", "out, the fullest instance", out*p.share, "bytes/s", "the second × %d ÷ %d partitions", p.fullest, d.Partitions)
	brokers, copies := float64(d.Brokers), float64(d.Replication-1)
	brokerIn, brokerOut := (out+out*copies)/brokers, (in+out*copies)/brokers
	p.line("network", "in, each broker", brokerIn, "bytes/s", "out of all instances × %d replicas ÷ %d brokers", d.Replication, d.Brokers)
	p.line("network", "out, each broker", brokerOut, "bytes/s", "(in of all instances + out × %d further replicas) ÷ %d brokers, with the legacy topics on them", d.Replication-1, d.Brokers)
	cable := d.NetworkMiB * mib * d.Utilisation
	text := fmt.Sprintf("%s MiB/s × %s", number(d.NetworkMiB), number(d.Utilisation))
	p.limit("network into the instances", in/n, cable*p.serves(), "bytes", text+" × "+p.servesText())
	p.limit("network out of the instances", out/n, cable*p.serves(), "bytes", text+" × "+p.servesText())
	p.limit("network into the brokers", brokerIn*brokers/n, cable*brokers, "bytes", fmt.Sprintf("%s × %d brokers", text, d.Brokers))
	p.limit("network out of the brokers", brokerOut*brokers/n, cable*brokers, "bytes", fmt.Sprintf("%s × %d brokers", text, d.Brokers))
}

func (p *planner) memory() {
	p.line("memory", "each instance, at most", (p.c.MemoryMiB+cacheMiB+memtableMiB*p.partitions)*mib, "bytes", "%s MiB at the smallest size + %d MiB of blocks and %d partitions × %d MiB of memtables, when the cache of the state is full",
		number(p.c.MemoryMiB), cacheMiB, p.Deployment.Partitions, memtableMiB)
}

func (p *planner) times() {
	d, c := p.Deployment, p.c
	rowsWritten := p.orders*c.Order.TableRows + p.events*c.Event.TableRows
	rows := uncleaned*p.tableRows(1, 1) + compactionLag*rowsWritten
	mine := rows * p.share
	p.line("times", "start with its state", c.StartSeconds, "s", "measured; and what was written while it was away")
	cold := c.StartSeconds + mine/c.RowsPerSecond
	p.line("times", "start with an empty folder", cold, "s", "%s + %s rows of the fullest instance ÷ %s rows/s", Quantity(c.StartSeconds, "s"), number(mine), number(c.RowsPerSecond))
	moved := float64(ceilDiv(d.Partitions, d.Instances))
	one := rows * moved / p.partitions / c.RowsPerSecond
	p.line("times", "hand-over when an instance ends in order", c.HandOverSeconds, "s", "measured; all partitions of all instances stand still meanwhile")
	p.line("times", "the same, to instances that have not had its partitions", c.HandOverSeconds+one, "s", "that + %s rows of %d partitions ÷ %s rows/s, if one instance gets them all", number(rows*moved/p.partitions), int(moved), number(c.RowsPerSecond))
	killed := d.SessionTimeout + c.TakeOverSeconds
	p.line("times", "hand-over when an instance is killed", killed, "s", "session timeout %s + %s measured", Quantity(d.SessionTimeout, "s"), Quantity(c.TakeOverSeconds, "s"))
	p.line("times", "the same, to instances that have not had its partitions", killed+one, "s", "that + the same rows")
	most := p.ceiling()
	spare := most/p.Deployment.Utilisation - p.Load.OrdersPerSecond
	behind := math.Inf(1)
	if spare > 0 {
		behind = hour * p.Load.OrdersPerSecond / spare
	}
	if !math.IsInf(behind, 1) {
		p.line("times", "an hour's stop is made up after", behind, "s", "1 h × %s orders/s ÷ (%s orders/s at full use − %s)", number(p.Load.OrdersPerSecond), number(most/p.Deployment.Utilisation), number(p.Load.OrdersPerSecond))
	}
}

// ceiling is the lowest limit.
func (p *planner) ceiling() float64 {
	lowest := math.Inf(1)
	for _, l := range p.Limits {
		lowest = min(lowest, l.OrdersPerSecond)
	}
	return lowest
}

// judge puts limits in their order, and says what does not do.
func (p *planner) judge() {
	slices.SortStableFunc(p.Limits, func(a, b Limit) int { return cmp.Compare(a.OrdersPerSecond, b.OrdersPerSecond) })
	for _, l := range p.Limits {
		if l.OrdersPerSecond < p.Load.OrdersPerSecond*(1-1e-9) {
			p.fault("%s: at %s orders/s of %s", l.What, number(l.OrdersPerSecond), number(p.Load.OrdersPerSecond))
		}
	}
	p.Unknown = unknown
}

var unknown = []string{
	"the brokers' processors and disks: what replication, TLS, compaction and their other tenants take",
	"other processors than the one that was measured, and throttling: measure on yours (make plan-measure, --measured)",
	"small batches: at a low rate, a record takes more bytes and requests than in the backlogs that were measured",
	"skew: how unevenly your events' orders fall on partitions (--skew); for one event, see --on-sale",
	"intake's share-out: it follows the partitions of the legacy topics, which may be fewer",
	"how fast brokers append to one partition with all of its replicas: intake's figure in an on-sale is of processors alone",
	"parked orders, resyncs, encryption at rest, and records much larger than those of a made-up season",
}
