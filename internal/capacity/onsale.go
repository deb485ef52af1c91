package capacity

import (
	"errors"
	"fmt"
	"math"
	"sort"
)

// OnSale is one event whose orders come faster than usual, for a while. All of an event is in one partition, and one
// goroutine decides about it, one record after the other: that is the promise of order. Rates are legacy records a second.
type OnSale struct {
	Sale      float64 `json:"sale_records_per_second"`      // of the event, while it lasts
	Length    float64 `json:"seconds"`                      // that it lasts, whole ones
	Others    float64 `json:"other_records_per_second"`     // of all other events, before, meanwhile and after
	Beside    float64 `json:"beside_records_per_second"`    // of those, in the event's partition
	Partition float64 `json:"partition_records_per_second"` // what one partition takes
	Intake    float64 `json:"intake_records_per_second"`    // what intake takes, of all events together
}

// maxOnSale bounds what is simulated: ten days in steps of a second.
const maxOnSale = 10 * day

// longestSale is how long a sale may last.
const longestSale = day

// errNeverOut says that a queue has no end.
var errNeverOut = errors.New("it never ends")

// Validate reports the first value that makes no sense, and what never ends.
func (s OnSale) Validate() error {
	for _, v := range []struct {
		what  string
		value float64
		least float64
	}{
		{"records of the sale", s.Sale, 1e-9}, {"records of other events", s.Others, 0}, {"records beside the sale", s.Beside, 0},
		{"records that a partition takes", s.Partition, 1e-9}, {"records that intake takes", s.Intake, 1e-9},
	} {
		if !(v.value >= v.least && v.value <= 1e9) {
			return fmt.Errorf("%s: %s a second make no sense", v.what, plain(v.value))
		}
	}
	switch {
	case wholeSeconds(s.Length) != nil:
		return wholeSeconds(s.Length)
	case s.Beside > s.Others:
		return fmt.Errorf("%s records/s beside the sale are more than the %s of all other events", number(s.Beside), number(s.Others))
	case s.Others >= s.Intake:
		return fmt.Errorf("%w: without the sale, %s records/s come and intake takes %s", errNeverOut, number(s.Others), number(s.Intake))
	case s.Beside >= s.Partition:
		return fmt.Errorf("%w: without the sale, %s records/s come to the partition and it takes %s", errNeverOut, number(s.Beside), number(s.Partition))
	}
	if end := s.roughEnd(); end > maxOnSale {
		return fmt.Errorf("the last order would be out after %s: more than %s are not simulated", Quantity(end, "s"), Quantity(maxOnSale, "s"))
	}
	return nil
}

func wholeSeconds(v float64) error {
	if v >= 1 && v <= longestSale && v == math.Trunc(v) {
		return nil
	}
	return fmt.Errorf("a sale of %s: want whole seconds, 1 s to %s", Quantity(v, "s"), Quantity(longestSale, "s"))
}

// roughEnd is no earlier than the last record of the sale: each queue alone, one behind the other.
func (s OnSale) roughEnd() float64 {
	length := s.Length
	intake := max(0, (s.Sale+s.Others-s.Intake)*length/(s.Intake-s.Others))
	partition := max(0, (s.Sale+s.Beside-s.Partition)*length/(s.Partition-s.Beside))
	return length + intake + partition
}

// Second is how things stand at the end of a second since the start of the sale.
type Second struct {
	At           float64 `json:"at"`            // seconds
	Arrived      float64 `json:"arrived"`       // records of the partition
	BeforeIntake float64 `json:"before_intake"` // of those, waiting in the legacy topic
	BeforeGate   float64 `json:"before_gate"`   // of those, waiting in the internal topic
	Out          float64 `json:"out"`           // of those, done
	Waited       float64 `json:"waited"`        // seconds that what goes out now has waited
	Wait         float64 `json:"wait"`          // seconds that what arrives now will wait
	Elsewhere    float64 `json:"elsewhere"`     // seconds that orders of events in other partitions wait now
}

// Waiting is the backlog of the partition.
func (s Second) Waiting() float64 { return s.BeforeIntake + s.BeforeGate }

