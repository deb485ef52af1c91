package live

import (
	"context"

	"github.com/ticketscloud/vibe-bridge/internal/kafka"
)

// HasResults tells whether the comparison of a deployment has a topic of results.
func HasResults(ctx context.Context, state kafka.Cluster, name string) (bool, error) {
	return TopicExists(ctx, state, topics{name}.totals())
}
