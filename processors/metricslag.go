package processors

import (
	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
	"github.com/ticketscloud/vibe-bridge/mapping"
)

// inputsOf names the cluster that a group reads from.
func (t Topics) inputsOf(g goka.Group) string {
	if t.stageOf(string(g)) == "intake" {
		return kafka.SourceCluster
	}
	return kafka.StateCluster
}

// appended tells since when a record is on its way: facts of a legacy record since that was appended, so that
// the lag of the stages behind intake is that of the legacy topic.
func (t Topics) appended() func(*sarama.ConsumerMessage) int64 {
	facts := map[string]bool{}
	for _, s := range mapping.Streams {
		facts[string(t.internal(s))] = true
	}
	return func(m *sarama.ConsumerMessage) int64 {
		if facts[m.Topic] {
			if at := mapping.LegacyTime(m.Value); at > 0 {
				return at
			}
		}
		return m.Timestamp.UnixMilli()
	}
}
