//go:build plantedbug

package kafka

import "github.com/IBM/sarama"

// plantedBug commits a record as soon as it is handed on, though nothing that it leads to is acknowledged: what was on
// its way in a crash is never read again. It breaks rule R2, which the tracker is there for.
func plantedBug(s *trackedSession, m *sarama.ConsumerMessage) {
	next := m.Offset + 1
	s.ConsumerGroupSession.MarkOffset(m.Topic, m.Partition, next, Progress{Ended: uint64(next)}.metadata())
}
