package processors

import (
	"context"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// WaitDrained waits until nothing is on its way in the deployment and no hold
// runs any more, and returns what there is then. step, if not nil, is called
// about five times a second.
func WaitDrained(ctx context.Context, admins kafka.Admins, cfg Config, step func(Lag) error) (*Report, error) {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	last := Lag{Ends: -1}
	for {
		now, err := ReadLag(admins, cfg.Topics)
		if err != nil {
			return nil, err
		}
		if step != nil {
			if err := step(now); err != nil {
				return nil, err
			}
		}
		// Twice nothing to do and nothing new in between: nothing is on its way.
		if now.Records == 0 && now == last {
			report, err := ReadReport(ctx, admins, cfg.State, cfg.Topics)
			if err != nil || report.Holds == 0 {
				return report, err
			}
		}
		last = now
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}
