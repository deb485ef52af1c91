package mapping

import (
	"errors"
	"fmt"
	"time"

	"github.com/ticketscloud/vibe-bridge/directory"
	"github.com/ticketscloud/vibe-bridge/slim"
)

// Limits on sizes in bytes.
const (
	// DefaultMaxRecordBytes is what a Kafka topic takes by default (message.max.bytes).
	DefaultMaxRecordBytes = 1 << 20
	// headerReserve is kept free in a slim record for its headers.
	headerReserve = 1 << 10
	// envelopeReserve is kept free at intake for what the gate adds as well:
	// organizer, venue, set names.
	envelopeReserve = 8 << 10
)

// Rules are everything besides the records that decides what slim topics hold.
// Two instances of one deployment must have equal rules.
type Rules struct {
	Encoding        slim.Encoding
	Directory       *directory.Directory
	DefaultLocation *time.Location // of events whose venue has no known time zone; edition 2.0
	OrganizerHold   time.Duration  // how long an event waits for its organizer
	SetHold         time.Duration  // how long an order waits for a set that its event lacks
	MaxRecordBytes  int            // of a slim record, key and headers included
	// RepeatAfter is when to send again what another instance may still have on its
	// way when it lost a partition; it has to outlive that. 0: never.
	RepeatAfter time.Duration

	bugs bugs
}

// bugs plants the faults that the property tests must catch; all off outside them.
type bugs struct {
	trustFlag     bool // suppress by digest alone, as a "done" flag would
	keepOwnClaim  bool // a replay believes the claim of its first processing
	trustOldClaim bool // a replay believes that the claim of an earlier session was the last
	noRelease     bool // an event that emits forgets what waits for it
	noSpread      bool // changed sets, currency or customer reach nobody
	orderUnproven bool // an order goes out though its event is not proven
	skipWrite     bool // unchanged state is not written again on a replay
	quietReplay   bool // the same, where the last write is acknowledged
	highestSeen   bool // a record below the highest offset seen is taken for a replay
	ownTime       bool // between partitions, the time of the last record alone decides
	countReplays  bool // a record from quarantine is accounted for each time it is replayed
	forgetReports bool // a replay takes for reported what it had reported before
	replayWins    bool // a record from quarantine replaces a newer one
	noOthers      bool // facts that repeats of another partition refer to are forgotten
	anyFacts      bool // repeats are taken to repeat whatever is newest
}

// Validate reports what makes the rules unusable.
func (r *Rules) Validate() error {
	switch {
	case r.Directory == nil:
		return errors.New("rules: no directory (use directory.Empty)")
	case r.DefaultLocation == nil:
		return errors.New("rules: no default time zone")
	case r.OrganizerHold < 0:
		return fmt.Errorf("rules: organizer hold %s is negative", r.OrganizerHold)
	case r.RepeatAfter < 0:
		return fmt.Errorf("rules: repeat after %s is negative", r.RepeatAfter)
	case r.SetHold < 0:
		return fmt.Errorf("rules: set hold %s is negative", r.SetHold)
	case r.MaxRecordBytes < 2*envelopeReserve:
		return fmt.Errorf("rules: max record bytes %d is below %d", r.MaxRecordBytes, 2*envelopeReserve)
	}
	return r.Encoding.Validate()
}

// organizerRequired tells whether an event cannot go out without its organizer.
func (r *Rules) organizerRequired() bool { return r.Encoding.Edition == slim.Edition2 }
