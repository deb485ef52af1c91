package chaos

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind of a fault.
type Kind string

// Kinds of faults.
const (
	Kill    Kind = "kill"    // kill -9 of an instance, started again on its state
	Wipe    Kind = "wipe"    // the same, and its state folder is deleted
	Pause   Kind = "pause"   // stopped for longer than its session, then continued: it has to end by itself
	Rolling Kind = "rolling" // SIGTERM to one instance after the other
	Scale   Kind = "scale"   // one more instance comes, and goes
	Broker  Kind = "broker"  // kill -9 of Kafka, started again on its data
	Cut     Kind = "cut"     // all connections are closed
	Delay   Kind = "delay"   // everything takes longer on the way
	Stall   Kind = "stall"   // nothing passes between one instance and Kafka, and arrives late after all
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{Kill, Wipe, Pause, Rolling, Scale, Broker, Cut, Delay, Stall} }

// Config of a run.
type Config struct {
	Seed      uint64
	Kills     int // faults of kind Kill; the others are drawn beside them
	Instances int
	Others    []Kind // kinds beside Kill; nil: all, each after every third kill or so
	// Fixed replaces the drawn schedule.
	Fixed []Fault

	Rate       int           // legacy records per second
	MaxRecords int           // of the writer
	StallBound time.Duration // longest time without a slim record
	DrainBound time.Duration // after the last fault
	MaxTime    time.Duration // of the whole run

	Root  string // of the checkout
	Dir   string // for everything that is written
	Tags  string // build tags of the binary
	Bound bool   // Kafka ends with the calling process, whatever ends that
}

// WithDefaults fills in what is unset.
func (c Config) WithDefaults() Config {
	if c.Others == nil {
		c.Others = slices.DeleteFunc(Kinds(), func(k Kind) bool { return k == Kill })
	}
	c.Instances = cmpOr(c.Instances, 2)
	c.Rate = cmpOr(c.Rate, 100)
	c.MaxRecords = cmpOr(c.MaxRecords, 2_000_000)
	c.StallBound = cmpOr(c.StallBound, time.Minute)
	c.DrainBound = cmpOr(c.DrainBound, 5*time.Minute)
	c.MaxTime = cmpOr(c.MaxTime, 15*time.Minute+time.Duration(max(c.Kills, len(c.Fixed)))*time.Minute)
	return c
}

func cmpOr[T int | time.Duration](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// Validate reports what makes a run impossible.
func (c Config) Validate() error {
	switch {
	case c.Kills < 0 || c.Kills > 10_000:
		return fmt.Errorf("kills: %d: want 0 to 10000", c.Kills)
	case c.Instances < 1 || c.Instances > gatePartitions:
		return fmt.Errorf("instances: %d: want 1 to %d, the partitions of the deployment", c.Instances, gatePartitions)
	case c.Rate < 1 || c.MaxRecords < 1:
		return errors.New("rate and records: want 1 or more")
	}
	for _, k := range c.Others {
		if !slices.Contains(Kinds(), k) {
			return fmt.Errorf("faults: %q: want some of %v", k, Kinds())
		}
	}
	return nil
}

// Fault is one step of a schedule.
type Fault struct {
	Kind     Kind
	Instance int // that it befalls, from 0; -1: all
	// Settled lets it begin only when slim records come; otherwise it falls into what the one before has left.
	Settled bool
	Before  time.Duration // time from then to the fault
	For     time.Duration // how long it lasts, or the instance or Kafka stays away
	// Slow is by how much everything from Kafka is held up from some seconds before a kill on. It widens the window between
	// what was sent and what is known to be sent, in which all losses of this kind of program happen: without it, a kill
	// meets that window of a few milliseconds hardly ever.
	Slow time.Duration
}

// otherShare is how many faults of other kinds there are for a kill.
const otherShare = 0.35

// Schedule draws what happens. It is a pure function of the configuration.
func Schedule(c Config) []Fault {
	if c.Fixed != nil {
		return c.Fixed
	}
	r := rand.New(rand.NewPCG(c.Seed, 0x6368616f73))
	var faults []Fault
	for range c.Kills {
		faults = append(faults, draw(r, c, Kill))
		if len(c.Others) > 0 && r.Float64() < otherShare {
			faults = append(faults, draw(r, c, c.Others[r.IntN(len(c.Others))]))
		}
	}
	return faults
}

func draw(r *rand.Rand, c Config, k Kind) Fault {
	f := Fault{Kind: k, Instance: r.IntN(c.Instances), Settled: r.Float64() < 0.75, Before: between(r, 100*time.Millisecond, 3*time.Second)}
	slow, all := r.Float64() < 0.4, r.Float64() < 0.1
	delay := between(r, 300*time.Millisecond, 1500*time.Millisecond)
	switch k {
	case Kill, Wipe:
		f.For = between(r, 0, 3*time.Second)
		if slow {
			f.Slow = delay
		}
		if all {
			f.Instance = -1
		}
	case Pause:
		f.For = sessionTimeout + between(r, 500*time.Millisecond, 8*time.Second)
	case Stall: // as long as a connection may leave what was written unacknowledged, takeover_repeat counts on it
		f.For = sessionTimeout + between(r, 0, 10*time.Second)
	case Broker:
		f.For = between(r, 0, 6*time.Second)
	case Delay:
		f.For, f.Slow = between(r, 3*time.Second, 10*time.Second), delay
	case Scale:
		f.For = between(r, 5*time.Second, 15*time.Second)
	}
	return f
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return (low + time.Duration(r.Int64N(int64(high-low)))).Truncate(time.Millisecond)
}

// String is one line for people.
func (f Fault) String() string {
	text := string(f.Kind)
	switch {
	case f.Kind == Rolling || f.Kind == Broker || f.Kind == Cut || f.Kind == Delay || f.Kind == Scale:
	case f.Instance < 0:
		text += " of all instances"
	default:
		text += fmt.Sprintf(" of instance %d", f.Instance+1)
	}
	if f.For > 0 {
		text += fmt.Sprintf(", for %s", f.For)
	}
	if f.Slow > 0 {
		text += fmt.Sprintf(", with %s of delay", f.Slow)
	}
	if !f.Settled {
		text += ", at once"
	}
	return text
}
