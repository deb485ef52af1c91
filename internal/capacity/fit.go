package capacity

import (
	"errors"
	"fmt"
)

const mib = 1 << 20

// line is y = at0 + slope·x.
type line struct{ at0, slope float64 }

func (l line) at(x float64) float64 { return l.at0 + l.slope*x }

// through is the line through two points with different x.
func through(x1, y1, x2, y2 float64) line {
	slope := (y2 - y1) / (x2 - x1)
	return line{at0: y1 - slope*x1, slope: slope}
}

// fit is what is known of two sizes.
type fit struct{ a, b Size }

// phases gives a line of a figure of the two phases by the phase's records.
func (f fit) events(y func(Phase) float64) line {
	return through(f.a.EventPhase.Records, y(f.a.EventPhase), f.b.EventPhase.Records, y(f.b.EventPhase))
}

func (f fit) orders(y func(Phase) float64) line {
	return through(f.a.OrderPhase.Records, y(f.a.OrderPhase), f.b.OrderPhase.Records, y(f.b.OrderPhase))
}

// cold is how long a start with an empty folder takes, by the rows that there are: what a start takes, and the rest of the
// larger size by its rows. A slope between the two would be that of their jitter, which is as long as the smaller one's restoring.
func (f fit) cold() line {
	return line{at0: f.start(), slope: (f.b.ColdSeconds - f.b.WarmSeconds) / f.b.rows()}
}

func (f fit) start() float64 { return (f.a.WarmSeconds + f.b.WarmSeconds) / 2 }

func (s Size) rows() float64 { return s.EventPhase.TableRows + s.OrderPhase.TableRows }

func drainSeconds(p Phase) float64 { return p.Seconds }
func cpu(p Phase) float64          { return p.CPU }
func brokerCPU(p Phase) float64    { return p.BrokerCPU }
func received(p Phase) float64     { return p.ReceivedMiB * mib }
func sent(p Phase) float64         { return p.SentMiB * mib }
func legacy(p Phase) float64       { return p.LegacyMiB * mib }
func internal(p Phase) float64     { return p.InternalMiB * mib }
func table(p Phase) float64        { return p.TableMiB * mib }
func slim(p Phase) float64         { return p.SlimMiB * mib }
func rows(p Phase) float64         { return p.TableRows }
func state(p Phase) float64        { return p.StateMiB * mib }
func topics(p Phase) float64       { return p.InternalMiB + p.TableMiB + p.SlimMiB }

func perRecord(slope func(func(Phase) float64) line) PerRecord {
	return PerRecord{
		CPU: slope(cpu).slope, BrokerCPU: slope(brokerCPU).slope, Received: slope(received).slope,
		Sent: slope(sent).slope, Legacy: slope(legacy).slope, Internal: slope(internal).slope, Table: slope(table).slope,
		Slim: slope(slim).slope, TableRows: slope(rows).slope,
	}
}

// Fit finds coefficients: what a record costs is the slope between the two smaller sizes, so that what every start costs,
// whatever the size, is not in it. Recovery goes by the larger of the two alone. What one partition takes comes from the run with one.
func Fit(sizes []Size, one OnePartition, h HandOver) (Coefficients, error) {
	if len(sizes) < 2 {
		return Coefficients{}, errors.New("want two sizes or more to fit")
	}
	f := fit{sizes[0], sizes[1]}
	if !(f.a.EventPhase.Records < f.b.EventPhase.Records && f.a.OrderPhase.Records < f.b.OrderPhase.Records && f.a.rows() < f.b.rows() &&
		f.a.Events < f.b.Events && f.a.Orders < f.b.Orders && f.a.Orders > 0) {
		return Coefficients{}, errors.New("want sizes in ascending order, each larger in all respects")
	}
	perEvent := through(float64(f.a.Events), state(f.a.EventPhase), float64(f.b.Events), state(f.b.EventPhase))
	perOrder := through(float64(f.a.Orders), state(f.a.OrderPhase), float64(f.b.Orders), state(f.b.OrderPhase))
	c := Coefficients{
		Event: perRecord(f.events), Order: perRecord(f.orders),
		StateBytesPerEvent: perEvent.slope, StateBytesPerOrder: perOrder.slope,
		StartSeconds: f.start(), RowsPerSecond: 1 / f.cold().slope,
		MemoryMiB:       max(f.a.EventPhase.PeakMiB, f.a.OrderPhase.PeakMiB),
		HandOverSeconds: h.OrderlySeconds, TakeOverSeconds: max(h.KilledSeconds-h.SessionTimeoutSeconds, 0.1),
		SlimBytesPerEvent: through(float64(f.a.Events), slim(f.a.EventPhase), float64(f.b.Events), slim(f.b.EventPhase)).slope,
		PartitionRecords:  one.Records, PartitionCPU: one.CPU, IntakeCPU: one.IntakeCPU,
	}
	if err := c.Validate(); err != nil {
		return c, fmt.Errorf("the two smaller sizes give no model (they are too small, or something else ran): %w", err)
	}
	return c, nil
}

// Predict holds the lines through the two smaller sizes against the largest one.
func Predict(sizes []Size) ([]Deviation, error) {
	if len(sizes) != 3 {
		return nil, fmt.Errorf("%d sizes: want 3", len(sizes))
	}
	f, last := fit{sizes[0], sizes[1]}, sizes[2]
	both := func(what, unit string, y func(Phase) float64, scale float64) Deviation {
		return Deviation{
			What: what, Unit: unit,
			Predicted: (f.events(y).at(last.EventPhase.Records) + f.orders(y).at(last.OrderPhase.Records)) / scale,
			Measured:  (y(last.EventPhase) + y(last.OrderPhase)) / scale,
		}
	}
	return []Deviation{
		both("drain, both phases", "s", drainSeconds, 1),
		both("processor time of the instance", "s", cpu, 1),
		both("state folder", "MiB", state, mib),
		both("topics", "MiB", topics, 1),
		{What: "cold recovery", Unit: "s", Predicted: f.cold().at(last.rows()), Measured: last.ColdSeconds},
	}, nil
}
