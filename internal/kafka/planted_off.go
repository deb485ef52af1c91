//go:build !plantedbug

package kafka

import "github.com/IBM/sarama"

// plantedBug does nothing. Only a build with the tag plantedbug has a bug here, to see that the chaos suite
// (internal/chaos) finds it.
func plantedBug(*trackedSession, *sarama.ConsumerMessage) {}