// Course is what becomes of a sale.
type Course struct {
	Sale    OnSale   `json:"sale"`
	Seconds []Second `json:"seconds"` // from 0 to the second at which nothing waits any more

	LastOut       float64 `json:"last_out"`       // when the last record of the sale is out, in seconds since its start
	MostWaiting   float64 `json:"most_waiting"`   // records of the partition
	MostWait      float64 `json:"most_wait"`      // seconds
	MostElsewhere float64 `json:"most_elsewhere"` // seconds, in other partitions
	// MostUnread is the most that waits in the legacy topics, of all events.
	MostUnread float64 `json:"most_unread"`
}

// arrivals is how many records have come by t, of two constant streams of which the first ends.
type arrivals struct{ sale, base, length float64 }

func (a arrivals) by(t float64) float64 { return a.sale*min(t, a.length) + a.base*t }

// when is the inverse of by, not before 0: when the n-th record came.
func (a arrivals) when(n float64) float64 {
	if most := a.by(a.length); n > most {
		if a.base == 0 {
			return a.length
		}
		return a.length + (n-most)/a.base
	}
	return max(0, n/(a.sale+a.base))
}

// Simulate goes through the seconds of a sale until nothing waits any more. Both queues are first in, first out: intake's is
// that of all events, and the partition's gets what intake has done of it. Times are exact to a second.
func (s OnSale) Simulate() (Course, error) {
	if err := s.Validate(); err != nil {
		return Course{}, err
	}
	all := arrivals{s.Sale, s.Others, s.Length}
	own := arrivals{s.Sale, s.Beside, s.Length}
	c := Course{Sale: s, Seconds: []Second{{}}}
	read, done := 0.0, 0.0                         // records, of all and of the partition
	allRead, allDone := []float64{0}, []float64{0} // by second
	for t := 1.0; ; t++ {
		read = min(read+s.Intake, all.by(t))
		front := min(all.when(read), t) // all that came before has been read
		if all.by(t)-read <= 1e-9*read {
			front = t
		}
		handed := own.by(front)
		done = min(done+s.Partition, handed)
		doneFront := min(own.when(done), front)
		if handed-done <= 1e-9*done {
			doneFront = front
		}
		allRead, allDone = append(allRead, read), append(allDone, done)
		now := Second{
			At: t, Arrived: own.by(t), BeforeIntake: own.by(t) - handed, BeforeGate: handed - done, Out: done,
			Waited: t - doneFront, Elsewhere: t - front,
		}
		c.Seconds = append(c.Seconds, now)
		c.MostWaiting = max(c.MostWaiting, now.Waiting())
		c.MostUnread = max(c.MostUnread, all.by(t)-read)
		if c.LastOut == 0 && t >= all.length && doneFront >= all.length {
			c.LastOut = max(all.length, when(allDone, own.by(all.length)))
		}
		// Everything that came while the sale lasted is out, and nothing is left behind it.
		if c.LastOut > 0 && now.Waiting() <= 1e-6*max(1, s.Beside) && doneFront == t {
			break
		}
	}
	for i := range c.Seconds {
		s := &c.Seconds[i]
		s.Wait = max(0, when(allDone, own.by(s.At))-s.At)
		c.MostWait = max(c.MostWait, s.Wait, s.Waited)
		c.MostElsewhere = max(c.MostElsewhere, when(allRead, all.by(s.At))-s.At)
	}
	return c, nil
}

// when is the moment at which n records were done, of so many by each second; the last moment if they never were.
func when(done []float64, n float64) float64 {
	high := sort.SearchFloat64s(done, n*(1-1e-9)) // a sum that is off in its last digits is reached
	switch high {
	case 0:
		return 0
	case len(done):
		return float64(high - 1)
	}
	return float64(high-1) + min(1, (n-done[high-1])/(done[high]-done[high-1]))
}

// Minutes are the rows of a table: every minute, or fewer where there would be more than an hour's, and the last second.
func (c Course) Minutes() (rows []Second) {
	last := len(c.Seconds) - 1
	step := 60
	for _, longer := range []int{5, 15, 60, 240} {
		if last/step > 60 {
			step = 60 * longer
		}
	}
	for i := 0; i < last; i += step {
		rows = append(rows, c.Seconds[i])
	}
	return append(rows, c.Seconds[last])
}
