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
	Half    Kind = "half"    // half-open connections: what goes one way is swallowed, and then they are reset
	Limit   Kind = "limit"   // connections pass few bytes per second
	Full    Kind = "full"    // the disk with an instance's state is full, and has space again
	Leader  Kind = "leader"  // a broker becomes the leader of everything, and may be killed then
	Away    Kind = "away"    // the target cluster is away for minutes
)

// Kinds lists all kinds.
func Kinds() []Kind {
	return []Kind{Kill, Wipe, Pause, Rolling, Scale, Broker, Cut, Delay, Stall, Half, Limit, Full, Leader, Away}
}

// Config of a run.
type Config struct {
	Seed      uint64
	Kills     int // faults of kind Kill; the others are drawn beside them
	Instances int
	Others    []Kind // kinds beside Kill; nil: all that the run has what it takes for, one after every third kill or so
	// Brokers of the Kafka with source and state: 1, or 3 with three replicas of everything. Leader needs 3.
	Brokers int
	// OwnTarget gives the slim topics a Kafka of their own. Away needs it.
	OwnTarget bool
	// SmallDisk gives instance 1 a file system of its own for its state (see CanMount). Full needs it.
	SmallDisk bool
	// Fixed replaces the drawn schedule.
	Fixed []Fault

	Rate       int           // legacy records per second
	MaxRecords int           // of the writer
	StallBound time.Duration // longest time without a slim record
	DrainBound time.Duration // after the last fault
	Grace      time.Duration // how long what verify misses may be on its way; 0: what a takeover may take
	MaxTime    time.Duration // of the whole run
	// MemoryBound is how many bytes an instance may grow by while the target is away.
	MemoryBound int64
	// Stop, when it is closed, ends the schedule early. What has been written is judged all the same.
	Stop <-chan struct{}

	Root  string // of the checkout
	Dir   string // for everything that is written
	Tags  string // build tags of the binary
	Bound bool   // Kafka ends with the calling process, whatever ends that
}

// WithDefaults fills in what is unset.
func (c Config) WithDefaults() Config {
	c.Brokers = cmpOr(c.Brokers, 1)
	if c.Others == nil {
		c.Others = slices.DeleteFunc(Kinds(), func(k Kind) bool { return k == Kill || c.lacks(k) != "" })
	}
	c.Instances = cmpOr(c.Instances, 2)
	c.Rate = cmpOr(c.Rate, 100)
	c.MaxRecords = cmpOr(c.MaxRecords, 2_000_000)
	// An instance that failed several times waits for up to a minute before it is built anew.
	c.StallBound = cmpOr(c.StallBound, 3*time.Minute)
	c.DrainBound = cmpOr(c.DrainBound, 10*time.Minute)
	c.Grace = cmpOr(c.Grace, verifyGrace)
	c.MemoryBound = cmpOr(c.MemoryBound, defaultMemoryBound)
	c.MaxTime = cmpOr(c.MaxTime, 15*time.Minute+time.Duration(max(c.Kills, len(c.Fixed)))*2*time.Minute)
	return c
}

// AwayFor is a run that does nothing but have the target away for so long, under load. What the instances need before
// is seen for a minute; a bridge that cannot write for so long may take as long to catch up.
func (c Config) AwayFor(d time.Duration) Config {
	c.OwnTarget = true
	c.Fixed = []Fault{{Kind: Away, Settled: true, Before: time.Minute, For: d}}
	c.DrainBound = 10*time.Minute + d
	c.MaxTime = 20*time.Minute + 2*d
	return c
}

// lacks says what a kind of fault needs that the run does not have, or "".
func (c Config) lacks(k Kind) string {
	switch {
	case k == Leader && c.Brokers < 2:
		return "three brokers"
	case k == Away && !c.OwnTarget:
		return "a target of its own"
	case k == Full && !c.SmallDisk:
		return "a tmpfs, which takes Linux and root to mount"
	}
	return ""
}

