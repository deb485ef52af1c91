package processors

import (
	"testing"

	"github.com/ticketscloud/vibe-bridge/mapping"
)

// TestDrainedWhenAHoldEndsAmidTheLook is a hold that ends between the second look at
// the lags and the report, which then has neither the hold nor what it sets free.
func TestDrainedWhenAHoldEndsAmidTheLook(t *testing.T) {
	quiet := Lag{Ends: 10}
	lags := []Lag{{Records: 3, Ends: 9}, quiet, quiet, // the report tells of a hold
		quiet, {Records: 1, Ends: 11}, // it ended before the report
		{Ends: 12}, {Ends: 12}, {Ends: 12}} // what it set free came out
	reports := []*Report{{Holds: 1}, {Waiting: map[string]int{"event": 1}}, {}}
	looks := 0
	d := drain{
		lag: func() (Lag, error) {
			now := lags[0]
			lags = lags[1:]
			return now, nil
		},
		over: func(l Lag) (bool, error) { return l.Records == 0, nil },
		report: func() (*Report, error) {
			r := reports[0]
			reports = reports[1:]
			r.Accounts = mapping.NewAccounts()
			return r, nil
		},
	}
	for {
		looks++
		r, err := d.look()
		if err != nil {
			t.Fatal(err)
		}
		if r == nil {
			continue
		}
		if r.Holds != 0 || len(r.Waiting) != 0 || len(lags) != 0 || len(reports) != 0 {
			t.Fatalf("drained after %d looks, with %+v; not looked at: %v, %d reports", looks, r, lags, len(reports))
		}
		return
	}
}
