// Package steady finds what a process takes for a record while it is at work, apart from how it begins and ends.
package steady

import (
	"errors"
	"time"
)

// Sample is what is seen at one moment.
type Sample struct {
	At          time.Time
	Written     float64 // slim records, in all
	CPU, Broker time.Duration
}

// Of gives the rate of legacy records a second, and the processor time of each in seconds, between a fifth and nine tenths
// of what came out: not while connections wake up or state is restored, nor while the last ones trickle. The samples are
// those at which something had come out, and records how many legacy ones they are of, from the first sample to the last.
func Of(seen []Sample, records float64) (rate, cpu, broker float64, err error) {
	if len(seen) == 0 {
		return 0, 0, 0, errors.New("nothing was seen")
	}
	base, all := seen[0].Written, seen[len(seen)-1].Written-seen[0].Written
	var from, to *Sample
	for n := range seen {
		s := &seen[n]
		if from == nil && s.Written-base >= all/5 {
			from = s
		}
		if s.Written-base <= all*9/10 {
			to = s
		}
	}
	if from == nil || to == nil || !to.At.After(from.At) || to.Written <= from.Written {
		return 0, 0, 0, errors.New("the backlog was gone too fast to be measured: want more orders")
	}
	n := (to.Written - from.Written) * records / all
	return n / to.At.Sub(from.At).Seconds(), (to.CPU - from.CPU).Seconds() / n, (to.Broker - from.Broker).Seconds() / n, nil
}
