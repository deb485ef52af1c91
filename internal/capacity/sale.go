package capacity

import (
	"fmt"
	"math"
)

// Sale is a simulated on-sale on a planned deployment, with what it leaves on disks and what could be done about it.
type Sale struct {
	OrdersPerSecond float64  `json:"orders_per_second"`
	Orders          float64  `json:"orders"`
	Course          Course   `json:"course"`
	Lines           []Line   `json:"lines"`
	Ways            []Way    `json:"ways"`
	Faults          []string `json:"faults"`
}

// Way is something that could be done, or not done, and how the sale would go then.
type Way struct {
	What          string  `json:"what"`
	LastOut       float64 `json:"last_out"` // seconds since the start of the sale; 0: see the note
	MostWait      float64 `json:"most_wait"`
	MostElsewhere float64 `json:"most_elsewhere"`
	Note          string  `json:"note"`
}

// waitingRoom is how much of what a partition takes a waiting room should let through.
const waitingRoom = 0.8

// onSale is the sale as the deployment sees it: without limits on what intake and gate use of their processors, as nobody
// plans a deployment for its ten busiest minutes.
func (p Plan) onSale(orders float64, length float64, c Coefficients) (s OnSale, lines []Line) {
	l, d := p.Load, p.Deployment
	line := func(name string, value float64, unit, format string, args ...any) float64 {
		lines = append(lines, Line{"sale", name, value, unit, fmt.Sprintf(format, args...)})
		return value
	}
	s.Length = length
	s.Sale = line("of the event", orders*l.OrderRecords, "records/s", "%s orders/s × %s records", number(orders), number(l.OrderRecords))
	s.Others = line("of all other events", l.OrdersPerSecond*(l.orderRecords()+l.EventRecords), "records/s", "%s orders/s × (%s + %s records)", number(l.OrdersPerSecond), number(l.orderRecords()), number(l.EventRecords))
	s.Beside = line("of those, in the event's partition", s.Others/float64(d.Partitions), "records/s", "that ÷ %d partitions", d.Partitions)
	core := d.Cores / c.PartitionCPU
	s.Partition = line("the partition takes", min(c.PartitionRecords, core), "records/s", "the smaller of %s measured and %s cores ÷ %s", number(c.PartitionRecords), number(d.Cores), Quantity(c.PartitionCPU, "s"))
	cores := float64(min(d.Instances, d.Partitions)) * d.Cores
	gate := s.Partition*c.PartitionCPU + s.Others*(c.PartitionCPU)
	s.Intake = line("intake takes", max(cores-gate, 0)/c.IntakeCPU, "records/s", "(%d instances × %s cores − %s for the gate) ÷ %s", min(d.Instances, d.Partitions), number(d.Cores), number(gate), Quantity(c.IntakeCPU, "s"))
	return s, lines
}

// OnSale simulates one event that sells so many orders a second for some seconds, beside the load of the plan.
func (p Plan) OnSale(orders float64, length float64, c Coefficients) (Sale, error) {
	if err := within("on-sale", orders, 0.001, 1e7); err != nil {
		return Sale{}, err
	}
	if err := wholeSeconds(length); err != nil {
		return Sale{}, fmt.Errorf("--on-sale-for: %w", err)
	}
	s, lines := p.onSale(orders, length, c)
	course, err := s.Simulate()
	if err != nil {
		return Sale{}, fmt.Errorf("--on-sale %s: %w", plain(orders), err)
	}
	r := Sale{OrdersPerSecond: orders, Orders: orders * length, Course: course, Lines: lines, Faults: []string{}}
	r.disks(p, c)
	r.ways(p, c, s)
	if keep := p.Deployment.InternalRetention; course.MostWait > keep/2 {
		r.Faults = append(r.Faults, fmt.Sprintf("orders wait for %s, more than half of internal_retention, %s: what is deleted unread is lost", Quantity(course.MostWait, "s"), Quantity(keep, "s")))
	}
	return r, nil
}

