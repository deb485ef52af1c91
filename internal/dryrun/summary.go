package dryrun

import (
	"encoding/json"

	"github.com/ticketscloud/vibe-bridge/mapping"
)

// Summary is the accounting of a run (mapping contract, Accounting).
type Summary struct {
	Accounts *mapping.Accounts
	Counts   map[mapping.Reason]uint64
}

// MarshalJSON gives one object: an account under each legacy topic's default
// name, and the counts.
func (s Summary) MarshalJSON() ([]byte, error) {
	m := map[string]any{"counts": s.Counts}
	for topic, account := range s.Accounts.ByTopic() {
		m[topic] = account
	}
	return json.Marshal(m)
}
