package processors

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ticketscloud/vibe-bridge/internal/console"
	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// DefaultStallAfter is Config.StallAfter where it is not set.
const DefaultStallAfter = 2 * time.Minute

// stallChecks is how often progress is looked at while a stall comes about.
const stallChecks = 10

// watchStalls looks for partitions that have records to acknowledge and do not get
// on, and for groups that do not join. It changes nothing: they make the instance unready, and are named.
func (b *Bridge) watchStalls(ctx context.Context) error {
	w := stallWatch{after: b.cfg.StallAfter, since: map[string]standing{}}
	tick := time.NewTicker(b.cfg.StallAfter / stallChecks)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			var stalled []string
			for _, g := range b.groups() {
				stalled = append(stalled, w.joining(string(g.name), g.tracker.Joined(), now)...)
				if g.heldBack != nil && g.heldBack() {
					w.forget(string(g.name)) // NotReady says why it stands
					continue
				}
				stalled = append(stalled, w.look(string(g.name), g.tracker.Positions(), g.markers(), now)...)
			}
			slices.Sort(stalled)
			before := b.stalled.Swap(&stalled)
			switch {
			case len(stalled) > 0 && (before == nil || !slices.Equal(*before, stalled)):
				b.log.Warn("groups do not get on", "stalled", stalled)
			case len(stalled) == 0 && before != nil && len(*before) > 0:
				b.log.Info("all groups get on again")
			}
		}
	}
}

// stallWatch remembers since when a partition stands where it stands, and a group has not joined.
type stallWatch struct {
	after time.Duration
	since map[string]standing
}

type standing struct {
	at    int64
	since time.Time
}

// markers is how many offsets at the end of a partition may be no records: a legacy
// topic may end in markers of transactions, which nobody ever consumes.
func (g *group) markers() int64 {
	if g.name == g.b.topics.gateGroup() || g.name == g.b.topics.organizersGroup() {
		return 0
	}
	return 100
}

// forget starts the time of a group anew.
func (w stallWatch) forget(group string) {
	maps.DeleteFunc(w.since, func(name string, _ standing) bool { return strings.HasPrefix(name, "group "+group+", ") })
}

// joining names a group that has had no session for longer than after. One without partitions has a session, too, and
// every rebalance is a moment without.
func (w stallWatch) joining(group string, joined bool, now time.Time) (stalled []string) {
	name := "group " + group
	last, known := w.since[name]
	if !known || joined {
		w.since[name] = standing{since: now}
		return nil
	}
	if now.Sub(last.since) >= w.after {
		stalled = append(stalled, fmt.Sprintf("%s has no partitions: it has not joined for %s", name, w.after))
	}
	return stalled
}

// look gives the partitions of a group that have had records for longer than after
// and acknowledged none.
func (w stallWatch) look(group string, positions []kafka.Position, markers int64, now time.Time) (stalled []string) {
	for _, p := range positions {
		name := fmt.Sprintf("group %s, %s/%d", group, p.Topic, p.Partition)
		last, known := w.since[name]
		idle := p.Pending == 0 && p.End-p.Acknowledged <= markers
		if !known || idle || p.Acknowledged != last.at {
			w.since[name] = standing{p.Acknowledged, now}
			continue
		}
		if now.Sub(last.since) >= w.after {
			stalled = append(stalled, name+" stands at offset "+fmt.Sprint(p.Acknowledged))
		}
	}
	return stalled
}

// watchClusters tries to reach each cluster, as often as stalls are looked for, and names those that do not answer: most of
// what else makes the instance unready follows from that.
func (b *Bridge) watchClusters(ctx context.Context) error {
	wire := kafka.NewWire() // of its own: an instance that ends waits for no answer
	defer context.AfterFunc(ctx, wire.Cut)()
	tick := time.NewTicker(b.cfg.StallAfter / stallChecks)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			away := b.clustersAway(wire)
			if ctx.Err() != nil {
				return nil
			}
			before := b.away.Swap(&away)
			switch {
			case len(away) > 0 && (before == nil || !slices.Equal(*before, away)):
				b.log.Warn("clusters are out of reach", "why", away)
			case len(away) == 0 && before != nil && len(*before) > 0:
				b.log.Info("all clusters are in reach again")
			}
		}
	}
}

// clustersAway are the clusters that cannot be reached, and why; those that are configured alike are asked at once, as one.
func (b *Bridge) clustersAway(wire *kafka.Wire) []string {
	type named struct {
		name    string
		cluster kafka.Cluster
	}
	clusters := []named{{kafka.SourceCluster, b.cfg.Source}, {kafka.StateCluster, b.cfg.State}, {kafka.TargetCluster, b.cfg.Target}}
	asked := func(i int) int {
		return slices.IndexFunc(clusters, func(c named) bool { return reflect.DeepEqual(c.cluster, clusters[i].cluster) })
	}
	errs := make([]error, len(clusters))
	var asking sync.WaitGroup
	for i, c := range clusters {
		if asked(i) == i {
			asking.Go(func() { errs[i] = c.cluster.Reach(wire) })
		}
	}
	asking.Wait()
	away := []string{}
	for i, c := range clusters {
		if err := errs[asked(i)]; err != nil {
			away = append(away, fmt.Sprintf("%s cluster out of reach: %s", c.name, kafka.Explain(err)))
		}
	}
	return away
}

// NotReady says why the instance is not ready, clusters that are away before what follows from that: what has not begun, what is being restored, what is held back, partitions that do not get on, and groups that do not join.
func (b *Bridge) NotReady() []string {
	var reasons []string
	if away := b.away.Load(); away != nil {
		reasons = append(reasons, *away...)
	}
	if !b.started.Load() {
		reasons = append(reasons, "starting")
	} else if waits := b.notJoined(); len(waits) > 0 {
		reasons = append(reasons, "starting: groups that have not joined yet: "+strings.Join(waits, ", "))
	}
	reasons = append(reasons, b.restoring()...)
	if priming := b.notPrimed.Load(); priming != nil {
		reasons = append(reasons, *priming)
	}
	reasons = append(reasons, b.breaker.reasons()...)
	if stalled := b.stalled.Load(); stalled != nil {
		reasons = append(reasons, *stalled...)
	}
	return reasons
}

// restoring says which groups do not read yet because their tables are being filled.
func (b *Bridge) restoring() (reasons []string) {
	for _, g := range b.groups() {
		partitions, left := 0, int64(0)
		for _, p := range g.partitionStates() {
			if p.State != console.Running {
				partitions, left = partitions+1, left+p.Total-p.Restored
			}
		}
		if partitions > 0 {
			reasons = append(reasons, fmt.Sprintf("restoring: %d partitions of group %s, %d records are left", partitions, g.name, left))
		}
	}
	return reasons
}

// notJoined are the groups that have had no session yet. Only in the first one is it known that the group can go on from
// its committed offsets: a start that is refused for them must not have looked like one that is through.
func (b *Bridge) notJoined() (names []string) {
	for _, g := range b.groups() {
		if !g.tracker.HasJoined() {
			names = append(names, string(g.name))
		}
	}
	return names
}