// disks tells what the sale leaves, and where: nearly all of it in one partition.
func (r *Sale) disks(p Plan, c Coefficients) {
	d, records := p.Deployment, r.Orders*p.Load.OrderRecords
	line := func(name string, value float64, unit, format string, args ...any) {
		r.Lines = append(r.Lines, Line{"sale leaves", name, value, unit, fmt.Sprintf(format, args...)})
	}
	line("unread in the legacy topics, at most", r.Course.MostUnread*c.Order.Legacy, "bytes", "%s records × %s; their retention has to outlast the wait", number(r.Course.MostUnread), Quantity(c.Order.Legacy, "bytes"))
	line("in one partition between the stages", records*c.Order.Internal, "bytes", "%s records × %s, on each of %d brokers, kept for %s", number(records), Quantity(c.Order.Internal, "bytes"), d.Replication, Quantity(d.InternalRetention, "s"))
	line("in one partition of the table", records*c.Order.Table, "bytes", "%s records × %s before compaction, on each of %d brokers", number(records), Quantity(c.Order.Table, "bytes"), d.Replication)
	line("in the slim topic", records*c.Order.Slim, "bytes", "%s records × %s, over all of its partitions, × %d replicas", number(records), Quantity(c.Order.Slim, "bytes"), d.Replication)
	folder := r.Orders * c.StateBytesPerOrder
	line("in one instance's state", folder, "bytes", "%s orders × %s, for good", number(r.Orders), Quantity(c.StateBytesPerOrder, "bytes"))
	restore := records * c.Order.TableRows / c.RowsPerSecond
	line("added to the recovery of that partition", restore, "s", "%s records × %s rows ÷ %s rows/s, should another instance take it over", number(records), number(c.Order.TableRows), number(c.RowsPerSecond))
	if before := p.stateOfFullest(c); before+folder > d.DiskGiB*1024*mib*diskFill {
		r.Faults = append(r.Faults, fmt.Sprintf("the state of the instance that has the event, %s and %s by the sale, does not fit in %s of its disk of %s GiB", Quantity(before, "bytes"), Quantity(folder, "bytes"), number(diskFill), number(d.DiskGiB)))
	}
}

// stateOfFullest is what the fullest instance has on disk by the plan.
func (p Plan) stateOfFullest(c Coefficients) float64 {
	serving := min(p.Deployment.Instances-p.Deployment.Spare, p.Deployment.Partitions)
	share := float64(ceilDiv(p.Deployment.Partitions, serving)) / float64(p.Deployment.Partitions)
	return (p.Load.OrdersKept*c.StateBytesPerOrder + p.Load.Events*c.StateBytesPerEvent) * share
}

// ways simulates what could be done.
func (r *Sale) ways(p Plan, c Coefficients, s OnSale) {
	try := func(what string, o OnSale, note string) {
		course, err := o.Simulate()
		if err != nil { // more than is simulated
			r.Ways = append(r.Ways, Way{What: what, Note: err.Error()})
			return
		}
		r.Ways = append(r.Ways, Way{what, course.LastOut, course.MostWait, course.MostElsewhere, note})
	}
	try("as it is", s, "")
	more := s
	more.Beside = s.Beside / 4
	try("four times the partitions", more, "no help for the event; a quarter of the other events wait with it. Only for a new deployment")
	wide := s
	wide.Intake = s.Intake * 2
	try("intake takes twice as much (more instances)", wide, "no help for the event beyond its partition")
	fast := s
	fast.Partition, fast.Intake = 2*s.Partition, 2*s.Intake
	try("cores twice as fast, if there were any", fast, "")
	let := waitingRoom * (s.Partition - s.Beside)
	if seconds := math.Ceil(s.Sale * s.Length / let); let < s.Sale && seconds <= longestSale {
		room := s
		room.Sale, room.Length = s.Sale*s.Length/seconds, seconds
		try(fmt.Sprintf("a waiting room in the shop lets %s orders/s through", number(room.Sale/p.Load.OrderRecords)), room, "the sale takes "+Quantity(seconds, "s")+"; nobody waits for a record")
	}
}
