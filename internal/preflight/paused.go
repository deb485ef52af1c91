package preflight

import (
	"context"
	"maps"
	"slices"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/processors"
)

// paused names the legacy topics that no instance reads: whoever starts one would wait in vain for their records.
func (r *run) paused(ctx context.Context, found reachedClusters) {
	if found[kafka.StateCluster] == nil || r.failed("rights") || r.failed("topics") {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	paused, err := processors.ReadPauses(ctx, r.Bridge)
	if err != nil {
		r.fail("paused", kafka.StateCluster+" "+r.Bridge.Topics.Control(), kafka.Explain(err), "")
		return
	}
	for _, topic := range slices.Sorted(maps.Keys(paused)) {
		r.warn("paused", kafka.SourceCluster+" "+topic, "it is paused "+paused[topic].String(),
			"put right what is wrong with its records, then `vibe-bridge quarantine resume --topic "+topic+"`; runbook VibeBridgeTopicPaused")
	}
	if len(paused) == 0 {
		r.ok("paused", kafka.SourceCluster, "no legacy topic is paused")
	}
}
