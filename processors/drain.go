package processors

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// WaitDrained waits until nothing is on its way in the deployment and no hold
// runs any more, and returns what there is then. step, if not nil, is called
// about five times a second.
func WaitDrained(ctx context.Context, admins kafka.Admins, cfg Config, step func(Lag) error) (*Report, error) {
	d := drain{
		lag: func() (Lag, error) {
			lag, err := ReadLag(admins, cfg.Topics)
			if err == nil && step != nil {
				err = step(lag)
			}
			return lag, err
		},
		over:   func(lag Lag) (bool, error) { return isOver(ctx, admins[kafka.SourceCluster], cfg, lag) },
		report: func() (*Report, error) { return ReadReport(ctx, admins, cfg.State, cfg.Topics) },
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		if r, err := d.look(); r != nil || err != nil {
			return r, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// drain is what is read of a deployment to learn that it is drained.
type drain struct {
	lag    func() (Lag, error)
	over   func(Lag) (bool, error)
	report func() (*Report, error)
	last   *Lag // of the look before
}

// look gives the report once it is the last one.
//
// Twice nothing to do and nothing new in between: nothing is on its way but what time
// brings, the end of a hold. A report without holds may have been read right behind such
// an end, while what waited for it is still being sent. So nothing new may come until
// after the report either.
func (d *drain) look() (*Report, error) {
	now, err := d.lag()
	if err != nil {
		return nil, err
	}
	quiet := d.last != nil && *d.last == now
	d.last = &now
	if !quiet {
		return nil, nil
	}
	if over, err := d.over(now); err != nil || !over {
		return nil, err
	}
	report, err := d.report()
	if err != nil || report.Holds != 0 {
		return nil, err
	}
	after, err := d.lag()
	if err != nil || after != now {
		d.last = &after
		return nil, err
	}
	return report, nil
}

// mostMarkers bounds what is read again to learn that it holds no records.
const mostMarkers = 10_000

// isOver tells whether no record is on its way. A legacy topic that is written to
// in transactions ends in a marker, or in what was aborted: nobody ever consumes
// that, so that it looks like a lag.
func isOver(ctx context.Context, source *kafka.Admin, cfg Config, lag Lag) (bool, error) {
	if lag.Records == 0 {
		return true, nil
	}
	if lag.Records > lag.Legacy || lag.Legacy > mostMarkers {
		return false, nil
	}
	for _, s := range mapping.Streams {
		group, topic := string(cfg.Topics.intakeGroup(s)), cfg.Topics.Legacy[s]
		partitions, err := source.Partitions(topic)
		if err != nil {
			return false, err
		}
		commits, err := source.GroupCommits(group, map[string][]int32{topic: partitions})
		if err != nil {
			return false, err
		}
		from, records := map[int32]int64{}, 0
		for p, c := range commits[topic] {
			from[p] = c.Offset // below the beginning where there is none
		}
		if err := cfg.Source.ReadFrom(ctx, topic, from, func(*kgo.Record) { records++ }); err != nil {
			return false, err
		}
		if records > 0 {
			return false, nil
		}
	}
	return true, nil
}
