package processors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// What the console does, as the commands of the same names do it.

const (
	resyncRate = 1000 // commands per second
	replayRate = 100  // records per second
	mostReplay = 10_000
)

// Resync has things emitted again.
func (c *Console) Resync(ctx context.Context, o console.ResyncOrder) (console.Resynced, error) {
	req := ResyncRequest{Event: o.Event, Order: o.Order}
	if o.Since != "" {
		at, err := console.ParseMoment(o.Since, time.Now())
		switch {
		case err != nil:
			return console.Resynced{}, &console.RefusedError{Text: "since: want " + err.Error()}
		case at.After(time.Now()):
			return console.Resynced{}, &console.RefusedError{Text: "since: is in the future"}
		}
		req.Since = at
	}
	cfg := c.config()
	plan, err := PlanResync(ctx, cfg, req)
	var refused *ResyncRefusedError
	if errors.As(err, &refused) {
		return console.Resynced{}, &console.NotFoundError{Text: "nothing was sent: " + refused.Reason}
	}
	if err != nil {
		return console.Resynced{}, notNow(err)
	}
	done := console.Resynced{
		Commands: len(plan.Commands), Waiting: plan.Waiting,
		Events: plan.Entities[mapping.Events], Orders: plan.Entities[mapping.Orders], Refunds: plan.Entities[mapping.Refunds],
	}
	if o.DryRun {
		return done, nil
	}
	if done.Sent, err = plan.Send(ctx, cfg, resyncRate, nil); err != nil {
		return done, fmt.Errorf("%d of %d commands are acknowledged; it may be repeated: %w", done.Sent, done.Commands, err)
	}
	return done, nil
}

// Resume has a legacy topic read again, by all instances.
func (c *Console) Resume(ctx context.Context, topic string) (console.Resumed, error) {
	cfg := c.config()
	paused, err := ReadPauses(ctx, cfg)
	if err != nil {
		return console.Resumed{}, err
	}
	p, is := paused[topic] // also of a topic of an earlier configuration
	if !is {
		if topic, err = cfg.legacyTopic(topic); err != nil {
			return console.Resumed{}, err
		}
		if p, is = paused[topic]; !is {
			return console.Resumed{}, nil
		}
	}
	if err := Resume(ctx, cfg, []string{topic}); err != nil {
		return console.Resumed{}, fmt.Errorf("it may be repeated: %w", err)
	}
	since := writable(p.Since)
	return console.Resumed{Resumed: true, PausedSince: &since}, nil
}

// Replay has records in quarantine processed again. What was replayed before is left out, unless it is named by its position.
func (c *Console) Replay(ctx context.Context, o console.ReplayOrder) (console.Replayed, error) {
	done := console.Replayed{Outcomes: map[string]int{}}
	cfg := c.config()
	topic, err := cfg.legacyTopic(o.Topic)
	if err == nil {
		err = checkReason(o.Reason)
	}
	if err != nil {
		return done, err
	}
	c.bad.mu.Lock()
	c.bad.until = time.Time{} // what is there now counts
	c.bad.mu.Unlock()
	var chosen []*Quarantined
	if len(o.Positions) > 0 {
		chosen, err = c.atPositions(ctx, o.Positions)
	} else {
		var list QuarantineList
		list, err = c.readQuarantine(ctx)
		chosen = list.Records
	}
	if err != nil {
		return done, err
	}
	var wanted []*Quarantined
	for _, e := range chosen {
		if wantsBad(console.BadQuery{Reason: o.Reason, Replayed: len(o.Positions) > 0}, topic, e) {
			own := *e
			wanted = append(wanted, &own)
		}
	}
	if len(wanted) > mostReplay {
		return done, &console.RefusedError{Text: fmt.Sprintf("%d records: more than %d take too long here: use vibe-bridge quarantine replay, or choose fewer", len(wanted), mostReplay)}
	}
	if !o.DryRun {
		if err := CheckReplay(ctx, cfg); err != nil {
			return done, err
		}
	}
	err = Replay(ctx, cfg, wanted, ReplayOptions{DryRun: o.DryRun, Rate: replayRate, Report: func(r Replayed) {
		done.Records++
		done.Outcomes[r.Result]++
	}})
	c.bad.mu.Lock()
	c.bad.until = time.Time{}
	c.bad.mu.Unlock()
	if err != nil {
		return done, fmt.Errorf("%d of %d records are replayed; it may be repeated: %w", done.Records, len(wanted), c.mayNotRead(err))
	}
	return done, nil
}
