package processors

import (
	"strings"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// GateTracker is the gate's tracker; nil before the gate runs.
func (b *Bridge) GateTracker() *kafka.Tracker {
	if g := b.gate.Load(); g != nil {
		return g.tracker
	}
	return nil
}

// Gate gives the names of the gate's group, inputs, loop (one of the inputs) and table.
func (t Topics) Gate() (group string, inputs []string, loop, table string) {
	g := t.gateGroup()
	loop, table = loopOf(g), tableOf(g)
	return string(g), []string{t.Internal(mapping.Events), t.Internal(mapping.Orders), t.Internal(mapping.Refunds), string(t.answers()), loop}, loop, table
}

// Internal is the internal topic of a stream.
func (t Topics) Internal(s mapping.Stream) string { return string(t.internal(s)) }

// Memberships is the topic in which the gate asks for organizers.
func (t Topics) Memberships() string { return string(t.memberships()) }

// ListedMetric is a metric of the list.
type ListedMetric struct{ Kind, Labels string }

// ListedMetrics is the list, by full name.
func ListedMetrics() map[string]ListedMetric {
	all := map[string]ListedMetric{}
	for _, m := range allMetrics {
		all[m.fullName()] = ListedMetric{string(m.kind), strings.Join(m.labels, " ")}
	}
	return all
}