func cmpOr[T int | int64 | time.Duration](v, otherwise T) T {
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
	case c.Brokers != 1 && c.Brokers != 3:
		return fmt.Errorf("brokers: %d: want 1 or 3", c.Brokers)
	case c.Brokers > 1 && c.OwnTarget:
		return errors.New("three brokers or a target of its own: want one of them, replicas are counted alike on all clusters")
	case c.Rate < 1 || c.MaxRecords < 1:
		return errors.New("rate and records: want 1 or more")
	}
	for _, k := range c.Others {
		if !slices.Contains(Kinds(), k) {
			return fmt.Errorf("faults: %q: want some of %v", k, Kinds())
		}
		if what := c.lacks(k); what != "" {
			return fmt.Errorf("faults: %s needs %s", k, what)
		}
	}
	return nil
}

// Fault is one step of a schedule.
type Fault struct {
	Kind     Kind
	Instance int // that it befalls, from 0; -1: all
	// Settled lets it begin only when slim records come and what it befalls takes part; otherwise it falls into what the
	// one before has left.
	Settled bool
	Before  time.Duration // time from then to the fault
	For     time.Duration // how long it lasts, or the instance or Kafka stays away
	// Slow is by how much everything from Kafka is held up from some seconds before a kill on. It widens the window between
	// what was sent and what is known to be sent, in which all losses of this kind of program happen: without it, a kill
	// meets that window of a few milliseconds hardly ever.
	Slow     time.Duration
	Broker   int  // that it befalls, from 1
	Requests bool // Half: what clients send is swallowed, and not what Kafka answers
	Crash    bool // Away: the instance is killed meanwhile, and cannot start before the target is back
	Rate     int  // Limit: bytes per second of every connection each way
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
	f.Broker = 1 + r.IntN(c.Brokers)
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
		f.For = brokerAway(r, c)
	case Leader:
		if r.Float64() < 0.5 {
			f.For = brokerAway(r, c)
		}
	case Delay:
		f.For, f.Slow = between(r, 3*time.Second, 10*time.Second), delay
	case Scale:
		f.For = between(r, 5*time.Second, 15*time.Second)
	case Half:
		f.For, f.Requests = between(r, 3*time.Second, 25*time.Second), r.Float64() < 0.5
		if r.Float64() < 0.2 { // longer than a client waits for an answer
			f.For = between(r, 45*time.Second, 60*time.Second)
		}
		if all {
			f.Instance = -1
		}
	case Limit: // what is in the proxy then must not arrive later than takeover_repeat counts on
		f.For, f.Rate = between(r, 5*time.Second, 15*time.Second), 8<<10<<r.IntN(5)
	case Full:
		f.Instance, f.For = 0, between(r, 2*time.Second, 15*time.Second)
	case Away:
		f.For, f.Crash = between(r, time.Minute, 4*time.Minute), r.Float64() < 0.5
	}
	return f
}

// brokerAway is how long a broker stays away. With others that lead meanwhile it may take longer than they need to.
func brokerAway(r *rand.Rand, c Config) time.Duration {
	if c.Brokers > 1 {
		return between(r, 0, 45*time.Second)
	}
	return between(r, 0, 6*time.Second)
}

func between(r *rand.Rand, low, high time.Duration) time.Duration {
	return (low + time.Duration(r.Int64N(int64(high-low)))).Truncate(time.Millisecond)
}

// ofInstances tells whether it befalls one instance, or all.
func (f Fault) ofInstances() bool {
	return slices.Contains([]Kind{Kill, Wipe, Pause, Stall, Half, Full}, f.Kind)
}

// String is one line for people.
func (f Fault) String() string {
	text := string(f.Kind)
	switch {
	case f.Kind == Broker || f.Kind == Leader:
		text += fmt.Sprintf(" %d", max(f.Broker, 1))
	case !f.ofInstances():
	case f.Instance < 0:
		text += " of all instances"
	default:
		text += fmt.Sprintf(" of instance %d", f.Instance+1)
	}
	switch {
	case f.Kind == Half && f.Requests:
		text += ", requests swallowed"
	case f.Kind == Half:
		text += ", answers swallowed"
	case f.Kind == Leader && f.For > 0:
		text += ", killed then"
	case f.Kind == Away && f.Crash:
		text += fmt.Sprintf(", instance %d killed meanwhile", f.Instance+1)
	case f.Kind == Limit:
		text += fmt.Sprintf(" to %d KiB/s", f.Rate>>10)
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
